import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const stopTimeoutMs = 5_000;
const defaultStartTimeoutMs = 20_000;

export interface SpawnOptions {
  /** Which output to watch, and the line that says that the program is up; all lines before are dropped. */
  ready?: { from: 'stdout' | 'stderr'; line: (line: string) => boolean };
  env?: NodeJS.ProcessEnv;
  /** How long that may take. */
  startTimeoutMs?: number | undefined;
}

export interface RunningProgram {
  pid: number;
  child: ChildProcess;
  /** The line that said it was up. */
  line: string;
}

/** The processes and files of one bench run, all of which it takes away again. */
export class Workshop {
  readonly directory = mkdtempSync(join(tmpdir(), 'portal-bench-'));
  readonly #children = new Set<ChildProcess>();

  constructor() {
    // Whatever ends the run: an error that nobody caught as well.
    process.once('exit', () => {
      for (const child of this.#children) child.kill('SIGKILL');
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  /** Starts a program. @throws Error with what it printed last when it does not come up */
  async start(
    command: string,
    args: string[],
    { ready, env, startTimeoutMs = defaultStartTimeoutMs }: SpawnOptions = {},
  ): Promise<RunningProgram> {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    const said: string[] = [];
    const line = await new Promise<string>((resolve, reject) => {
      const failed = (why: string) => reject(new Error(`${command} ${args[0]} ${why}:\n${said.slice(-10).join('\n')}`));
      const timer = setTimeout(() => failed('did not come up'), startTimeoutMs);
      const settle = (found: string) => {
        clearTimeout(timer);
        resolve(found);
      };
      child.once('error', reject).once('exit', (code) => failed(`ended with ${code}`));
      for (const from of ['stdout', 'stderr'] as const) {
        createInterface(child[from]!).on('line', (text) => {
          said.push(text);
          if (said.length > 100) said.shift();
          if (ready?.from === from && ready.line(text)) settle(text);
        });
      }
      if (!ready) child.once('spawn', () => settle(''));
    });
    return { pid: child.pid!, child, line };
  }

  /** Starts a script of the bench; its first line of JSON on stdout says that it is up. */
  async startScript<Started>(
    name: string,
    options: object,
    { nodeOptions = [], startTimeoutMs }: { nodeOptions?: string[]; startTimeoutMs?: number } = {},
  ): Promise<RunningProgram & { started: Started }> {
    const script = fileURLToPath(new URL(`${name}.js`, import.meta.url));
    const running = await this.start(process.execPath, [...nodeOptions, script, JSON.stringify(options)], {
      ready: { from: 'stdout', line: (line) => line.startsWith('{') },
      startTimeoutMs,
    });
    return { ...running, started: JSON.parse(running.line) as Started };
  }

  async stop({ child }: RunningProgram): Promise<void> {
    await stopChild(child);
  }

  /** Stops every process, last started first, and removes the files. */
  async close(): Promise<void> {
    for (const child of [...this.#children].reverse()) await stopChild(child);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await closed;
  clearTimeout(timer);
}
