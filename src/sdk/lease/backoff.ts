/**
 * First and longest wait when the relay cannot be reached. The longest is short, so that service resumes seconds
 * after the relay does.
 */
export const networkBackoff = { firstMs: 250, longestMs: 5_000 };
/**
 * Exponential backoff with full jitter: waits are uniformly random from zero to a bound that doubles with each
 * failure.
 */
export class Backoff {
  #failures = 0;

  constructor(private readonly bounds: { firstMs: number; longestMs: number }) {}

  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and returns the wait in milliseconds. */
  next(): number {
    const bound = Math.min(this.bounds.longestMs, this.bounds.firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return Math.random() * bound;
  }

  reset(): void {
    this.#failures = 0;
  }
}
