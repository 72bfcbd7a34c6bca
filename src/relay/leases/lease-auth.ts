import { ApiError } from '../../contract/index.js';
import { sourceOf } from '../../net/source-network.js';
import type { Holding, Lease } from './lease.js';
import type { LeaseRegistry } from './lease-registry.js';
import type { Policy } from '../policy/policy.js';
import { RateLimit } from '../../http-api/rate-limit.js';
import type { AccessTokenClaims, AccessTokens } from '../auth/tokens.js';

const tokenFailureBurst = 100;
const tokenFailuresPerSecond = 5;
/** Rate limit for looking into a shared store, by registration. */
const refreshBurst = 20;
const refreshesPerSecond = 0.2;

/** The places of a call's access token, and the call's source. */
export interface TokenSources {
  /** Client address. */
  clientIp: string;
  /** `X-Portal-Access-Token` */
  header?: string | undefined;
  /** `access_token` of a JSON body */
  body?: string | undefined;
}

/** The only way from an access token to its lease, for calls, upgrades and raw connections. */
export class LeaseAuth {
  /** Rate limit for invalid tokens by source: each costs a signature check. */
  readonly #failures = new RateLimit(tokenFailureBurst, tokenFailuresPerSecond);
  readonly #refreshes = new RateLimit(refreshBurst, refreshesPerSecond);

  constructor(
    private readonly tokens: AccessTokens,
    private readonly leases: LeaseRegistry,
    private readonly policy: Policy,
  ) {}

  /**
   * @throws ApiError `ip_banned`, `lease_rejected` (denied or banned), `unauthorized` (missing or invalid token),
   * `invalid_request` (two different tokens), `lease_not_found` (expired or gone), `hostname_conflict` (superseded by
   * a later registration), `rate_limited` (too many invalid tokens)
   */
  async lease(sources: TokenSources): Promise<Lease> {
    return (await this.holding(sources)).lease;
  }

  /**
   * The lease, and for a group which of its tunnels the token is of.
   * @throws ApiError as `lease`
   */
  async holding({ header, body, clientIp }: TokenSources): Promise<Holding> {
    this.policy.assertIpAllowed(clientIp);
    if (header && body && header !== body)
      throw new ApiError('invalid_request', 'header and body carry different access tokens');
    const token = header || body;
    if (!token) throw new ApiError('unauthorized', 'an access token is needed');
    const claims = this.tokens.known(token) ?? (await this.#verify(token, clientIp));
    this.policy.assertNotRejected(claims.identityKey);
    const { member } = claims;
    try {
      return { lease: this.leases.forToken(claims), member };
    } catch (error) {
      if (!(await this.#isRefreshed(claims))) throw error;
      return { lease: this.leases.forToken(claims), member };
    }
  }

  /** Another node may have registered or renewed the lease a moment ago. */
  async #isRefreshed({ identityKey, generation }: AccessTokenClaims): Promise<boolean> {
    try {
      this.#refreshes.take(generation);
      return await this.leases.refresh(identityKey.slice(0, identityKey.indexOf(':')));
    } catch {
      return false;
    }
  }

  /**
   * A valid token must not be limited by others behind the same address. A registration's generation is random and
   * known only to relay and tunnel, so a token with a live lease's generation counts against that lease.
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
