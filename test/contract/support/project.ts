import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the project, seen from dist/test/contract/support/. */
export const projectRoot: string = fileURLToPath(new URL('../../../../', import.meta.url));

/** Whatever the contract is made of and by: enough of the project to generate it again elsewhere. */
const parts = ['openapi', 'generated', 'scripts', 'redocly.yaml', 'package.json'];

export async function copyContract(): Promise<{ root: string; remove(): Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), 'portal-contract-test-'));
  for (const part of parts) await cp(join(projectRoot, part), join(root, part), { recursive: true });
  await symlink(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  return { root, remove: () => rm(root, { recursive: true }) };
}

/** Runs a script of the project in `root` to its end. */
export function runScript(root: string, args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}
