import { mkdirSync, renameSync, writeFileSync } from 'node:fs';

/** Creates a directory with mode 0700. */
export function makePrivateDir(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
}

/** Writes a file with mode 0600 atomically: readers see the old content or the new, never a part. */
export function writePrivateFile(file: string, content: string): void {
  const temporary = `${file}.new`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, file);
}
