import type { Clock } from '../../src/util/bandwidth.js';

/** Time that passes when it is told to. */
export class ManualClock implements Clock {
  #now = 1_000;
  readonly #timers = new Map<() => void, number>();

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    this.#timers.set(callback, this.#now + ms);
    return () => this.#timers.delete(callback);
  }

  /** Lets time pass, and what is due by then happen, in its order. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, at]) => at <= end).sort(([, a], [, b]) => a - b)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1]);
      due[0]();
    }
    this.#now = end;
  }

  /** Lets time pass without anybody noticing, as when a process is held up. */
  skip(ms: number): void {
    this.#now += ms;
  }
}
