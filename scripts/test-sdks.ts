/**
 * `npm run test:sdks`: the SDKs in Python and Go, by the tools of their languages, against a relay of this checkout. One whose language this machine
 * does not have is left out, and told.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { portalMain } from '../test/support/processes.js';
import { runProgram } from '../test/support/programs.js';
import { requireTool } from '../test/support/tools.js';
import { installPython } from './install.js';

const sources = fileURLToPath(new URL('../../src/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'portal-sdks-'));
try {
  await requireTool('openssl');
  await requireTool('gnutls-cli');
  await requireTool('curl');
  await testPython(join(sources, 'sdk-python'));
  await testGo(join(sources, 'sdk-go'));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function testPython(sdk: string): Promise<void> {
  if (!isInPath('python3')) return leaveOut('Python', 'python3');
  const environment = join(folder, 'python');
  await installPython(environment, '--editable', `${sdk}[test]`);
  const program = (name: string) => join(environment, 'bin', name);
  await must(sdk, program('ruff'), 'check', '--no-cache');
  await must(sdk, program('ruff'), 'format', '--check', '--no-cache');
  await must(sdk, program('mypy'), '--cache-dir', join(folder, 'mypy'));
  await must(sdk, program('python'), '-B', '-m', 'pytest', '-p', 'no:cacheprovider');
  await conforms(`${program('python')} -B ${join(sdk, 'examples/conformance.py')}`);
}

async function testGo(sdk: string): Promise<void> {
  if (!isInPath('go')) return leaveOut('Go', 'go');
  const { stdout } = await runProgram('gofmt', ['-l', '.'], { cwd: sdk });
  if (stdout.length > 0) throw new Error(`run gofmt -w on ${stdout.toString().trim().replaceAll('\n', ' ')}`);
  await must(sdk, 'go', 'vet', './...');
  // The detector of data races needs a C compiler.
  const races = isInPath('gcc') ? ['-race'] : [];
  await must(sdk, 'go', 'test', ...races, '-count=1', './...');
  const driver = join(folder, 'conformance');
  await must(sdk, 'go', 'build', '-o', driver, './examples/conformance');
  await conforms(driver);
}

/** Holds an SDK against the protocol (docs/conformance.md). @throws Error in one line */
async function conforms(driver: string): Promise<void> {
  await must(sources, process.execPath, portalMain, 'conformance', '--at-once', '6', '--command', driver);
}

/** Runs a program with this one's output. @throws Error in one line */
async function must(cwd: string, program: string, ...args: string[]): Promise<void> {
  const child = spawn(program, args, { cwd, stdio: 'inherit' });
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`${program} ${args[0] ?? ''} ended with ${signal ?? code}`);
}

function isInPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((path) => path !== '' && existsSync(join(path, program)));
}

function leaveOut(language: string, program: string): void {
  process.stdout.write(`the ${language} SDK is not tested: there is no ${program} on this machine\n`);
}
