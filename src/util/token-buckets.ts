/** Most keys that are remembered. */
const maxKeys = 50_000;

/**
 * A token bucket per key, on the monotonic clock, so that setting the system's time has no effect. The number of keys
 * is bounded: past it the least recently used key is forgotten, which at most gives it its burst back.
 */
export class TokenBuckets {
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** @param burst size of the bucket @param perSecond refill rate in tokens per second */
  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
  ) {}

  /** Takes one token of `key`. @returns whether there was one */
  tryTake(key: string, now = performance.now()): boolean {
    const tokens = this.#tokens(key, now);
    this.#buckets.delete(key);
    if (this.#buckets.size >= maxKeys) this.#buckets.delete(this.#buckets.keys().next().value as string);
    this.#buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }

  /** Whole seconds until `key` has a token; 0 when it has one. */
  secondsUntilToken(key: string, now = performance.now()): number {
    return Math.max(0, Math.ceil((1 - this.#tokens(key, now)) / this.perSecond));
  }

  #tokens(key: string, now: number): number {
    const held = this.#buckets.get(key);
    if (!held) return this.burst;
    return Math.min(this.burst, held.tokens + (Math.max(0, now - held.at) / 1000) * this.perSecond);
  }
}
