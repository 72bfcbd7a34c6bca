/**
 * `npm run test:programs`: development servers and notebooks behind a tunnel (docs/programs.md). They are installed into a temporary
 * folder, from npm and from PyPI.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireTool } from '../test/support/tools.js';
import { installInto, installPython } from './install.js';

const ofNpm = ['next@16', 'react@19', 'react-dom@19', 'vite@8', 'webpack@5', 'webpack-cli@7', 'webpack-dev-server@5'];
const ofPyPI = ['gradio==6.*', 'ipykernel==7.*', 'jupyter-server==2.*', 'streamlit==1.*'];

const folder = mkdtempSync(join(tmpdir(), 'portal-programs-'));
try {
  process.exitCode = await run();
} catch (error) {
  process.stderr.write(`the tests of programs cannot run: ${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @returns the exit code of the tests */
async function run(): Promise<number> {
  await requireTool('chromium');
  await Promise.all([installInto(folder, ...ofNpm), installPython(join(folder, 'python'), ...ofPyPI)]);
  const tests = fileURLToPath(new URL('../test/programs', import.meta.url));
  const files = readdirSync(tests).filter((file) => file.endsWith('.test.js'));
  if (files.length === 0) throw new Error('there are none');
  const reporter = process.stdout.isTTY || process.env['CI'] ? ['--test-reporter=spec'] : [];
  const options = ['--enable-source-maps', '--test-timeout=240000', '--test-concurrency=1', ...reporter];
  const child = spawn(process.execPath, [...options, '--test', ...files.map((file) => join(tests, file))], {
    stdio: 'inherit',
    env: { ...process.env, PORTAL_TEST_PROGRAMS: folder },
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal ? 1 : (code ?? 1);
}
