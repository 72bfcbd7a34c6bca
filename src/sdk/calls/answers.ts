import { ApiError, isErrorCode } from '../../contract/errors.js';
import type { SuccessData } from '../../contract/operations.js';
import { AnswerError } from './errors.js';

/** Most relays in one response, as in the contract. */
const maxListedRelays = 1_024;

/** Response fields are used in headers, on terminals and for timers, so each is validated first. */

const token = /^[\x21-\x7e]{1,4096}$/;
const hostname = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const longestRetryAfterSeconds = 86_400;

/**
 * The error of an unsuccessful response.
 * @param retryAfter the value of Retry-After
 */
export function errorOfAnswer(
  status: number,
  body: unknown,
  retryAfter: string | null | undefined,
): ApiError | AnswerError {
  const error = field(body, 'error');
  const code = field(error, 'code');
  if (field(body, 'ok') !== false || !isErrorCode(code)) {
    return new AnswerError(`the response (status ${status}) is not from a Portal relay`, status);
  }
  const message = field(error, 'message');
  return new ApiError(code, typeof message === 'string' && message !== '' ? printable(message, 300) : undefined, {
    status,
    retryAfterSeconds: retryAfterSeconds(retryAfter),
    // As in the catalogue: without Retry-After it is a refusal, not a pending approval.
    isFinal: code === 'lease_rejected' && retryAfter == null,
    cause: body,
  });
}

/** `data` of a success envelope; undefined for anything else. */
export function dataOf(body: unknown): object | undefined {
  const data = field(body, 'data');
  return field(body, 'ok') === true && typeof data === 'object' && data !== null ? data : undefined;
}

/** Seconds of a `Retry-After` header in either of its forms (RFC 9110 10.2.3). */
function retryAfterSeconds(header: string | null | undefined): number | undefined {
  if (header == null) return undefined;
  const seconds = /^\d{1,9}$/.test(header) ? Number(header) : Math.ceil((Date.parse(header) - Date.now()) / 1000);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), longestRetryAfterSeconds) : undefined;
}

/** Truncates a relay's text and strips control characters. */
export function printable(text: string, longest: number): string {
  return text.slice(0, longest).replace(/[^\x20-\x7e\u00a0-\u1fff\u2030-\uffef]|\p{Bidi_Control}|\ufeff/gu, '?');
}

/** What a relay says of itself. */
export type RelayDomain = SuccessData<'getDomain'> & {
  /**
   * The relay is of an earlier release of Portal (docs/protocol.md, Relays of earlier releases): `root_host` and
   * `transports` are filled in.
   */
  isEarlier: boolean;
};

/** Protocol versions of the releases whose answer has nothing but its versions. */
const earlierVersions = ['5', '6'];

/** @param host of the relay's URL */
export function checkDomain(data: SuccessData<'getDomain'>, host: string): RelayDomain {
  if (data.transports === undefined && data.keyless === undefined) {
    const version: unknown = data.protocol_version;
    if (!earlierVersions.includes(version as string))
      throw new AnswerError(
        `the relay speaks protocol ${printable(JSON.stringify(version) ?? 'unknown', 20)}, and offers nothing that is known here: use a later release`,
      );
    return { ...data, root_host: data.root_host ?? host, transports: ['raw'], isEarlier: true };
  }
  need(typeof data.root_host === 'string' && hostname.test(data.root_host), 'root_host');
  need(Array.isArray(data.transports) && data.transports.every((name) => typeof name === 'string'), 'transports');
  if (data.keyless !== undefined) {
    need(typeof data.keyless === 'object' && data.keyless !== null, 'keyless');
    need(Array.isArray(data.keyless.modes), 'keyless.modes');
    need(typeof data.keyless.key_id === 'string', 'keyless.key_id');
    need(typeof data.keyless.certificate_chain === 'string', 'keyless.certificate_chain');
  }
  return { ...data, isEarlier: false };
}

export function checkChallenge(data: SuccessData<'createRegisterChallenge'>): SuccessData<'createRegisterChallenge'> {
  need(typeof data.challenge_id === 'string' && data.challenge_id.length <= 128, 'challenge_id');
  need(typeof data.siwe_message === 'string' && data.siwe_message.length <= 4096, 'siwe_message');
  return data;
}

export function checkLease(data: SuccessData<'registerLease'>): SuccessData<'registerLease'> {
  need(typeof data.hostname === 'string' && hostname.test(data.hostname), 'hostname');
  need(data.sni_port === undefined || isPort(data.sni_port), 'sni_port');
  need(data.tcp_addr === undefined || isHostPort(data.tcp_addr), 'tcp_addr');
  need(data.udp_addr === undefined || isHostPort(data.udp_addr), 'udp_addr');
  need(data.udp_count === undefined || isPort(data.udp_count), 'udp_count');
  checkRenewal(data);
  return data;
}

export function checkRenewal<Data extends SuccessData<'renewLease'>>(data: Data): Data {
  need(typeof data.access_token === 'string' && token.test(data.access_token), 'access_token');
  need(typeof data.expires_at === 'string' && !Number.isNaN(Date.parse(data.expires_at)), 'expires_at');
  return data;
}

export function checkSignature<Data extends { signature: string }>(data: Data): Data {
  need(typeof data.signature === 'string' && /^[A-Za-z0-9+/]{4,1366}={0,2}$/.test(data.signature), 'signature');
  return data;
}

/** The part that programs use; the descriptions are for people. */
export function checkSnapshot(data: SuccessData<'getSnapshot'>): SuccessData<'getSnapshot'> {
  for (const name of ['leases', 'identities', 'banned_ips'] as const) need(Array.isArray(data[name]), name);
  for (const name of ['udp', 'tcp_port'] as const) need(typeof field(data[name], 'max_leases') === 'number', name);
  for (const lease of data.leases) need(isIdentity(lease) && typeof lease.ready === 'number', 'leases');
  for (const identity of data.identities) need(isIdentity(identity), 'identities');
  need(
    data.banned_ips.every((ip) => typeof ip === 'string'),
    'banned_ips',
  );
  return data;
}

function isIdentity(value: unknown): boolean {
  return ['name', 'address', 'identity_key'].every((name) => typeof field(value, name) === 'string');
}

export function checkDiscovery(data: SuccessData<'getDiscovery'>): { protocol_version: string; relays: unknown[] } {
  need(typeof data.protocol_version === 'string' && data.protocol_version.length <= 16, 'protocol_version');
  need(Array.isArray(data.relays) && data.relays.length <= maxListedRelays, 'relays');
  return data;
}

export function checkAnnouncement(data: SuccessData<'announceRelay'>): SuccessData<'announceRelay'> {
  need(typeof data.accepted === 'boolean', 'accepted');
  return data;
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
}

function isHostPort(value: unknown): boolean {
  const [, host = '', port] = /^(.+):(\d{1,5})$/.exec(typeof value === 'string' ? value : '') ?? [];
  return hostname.test(host) && isPort(Number(port));
}

function need(condition: boolean, name: string): void {
  if (!condition) throw new AnswerError(`the relay's response has no valid ${name}`);
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
