import type { Client } from 'openapi-fetch';
import type { paths, RequestBody, SuccessData } from '../contract/operations.js';
import {
  checkAnnouncement,
  checkChallenge,
  checkDiscovery,
  checkDomain,
  checkLease,
  checkRenewal,
  checkSignature,
} from './answers.js';
import { type CallOptions, createCaller, type PortalClientOptions } from './caller.js';
import { maxAnswerBytes } from './constants.js';

export type { CallOptions, PortalClientOptions } from './caller.js';

type TranscriptSignRequest = Extract<RequestBody<'signHandshake'>, { binding: string }>;

/**
 * The relay's API for a tunnel, one method an operation. Each resolves to the `data` of the success envelope, its fields
 * checked, and otherwise throws:
 * - `ApiError` for a failure that the contract names: `code`, `status`, `retry`, `retryAfterSeconds`;
 * - `NetworkError` when there was no answer in time or at all;
 * - `AnswerError` when the answer is outside the contract;
 * - the signal's reason when the caller aborted.
 */
export interface PortalClient {
  /** Where the relay is, without a path. */
  readonly relay: URL;
  /** Every operation of the contract, typed, with the envelope as it came. */
  readonly http: Client<paths>;
  getDomain(options?: CallOptions): Promise<SuccessData<'getDomain'>>;
  createRegisterChallenge(
    body: RequestBody<'createRegisterChallenge'>,
    options?: CallOptions,
  ): Promise<SuccessData<'createRegisterChallenge'>>;
  /** `lifetimeMs`: how long the lease lives from now, by the relay's own clock where its answer is dated. */
  registerLease(
    body: RequestBody<'registerLease'>,
    options?: CallOptions,
  ): Promise<SuccessData<'registerLease'> & { lifetimeMs: number }>;
  renewLease(
    accessToken: string,
    body?: Omit<RequestBody<'renewLease'>, 'access_token'>,
    options?: CallOptions,
  ): Promise<SuccessData<'renewLease'> & { lifetimeMs: number }>;
  unregisterLease(accessToken: string, options?: CallOptions): Promise<void>;
  /** `POST /v1/sign` in transcript mode. */
  signHandshake(
    accessToken: string,
    body: TranscriptSignRequest,
    options?: CallOptions,
  ): Promise<SuccessData<'signHandshake'>>;
  getTunnelStatus(
    accessToken: string,
    hostname: string,
    options?: CallOptions,
  ): Promise<SuccessData<'getTunnelStatus'>>;
  getHealth(options?: CallOptions): Promise<SuccessData<'getHealth'>>;
  /** The descriptors are as the relay sent them: see `parseDescriptor`. */
  getDiscovery(options?: CallOptions): Promise<{ protocol_version: string; relays: unknown[] }>;
  announceRelay(body: RequestBody<'announceRelay'>, options?: CallOptions): Promise<SuccessData<'announceRelay'>>;
}

/** @throws UsageError when `relay` is not a relay URL */
export function createPortalClient(options: PortalClientOptions): PortalClient {
  const { relay, http, call } = createCaller(options, options.maxAnswerBytes ?? maxAnswerBytes);
  const authenticated = (accessToken: string) => ({ headers: { 'X-Portal-Access-Token': accessToken } });

  return {
    relay,
    http,

    async getDomain(options = {}) {
      const { data } = await call<SuccessData<'getDomain'>>(options, (signal) => http.GET('/sdk/domain', { signal }));
      return checkDomain(data);
    },

    async createRegisterChallenge(body, options = {}) {
      const { data } = await call<SuccessData<'createRegisterChallenge'>>(options, (signal) =>
        http.POST('/sdk/register/challenge', { body, signal }),
      );
      return checkChallenge(data);
    },

    async registerLease(body, options = {}) {
      const { data, date } = await call<SuccessData<'registerLease'>>(options, (signal) =>
        http.POST('/sdk/register', { body, signal }),
      );
      return { ...checkLease(data), lifetimeMs: lifetimeMs(data.expires_at, date) };
    },

    async renewLease(accessToken, body = {}, options = {}) {
      const { data, date } = await call<SuccessData<'renewLease'>>(options, (signal) =>
        http.POST('/sdk/renew', { body, signal, ...authenticated(accessToken) }),
      );
      return { ...checkRenewal(data), lifetimeMs: lifetimeMs(data.expires_at, date) };
    },

    async unregisterLease(accessToken, options = {}) {
      await call(options, (signal) =>
        http.POST('/sdk/unregister', { body: {}, signal, ...authenticated(accessToken) }),
      );
    },

    async signHandshake(accessToken, body, options = {}) {
      const { data } = await call<SuccessData<'signHandshake'>>(options, (signal) =>
        http.POST('/v1/sign', { body, signal, ...authenticated(accessToken) }),
      );
      return checkSignature(data);
    },

    async getTunnelStatus(accessToken, hostname, options = {}) {
      const { data } = await call<SuccessData<'getTunnelStatus'>>(options, (signal) =>
        http.GET('/tunnel/status', { params: { query: { hostname } }, signal, ...authenticated(accessToken) }),
      );
      return data;
    },

    async getHealth(options = {}) {
      const { data } = await call<SuccessData<'getHealth'>>(options, (signal) => http.GET('/healthz', { signal }));
      return data;
    },

    async getDiscovery(options = {}) {
      const { data } = await call<SuccessData<'getDiscovery'>>(options, (signal) => http.GET('/discovery', { signal }));
      return checkDiscovery(data);
    },

    async announceRelay(body, options = {}) {
      const { data } = await call<SuccessData<'announceRelay'>>(options, (signal) =>
        http.POST('/discovery/announce', { body, signal }),
      );
      return checkAnnouncement(data);
    },
  };
}

/** Against the clock that wrote `expires_at`, so that a wrong clock on this side does not matter. */
function lifetimeMs(expiresAt: string, date: string | null): number {
  const second = Date.parse(date ?? '');
  // `Date` has whole seconds; the own clock, where it agrees, knows the rest.
  const now = Number.isNaN(second) ? Date.now() : Math.min(Math.max(Date.now(), second), second + 1000);
  return Date.parse(expiresAt) - now;
}
