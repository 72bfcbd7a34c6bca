import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import type { HeldSocket, InheritedSocket } from '../../net/listening-sockets.js';
import type { Cut } from '../../relay/policy-effects.js';
import { guard } from '../../util/boundary.js';

// A relay is replaced by a new process without refusing a connection: the new one is started beside the old one, gets its listening
// sockets, and takes over once the old one has let go of the state directory.

/** Set for the new process. */
const variable = 'PORTAL_SUCCEEDS';
/** For the new process to load and to read its settings; and to start, once it may. */
const readyTimeoutMs = 60_000;
const startTimeoutMs = 60_000;

type FromOld = { portal: 'socket'; host: string; port: number } | { portal: 'go' };
type FromNew = { portal: 'ready' } | { portal: 'started' } | { portal: 'cut'; cut: Cut };

/** The new process, seen from the old one. */
export class Successor extends EventEmitter<{ cut: [cut: Cut] }> {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;

  private constructor(child: ChildProcess) {
    super();
    this.#child = child;
    this.#ended = new Promise((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`the new process ended with ${signal ?? code}`)));
    });
    this.#ended.catch(() => undefined);
    child.on(
      'message',
      guard('relay upgrade', (message: FromNew) => {
        if (message.portal === 'cut') this.emit('cut', message.cut);
      }),
    );
  }

  /** Starts this program anew, as it is on disk now. @throws Error in one line when it does not get ready */
  static async start(): Promise<Successor> {
    const [, program = '', ...args] = process.argv;
    const child = fork(program, args, {
      env: { ...process.env, [variable]: '1' },
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    });
    const successor = new Successor(child);
    await successor.#says('ready', readyTimeoutMs);
    return successor;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Gives it a listening socket. @throws Error when it is gone */
  async give({ host, port, handle }: HeldSocket): Promise<void> {
    const message: FromOld = { portal: 'socket', host, port };
    await this.#send(message, handle);
  }

  /** Lets it start; settles once it serves. @throws Error in one line when it does not */
  async go(): Promise<void> {
    const started = this.#says('started', startTimeoutMs);
    await Promise.all([started, this.#send({ portal: 'go' })]);
  }

  /** It stays, and this process may end. */
  leave(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Ends it. Settles once it holds no socket and no lock any more. */
  async end(): Promise<void> {
    this.kill();
    await this.#ended.catch(() => undefined);
  }

  async #send(message: FromOld, handle?: object): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const done = (error: Error | null) => (error ? reject(error) : resolve());
      this.#child.send(message, handle as never, done);
    });
  }

  async #says(what: FromNew['portal'], timeoutMs: number): Promise<void> {
    const late = new AbortController();
    const deadline = setTimeout(() => late.abort(), timeoutMs);
    const expired = once(late.signal, 'abort').then(() => {
      this.kill();
      throw new Error(`the new process was not ${what} within ${timeoutMs / 1000} s`);
    });
    expired.catch(() => undefined);
    const said = new Promise<void>((resolve) => {
      const onMessage = (message: FromNew) => {
        if (message.portal !== what) return;
        this.#child.off('message', onMessage);
        resolve();
      };
      this.#child.on('message', onMessage);
    });
    try {
      await Promise.race([said, this.#ended, expired]);
    } finally {
      clearTimeout(deadline);
    }
  }
}

/** The old process, seen from the new one. */
export interface Predecessor {
  readonly sockets: readonly InheritedSocket[];
  /** Tells it that this one serves. */
  started(): void;
  /** Tells it of a decision that ends connections, as long as it is there. */
  cut(cut: Cut): void;
}

/**
 * In a new process, waits until the old one has let go.
 * @returns undefined in a process that succeeds nobody
 * @throws Error when the old process ends before
 */
export async function awaitTurn(): Promise<Predecessor | undefined> {
  if (process.env[variable] === undefined || !process.send) return undefined;
  // Not for programs that the relay starts.
  delete process.env[variable];
  const sockets: InheritedSocket[] = [];
  const tell = (message: FromNew) => {
    // boundary: the old process may be gone at any time, which is no error.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  };
  const turn = new Promise<void>((resolve, reject) => {
    process.on('message', (message: FromOld, handle?: object) => {
      if (message.portal === 'go') return resolve();
      if (handle) sockets.push({ host: message.host, port: message.port, handle: { _handle: handle } });
    });
    process.once('disconnect', () => reject(new Error('the process before ended before it had let go')));
  });
  tell({ portal: 'ready' });
  await turn;
  return {
    sockets,
    started() {
      tell({ portal: 'started' });
      // It must not keep this process from ending.
      process.channel?.unref();
    },
    cut: (cut) => tell({ portal: 'cut', cut }),
  };
}
