import type { Client } from 'openapi-fetch';
import type { EnvelopeOperationId, paths, RequestBody, SuccessData } from '../../contract/operations.js';
import { checkChallenge, checkSnapshot } from '../calls/answers.js';
import type { Fetch } from '../calls/bounded-fetch.js';
import { type CallOptions, createCaller, type PortalClientOptions, type SendRequest } from '../calls/caller.js';
import { AnswerError } from '../calls/errors.js';
import { checksumAddress, type Identity } from '../identity/identity.js';
import { checkDomain, checkName } from '../identity/name.js';
import { checkSignInMessage } from '../identity/sign-in.js';

/** Largest response that the admin client accepts: the snapshot of a relay with tens of thousands of leases. */
const maxSnapshotBytes = 67_108_864;
/** Lifetime of an admin session whose cookie has none. */
const adminSessionMs = 86_400_000;

/** An admin session. Its token grants the admin's rights: keep it like a password. */
export interface AdminSession {
  token: string;
  walletAddress: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface AdminClientOptions extends PortalClientOptions {
  /** A stored session to use. */
  session?: AdminSession;
}

/** The owner of a lease: a name and an account. */
export interface LeaseIdentity {
  name: string;
  address: string;
}

/** What `loginAdmin` takes, and until when it does. Keep it like a password. */
export interface SignedChallenge {
  login: RequestBody<'loginAdmin'>;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export type Snapshot = SuccessData<'getSnapshot'>;
export type PortSettings = SuccessData<'setUdpSettings'>;

/**
 * The relay's admin API, one method per operation of the contract. It fails as `PortalClient` does; without a valid
 * session all methods but `login` and `getAdminStatus` throw `ApiError` with the code `unauthorized`.
 */
export interface AdminClient {
  readonly relay: URL;
  /** Every operation of the contract, typed, with the unmodified envelope. */
  readonly http: Client<paths>;
  /** The current session, if any. */
  readonly session: AdminSession | undefined;
  /**
   * Logs in with an admin wallet and uses the session from then on.
   * @throws also SigningRefusedError when the relay asks to sign anything but a login to itself
   */
  login(wallet: Identity, options?: CallOptions): Promise<AdminSession>;
  /**
   * Signs a challenge without logging in: whoever passes it on to `loginAdmin` first is logged in, once and before it
   * expires. It lets a browser without a wallet in.
   * @throws as `login`
   */
  signChallenge(wallet: Identity, options?: CallOptions): Promise<SignedChallenge>;
  logoutAdmin(options?: CallOptions): Promise<void>;
  getAdminStatus(options?: CallOptions): Promise<SuccessData<'getAdminStatus'>>;
  getSnapshot(options?: CallOptions): Promise<Snapshot>;
  setLandingPage(enabled: boolean, options?: CallOptions): Promise<SuccessData<'setLandingPage'>>;
  setUdpSettings(settings: RequestBody<'setUdpSettings'>, options?: CallOptions): Promise<PortSettings>;
  setTcpPortSettings(settings: RequestBody<'setTcpPortSettings'>, options?: CallOptions): Promise<PortSettings>;
  setApprovalMode(
    mode: RequestBody<'setApprovalMode'>['mode'],
    options?: CallOptions,
  ): Promise<SuccessData<'setApprovalMode'>>;
  banLease(lease: LeaseIdentity, options?: CallOptions): Promise<void>;
  unbanLease(lease: LeaseIdentity, options?: CallOptions): Promise<void>;
  approveLease(lease: LeaseIdentity, options?: CallOptions): Promise<void>;
  revokeLeaseApproval(lease: LeaseIdentity, options?: CallOptions): Promise<void>;
  denyLease(lease: LeaseIdentity, options?: CallOptions): Promise<void>;
  removeLeaseDenial(lease: LeaseIdentity, options?: CallOptions): Promise<void>;
  /** @param bps bytes per second, both directions together */
  setLeaseBps(lease: LeaseIdentity, bps: number, options?: CallOptions): Promise<SuccessData<'setLeaseBps'>>;
  removeLeaseBps(lease: LeaseIdentity, options?: CallOptions): Promise<void>;
  banIp(ip: string, options?: CallOptions): Promise<void>;
  unbanIp(ip: string, options?: CallOptions): Promise<void>;
}

/** The operations that take only the identity of a lease. */
export type LeaseDecision =
  | 'banLease'
  | 'unbanLease'
  | 'approveLease'
  | 'revokeLeaseApproval'
  | 'denyLease'
  | 'removeLeaseDenial'
  | 'removeLeaseBps';

type SetSession = Omit<AdminSession, 'walletAddress'>;

const loginPath = '/admin/auth/login';
const cookieName = 'portal_admin';
/** RFC 6265 4.1.1, cookie-octet. */
const cookieValue = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,4096}$/;

/** @throws UsageError when `relay` is not a relay URL */
export function createAdminClient(options: AdminClientOptions): AdminClient {
  let { session } = options;
  let given: SetSession | undefined;
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  // Browsers handle cookies themselves; elsewhere this is the whole cookie handling.
  const fetchWithCookie: Fetch = async (url, init) => {
    const headers = { ...(init.headers as Record<string, string>) };
    if (session) headers['Cookie'] = `${cookieName}=${session.token}`;
    const response = await fetch(url, { ...init, headers });
    if (url.endsWith(loginPath)) given = sessionOf(response.headers.getSetCookie());
    return response;
  };
  const { relay, http, call } = createCaller(
    { ...options, fetch: fetchWithCookie },
    options.maxAnswerBytes ?? maxSnapshotBytes,
  );
  const ask = async <Op extends EnvelopeOperationId>(operationId: Op, request: SendRequest<Op>) =>
    (await call(operationId, request)).data;

  const decide =
    (operationId: LeaseDecision) =>
    async (lease: LeaseIdentity, callOptions: CallOptions = {}): Promise<void> => {
      await ask(operationId, { ...callOptions, path: leasePath(lease) });
    };

  const signChallenge = async (wallet: Identity, callOptions: CallOptions = {}): Promise<SignedChallenge> => {
    const address = checksumAddress(wallet.address);
    const challenge = checkChallenge(await ask('createAdminChallenge', { ...callOptions, body: { address } }));
    const { challenge_id, siwe_message } = challenge;
    checkSignInMessage(siwe_message, { relay, address, challengeId: challenge_id, path: loginPath });
    const expiresAt = Date.parse(challenge.expires_at);
    if (Number.isNaN(expiresAt)) throw new AnswerError("the relay's answer has no expires_at");
    const siwe_signature = await wallet.signMessage(siwe_message);
    return { login: { challenge_id, siwe_message, siwe_signature }, expiresAt };
  };

  return {
    relay,
    http,
    get session() {
      return session;
    },

    async login(wallet, callOptions) {
      const { login: body } = await signChallenge(wallet, callOptions);
      given = undefined;
      await ask('loginAdmin', { ...callOptions, body });
      // Assigned in the callback, which the compiler does not track.
      const set = given as SetSession | undefined;
      if (!set) throw new AnswerError("the relay's answer has no session");
      session = { ...set, walletAddress: checksumAddress(wallet.address) };
      return session;
    },

    signChallenge,

    async logoutAdmin(callOptions = {}) {
      await ask('logoutAdmin', callOptions);
      session = undefined;
    },

    getAdminStatus: async (callOptions = {}) => await ask('getAdminStatus', callOptions),
    getSnapshot: async (callOptions = {}) => checkSnapshot(await ask('getSnapshot', callOptions)),
    setLandingPage: async (enabled, callOptions) => await ask('setLandingPage', { ...callOptions, body: { enabled } }),
    setUdpSettings: async (body, callOptions) => await ask('setUdpSettings', { ...callOptions, body }),
    setTcpPortSettings: async (body, callOptions) => await ask('setTcpPortSettings', { ...callOptions, body }),
    setApprovalMode: async (mode, callOptions) => await ask('setApprovalMode', { ...callOptions, body: { mode } }),

    banLease: decide('banLease'),
    unbanLease: decide('unbanLease'),
    approveLease: decide('approveLease'),
    revokeLeaseApproval: decide('revokeLeaseApproval'),
    denyLease: decide('denyLease'),
    removeLeaseDenial: decide('removeLeaseDenial'),
    setLeaseBps: async (lease, bps, callOptions) =>
      await ask('setLeaseBps', { ...callOptions, path: leasePath(lease), body: { bps } }),
    removeLeaseBps: decide('removeLeaseBps'),

    async banIp(ip, callOptions) {
      await ask('banIp', { ...callOptions, path: { ip } });
    },
    async unbanIp(ip, callOptions) {
      await ask('unbanIp', { ...callOptions, path: { ip } });
    },
  };
}

/** The path form of an identity: both parts in base64url. @throws UsageError */
function leasePath({ name, address }: LeaseIdentity): { name: string; addr: string } {
  const base64url = (text: string) => btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return {
    name: base64url(name.includes('.') ? checkDomain(name) : checkName(name)),
    addr: base64url(checksumAddress(address)),
  };
}

/** The session in a response's Set-Cookie, if any. */
function sessionOf(setCookies: string[]): SetSession | undefined {
  for (const cookie of setCookies) {
    const [pair = '', ...attributes] = cookie.split(';').map((part) => part.trim());
    const token = pair.slice(pair.indexOf('=') + 1);
    if (!pair.startsWith(`${cookieName}=`) || !cookieValue.test(token)) continue;
    const maxAge = attributes.map((attribute) => /^max-age=(\d{1,9})$/i.exec(attribute)?.[1]).find(Boolean);
    const lifetimeMs = maxAge === undefined ? adminSessionMs : Number(maxAge) * 1000;
    return { token, expiresAt: Date.now() + lifetimeMs };
  }
  return undefined;
}
