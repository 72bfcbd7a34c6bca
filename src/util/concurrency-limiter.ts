/** Counts concurrent uses by key, up to a limit per key. Keys with a count of zero are removed. */
export class ConcurrencyLimiter {
  readonly #open = new Map<string, number>();

  constructor(private readonly limit: number) {}

  count(key: string): number {
    return this.#open.get(key) ?? 0;
  }

  /** @returns false, without counting, when that would exceed the key's limit */
  add(key: string, uses = 1): boolean {
    const open = this.count(key) + uses;
    if (open > this.limit) return false;
    this.#open.set(key, open);
    return true;
  }

  /** The keys in use, with their counts. */
  uses(): Iterable<readonly [key: string, count: number]> {
    return this.#open;
  }

  /** Releases uses. */
  remove(key: string, uses = 1): void {
    const open = this.count(key) - uses;
    if (open > 0) this.#open.set(key, open);
    else this.#open.delete(key);
  }
}
