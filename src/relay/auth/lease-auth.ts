import { ApiError } from '../../contract/index.js';
import type { Lease } from '../leases/lease.js';
import type { LeaseBook } from '../leases/lease-book.js';
import type { AccessTokens } from './tokens.js';

/** Where a call may carry its access token. */
export interface TokenSources {
  /** `X-Portal-Access-Token` */
  header?: string;
  /** `access_token` of a JSON body */
  body?: string;
}

/** The one way from an access token to the lease it stands for: calls, upgrades and raw connections all come here. */
export class LeaseAuth {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly leases: LeaseBook,
  ) {}

  /**
   * @throws ApiError `unauthorized` (none, or not ours), `invalid_request` (two that differ), `lease_not_found` (expired
   * or gone), `hostname_conflict` (superseded by a later registration)
   */
  async lease({ header, body }: TokenSources): Promise<Lease> {
    if (header && body && header !== body)
      throw new ApiError('invalid_request', 'header and body carry different access tokens');
    const token = header || body;
    if (!token) throw new ApiError('unauthorized', 'an access token is needed');
    return this.leases.forToken(await this.tokens.read(token));
  }
}
