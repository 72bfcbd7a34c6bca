/**
 * `npm run test:quic`: the tests of the QUIC carrier, which needs an optional package and a Node that the rest does not. Both are installed
 * into a temporary folder beside a copy of what was built.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installInto, nodeIn } from './install.js';
import { requireTool } from '../test/support/tools.js';

const project = fileURLToPath(new URL('../..', import.meta.url));
const node = 'node@24';
const quic = '@currentspace/http3';

const folder = mkdtempSync(join(tmpdir(), 'portal-quic-'));
try {
  process.exitCode = await run();
} catch (error) {
  process.stderr.write(`the tests of QUIC cannot run: ${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @returns the exit code of the tests */
async function run(): Promise<number> {
  const { peerDependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
    peerDependencies: Record<string, string>;
  };
  await installInto(folder, node, `${quic}@${peerDependencies[quic]}`);
  const program = nodeIn(folder);
  // What is imported is looked for beside the importing file, so that has to lie beneath the folder.
  const copy = join(folder, 'portal');
  cpSync(join(project, 'dist'), join(copy, 'dist'), { recursive: true });
  for (const name of ['package.json', 'node_modules', 'generated', 'openapi'])
    symlinkSync(join(project, name), join(copy, name));
  for (const tool of ['dig', 'dnsmasq'] as const) await requireTool(tool);
  const tests = join(copy, 'dist', 'test', 'quic');
  const files = readdirSync(tests).filter((file) => file.endsWith('.test.js'));
  if (files.length === 0) throw new Error('there are none');
  const reporter = process.stdout.isTTY || process.env['CI'] ? ['--test-reporter=spec'] : [];
  const options = ['--enable-source-maps', '--test-timeout=240000', ...reporter];
  const child = spawn(program, [...options, '--test', ...files.map((file) => join(tests, file))], { stdio: 'inherit' });
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal ? 1 : (code ?? 1);
}
