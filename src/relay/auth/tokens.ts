import { createHash, randomUUID, verify } from 'node:crypto';
import { SignJWT, decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { ApiError } from '../../contract/index.js';
import { type LeaseIdentity, identityKey } from '../../contract/lease-identity.js';
import { withoutUndefined } from '../../util/without-undefined.js';
import type { RelayKey } from './relay-key.js';

const maxTokenBytes = 4_096;
/** Size of the cache of verified access tokens; a few hundred bytes each. */
const maxRememberedTokens = 10_000;

const audience = 'portal-sdk';

/** The claims of a token. */
export interface LeaseClaims {
  readonly identity: LeaseIdentity;
  readonly generation: string;
  /** Milliseconds since the epoch, whole seconds. */
  readonly expiresAt: number;
  /** Which tunnel of a group. */
  readonly member?: string | undefined;
}

export interface AccessTokenClaims {
  /** `name:address`, lower case. */
  identityKey: string;
  generation: string;
  member?: string | undefined;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Issues and verifies lease access tokens: JWT with EdDSA, by a key derived from the relay's identity. */
export class AccessTokens {
  /** Cache of verified claims by the token's SHA-256: a tunnel sends the same token for every connection. */
  readonly #read = new Map<string, AccessTokenClaims>();

  constructor(
    private readonly key: RelayKey,
    private readonly issuer: string,
    /** Milliseconds since the epoch: the same for all who issue and verify. */
    private readonly clock: () => number = () => Date.now(),
  ) {}

  /** A token with the lease's current expiry. */
  async issue(lease: LeaseClaims, now = this.clock()): Promise<string> {
    return await new SignJWT(
      withoutUndefined({ identity: lease.identity, generation: lease.generation, member: lease.member }),
    )
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: this.key.address })
      .setIssuer(this.issuer)
      .setSubject(identityKey(lease.identity))
      .setAudience(audience)
      .setJti(randomUUID())
      .setIssuedAt(Math.floor(now / 1000))
      .setNotBefore(Math.floor(now / 1000))
      .setExpirationTime(lease.expiresAt / 1000)
      .sign(this.key.tokenKey.privateKey);
  }

  /**
   * Verifies a token of this relay. An expired token still verifies: the lease decides whether that matters.
   * @throws ApiError `unauthorized` for anything that this relay did not sign as an access token
   */
  async read(token: string): Promise<AccessTokenClaims> {
    if (token.length > maxTokenBytes) throw new ApiError('unauthorized', 'the access token is not valid');
    const known = this.known(token);
    if (known) return known;
    const { sub, exp, generation, member } = await this.#verify(token);
    if (typeof sub !== 'string' || typeof exp !== 'number' || typeof generation !== 'string') {
      throw new ApiError('unauthorized', 'the access token is not valid');
    }
    const ofMember = typeof member === 'string' ? { member } : {};
    const claims = { identityKey: sub, generation, ...ofMember, expiresAt: exp * 1000 };
    const digest = digestOf(token);
    // A valid signature stays valid: whether the lease still exists is checked each time.
    if (this.#read.size >= maxRememberedTokens) this.#read.delete(this.#read.keys().next().value as string);
    this.#read.set(digest, claims);
    return claims;
  }

  /** The claims of a token in the cache. */
  known(token: string): AccessTokenClaims | undefined {
    return token.length > maxTokenBytes ? undefined : this.#read.get(digestOf(token));
  }

  /** The claims of a token, without verifying its signature. */
  claimed(token: string): Pick<AccessTokenClaims, 'identityKey' | 'generation'> | undefined {
    if (token.length > maxTokenBytes) return undefined;
    try {
      const { sub, generation } = decodeJwt(token);
      if (typeof sub === 'string' && typeof generation === 'string') return { identityKey: sub, generation };
    } catch {
      // Not a JWT.
    }
    return undefined;
  }

  /**
   * Verifies a token of a release before 0.2 (RFC 8812 3.2): its lease may have been renewed just before the update.
   */
  #verifyEs256k(token: string): JWTPayload {
    const [head = '', body = '', signature = '', ...more] = token.split('.');
    const key = { key: this.key.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    const bytes = Buffer.from(signature, 'base64url');
    assert(more.length === 0 && bytes.length === 64 && bytes.toString('base64url') === signature);
    assert(decodeProtectedHeader(token).crit === undefined);
    assert(verify('sha256', Buffer.from(`${head}.${body}`), key, bytes));
    const payload = decodeJwt(token);
    assert(payload.iss === this.issuer && payload.aud === audience);
    return payload;
  }

  async #verify(token: string): Promise<JWTPayload> {
    const currentDate = new Date(this.clock());
    const options = { issuer: this.issuer, audience, algorithms: ['EdDSA'], clockTolerance: 5, currentDate };
    try {
      if (decodeProtectedHeader(token).alg === 'ES256K') return this.#verifyEs256k(token);
      return (await jwtVerify(token, this.key.tokenKey.publicKey, options)).payload;
    } catch (cause) {
      // The signature, issuer and audience have been checked by the time the expiry is.
      if (cause instanceof errors.JWTExpired) return cause.payload;
      throw new ApiError('unauthorized', 'the access token is not valid', { cause });
    }
  }
}

/** @throws Error when the relay did not sign it */
function assert(condition: boolean): asserts condition {
  if (!condition) throw new Error('the token does not verify');
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
