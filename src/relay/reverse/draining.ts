import { ApiError } from '../../contract/index.js';

/** Tells whoever brings new work to come back: tunnels then wait, as they do for any relay that is away for a moment. */
export function refuseWhenDraining(draining: AbortSignal): void {
  if (draining.aborted) throw new ApiError('rate_limited', 'the relay is going down', { retryAfterSeconds: 5 });
}
