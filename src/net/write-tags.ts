/**
 * What some of a stream's writes were made with. Writes leave a stream's queue in the order in which they were made, so that
 * the n-th that `_write` is given is the n-th that `write` took. A last chunk that is given to `end` is not counted, since nothing
 * comes after it.
 */
export class WriteTags<Tag> {
  readonly #tags = new Map<number, Tag>();
  #made = 0;
  #taken = 0;

  /** To be called for each write that the stream takes. */
  made(tag?: Tag): void {
    if (tag !== undefined) this.#tags.set(this.#made, tag);
    this.#made++;
  }

  /** To be called for each chunk that the stream is given to write. */
  take(): Tag | undefined {
    const index = this.#taken++;
    if (this.#tags.size === 0) return undefined;
    const tag = this.#tags.get(index);
    if (tag !== undefined) this.#tags.delete(index);
    return tag;
  }
}
