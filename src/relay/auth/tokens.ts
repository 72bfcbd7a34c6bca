import { createHash, randomUUID, verify } from 'node:crypto';
import { SignJWT, decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { ApiError } from '../../contract/index.js';
import { type LeaseIdentity, identityKey } from '../../contract/lease-identity.js';
import type { RelayKey } from './relay-key.js';

const maxTokenBytes = 4_096;
/** Access tokens whose signature need not be verified again; a few hundred bytes each. */
const maxRememberedTokens = 10_000;

const audience = 'portal-sdk';

/** What a token says of its lease. */
export interface LeaseClaims {
  readonly identity: LeaseIdentity;
  readonly generation: string;
  /** Milliseconds since the epoch, whole seconds. */
  readonly expiresAt: number;
}

export interface AccessTokenClaims {
  /** `name:address`, lower case. */
  identityKey: string;
  generation: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Issues and reads lease access tokens: JWT, EdDSA by a key that is derived from the relay's identity. */
export class AccessTokens {
  /** What tokens read lately say, by their SHA-256: a tunnel shows the same one for every connection. */
  readonly #read = new Map<string, AccessTokenClaims>();

  constructor(
    private readonly key: RelayKey,
    private readonly issuer: string,
  ) {}

  /** A token that lives as long as the lease does now. */
  async issue(lease: LeaseClaims, now = Date.now()): Promise<string> {
    return await new SignJWT({ identity: lease.identity, generation: lease.generation })
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
   * Reads a token of ours. One that has expired is still read: whether that matters is the lease's to say.
   * @throws ApiError `unauthorized` for anything this relay did not sign for this purpose
   */
  async read(token: string): Promise<AccessTokenClaims> {
    if (token.length > maxTokenBytes) throw new ApiError('unauthorized', 'the access token is not valid');
    const known = this.known(token);
    if (known) return known;
    const { sub, exp, generation } = await this.#verify(token);
    if (typeof sub !== 'string' || typeof exp !== 'number' || typeof generation !== 'string') {
      throw new ApiError('unauthorized', 'the access token is not valid');
    }
    const claims = { identityKey: sub, generation, expiresAt: exp * 1000 };
    const digest = digestOf(token);
    // A signature that was good stays good: whether the lease is still there is asked each time.
    if (this.#read.size >= maxRememberedTokens) this.#read.delete(this.#read.keys().next().value as string);
    this.#read.set(digest, claims);
    return claims;
  }

  /** What a token says that was read lately, and is known to be ours. */
  known(token: string): AccessTokenClaims | undefined {
    return token.length > maxTokenBytes ? undefined : this.#read.get(digestOf(token));
  }

  /** What a token says of its lease, whoever signed it. */
  claimed(token: string): Pick<AccessTokenClaims, 'identityKey' | 'generation'> | undefined {
    if (token.length > maxTokenBytes) return undefined;
    try {
      const { sub, generation } = decodeJwt(token);
      if (typeof sub === 'string' && typeof generation === 'string') return { identityKey: sub, generation };
    } catch {
      // It is no JWT.
    }
    return undefined;
  }

  /** Reads a token of a release before 0.2 (RFC 8812 3.2): its lease may have been renewed just before the update. */
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
    const options = { issuer: this.issuer, audience, algorithms: ['EdDSA'], clockTolerance: 5 };
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

/** @throws Error for what the relay did not sign */
function assert(condition: boolean): asserts condition {
  if (!condition) throw new Error('the token does not verify');
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
