import { fileDescriptors } from '../util/open-files.js';
import { FileDescriptor } from './file-descriptor.js';
import { type Libc, KernelError, loadLibc } from './libc.js';
import { KernelThread } from './kernel-thread.js';
import type { FromWorker, ToWorker } from './messages.js';
import type { Codec, PumpResult } from './pump.js';

/** Most pumps of one worker. */
const maxPumpsPerWorker = 16_384;
/** Share of the limit of open files above which no pump starts: the rest is for connections. */
const openFilesShare = 0.5;
/** Counting them takes a while. */
const lookIntervalMs = 100;
const filesPerPump = 2;
/** Least interval between two times that a worker gives pumps back. */
const balanceIntervalMs = 1_000;
/** After a worker has failed, no other is started for this long. */
const restartAfterMs = 5_000;

/** Shares of a core that a worker may use. */
export interface WorkerLoads {
  /** From here on it takes no further pumps, as long as another takes them. */
  busy: number;
  /** From here on half of its pumps are given back, so that another takes them. */
  full: number;
}
const defaultLoads: WorkerLoads = { busy: 0.7, full: 0.9 };

export interface PumpRequest {
  /** File descriptors of sockets; they are duplicated, so that the caller may close its own. */
  from: number;
  to: number;
  codec: Codec;
  /** `deframe`: remaining bytes of a frame that has begun. */
  left: number;
  /** Whose pipes it takes: those of one owner are bounded together. */
  owner: number;
  onMoved(bytes: number): void;
  /** The direction is the caller's again. */
  onStopped(result: StoppedPump): void;
}

/** How a direction is given back. */
export interface StoppedPump {
  /** `deframe`: remaining bytes of a frame that was cut short. */
  left: number;
  /** `deframe`: bytes that were read and are not of a frame in the clear. */
  unread: Buffer;
  fault?: { side: 'from' | 'to' | 'both'; error: Error } | undefined;
}

/** A direction that the kernel moves. */
export interface RunningPump {
  /** Stops after the bytes that were taken have been passed on. */
  end(): void;
  /** Stops at once: bytes that were taken are lost. */
  drop(): void;
}

interface Held {
  request: PumpRequest;
  descriptors: FileDescriptor[];
}

/** Moves bytes between sockets in worker threads. A worker starts when it is first needed. */
export class KernelEngine {
  readonly #workers: PumpWorker[] = [];
  #noWorkerUntil = 0;
  /** When the open files were counted, and how many pumps may still start since. */
  #lookedAt = -Infinity;
  #mayStart = 0;
  #balancedAt = -Infinity;
  #stopped = false;
  /** Node waits for its threads when it exits, and these are blocked in epoll. */
  readonly #onExit = (): void => this.#workers.forEach((worker) => worker.leave());

