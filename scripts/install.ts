import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../test/support/programs.js';

const installTimeoutMs = 300_000;

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
