import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { epoll, type Libc, loadLibc } from './libc.js';
import type { LoopStart } from './kernel-thread.js';
import type { FromWorker, ToWorker } from './messages.js';
import { Pipes } from './pipes.js';
import { Pump, type PumpTools, scratchBytes } from './pump.js';

/** Least interval between two reports. */
const reportIntervalMs = 250;
/** `data` of the eventfd in epoll; pumps have their ids. */
const wakeData = 0;
/** Events after which a short read says nothing: no further event may come. */
const hungUp = epoll.RDHUP | epoll.HUP | epoll.ERR;

/** One thread with one epoll loop for many pumps. */
class DataWorker {
  readonly #pumps = new Map<number, Pump>();
  /** Pumps that have more to do without waiting. */
  #busy = new Set<number>();
  #stopped = false;
  #reportedAt = performance.now();
  #cpuMs: number;
  /** Nothing was moved before the last report. */
  #isIdle = true;
  readonly #tools: PumpTools;
  readonly #poll: number;
  readonly #wake: number;

  constructor(
    private readonly libc: Libc,
    { poll, wake, pipes }: LoopStart,
    private readonly port: NonNullable<typeof parentPort>,
  ) {
    this.#poll = poll;
    this.#wake = wake;
    this.#cpuMs = libc.threadCpuMs();
    this.#tools = { libc, scratch: Buffer.allocUnsafeSlow(scratchBytes), pipes: new Pipes(libc, pipes) };
    libc.epollAdd(poll, wake, epoll.IN, wakeData);
  }

  run(): void {
    this.#post({ type: 'ready' });
    while (!this.#stopped) {
      this.libc.epollWait(this.#poll, this.#timeout(), this.#onEvents);
      this.#receive();
      const busy = this.#busy;
      this.#busy = new Set();
      for (const id of busy) this.#advance(id);
      if (performance.now() - this.#reportedAt >= reportIntervalMs) this.#report();
    }
  }

  readonly #onEvents = (data: number, events: number): void => {
    if (data === wakeData) return this.libc.clear(this.#wake);
    this.#busy.add(data);
    if ((events & hungUp) !== 0) this.#pumps.get(data)?.hangUp();
  };

  #timeout(): number {
    if (this.#busy.size > 0) return 0;
    // The last report says that the load is gone.
    return this.#pumps.size > 0 || !this.#isIdle ? reportIntervalMs : -1;
  }

  #receive(): void {
    for (let next = receiveMessageOnPort(this.port); next; next = receiveMessageOnPort(this.port)) {
      const message = next.message as ToWorker;
      if (message.type === 'stop') this.#stopped = true;
      else if (message.type === 'start') this.#start(message.id, new Pump(this.#tools, message.order));
      else {
        this.#pumps.get(message.id)?.[message.type]();
        this.#busy.add(message.id);
      }
    }
  }

  #start(id: number, pump: Pump): void {
    const { from, to, left } = pump.order;
    try {
      this.libc.epollAdd(this.#poll, from, epoll.IN | epoll.RDHUP | epoll.ET, id);
      this.libc.epollAdd(this.#poll, to, epoll.OUT | epoll.ET, id);
    } catch {
      // Out of kernel memory or watches: nothing was moved, and the main thread goes on by itself.
      this.#post({ type: 'stopped', id, bytes: 0, result: { left, unread: Buffer.alloc(0) } });
      return;
    }
    this.#pumps.set(id, pump);
    this.#busy.add(id);
  }

  #advance(id: number): void {
    const pump = this.#pumps.get(id);
    if (!pump) return;
    if (pump.run()) this.#busy.add(id);
    const { result, order, moved } = pump;
    if (!result) return;
    this.#pumps.delete(id);
    // The file descriptors are duplicates: epoll would report them for as long as the others are open.
    this.libc.epollRemove(this.#poll, order.from);
    this.libc.epollRemove(this.#poll, order.to);
    this.#post({ type: 'stopped', id, bytes: moved, result });
  }

  #report(): void {
    const [now, cpuMs] = [performance.now(), this.libc.threadCpuMs()];
    const load = (cpuMs - this.#cpuMs) / (now - this.#reportedAt);
    this.#reportedAt = now;
    this.#cpuMs = cpuMs;
    const moved: [number, number][] = [];
    for (const [id, pump] of this.#pumps) {
      if (pump.moved === 0) continue;
      moved.push([id, pump.moved]);
      pump.moved = 0;
    }
    const wasIdle = this.#isIdle;
    this.#isIdle = moved.length === 0;
    if (!wasIdle || !this.#isIdle) this.#post({ type: 'report', load, moved });
  }

  #post(message: FromWorker): void {
    this.port.postMessage(message);
  }
}

const libc = loadLibc();
if (!libc || !parentPort) throw new Error('a data worker needs Linux and the package koffi');
new DataWorker(libc, workerData as LoopStart, parentPort).run();
