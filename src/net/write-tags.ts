/**
 * Tags for individual writes of a stream. A stream's queue keeps its order, so the n-th call of `_write` has the
 * chunk of the n-th call of `write`. A last chunk passed to `end` is not counted, since nothing follows it.
 */
export class WriteTags<Tag> {
  readonly #tags = new Map<number, Tag>();
  #made = 0;
  #taken = 0;

  /** Call this for each write that the stream accepts. */
  made(tag?: Tag): void {
    if (tag !== undefined) this.#tags.set(this.#made, tag);
    this.#made++;
  }

  /** Call this for each chunk that `_write` receives. */
  take(): Tag | undefined {
    const index = this.#taken++;
    if (this.#tags.size === 0) return undefined;
    const tag = this.#tags.get(index);
    if (tag !== undefined) this.#tags.delete(index);
    return tag;
  }
}
