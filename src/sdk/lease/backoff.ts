/** First and longest wait when the relay cannot be reached. Short at most: service should be back seconds after the relay. */
export const networkBackoff = { firstMs: 250, longestMs: 5_000 };
/** Exponential backoff with full jitter: waits are drawn evenly from zero to a bound that doubles with each failure. */
export class Backoff {
  #failures = 0;

  constructor(private readonly bounds: { firstMs: number; longestMs: number }) {}

  get failures(): number {
    return this.#failures;
  }

  /** Counts a failure and says how long to wait, in milliseconds. */
  next(): number {
    const bound = Math.min(this.bounds.longestMs, this.bounds.firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return Math.random() * bound;
  }

  reset(): void {
    this.#failures = 0;
  }
}
