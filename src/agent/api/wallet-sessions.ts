import { createHash, randomBytes } from 'node:crypto';
import { ApiError } from '../../contract/index.js';
import { RateLimit } from '../../http-api/rate-limit.js';
import { UsageError } from '../../sdk/calls/errors.js';
import { checksumAddress } from '../../sdk/identity/identity.js';
import { type SignInChallenge, SignInChallenges } from '../../sign-in/challenges.js';

export const loginPath = '/v1/agent/auth/login';
const cookieName = 'portal_agent';
const cookieAttributes = 'Path=/v1/agent; HttpOnly; Secure; SameSite=Strict';
const sessionSeconds = 86_400;
/** Sessions at once: one more ends the oldest. */
const maxSessions = 256;
const maxCookies = 64;
const tokenForm = /^[A-Za-z0-9_-]{43}$/;
/** All callers are on this machine, so the limits are for all together. */
const challenges = { burst: 60, perSecond: 1 };
const failures = { burst: 20, perSecond: 0.2 };

/** Sign-ins of the wallets that may look (EIP-4361), for a day at most and until the agent ends. */
export class WalletSessions {
  readonly #challenges = new SignInChallenges(loginPath);
  readonly #asked = new RateLimit(challenges.burst, challenges.perSecond);
  readonly #failed = new RateLimit(failures.burst, failures.perSecond);
  /** By the hash of the cookie's value. */
  readonly #sessions = new Map<string, { wallet: string; expiresAt: number }>();

  /** @param allowed the wallets that may look now, EIP-55 checksum form */
  constructor(private readonly allowed: () => readonly string[]) {}

  /** @param site what is signed in to @throws ApiError `rate_limited`, `invalid_address`, `unauthorized` (403) */
  challenge(site: URL, address: string): SignInChallenge {
    this.#asked.take('');
    const wallet = checked(address);
    this.#admit(wallet);
    return this.#challenges.issue(site, wallet);
  }

  /**
   * @returns the wallet, and the cookie to set
   * @throws ApiError `unauthorized` (401, or 403 for a wallet that may not look), `rate_limited` after too many of these
   */
  login(site: URL, answer: { id: string; message: string; signature: string }): { wallet: string; cookie: string } {
    this.#failed.check('');
    try {
      const wallet = this.#challenges.answer(site, answer);
      this.#admit(wallet);
      return { wallet, cookie: this.#open(wallet) };
    } catch (error) {
      this.#failed.take('');
      throw error;
    }
  }

  /** Ends the sessions of a Cookie header. @returns the cookie to set */
  logout(cookieHeader: string | undefined): string {
    for (const hash of hashesOf(cookieHeader)) this.#sessions.delete(hash);
    return `${cookieName}=; Max-Age=0; ${cookieAttributes}`;
  }

  /** The wallet that is signed in by a Cookie header, as long as it may look. */
  walletOf(cookieHeader: string | undefined, now = Date.now()): string | undefined {
    for (const hash of hashesOf(cookieHeader)) {
      const session = this.#sessions.get(hash);
      if (session && session.expiresAt > now && this.allowed().includes(session.wallet)) return session.wallet;
    }
    return undefined;
  }

  #admit(wallet: string): void {
    if (!this.allowed().includes(wallet))
      throw new ApiError('unauthorized', 'this wallet may not look: allowed_wallets of [agent] does not name it', {
        status: 403,
      });
  }

  #open(wallet: string, now = Date.now()): string {
    for (const [hash, { expiresAt }] of this.#sessions) if (expiresAt <= now) this.#sessions.delete(hash);
    if (this.#sessions.size >= maxSessions) this.#sessions.delete(this.#sessions.keys().next().value as string);
    const token = randomBytes(32).toString('base64url');
    this.#sessions.set(hashOf(token), { wallet, expiresAt: now + sessionSeconds * 1_000 });
    return `${cookieName}=${token}; Max-Age=${sessionSeconds}; ${cookieAttributes}`;
  }
}

/** @throws ApiError `invalid_address` */
function checked(address: string): string {
  try {
    return checksumAddress(address);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new ApiError('invalid_address', error.message, { cause: error });
  }
}

/** Of all cookies of the name: another program of this machine may have set one. */
function hashesOf(cookieHeader = ''): string[] {
  const values = cookieHeader
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${cookieName}=`))
    .map((pair) => pair.slice(cookieName.length + 1))
    .filter((value) => tokenForm.test(value));
  return values.slice(0, maxCookies).map(hashOf);
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('base64url');