  private constructor(
    private readonly libc: Libc,
    private readonly size: number,
    private readonly onWorkerFailed: (error: Error, pumps: number) => void,
    private readonly loads: WorkerLoads,
  ) {
    process.on('exit', this.#onExit);
  }

  /**
   * @param workers how many threads
   * @param onWorkerFailed a worker has failed, and with it this many pumps
   * @returns undefined where it is not available: not Linux, or without the optional package koffi
   */
  static load(
    workers: number,
    onWorkerFailed: (error: Error, pumps: number) => void,
    loads = defaultLoads,
  ): KernelEngine | undefined {
    const libc = loadLibc();
    return libc && new KernelEngine(libc, workers, onWorkerFailed, loads);
  }

  /** Threads that are ready. */
  get workers(): number {
    return this.#workers.filter(({ isReady }) => isReady).length;
  }

  /** Whether a pump can start now. When none can for want of a worker, one is started, for a later call. */
  hasRoom(): boolean {
    if (this.#stopped || !this.#mayOpen()) return false;
    const best = this.#best();
    if (!best || best.load >= this.loads.busy) this.#addWorker();
    return best !== undefined;
  }

  /** @returns undefined when there is no room, or no file descriptor left: the caller goes on by itself */
  start(request: PumpRequest): RunningPump | undefined {
    const worker = this.#best();
    if (this.#stopped || !worker) return undefined;
    const descriptors: FileDescriptor[] = [];
    const own = (fd: number) => {
      descriptors.push(new FileDescriptor(this.libc, fd));
      return fd;
    };
    try {
      const from = own(this.libc.duplicate(request.from));
      const to = own(this.libc.duplicate(request.to));
      const { codec, left, owner } = request;
      this.#mayStart--;
      return worker.start({ request, descriptors }, { from, to, codec, left, owner });
    } catch (error) {
      for (const descriptor of descriptors) descriptor.close();
      if (error instanceof KernelError) return undefined;
      throw error;
    }
  }

  /** Drops all pumps and ends the threads. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    process.off('exit', this.#onExit);
  }

  /** Whether few enough files are open. Pumps that have started since the last look count too. */
  #mayOpen(): boolean {
    const now = performance.now();
    if (now - this.#lookedAt >= lookIntervalMs) {
      const { open, limit } = fileDescriptors();
      this.#lookedAt = now;
      this.#mayStart = (limit * openFilesShare - open) / filesPerPump;
    }
    return this.#mayStart >= 1;
  }

  /** The first worker with CPU time left: one that is busy takes less of it than two that often sleep and wake. */
  #best(): PumpWorker | undefined {
    const ready = this.#workers.filter(({ isReady, pumps }) => isReady && pumps < maxPumpsPerWorker);
    const free = ready.find(({ load }) => load < this.loads.busy);
    return free ?? ready.sort((a, b) => a.load - b.load || a.pumps - b.pumps)[0];
  }

  /** Pumps do not move to another worker by themselves: they are given back, and come again. */
  #balance(worker: PumpWorker): void {
    const now = performance.now();
    if (worker.load < this.loads.full || worker.pumps < 2 || now - this.#balancedAt < balanceIntervalMs) return;
    this.#balancedAt = now;
    if (this.#workers.some(({ isReady, load }) => isReady && load < this.loads.busy)) worker.giveHalfBack();
    else this.#addWorker();
  }

  #addWorker(): void {
    if (this.#workers.length >= this.size || performance.now() < this.#noWorkerUntil) return;
    // One at a time.
    if (this.#workers.some(({ isReady }) => !isReady)) return;
    try {
      const worker = new PumpWorker(this.libc, {
        onReport: () => this.#balance(worker),
        onFailed: (error, pumps) => {
          this.#workers.splice(this.#workers.indexOf(worker), 1);
          this.#failed(error, pumps);
        },
      });
      this.#workers.push(worker);
    } catch (error) {
      this.#failed(error as Error, 0);
    }
  }

  #failed(error: Error, pumps: number): void {
    this.#noWorkerUntil = performance.now() + restartAfterMs;
    this.onWorkerFailed(error, pumps);
  }
}

interface PumpWorkerEvents {
  /** `load` is a new one. */
  onReport(): void;
  /** The thread is gone, and with it this many pumps. */
  onFailed(error: Error, pumps: number): void;
}

/** The main thread's side of one data worker. */
class PumpWorker {
  readonly #thread: KernelThread<ToWorker, FromWorker>;
  readonly #held = new Map<number, Held>();
  readonly #events: PumpWorkerEvents;
  #nextId = 1;
  /** It is to take pumps: it has started, and was not told to leave. */
  isReady = false;
  /** Share of a core that the thread has used lately. */
  load = 0;

  /** @throws KernelError such as EMFILE; Node's error when the thread cannot be made */
  constructor(libc: Libc, events: PumpWorkerEvents) {
    this.#events = events;
    const module = new URL('data-worker.js', import.meta.url);
    this.#thread = new KernelThread(
      libc,
      module,
      'data worker message',
      {},
      {
        onMessage: (message: FromWorker) => this.#receive(message),
        // Its file descriptors are in use until it has exited.
        onFault: () => this.leave(),
        onExit: (error) => this.#fail(error),
      },
    );
  }

  get pumps(): number {
    return this.#held.size;
  }

  start(held: Held, order: (ToWorker & { type: 'start' })['order']): RunningPump {
    const id = this.#nextId;
    this.#nextId = id === 0xffff_ffff ? 1 : id + 1;
    this.#held.set(id, held);
    this.#thread.send({ type: 'start', id, order });
    return {
      end: () => this.#thread.send({ type: 'end', id }),
      drop: () => this.#thread.send({ type: 'drop', id }),
    };
  }

  /** Has every other pump stop. */
  giveHalfBack(): void {
    let isKept = false;
    for (const id of this.#held.keys()) {
      isKept = !isKept;
      if (!isKept) this.#thread.send({ type: 'end', id });
    }
  }

  /** Has the thread end; what it held is given back when it has. */
  leave(): void {
    this.isReady = false;
    this.#thread.send({ type: 'stop' });
  }

  /** Ends the thread. Nothing is given back. */
  async stop(): Promise<void> {
    this.isReady = false;
    await this.#thread.stop({ type: 'stop' });
    this.#close();
  }

  #receive(message: FromWorker): void {
    if (message.type === 'ready') {
      this.isReady = true;
      return;
    }
    if (message.type === 'report') {
      this.load = message.load;
      for (const [id, bytes] of message.moved) this.#held.get(id)?.request.onMoved(bytes);
      return this.#events.onReport();
    }
    const held = this.#held.get(message.id);
    if (!held) return;
    this.#held.delete(message.id);
    for (const descriptor of held.descriptors) descriptor.close();
    if (message.bytes > 0) held.request.onMoved(message.bytes);
    held.request.onStopped(resultOf(message.result));
  }

  /** The thread is gone: nobody uses the descriptors any more. */
  #fail(error: Error): void {
    const held = this.#close();
    this.#events.onFailed(error, held.length);
    for (const { request } of held)
      request.onStopped({ left: 0, unread: Buffer.alloc(0), fault: { side: 'both', error } });
  }

  #close(): Held[] {
    this.isReady = false;
    const held = [...this.#held.values()];
    this.#held.clear();
    for (const { descriptors } of held) for (const descriptor of descriptors) descriptor.close();
    return held;
  }
}

function resultOf({ left, unread: bytes, fault }: PumpResult): StoppedPump {
  const unread = Buffer.from(bytes);
  if (!fault) return { left, unread };
  const syscall = fault.side === 'from' ? 'read' : 'write';
  return { left, unread, fault: { side: fault.side, error: new KernelError(syscall, fault.errno) } };
}
