import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { epoll, type Libc, loadLibc } from './libc.js';
import type { FromWorker, ToWorker, WorkerStart } from './messages.js';
import { Pump } from './pump.js';

/** Least interval between two reports of moved bytes. */
const reportIntervalMs = 250;
/** `data` of the eventfd in epoll; pumps have their ids. */
const wakeData = 0;

/** One thread with one epoll loop for many pumps. */
class DataWorker {
  readonly #pumps = new Map<number, Pump>();
  /** Pumps that have more to do without waiting. */
  #busy = new Set<number>();
  #stopped = false;
  #reportedAt = performance.now();

  constructor(
    private readonly libc: Libc,
    private readonly poll: number,
    private readonly wake: number,
    private readonly port: NonNullable<typeof parentPort>,
  ) {
    libc.epollAdd(poll, wake, epoll.IN, wakeData);
  }

  run(): void {
    this.#post({ type: 'ready' });
    while (!this.#stopped) {
      this.libc.epollWait(this.poll, this.#timeout(), (data) => {
        if (data === wakeData) this.libc.clear(this.wake);
        else this.#busy.add(data);
      });
      this.#receive();
      const busy = this.#busy;
      this.#busy = new Set();
      for (const id of busy) this.#advance(id);
      if (performance.now() - this.#reportedAt >= reportIntervalMs) this.#report();
    }
  }

  #timeout(): number {
    if (this.#busy.size > 0) return 0;
    return this.#pumps.size > 0 ? reportIntervalMs : -1;
  }

  #receive(): void {
    for (let next = receiveMessageOnPort(this.port); next; next = receiveMessageOnPort(this.port)) {
      const message = next.message as ToWorker;
      if (message.type === 'stop') this.#stopped = true;
      else if (message.type === 'start') this.#start(message.id, new Pump(this.libc, message.order));
      else {
        this.#pumps.get(message.id)?.[message.type]();
        this.#busy.add(message.id);
      }
    }
  }

  #start(id: number, pump: Pump): void {
    const { from, to, left } = pump.order;
    try {
      this.libc.epollAdd(this.poll, from, epoll.IN | epoll.RDHUP | epoll.ET, id);
      this.libc.epollAdd(this.poll, to, epoll.OUT | epoll.ET, id);
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
    this.libc.epollRemove(this.poll, order.from);
    this.libc.epollRemove(this.poll, order.to);
    this.#post({ type: 'stopped', id, bytes: moved, result });
  }

  #report(): void {
    this.#reportedAt = performance.now();
    const moved: [number, number][] = [];
    for (const [id, pump] of this.#pumps) {
      if (pump.moved === 0) continue;
      moved.push([id, pump.moved]);
      pump.moved = 0;
    }
    if (moved.length > 0) this.#post({ type: 'moved', moved });
  }

  #post(message: FromWorker): void {
    this.port.postMessage(message);
  }
}

const libc = loadLibc();
if (!libc || !parentPort) throw new Error('a data worker needs Linux and the package koffi');
const { poll, wake } = workerData as WorkerStart;
new DataWorker(libc, poll, wake, parentPort).run();
