import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CaptureJob, userVariable } from './capture-job.js';
import { captureTimeoutMs, maxCaptureMemoryBytes, maxPictureBytes, memoryCheckIntervalMs } from './limits.js';
import { ProcessTree } from './process-tree.js';
import { repeat } from '../../util/boundary.js';

const program = fileURLToPath(new URL('./capture.js', import.meta.url));
/** `nobody`: Chromium's own sandbox needs a user that is not root. */
const unprivileged = 65_534;

export interface CaptureLimits {
  timeoutMs: number;
  /** Limit of the resident memory of all its processes. */
  maxMemoryBytes: number;
}

/**
 * Captures a page as JPEG in a separate process, which is killed when it exceeds its time or memory and always leaves
 * nothing behind. It never runs as root, even if the relay does.
 * @throws Error in one line
 */
export async function takeScreenshot(
  job: CaptureJob,
  signal: AbortSignal,
  limits: CaptureLimits = { timeoutMs: captureTimeoutMs, maxMemoryBytes: maxCaptureMemoryBytes },
): Promise<Buffer> {
  signal.throwIfAborted();
  const isRoot = process.getuid?.() === 0;
  const home = await mkdtemp(join(tmpdir(), 'portal-thumbnail-'));
  if (isRoot) await chown(home, unprivileged, unprivileged);
  const child = spawn(process.execPath, [program], {
    stdio: 'pipe',
    // It leads a session of its own, by which its processes are found.
    detached: true,
    cwd: home,
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      TMPDIR: home,
      ...(isRoot ? { [userVariable]: `${unprivileged}` } : {}),
    },
  });
  const processes = child.pid === undefined ? undefined : new ProcessTree(child.pid);
  try {
    return await supervised(child, processes, job, signal, limits);
  } finally {
    await processes?.kill();
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function supervised(
  child: ChildProcess,
  processes: ProcessTree | undefined,
  job: CaptureJob,
  signal: AbortSignal,
  { timeoutMs, maxMemoryBytes }: CaptureLimits,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let [length, complaint, failure] = [0, '', ''];
  /** Kills all its processes, with a reason. */
  const end = (why: string) => {
    failure ||= why;
    processes?.kill().catch(() => undefined);
  };
  // boundary: neither of these can throw.
  child.stdout?.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > maxPictureBytes) end('the picture is too large');
    else parts.push(chunk);
  });
  // boundary: see above.
  child.stderr?.on('data', (chunk: Buffer) => {
    if (complaint.length < 1_000) complaint += chunk.toString();
  });
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(JSON.stringify(job));
  const onAbort = () => end('the relay stops');
  signal.addEventListener('abort', onAbort, { once: true });
  const deadline = setTimeout(() => end(`it took longer than ${timeoutMs} ms`), timeoutMs);
  const watchMemory = async () => {
    if (((await processes?.memory()) ?? 0) > maxMemoryBytes) end(`it took more than ${maxMemoryBytes} bytes of memory`);
  };
  const watch = repeat('browser memory check', watchMemory, memoryCheckIntervalMs);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0 || failure)
      throw new Error(failure || complaint.split('\n')[0] || `the browser exited with code ${code}`);
    return Buffer.concat(parts);
  } finally {
    clearTimeout(deadline);
    clearInterval(watch);
    signal.removeEventListener('abort', onAbort);
  }
}
