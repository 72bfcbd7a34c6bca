import { readFileSync } from 'node:fs';

/** The package root is four directories above dist/src/cli/support/. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
