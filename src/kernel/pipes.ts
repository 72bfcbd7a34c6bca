import type { Libc, Pipe } from './libc.js';

/** Of the pipes of a thread, most that one owner has at a time: others find some, however many connections that owner has. */
const ownerShare = 0.5;

/** The pipes of one thread: a pump has one only while bytes are in it, or about to be. */
export class Pipes {
  readonly #free: Pipe[];
  readonly #held = new Map<number, number>();
  readonly #mostHeld: number;

  constructor(
    private readonly libc: Pick<Libc, 'read'>,
    pipes: readonly Pipe[],
  ) {
    this.#free = [...pipes];
    this.#mostHeld = Math.max(1, Math.floor(pipes.length * ownerShare));
  }

  /** @returns undefined when none is free, or the owner has its share: the caller copies instead */
  take(owner: number): Pipe | undefined {
    const held = this.#held.get(owner) ?? 0;
    if (held >= this.#mostHeld) return undefined;
    const pipe = this.#free.pop();
    if (pipe) this.#held.set(owner, held + 1);
    return pipe;
  }

  /** @param bytes that are still in it: they are discarded */
  give(owner: number, pipe: Pipe, bytes: number): void {
    const held = this.#held.get(owner) ?? 0;
    if (held > 1) this.#held.set(owner, held - 1);
    else this.#held.delete(owner);
    const sink = bytes > 0 ? Buffer.allocUnsafe(bytes) : undefined;
    for (let left = bytes; left > 0 && sink;) {
      const count = this.libc.read(pipe.read, sink);
      // Not to be used again: the next bytes would follow these.
      if (count <= 0) return;
      left -= count;
    }
    this.#free.push(pipe);
  }
}
