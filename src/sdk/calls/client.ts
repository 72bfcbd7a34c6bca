import type { Client } from 'openapi-fetch';
import { ApiError, type Retry } from '../../contract/errors.js';
import type { EnvelopeOperationId, FailureCode, paths, RequestBody, SuccessData } from '../../contract/operations.js';
import {
  checkAnnouncement,
  checkChallenge,
  checkDiscovery,
  checkDomain,
  checkLease,
  checkRenewal,
  checkSignature,
  dataOf,
  errorOfAnswer,
  type RelayDomain,
} from './answers.js';
import { type CallOptions, createCaller, type PortalClientOptions, type SendRequest } from './caller.js';
import { maxAnswerBytes } from './caller.js';
import { AnswerError } from './errors.js';

export type { CallOptions, PortalClientOptions, SendRequest } from './caller.js';

/**
 * The result of `PortalClient.send`: the envelope with the HTTP status and, on a failure, whether a retry can help.
 */
export type Answer<Op extends EnvelopeOperationId> =
  | { ok: true; status: number; data: SuccessData<Op> }
  | ({
      ok: false;
      status: number;
      error: { code: FailureCode<Op>; message: string };
    } & RetryAdvice);

/** Whether a retry can help, and after how many seconds if known. */
export type RetryAdvice =
  | { retry: 'after_delay'; retryAfterSeconds: number }
  | { retry: Exclude<Retry, 'after_delay'>; retryAfterSeconds?: number | undefined };

type SendArguments<Op extends EnvelopeOperationId> =
  Record<never, never> extends SendRequest<Op> ? [request?: SendRequest<Op>] : [request: SendRequest<Op>];

type TranscriptSignRequest = Extract<RequestBody<'signHandshake'>, { binding: string }>;
type DigestSignRequest = Extract<RequestBody<'signHandshake'>, { digest: string }>;

/**
 * The relay's API for a tunnel, one method per operation. Each resolves to the validated `data` of the success
 * envelope and otherwise throws:
 * - `ApiError` for a failure defined in the contract: `code`, `status`, `retry`, `retryAfterSeconds`, and the
 *   envelope as `cause`;
 * - `NetworkError` when there was no response in time;
 * - `AnswerError` when the response violates the contract;
 * - the signal's reason when the caller aborted.
 */
export interface PortalClient {
  /** The relay's URL, without a path. */
  readonly relay: URL;
  /** Every operation of the contract, typed, with the unmodified envelope. */
  readonly http: Client<paths>;
  /**
   * Calls any operation with an envelope response, by its id. Resolves to the envelope of a success or failure,
   * distinguished by `ok`; throws like the other methods when there is none.
   */
  send<Op extends EnvelopeOperationId>(operationId: Op, ...request: SendArguments<Op>): Promise<Answer<Op>>;
  getDomain(options?: CallOptions): Promise<RelayDomain>;
  createRegisterChallenge(
    body: RequestBody<'createRegisterChallenge'>,
    options?: CallOptions,
  ): Promise<SuccessData<'createRegisterChallenge'>>;
  /** `lifetimeMs`: the lease's remaining lifetime, by the relay's clock if the response has a `Date`. */
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
  /** `POST /v1/sign` in digest mode, for relays of earlier releases: its answer has no envelope. */
  signDigest(
    accessToken: string,
    body: DigestSignRequest,
    options?: CallOptions,
  ): Promise<{ key_id: string; algorithm: string; signature: string }>;
  getTunnelStatus(
    accessToken: string,
    hostname: string,
    options?: CallOptions,
  ): Promise<SuccessData<'getTunnelStatus'>>;
  getHealth(options?: CallOptions): Promise<SuccessData<'getHealth'>>;
  /** The descriptors are unvalidated: see `parseDescriptor`. */
  getDiscovery(options?: CallOptions): Promise<{ protocol_version: string; relays: unknown[] }>;
  announceRelay(body: RequestBody<'announceRelay'>, options?: CallOptions): Promise<SuccessData<'announceRelay'>>;
}

/** @throws UsageError when `relay` is not a relay URL */
export function createPortalClient(options: PortalClientOptions): PortalClient {
  const { relay, http, exchange, call } = createCaller(options, options.maxAnswerBytes ?? maxAnswerBytes);

  return {
    relay,
    http,

    async send(operationId, ...[request]) {
      const { status, body, retryAfter } = await exchange(operationId, request ?? ({} as never));
      type Op = typeof operationId;
      if (status >= 400) {
        const error = errorOfAnswer(status, body, retryAfter);
        if (!(error instanceof ApiError)) throw error;
        const { code, message } = error;
        return { ok: false, status, error: { code: code as FailureCode<Op>, message }, ...adviceOf(error) };
      }
      const data = dataOf(body) as SuccessData<Op> | undefined;
      if (data === undefined) throw new AnswerError('the response is not from a Portal relay', status);
      return { ok: true, status, data };
    },

    async getDomain(options = {}) {
      const { data } = await call('getDomain', options);
      return checkDomain(data, relay.hostname);
    },

    async createRegisterChallenge(body, options = {}) {
      const { data } = await call('createRegisterChallenge', { ...options, body });
      return checkChallenge(data);
    },

    async registerLease(body, options = {}) {
      const { data, date } = await call('registerLease', { ...options, body });
      return { ...checkLease(data), lifetimeMs: lifetimeMs(data.expires_at, date) };
    },

    async renewLease(accessToken, body = {}, options = {}) {
      const { data, date } = await call('renewLease', { ...options, accessToken, body });
      return { ...checkRenewal(data), lifetimeMs: lifetimeMs(data.expires_at, date) };
    },

    async unregisterLease(accessToken, options = {}) {
      await call('unregisterLease', { ...options, accessToken, body: {} });
    },

    async signHandshake(accessToken, body, options = {}) {
      const { data } = await call('signHandshake', { ...options, accessToken, body });
      return checkSignature(data);
    },

    async signDigest(accessToken, request, options = {}) {
      const { status, body, retryAfter } = await exchange('signHandshake', { ...options, accessToken, body: request });
      if (status >= 400) throw errorOfAnswer(status, body, retryAfter);
      if (typeof body !== 'object' || body === null)
        throw new AnswerError('the response is not from a Portal relay', status);
      return checkSignature(body as { key_id: string; algorithm: string; signature: string });
    },

    async getTunnelStatus(accessToken, hostname, options = {}) {
      const { data } = await call('getTunnelStatus', { ...options, accessToken, query: { hostname } });
      return data;
    },

    async getHealth(options = {}) {
      const { data } = await call('getHealth', options);
      return data;
    },

    async getDiscovery(options = {}) {
      const { data } = await call('getDiscovery', options);
      return checkDiscovery(data);
    },

    async announceRelay(body, options = {}) {
      const { data } = await call('announceRelay', { ...options, body });
      return checkAnnouncement(data);
    },
  };
}

function adviceOf({ retry, retryAfterSeconds }: ApiError): RetryAdvice {
  // Every error with a retry has a time, from the response or from the catalogue.
  return retry === 'after_delay' ? { retry, retryAfterSeconds: retryAfterSeconds ?? 1 } : { retry, retryAfterSeconds };
}

/** Relative to the clock that wrote `expires_at`, so that a wrong local clock does not matter. */
function lifetimeMs(expiresAt: string, date: string | null): number {
  const second = Date.parse(date ?? '');
  // `Date` has whole seconds; the local clock adds the fraction if it agrees.
  const now = Number.isNaN(second) ? Date.now() : Math.min(Math.max(Date.now(), second), second + 1000);
  return Date.parse(expiresAt) - now;
}
