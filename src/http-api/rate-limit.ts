import { ApiError } from '../contract/index.js';
import { TokenBuckets } from '../util/token-buckets.js';

/** Token buckets of calls, whose lack is an error of the catalogue. */
export class RateLimit extends TokenBuckets {
  /** @throws ApiError `rate_limited` when the bucket of `key` is empty; takes no token */
  check(key: string, now = performance.now()): void {
    const seconds = this.secondsUntilToken(key, now);
    if (seconds > 0) throw refusal(seconds);
  }

  /** Takes one call of `key`. @throws ApiError `rate_limited` with the seconds until the next token */
  take(key: string, now = performance.now()): void {
    if (!this.tryTake(key, now)) throw refusal(this.secondsUntilToken(key, now));
  }
}

function refusal(retryAfterSeconds: number): ApiError {
  return new ApiError('rate_limited', 'too many calls', { retryAfterSeconds });
}
