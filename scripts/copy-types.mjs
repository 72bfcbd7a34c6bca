// tsc compiles declarations, but does not carry over those it was given.
import { copyFileSync } from 'node:fs';

copyFileSync(new URL('../generated/api.d.ts', import.meta.url), new URL('../dist/generated/api.d.ts', import.meta.url));
