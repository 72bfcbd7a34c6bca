import { type ApiError, isApiError } from '../../contract/errors.js';
import { AnswerError, NetworkError } from '../calls/errors.js';

/** Longest `Retry-After` obeyed: past it the tunnel asks again. */
const maxRetryAfterMs = 600_000;

/** Calls whose failure says something about the lease. */
export type LeaseCall = 'register' | 'renew' | 'connect' | 'sign';

/**
 * What a tunnel does about a failure:
 * - `stop`: nothing it can do will help, or going on would harm another process;
 * - `register`: the lease is gone, get another;
 * - `register_once`: the credential is not accepted, get another, and stop if that is not accepted either;
 * - `wait`: the same call may succeed later, `atLeastMs` from now where the relay said so.
 */
export type RetryDecision =
  | { do: 'stop' }
  | { do: 'register' }
  | { do: 'register_once' }
  | { do: 'wait'; cause: 'network' | 'answer'; atLeastMs: number };

const stop: RetryDecision = { do: 'stop' };

/**
 * @param hasServed whether this relay has granted a lease before; what is hopeless at the start may be a passing fault later
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
      // Before approval only connecting is refused; elsewhere it means denied or banned.
      return during === 'connect' ? wait : stop;
    case 'hostname_conflict':
      // With a token: superseded. Without: taken, for good unless the relay says until when.
      return during === 'register' && error.retryAfterSeconds !== undefined ? wait : stop;
    default:
      return error.retry === 'after_delay' || error.retry === 'new_connection' ? wait : stop;
  }
}
