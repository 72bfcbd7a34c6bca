import { randomUUID } from 'node:crypto';
import { SignJWT, errors, jwtVerify, type JWTPayload } from 'jose';
import { ApiError } from '../../contract/index.js';
import { maxTokenBytes } from '../constants.js';
import { type Lease, identityKey } from '../leases/lease.js';
import type { RelayKey } from './relay-key.js';

const audience = 'portal-sdk';

export interface AccessTokenClaims {
  /** `name:address`, lower case. */
  identityKey: string;
  generation: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Issues and reads lease access tokens: JWT, ES256K by the relay's identity key. */
export class AccessTokens {
  constructor(
    private readonly key: RelayKey,
    private readonly issuer: string,
  ) {}

  /** A token that lives as long as the lease does now. */
  async issue(lease: Lease, now = Date.now()): Promise<string> {
    return await new SignJWT({ identity: lease.identity, generation: lease.generation })
      .setProtectedHeader({ alg: 'ES256K', typ: 'JWT', kid: this.key.address })
      .setIssuer(this.issuer)
      .setSubject(identityKey(lease.identity))
      .setAudience(audience)
      .setJti(randomUUID())
      .setIssuedAt(Math.floor(now / 1000))
      .setNotBefore(Math.floor(now / 1000))
      .setExpirationTime(lease.expiresAt / 1000)
      .sign(this.key.privateKey);
  }

  /**
   * Reads a token of ours. One that has expired is still read: whether that matters is the lease's to say.
   * @throws ApiError `unauthorized` for anything this relay did not sign for this purpose
   */
  async read(token: string): Promise<AccessTokenClaims> {
    if (token.length > maxTokenBytes) throw new ApiError('unauthorized', 'the access token is not valid');
    const { sub, exp, generation } = await this.#verify(token);
    if (typeof sub !== 'string' || typeof exp !== 'number' || typeof generation !== 'string') {
      throw new ApiError('unauthorized', 'the access token is not valid');
    }
    return { identityKey: sub, generation, expiresAt: exp * 1000 };
  }

  async #verify(token: string): Promise<JWTPayload> {
    const options = { issuer: this.issuer, audience, algorithms: ['ES256K'], clockTolerance: 5 };
    try {
      return (await jwtVerify(token, this.key.publicKey, options)).payload;
    } catch (cause) {
      // The signature, issuer and audience have been checked by the time the expiry is.
      if (cause instanceof errors.JWTExpired) return cause.payload;
      throw new ApiError('unauthorized', 'the access token is not valid', { cause });
    }
  }
}
