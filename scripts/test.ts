/**
 * `npm test [-- PART ...]`: runs every test, or those whose path contains one of the parts given. Those of `test/quic`,
 * `test/programs` and `test/generators` need packages of their own: `npm run test:quic`, `npm run test:programs`, `npm run test:generators`.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireTool, toolNames } from '../test/support/tools.js';

const root = fileURLToPath(new URL('../test', import.meta.url));
const parts = process.argv.slice(2);
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => !/^(?:quic|programs|generators)\b/.test(file))
  .filter((file) => file.endsWith('.test.js') && (parts.length === 0 || parts.some((part) => file.includes(part))))
  .sort()
  .map((file) => join(root, file));
if (files.length === 0) {
  process.stderr.write('no test matches\n');
  process.exit(1);
}
if (parts.length === 0) {
  // One after the other, before test files ask for them side by side. Those that are not to be had fail their tests.
  for (const tool of toolNames)
    await requireTool(tool).catch((error: Error) => process.stderr.write(`${error.message}\n`));
}
const reporter = process.stdout.isTTY || process.env['CI'] ? ['--test-reporter=spec'] : [];
// A file that hangs fails by itself, well before whoever waits for the whole run gives up; a busy machine takes some four times as long. Files wait more than they compute, so that
// two at once are good on the smallest machine as well, where Node would take one.
const atOnce = Math.max(2, availableParallelism() - 1);
const options = ['--enable-source-maps', '--test-timeout=900000', `--test-concurrency=${atOnce}`, ...reporter];
const runner = spawn(process.execPath, [...options, '--test', ...files], { stdio: 'inherit' });
runner.once('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
