interface Slot {
  source: string;
  evict(): void;
}

/**
 * A bounded number of slots shared fairly between sources. When all are taken, the oldest slot of the source with the
 * most slots is evicted, so that sources with many slots cannot keep out one with few. Every call takes constant
 * time.
 */
export class FairSlots {
  /** Slots by source, oldest first. */
  readonly #bySource = new Map<string, Set<Slot>>();
  /** Sources by their number of slots. */
  readonly #byCount = new Map<number, Set<string>>();
  #most = 0;
  #size = 0;

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#size;
  }

  /**
   * Takes a slot, evicting another when all are taken.
   * @param evict called when this slot is evicted; it is already released then
   * @returns releases the slot; idempotent
   */
  take(source: string, evict: () => void): () => void {
    if (this.#size >= this.limit) this.evict();
    const slot: Slot = { source, evict };
    const held = this.#bySource.get(source) ?? new Set<Slot>();
    this.#bySource.set(source, held);
    held.add(slot);
    this.#size++;
    this.#moved(source, held.size - 1, held.size);
    return () => this.#release(slot);
  }

  /** Evicts one slot. @returns whether there was one */
  evict(): boolean {
    const [source] = this.#byCount.get(this.#most) ?? [];
    const [oldest] = (source === undefined ? undefined : this.#bySource.get(source)) ?? [];
    if (!oldest) return false;
    this.#release(oldest);
    oldest.evict();
    return true;
  }

  #release(slot: Slot): void {
    const held = this.#bySource.get(slot.source);
    if (!held?.delete(slot)) return;
    this.#size--;
    if (held.size === 0) this.#bySource.delete(slot.source);
    this.#moved(slot.source, held.size + 1, held.size);
  }

  #moved(source: string, from: number, to: number): void {
    const before = this.#byCount.get(from);
    before?.delete(source);
    if (before?.size === 0) this.#byCount.delete(from);
    if (to > 0) {
      const after = this.#byCount.get(to) ?? new Set<string>();
      this.#byCount.set(to, after);
      after.add(source);
    }
    if (to > this.#most) this.#most = to;
    else if (this.#most === from && !this.#byCount.has(from)) this.#most = to;
  }
}
