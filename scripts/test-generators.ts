/**
 * `npm run test:generators [-- NAME]`: clients that generators make of the contract, compiled, and run against a relay. One whose language this machine
 * does not have is left out, and told.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../test/generators/generators.test.js', import.meta.url));
const [name] = process.argv.slice(2);
const reporter = process.stdout.isTTY || process.env['CI'] ? ['--test-reporter=spec'] : [];
const only = name === undefined ? [] : [`--test-name-pattern=${name}`];
const options = ['--enable-source-maps', '--test-timeout=900000', ...reporter, ...only];
const child = spawn(process.execPath, [...options, '--test', file], { stdio: 'inherit' });
const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
process.exitCode = signal ? 1 : (code ?? 1);
