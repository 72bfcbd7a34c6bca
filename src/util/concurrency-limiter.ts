/** Counts concurrent uses by key, up to a limit per key. Keys with a count of zero are removed. */
export class ConcurrencyLimiter {
  readonly #open = new Map<string, number>();

  constructor(private readonly limit: number) {}

  count(key: string): number {
    return this.#open.get(key) ?? 0;
  }

  /** @returns false, without counting, when the key is at its limit */
  add(key: string): boolean {
    const open = this.count(key);
    if (open >= this.limit) return false;
    this.#open.set(key, open + 1);
    return true;
  }

  /** Releases one use. */
  remove(key: string): void {
    const open = this.count(key);
    if (open > 1) this.#open.set(key, open - 1);
    else this.#open.delete(key);
  }
}
