import { type ApiError, isApiError } from '../../contract/errors.js';
import { AnswerError, NetworkError } from '../calls/errors.js';

/** Longest `Retry-After` honoured; after it the tunnel retries. */
const maxRetryAfterMs = 600_000;

/** Calls whose failure affects the lease. */
export type LeaseCall = 'register' | 'renew' | 'connect' | 'sign';

/**
 * The reaction of a tunnel to a failure:
 * - `stop`: no retry can help, or retrying would harm another process;
 * - `register`: the lease is gone, register again;
 * - `register_once`: the token is refused: register again, and stop if the new token is refused too;
 * - `wait`: the same call may succeed later, `atLeastMs` from now if the relay sent Retry-After.
 */
export type RetryDecision =
  | { do: 'stop' }
  | { do: 'register' }
  | { do: 'register_once' }
  | { do: 'wait'; cause: 'network' | 'answer'; atLeastMs: number };

const stop: RetryDecision = { do: 'stop' };

/**
 * @param hasServed whether this relay has granted a lease before; an error that is fatal at the start may be
 * temporary later
 */
export function retryDecision(error: unknown, during: LeaseCall, hasServed: boolean): RetryDecision {
  if (isApiError(error)) return reactToCode(error, during);
  if (error instanceof NetworkError) {
    return error.reason === 'certificate' && !hasServed ? stop : { do: 'wait', cause: 'network', atLeastMs: 0 };
  }
  if (error instanceof AnswerError) {
    const passing = hasServed || error.status === 429 || (error.status ?? 0) >= 500;
    return passing ? { do: 'wait', cause: 'answer', atLeastMs: 0 } : stop;
  }
  return stop;
}

function reactToCode(error: ApiError, during: LeaseCall): RetryDecision {
  const wait: RetryDecision = {
    do: 'wait',
    cause: 'answer',
    atLeastMs: Math.min((error.retryAfterSeconds ?? 0) * 1000, maxRetryAfterMs),
  };
  switch (error.code) {
    case 'lease_not_found':
      return { do: 'register' };
    case 'unauthorized':
      return { do: 'register_once' };
    case 'lease_rejected':
      // Pending approval only refuses connections; elsewhere the code means denied or banned.
      return during === 'connect' ? wait : stop;
    case 'hostname_conflict':
      // With a token: superseded. Without: the name is taken, for good unless there is a Retry-After.
      return during === 'register' && error.retryAfterSeconds !== undefined ? wait : stop;
    default:
      return error.retry === 'after_delay' || error.retry === 'new_connection' ? wait : stop;
  }
}
