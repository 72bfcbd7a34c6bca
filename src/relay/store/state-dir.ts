import { mkdirSync, renameSync, writeFileSync } from 'node:fs';

/** Makes a directory that only its owner may enter. */
export function makePrivateDir(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
}

/** Writes a file that only its owner may read; whoever reads it meanwhile sees the old content or the new, never half. */
export function writePrivateFile(file: string, content: string): void {
  const temporary = `${file}.new`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, file);
}
