import { ApiError } from '../../contract/index.js';

/** Most keys remembered by a rate limit. */
const maxRateLimitKeys = 50_000;

/**
 * A token bucket per key, on the monotonic clock, so that setting the system's time has no effect. The number of keys
 * is bounded: past it the least recently used key is forgotten, which at most gives it its burst back.
 */
export class RateLimit {
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** @param burst size of the bucket in calls @param perSecond refill rate in calls per second */
  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
  ) {}

  /** @throws ApiError `rate_limited` when the bucket of `key` is empty; takes no token */
  check(key: string, now = performance.now()): void {
    const tokens = this.#tokens(key, now);
    if (tokens < 1) throw this.#refusal(tokens);
  }

  /** Takes one call of `key`. @throws ApiError `rate_limited` with the seconds until the next token */
  take(key: string, now = performance.now()): void {
    if (!this.tryTake(key, now)) throw this.#refusal(this.#tokens(key, now));
  }

  /** Takes one call of `key`. @returns whether there was one */
  tryTake(key: string, now = performance.now()): boolean {
    const tokens = this.#tokens(key, now);
    this.#buckets.delete(key);
    if (this.#buckets.size >= maxRateLimitKeys) this.#buckets.delete(this.#buckets.keys().next().value as string);
    this.#buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }

  #tokens(key: string, now: number): number {
    const held = this.#buckets.get(key);
    if (!held) return this.burst;
    return Math.min(this.burst, held.tokens + (Math.max(0, now - held.at) / 1000) * this.perSecond);
  }

  #refusal(tokens: number): ApiError {
    const retryAfterSeconds = Math.ceil((1 - tokens) / this.perSecond);
    return new ApiError('rate_limited', 'too many calls', { retryAfterSeconds });
  }
}
