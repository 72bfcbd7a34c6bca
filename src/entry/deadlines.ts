/** Deadlines of the same duration: the first that was set is the first to expire, so that each costs the same. */
export class Deadlines<Item extends object> {
  readonly #due = new Map<Item, number>();

  constructor(
    private readonly durationMs: number,
    private readonly onExpired: (item: Item) => void,
  ) {}

  set(item: Item, now: number): void {
    this.#due.delete(item);
    this.#due.set(item, now + this.durationMs);
  }

  clear(item: Item): void {
    this.#due.delete(item);
  }

  /** When the next one expires; undefined for none. */
  get next(): number | undefined {
    for (const due of this.#due.values()) return due;
    return undefined;
  }

  expire(now: number): void {
    for (const [item, due] of this.#due) {
      if (due > now) return;
      this.#due.delete(item);
      this.onExpired(item);
    }
  }
}
