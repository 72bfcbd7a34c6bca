import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type BoundaryName, guard } from '../util/boundary.js';
import { FileDescriptor } from './file-descriptor.js';
import type { Libc, Pipe } from './libc.js';
import { makePipes } from './make-pipes.js';

/** What every such thread is started with: file descriptors that the main thread owns, so that a thread that fails leaves none open. */
export interface LoopStart {
  poll: number;
  /** Readable when there are messages. */
  wake: number;
  /** May be fewer than were wanted. */
  pipes: Pipe[];
}

export interface KernelThreadEvents<Message> {
  onMessage(message: Message): void;
  /** A message could not be handled. */
  onFault(): void;
  /** The thread is gone by itself. */
  onExit(error: Error): void;
}

/** The main thread's side of a worker thread that blocks in epoll. */
export class KernelThread<To extends object, From> {
  readonly #libc: Libc;
  readonly #wake: FileDescriptor;
  /** All that the thread uses for itself. */
  readonly #own: FileDescriptor[] = [];
  readonly #thread: Worker;
  #hasExited = false;
  #error: Error | undefined;

  /**
   * @param module what the thread runs
   * @param boundary of what it says
   * @param extra is added to its `LoopStart`
   * @throws KernelError such as EMFILE; Node's error when the thread cannot be made
   */
  constructor(libc: Libc, module: URL, boundary: BoundaryName, extra: object, events: KernelThreadEvents<From>) {
    this.#libc = libc;
    const own = (fd: number) => {
      const descriptor = new FileDescriptor(libc, fd);
      this.#own.push(descriptor);
      return descriptor;
    };
    try {
      this.#wake = own(libc.eventfd());
      const poll = own(libc.epollCreate()).fd;
      const pipes = makePipes(libc);
      for (const { read, write } of pipes) [read, write].forEach(own);
      const loop: LoopStart = { poll, wake: this.#wake.fd, pipes };
      this.#thread = new Worker(module, { workerData: { ...extra, ...loop }, execArgv: [] });
    } catch (error) {
      this.#closeOwn();
      throw error;
    }
    this.#thread.unref();
    this.#thread.on(
      'message',
      guard(
        boundary,
        (message: From) => events.onMessage(message),
        () => events.onFault(),
      ),
    );
    // boundary: an assignment.
    this.#thread.on('error', (error: Error) => (this.#error = error));
    this.#thread.on(
      'exit',
      guard(boundary, () => {
        this.#hasExited = true;
        events.onExit(this.#error ?? new Error('the thread has exited'));
        this.#closeOwn();
      }),
    );
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** @returns false when the thread is gone */
  send(message: To): boolean {
    if (this.#hasExited) return false;
    this.#thread.postMessage(message);
    this.#libc.signal(this.#wake.fd);
    return true;
  }

  /** Ends the thread, which is told to stop. What it says meanwhile is not heard. */
  async stop(message: To): Promise<void> {
    if (this.#hasExited) return;
    this.#thread.removeAllListeners('exit').removeAllListeners('message');
    const exited = once(this.#thread, 'exit');
    this.send(message);
    await exited;
    this.#hasExited = true;
    this.#closeOwn();
  }

  #closeOwn(): void {
    for (const descriptor of this.#own) descriptor.close();
  }
}
