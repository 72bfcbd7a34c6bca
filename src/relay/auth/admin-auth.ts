import { ApiError } from '../../contract/index.js';
import { sourceOf } from '../../net/source-network.js';
import type { AuditLog } from '../audit/audit-log.js';
import { RateLimit } from '../../http-api/rate-limit.js';
import type { AdminSessionRecord } from '../store/governance-store.js';
import type { SharedStore } from '../store/store.js';
import { type SignInChallenge, SignInChallenges } from '../../sign-in/challenges.js';
import { challengeTtlMs } from '../../sign-in/siwe.js';
import { type AdminSessions, sessionId } from './admin-sessions.js';

const adminChallengeBurst = 60;
const adminChallengesPerSecond = 1;
/** Rate limit for failed logins, by source address. */
const loginFailureBurst = 20;
const loginFailuresPerSecond = 0.2;

export interface LoginAnswer {
  challenge_id: string;
  siwe_message: string;
  siwe_signature: string;
}

/** Authenticates the operator's wallets: challenge, signature, session (EIP-4361). */
export class AdminAuth {
  readonly #challenges: SignInChallenges;
  readonly #challengesBySource = new RateLimit(adminChallengeBurst, adminChallengesPerSecond);
  readonly #failures = new RateLimit(loginFailureBurst, loginFailuresPerSecond);

  /** @param wallets of `ADMIN_WALLETS`, EIP-55 checksum form */
  constructor(
    private readonly portalUrl: URL,
    private readonly wallets: ReadonlySet<string>,
    readonly sessions: AdminSessions,
    private readonly audit: AuditLog,
    /** Present where any node may be asked with a challenge of another. `key` is the same for all of them. */
    private readonly shared?: { key: Buffer; store: Pick<SharedStore, 'putOnce'> } | undefined,
  ) {
    this.#challenges = new SignInChallenges('/admin/auth/login', shared?.key);
  }

  /** Whether any admin wallet is configured. */
  get isOn(): boolean {
    return this.wallets.size > 0;
  }

  /** @param address EIP-55 checksum form, of any account @throws ApiError `rate_limited` */
  challenge(address: string, ip: string): SignInChallenge {
    this.#challengesBySource.take(sourceOf(ip));
    return this.#challenges.issue(this.portalUrl, address);
  }

  /**
   * @returns the session's wallet and token
   * @throws ApiError `unauthorized` for a spent, unknown or expired challenge, a signature of another account, or a
   * wallet that is not an admin's; `rate_limited` after too many of these
   */
  async login(answer: LoginAnswer, ip: string): Promise<{ wallet: string; token: string }> {
    const source = sourceOf(ip);
    this.#failures.check(source);
    let signer: string | undefined;
    try {
      signer = this.#challenges.answer(this.portalUrl, {
        id: answer.challenge_id,
        message: answer.siwe_message,
        signature: answer.siwe_signature,
      });
      if (this.shared && !(await this.shared.store.putOnce(`challenge:${answer.challenge_id}`, '', challengeTtlMs)))
        throw new ApiError('unauthorized', 'the challenge is spent or expired');
      if (!this.wallets.has(signer)) throw new ApiError('unauthorized', 'this wallet is not one of the operator');
    } catch (error) {
      this.#failures.take(source);
      await this.audit.refused({ ip, action: 'loginAdmin', target: signer, reason: (error as Error).message });
      throw error;
    }
    const entry = { at: Date.now(), wallet: signer, ip, action: 'loginAdmin', result: 'done' } as const;
    const token = await this.sessions.open(signer, entry);
    await this.audit.flush();
    return { wallet: signer, token };
  }

  /** Ends the sessions, also in the store. */
  async logout(sessions: AdminSessionRecord[], ip: string): Promise<void> {
    const entry = { at: Date.now(), wallet: sessions[0]?.wallet, ip, action: 'logoutAdmin', result: 'done' } as const;
    await this.sessions.end(sessions, entry);
    await this.audit.flush();
  }

  /**
   * An admin ends a session, their own or another's.
   * @throws ApiError `not_found`
   */
  async endSession(id: string, by: { wallet: string; ip: string }): Promise<void> {
    const session = this.sessions.all().find((each) => sessionId(each) === id);
    if (!session) throw new ApiError('not_found', 'there is no such session, or it has ended');
    const entry = { at: Date.now(), ...by, action: 'endAdminSession', target: session.wallet, result: 'done' } as const;
    await this.sessions.end([session], entry);
    await this.audit.flush();
  }
}
