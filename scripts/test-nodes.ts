/**
 * `npm run test:nodes [-- VERSION ...]`: the tests that depend most on Node itself, under the other versions that are supported. Each
 * is installed by the package `node` into a temporary folder.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installInto, nodeIn } from './install.js';

const versions = process.argv.length > 2 ? process.argv.slice(2) : ['22', '24', '26'];
/** Private fields of Node, its TLS and HTTP, and a tunnel from end to end. */
const parts = [
  'kernel/',
  'net/',
  'protocol/',
  'streams/',
  'unwrap/',
  'util/',
  'relay/connect',
  'relay/data-plane',
  'relay/ingress',
  'tunnel/expose',
];
const tests = fileURLToPath(new URL('../test', import.meta.url));
const files = readdirSync(tests, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js') && parts.some((part) => file.startsWith(part)))
  .map((file) => join(tests, file));

for (const version of versions) {
  const folder = mkdtempSync(join(tmpdir(), 'portal-node-'));
  try {
    await installInto(folder, `node@${version}`);
    process.stdout.write(`Node ${version}\n`);
    const options = ['--enable-source-maps', '--test-timeout=240000', '--test-concurrency=3', '--test-reporter=dot'];
    const runner = spawn(nodeIn(folder), [...options, '--test', ...files], { stdio: 'inherit' });
    const [code] = (await once(runner, 'exit')) as [number | null];
    if (code !== 0) {
      process.stderr.write(`tests failed under Node ${version}\n`);
      process.exitCode = 1;
    }
  } catch (error) {
    process.stderr.write(`Node ${version} cannot be tested: ${(error as Error).message}\n`);
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
