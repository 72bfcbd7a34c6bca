import type { Clock } from '../util/bandwidth.js';

interface Timer {
  due: number;
  callback: () => void;
}

/** Timers of a thread that blocks in epoll, where Node's never run. Few at a time: one for each lease with a bandwidth. */
export class Timers implements Clock {
  readonly #timers = new Set<Timer>();

  now(): number {
    return performance.now();
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { due: this.now() + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** When the next one is due; undefined for none. */
  get next(): number | undefined {
    let next: number | undefined;
    for (const { due } of this.#timers) if (next === undefined || due < next) next = due;
    return next;
  }

  run(now: number): void {
    for (const timer of this.#timers) {
      if (timer.due > now) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
  }
}
