import { ApiError } from '../../contract/index.js';
import { sourceOf } from '../../net/source-network.js';
import type { Lease } from './lease.js';
import type { LeaseRegistry } from './lease-registry.js';
import type { Policy } from '../policy/policy.js';
import { RateLimit } from '../limiters/rate-limit.js';
import type { AccessTokenClaims, AccessTokens } from '../auth/tokens.js';

const tokenFailureBurst = 100;
const tokenFailuresPerSecond = 5;

/** A call's access token, where it may be, and where the call came from. */
export interface TokenSources {
  /** Client address. */
  clientIp: string;
  /** `X-Portal-Access-Token` */
  header?: string | undefined;
  /** `access_token` of a JSON body */
  body?: string | undefined;
}

/** The one way from an access token to the lease it stands for: calls, upgrades and raw connections all come here. */
export class LeaseAuth {
  /** A forged token costs a signature check: a source that sends many is rate limited. */
  readonly #failures = new RateLimit(tokenFailureBurst, tokenFailuresPerSecond);

  constructor(
    private readonly tokens: AccessTokens,
    private readonly leases: LeaseRegistry,
    private readonly policy: Policy,
  ) {}

  /**
   * @throws ApiError `ip_banned`, `lease_rejected` (denied or banned), `unauthorized` (none, or not ours), `invalid_request` (two that differ), `lease_not_found` (expired
   * or gone), `hostname_conflict` (superseded by a later registration), `rate_limited` (too many that were not ours)
   */
  async lease({ header, body, clientIp }: TokenSources): Promise<Lease> {
    this.policy.assertIpAllowed(clientIp);
    if (header && body && header !== body)
      throw new ApiError('invalid_request', 'header and body carry different access tokens');
    const token = header || body;
    if (!token) throw new ApiError('unauthorized', 'an access token is needed');
    const claims = this.tokens.known(token) ?? (await this.#verify(token, clientIp));
    this.policy.assertNotRejected(claims.identityKey);
    return this.leases.forToken(claims);
  }

  /**
   * A good token must never wait for a limit that strangers behind the same address fill. A registration's generation is random and
   * known to the relay and the tunnel alone: a token that bears that of a live lease counts against this lease.
   */
  async #verify(token: string, clientIp: string): Promise<AccessTokenClaims> {
    const claimed = this.tokens.claimed(token);
    const isOfLease = claimed !== undefined && this.leases.isCurrent(claimed);
    const key = isOfLease ? `lease ${claimed.generation}` : sourceOf(clientIp);
    this.#failures.check(key);
    try {
      return await this.tokens.read(token);
    } catch (error) {
      this.#failures.take(key);
      throw error;
    }
  }
}
