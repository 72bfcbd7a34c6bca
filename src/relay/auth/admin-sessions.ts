import { createHash, randomBytes } from 'node:crypto';
import type { AdminSessionRecord, AuditEntry, GovernanceStore } from '../store/governance-store.js';

export const adminSessionTtlMs = 86_400_000;
/** Sessions per wallet; one more ends the oldest. */
const maxAdminSessionsPerWallet = 64;
/** Session cookies examined per request: more do not fit into `maxRequestHeadBytes`. */
const maxSessionCookies = 300;

export const sessionCookieName = 'portal_admin';
const tokenForm = /^[A-Za-z0-9_-]{43}$/;

/**
 * The admin sessions. Store and memory hold only the SHA-256 of a token: tokens are random, so a slower hash adds
 * nothing.
 */
export class AdminSessions {
  readonly #byHash = new Map<string, AdminSessionRecord>();

  /** @param wallets the wallets that may have sessions, EIP-55 checksum form */
  constructor(
    private readonly wallets: ReadonlySet<string>,
    private readonly store: GovernanceStore,
  ) {}

  /** Restores the valid sessions and deletes the others: a wallet that is listed again must log in again. */
  async start(now = Date.now()): Promise<void> {
    const sessions = await this.store.loadSessions();
    for (const session of sessions) if (this.#counts(session, now)) this.#byHash.set(session.tokenHash, session);
    const ended = sessions.filter(({ tokenHash }) => !this.#byHash.has(tokenHash));
    if (ended.length > 0) await this.store.deleteSessions(ended.map(({ tokenHash }) => tokenHash));
  }

  /** Takes over what another node has written to the store. */
  apply(session: AdminSessionRecord, isOpen: boolean): void {
    if (!isOpen) this.#byHash.delete(session.tokenHash);
    else if (!this.#byHash.has(session.tokenHash)) this.#byHash.set(session.tokenHash, session);
  }

  /** Reads again what is in the store. */
  async reload(): Promise<void> {
    const sessions = await this.store.loadSessions();
    const stored = new Set(sessions.map(({ tokenHash }) => tokenHash));
    for (const hash of [...this.#byHash.keys()]) if (!stored.has(hash)) this.#byHash.delete(hash);
    for (const session of sessions) this.apply(session, true);
  }

  /** @returns the token, which is not kept here */
  async open(wallet: string, entry: AuditEntry, now = Date.now()): Promise<string> {
    const token = randomBytes(32).toString('base64url');
    const session = { tokenHash: hashOf(token), wallet, expiresAt: now + adminSessionTtlMs };
    await this.store.putSession(session, entry);
    this.#byHash.set(session.tokenHash, session);
    await this.#makeRoom(wallet, now);
    return token;
  }

  /**
   * The valid sessions of a Cookie header; any one of them is enough. Tenants can set cookies of this name for the
   * root host ahead of the real one, but not more than are examined, since more do not fit into a request's head.
   */
  named(cookieHeader: string | undefined, now = Date.now()): AdminSessionRecord[] {
    const tokens = (cookieHeader ?? '')
      .split(';')
      .map((pair) => pair.trim())
      .filter((pair) => pair.startsWith(`${sessionCookieName}=`))
      .map((pair) => pair.slice(sessionCookieName.length + 1))
      .filter((value) => tokenForm.test(value));
    const found = new Set<AdminSessionRecord>();
    for (const token of tokens.slice(0, maxSessionCookies)) {
      const session = this.#byHash.get(hashOf(token));
      if (session && this.#counts(session, now)) found.add(session);
    }
    return [...found];
  }

  /** All valid sessions, the newest first. */
  all(now = Date.now()): AdminSessionRecord[] {
    return [...this.#byHash.values()].filter((session) => this.#counts(session, now)).reverse();
  }

  isValid(session: AdminSessionRecord, now = Date.now()): boolean {
    return this.#byHash.get(session.tokenHash) === session && this.#counts(session, now);
  }

  async end(sessions: AdminSessionRecord[], entry: AuditEntry): Promise<void> {
    const hashes = sessions.map(({ tokenHash }) => tokenHash);
    await this.store.deleteSessions(hashes, entry);
    for (const hash of hashes) this.#byHash.delete(hash);
  }

  #counts({ wallet, expiresAt }: AdminSessionRecord, now: number): boolean {
    return expiresAt > now && this.wallets.has(wallet);
  }

  /** Removes expired sessions, and the oldest ones of a wallet with too many. */
  async #makeRoom(wallet: string, now: number): Promise<void> {
    const all = [...this.#byHash.values()];
    const own = all.filter((session) => session.wallet === wallet && session.expiresAt > now);
    const ended = all
      .filter(({ expiresAt }) => expiresAt <= now)
      .concat(own.slice(0, Math.max(0, own.length - maxAdminSessionsPerWallet)))
      .map(({ tokenHash }) => tokenHash);
    if (ended.length === 0) return;
    await this.store.deleteSessions(ended);
    for (const hash of ended) this.#byHash.delete(hash);
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/** Names a session to admins. It is of the token's hash: nobody can log in with it. */
export const sessionId = ({ tokenHash }: AdminSessionRecord) => tokenHash.slice(0, 16);
