/**
 * `npm run fuzz [-- --seconds N] [--seed N] [TARGET ...]`: tries mutated input on each parser of what comes from outside, N seconds
 * each (10). An input that one does not take is kept in test/corpus, where `npm test` tries it from then on.
 */
import { parseArgs } from 'node:util';
import { fuzz, keep } from '../test/fuzz/run.js';
import { targets } from '../test/fuzz/targets.js';

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string' } },
  allowPositionals: true,
});
const seed = Number(values.seed ?? Date.now() % 1_000_000_007);
const chosen = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
if (chosen.length === 0 || !Number.isInteger(seed) || !(Number(values.seconds) > 0)) {
  process.stderr.write(
    `fuzz: give --seconds N, --seed N, and targets of: ${targets.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}
process.stdout.write(
  `seed ${seed}\n${'parser'.padEnd(20)}${'inputs'.padStart(12)}${'worst ms'.padStart(10)}${'faults'.padStart(8)}\n`,
);
let total = 0;
for (const target of chosen) {
  const { inputs, worstMs, faults } = await fuzz(target, seed, { ms: Number(values.seconds) * 1_000 });
  total += inputs;
  process.stdout.write(
    `${target.name.padEnd(20)}${String(inputs).padStart(12)}${worstMs.toFixed(1).padStart(10)}${String(faults.length).padStart(8)}\n`,
  );
  for (const { input, error } of faults) {
    process.exitCode = 1;
    process.stdout.write(`  ${keep(target, input)}: ${error.stack}\n`);
  }
}
process.stdout.write(`${total} inputs\n`);
