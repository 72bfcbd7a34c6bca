import type { Libc, Pipe } from './libc.js';

/** The pipes of one thread: a pump has one only while bytes are in it, or about to be. */
export class Pipes {
  readonly #free: Pipe[];

  constructor(
    private readonly libc: Pick<Libc, 'read'>,
    pipes: readonly Pipe[],
  ) {
    this.#free = [...pipes];
  }

  /** @returns undefined when none is free: the caller copies instead */
  take(): Pipe | undefined {
    return this.#free.pop();
  }

  /** @param held bytes that are still in it: they are discarded */
  give(pipe: Pipe, held: number): void {
    const sink = held > 0 ? Buffer.allocUnsafe(held) : undefined;
    for (let left = held; left > 0 && sink;) {
      const count = this.libc.read(pipe.read, sink);
      // Not to be used again: the next bytes would follow these.
      if (count <= 0) return;
      left -= count;
    }
    this.#free.push(pipe);
  }
}
