/** Counts what is open by key, up to a limit for each. Keys that have nothing open are forgotten. */
export class ConcurrencyLimiter {
  readonly #open = new Map<string, number>();

  constructor(private readonly limit: number) {}

  count(key: string): number {
    return this.#open.get(key) ?? 0;
  }

  /** @returns false, and counts nothing, when the key is at its limit */
  add(key: string): boolean {
    const open = this.count(key);
    if (open >= this.limit) return false;
    this.#open.set(key, open + 1);
    return true;
  }

  /** Takes one back that was added. */
  remove(key: string): void {
    const open = this.count(key);
    if (open > 1) this.#open.set(key, open - 1);
    else this.#open.delete(key);
  }
}
