// tsc compiles declarations, but does not carry over those it was given.
import { copyFileSync } from 'node:fs';

for (const file of ['api.d.ts', 'agent/api.d.ts'])
  copyFileSync(new URL(`../generated/${file}`, import.meta.url), new URL(`../dist/generated/${file}`, import.meta.url));
