import type { Client } from 'openapi-fetch';
import type { paths, RequestBody, SuccessData } from '../contract/operations.js';
import { checkChallenge, checkSnapshot } from './answers.js';
import type { Fetch } from './bounded-fetch.js';
import { type Answer, type CallOptions, createCaller, type PortalClientOptions } from './caller.js';
import { adminSessionMs, maxSnapshotBytes } from './constants.js';
import { AnswerError } from './errors.js';
import { checksumAddress, type Identity } from './identity.js';
import { checkName } from './name.js';
import { checkSignInMessage } from './sign-in.js';

/** What proves that an admin has logged in. Whoever holds the token may do what the admin may: keep it like a password. */
export interface AdminSession {
  token: string;
  walletAddress: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface AdminClientOptions extends PortalClientOptions {
  /** One that was kept from before. */
  session?: AdminSession;
}

/** Whose lease: its name, and the account that it belongs to. */
export interface LeaseIdentity {
  name: string;
  address: string;
}

export type Snapshot = SuccessData<'getSnapshot'>;
export type PortSettings = SuccessData<'setUdpSettings'>;

/**
 * The relay's API for its operator, one method an operation of the contract. Failures are those of `PortalClient`; without a session
 * that is alive, all but `login` and `getAdminStatus` throw `ApiError` with the code `unauthorized`.
 */
export interface AdminClient {
  readonly relay: URL;
  /** Every operation of the contract, typed, with the envelope as it came. */
  readonly http: Client<paths>;
  /** The session in use, if there is one. */
  readonly session: AdminSession | undefined;
  /**
   * Signs in with a wallet of the operator's and uses the session from then on.
   * @throws also SigningRefusedError when the relay wants anything signed but a log-in to itself
   */
  login(wallet: Identity, options?: CallOptions): Promise<AdminSession>;
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
  // Cookies of browsers are the browser's; elsewhere this is all there is to one.
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
  const ask = async <Data>(callOptions: CallOptions = {}, run: (signal: AbortSignal) => Promise<Answer>) =>
    (await call<Data>(callOptions, run)).data;

  type AboutLease = (lease: LeaseIdentity, callOptions?: CallOptions) => Promise<void>;
  const decide =
    (what: 'ban' | 'approve' | 'deny'): AboutLease =>
    async (lease, callOptions) => {
      const params = { path: leasePath(lease) };
      await ask(callOptions, (signal) => http.POST(`/admin/leases/{name}/{addr}/${what}`, { params, signal }));
    };
  const undo =
    (what: 'ban' | 'approve' | 'deny' | 'bps'): AboutLease =>
    async (lease, callOptions) => {
      const params = { path: leasePath(lease) };
      await ask(callOptions, (signal) => http.DELETE(`/admin/leases/{name}/{addr}/${what}`, { params, signal }));
    };

  return {
    relay,
    http,
    get session() {
      return session;
    },

    async login(wallet, callOptions) {
      const address = checksumAddress(wallet.address);
      const challenge = checkChallenge(
        await ask<SuccessData<'createAdminChallenge'>>(callOptions, (signal) =>
          http.POST('/admin/auth/challenge', { body: { address }, signal }),
        ),
      );
      const { challenge_id, siwe_message } = challenge;
      checkSignInMessage(siwe_message, { relay, address, challengeId: challenge_id, path: loginPath });
      const body = { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
      given = undefined;
      await ask<SuccessData<'loginAdmin'>>(callOptions, (signal) => http.POST(loginPath, { body, signal }));
      // Set by the call, which the compiler does not see.
      const set = given as SetSession | undefined;
      if (!set) throw new AnswerError("the relay's answer has no session");
      session = { ...set, walletAddress: address };
      return session;
    },

    async logoutAdmin(callOptions) {
      await ask(callOptions, (signal) => http.POST('/admin/logout', { signal }));
      session = undefined;
    },

    getAdminStatus: async (callOptions) =>
      await ask(callOptions, (signal) => http.GET('/admin/auth/status', { signal })),

    getSnapshot: async (callOptions) =>
      checkSnapshot(await ask(callOptions, (signal) => http.GET('/admin/snapshot', { signal }))),

    setLandingPage: async (enabled, callOptions) =>
      await ask(callOptions, (signal) => http.POST('/admin/settings/landing-page', { body: { enabled }, signal })),

    setUdpSettings: async (body, callOptions) =>
      await ask(callOptions, (signal) => http.POST('/admin/settings/udp', { body, signal })),

    setTcpPortSettings: async (body, callOptions) =>
      await ask(callOptions, (signal) => http.POST('/admin/settings/tcp-port', { body, signal })),

    setApprovalMode: async (mode, callOptions) =>
      await ask(callOptions, (signal) => http.POST('/admin/settings/approval-mode', { body: { mode }, signal })),

    banLease: decide('ban'),
    unbanLease: undo('ban'),
    approveLease: decide('approve'),
    revokeLeaseApproval: undo('approve'),
    denyLease: decide('deny'),
    removeLeaseDenial: undo('deny'),
    async setLeaseBps(lease, bps, callOptions) {
      const params = { path: leasePath(lease) };
      return await ask(callOptions, (signal) =>
        http.POST('/admin/leases/{name}/{addr}/bps', { params, body: { bps }, signal }),
      );
    },
    removeLeaseBps: undo('bps'),

    async banIp(ip, callOptions) {
      await ask(callOptions, (signal) => http.POST('/admin/ips/{ip}/ban', { params: { path: { ip } }, signal }));
    },
    async unbanIp(ip, callOptions) {
      await ask(callOptions, (signal) => http.DELETE('/admin/ips/{ip}/ban', { params: { path: { ip } }, signal }));
    },
  };
}

/** How a path names an identity: both its parts in base64url. @throws UsageError */
function leasePath({ name, address }: LeaseIdentity): { name: string; addr: string } {
  const base64url = (text: string) => btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return { name: base64url(checkName(name)), addr: base64url(checksumAddress(address)) };
}

/** The session that an answer sets, if it sets one. */
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
