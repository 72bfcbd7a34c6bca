import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const redoclyTimeoutMs = 60_000;

/** Runs the Redocly CLI on the files of the project, without its telemetry and its look for updates. */
async function redocly(args) {
  const manifest = createRequire(import.meta.url).resolve('@redocly/cli/package.json');
  const cli = join(dirname(manifest), 'bin/cli.js');
  try {
    await promisify(execFile)(process.execPath, [cli, ...args], {
      cwd: root,
      timeout: redoclyTimeoutMs,
      maxBuffer: 16 * 1024 * 1024,
      env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' },
    });
  } catch (error) {
    throw new Error(`redocly ${args[0]} failed:\n${error.stdout ?? ''}${error.stderr ?? ''}`.trimEnd(), {
      cause: error,
    });
  }
}

/** Lints the contract by redocly.yaml, examples against their schemas included. Throws with the findings. */
export async function lintContract(file = 'portal') {
  await redocly(['lint', file, '--format=stylish']);
}

/** @returns the contract as one document whose references all point into itself */
export async function bundleContract(file = 'portal') {
  const folder = await mkdtemp(join(tmpdir(), 'portal-contract-'));
  try {
    const bundle = join(folder, 'openapi.json');
    await redocly(['bundle', file, '--output', bundle]);
    return JSON.parse(await readFile(bundle, 'utf8'));
  } finally {
    await rm(folder, { recursive: true });
  }
}
