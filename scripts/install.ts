import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../test/support/programs.js';
import { requireTool } from '../test/support/tools.js';

const installTimeoutMs = 600_000;

/** Installs packages into a folder of their own. @throws Error in one line */
export async function installInto(folder: string, ...packages: string[]): Promise<void> {
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const args = ['--prefix', folder, 'install', '--no-audit', '--no-fund', ...packages];
  const { code, stderr } = await runProgram('npm', args, { timeoutMs: installTimeoutMs, cwd: folder });
  if (code === 0) return;
  const reason = stderr.split('\n').find((line) => line.includes('error')) ?? `npm ended with ${code}`;
  throw new Error(`npm cannot install ${packages.join(' and ')}: ${reason}`);
}

/** The program of the package `node` that was installed there. @throws Error in one line */
export function nodeIn(folder: string): string {
  const program = join(folder, 'node_modules', 'node', 'bin', 'node');
  if (!existsSync(program)) throw new Error('npm has installed the package node without a program');
  return program;
}

/** Makes an environment of Python, and installs packages of PyPI or of folders into it. @throws Error in one line */
export async function installPython(environment: string, ...packages: string[]): Promise<void> {
  const made = await runProgram(await requireTool('virtualenv'), ['--quiet', environment]);
  if (made.code !== 0) throw new Error(`virtualenv ended with ${made.code}: ${lastLine(made.stderr)}`);
  const args = ['install', '--quiet', '--no-input', '--disable-pip-version-check', ...packages];
  const { code, stderr } = await runProgram(join(environment, 'bin', 'pip'), args, { timeoutMs: installTimeoutMs });
  if (code !== 0) throw new Error(`pip cannot install ${packages.join(' and ')}: ${lastLine(stderr)}`);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
