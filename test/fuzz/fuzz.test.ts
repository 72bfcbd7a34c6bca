import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './run.js';
import { targets } from './targets.js';

// The corpus, everything that was ever found among it, and some mutations of it. `npm run fuzz` continues from there.

const slow = new Set([
  'tls-server',
  'access-token',
  'frames',
  'unwrapped-records',
  'quic-message',
  'upgrade-request',
  'upgrade-answer',
]);

for (const target of targets)
  test(`the parser of ${target.name} handles mutated input without a fault`, async (t) => {
    const { inputs, faults } = await fuzz(target, 20_251, { inputs: slow.has(target.name) ? 500 : 5_000 });
    t.diagnostic(`${inputs} inputs`);
    assert.deepEqual(
      faults.map(({ input, error }) => `${error.stack} for ${input.toString('base64').slice(0, 2_000)}`),
      [],
    );
  });
