import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** What is kept of what a driver prints. */
const maxStderrBytes = 16 * 1024;
const maxLineBytes = 16 * 1024;
const maxEvents = 1_000;
const killAfterMs = 10_000;

/** What a driver is told, as one line of JSON on its standard input. */
export interface DriverTask {
  relay: string;
  ca_file: string;
  name: string;
  private_key: string;
  /** `host:port` of the service. */
  target: string;
}

/** What a driver prints, a line of JSON each. */
export type DriverEvent = { event: 'serving' } | { event: 'stopped'; reason: string };

export class DriverError extends Error {}

/** An SDK at work. */
export interface SdkRun {
  /** Its user was told that the service is reached. */
  readonly isServing: boolean;
  /** Why it has stopped by itself; undefined while it goes on. */
  readonly stopped: string | undefined;
  /** The last lines that it wrote on standard error. */
  readonly log: string;
  /** @throws DriverError when what it prints is not of the protocol */
  check(): void;
  /** Ends it as its user would. @throws DriverError when it does not end in time, or not with 0 */
  close(): Promise<void>;
  /** Ends it in any state. */
  kill(): void;
}

/** The SDK under test, as a process of its own (docs/conformance.md). It is taken for hostile: what it prints is bounded, and its time. */
export class Driver implements SdkRun {
  readonly events: DriverEvent[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #stderr = '';
  #fault: string | undefined;

  /** @param command a shell's command line */
  constructor(command: string, task: DriverTask) {
    const child = spawn(command, { shell: true, stdio: 'pipe', detached: process.platform !== 'win32' });
    this.#child = child;
    this.#exited = once(child, 'exit').catch((error: Error) => (this.#fault = error.message));
    child.on('error', (error) => (this.#fault ??= error.message));
    child.stdin.on('error', () => {});
    child.stdin.write(`${JSON.stringify(task)}\n`);
    // boundary: it cannot throw.
    child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-maxStderrBytes);
    });
    let begun = '';
    // boundary: the same.
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = (begun + chunk.toString()).split('\n');
      begun = lines.pop() as string;
      for (const line of lines) this.#take(line);
      if (begun.length <= maxLineBytes && this.events.length < maxEvents) return;
      this.#fault ??= 'the driver prints too much';
      begun = '';
      child.stdout.destroy();
    });
  }

  #take(line: string): void {
    if (this.#fault !== undefined || this.events.length >= maxEvents) return;
    try {
      const event = JSON.parse(line) as DriverEvent;
      if (event.event === 'serving' || event.event === 'stopped') this.events.push(event);
      else this.#fault ??= `the driver prints an event that is not known: ${line.slice(0, 100)}`;
    } catch {
      this.#fault ??= `the driver prints a line that is no JSON: ${line.slice(0, 100)}`;
    }
  }

  get isServing(): boolean {
    return this.events.some(({ event }) => event === 'serving');
  }

  get stopped(): string | undefined {
    for (const event of this.events) if (event.event === 'stopped') return event.reason;
    if (this.#child.exitCode !== null) return `it ended with ${this.#child.exitCode}`;
    return undefined;
  }

  get log(): string {
    return this.#stderr.trim().split('\n').slice(-15).join('\n');
  }

  check(): void {
    if (this.#fault !== undefined) throw new DriverError(this.#fault);
  }

  /** Ends its standard input, and waits for its end. */
  async close(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.kill(), killAfterMs);
    await this.#exited;
    clearTimeout(timer);
    this.check();
    if (this.#child.signalCode !== null)
      throw new DriverError(`the driver did not end within ${killAfterMs / 1000} s of the end of its input`);
    if (this.#child.exitCode !== 0 && this.stopped === undefined)
      throw new DriverError(`the driver ended with ${this.#child.exitCode}`);
  }

  /** Ends it and what it has started. */
  kill(): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      if (process.platform === 'win32') this.#child.kill('SIGKILL');
      else process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}
