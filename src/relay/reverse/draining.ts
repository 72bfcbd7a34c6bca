import { ApiError } from '../../contract/index.js';

/** Refuses new work with a retry: tunnels then wait, as for any relay that is briefly unavailable. */
export function refuseWhenDraining(draining: AbortSignal): void {
  if (draining.aborted) throw new ApiError('rate_limited', 'the relay is going down', { retryAfterSeconds: 5 });
}
