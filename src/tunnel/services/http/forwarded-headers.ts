import type { IncomingMessage } from 'node:http';
import { UsageError } from '../../../sdk/calls/errors.js';

/** Headers in the order they came, each name with all its values. */
export type Headers = Map<string, { name: string; values: string[] }>;

/** Set by this proxy only: services trust them. */
const forwarding = /^(?:forwarded|x-forwarded(?:-.*)?|x-real-ip|x-client-ip|true-client-ip)$/;
/** Hop-by-hop headers (RFC 9110 7.6.1). */
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade']);
/** A Connection header must not remove these (RFC 9110 7.6.1). */
const notHopByHop = new Set(['content-length', 'transfer-encoding', 'host', 'expect']);
/** Not allowed in trailers (RFC 9110 6.5.1). */
const noTrailer = new Set([...hopByHop, 'host', 'content-length', 'trailer', 'expect', 'authorization', 'cookie']);

/** @throws UsageError unless it is a host, with or without a port */
export function checkHostHeader(text: string): string {
  if (/^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.test(text)) return text;
  throw new UsageError(`not a valid Host header: ${JSON.stringify(text)} (give host or host:port)`);
}

/** The end-to-end headers of a message. */
export function endToEnd(message: Pick<IncomingMessage, 'rawHeaders'>): Headers {
  const headers: Headers = new Map();
  for (const [name, value] of pairs(message.rawHeaders)) {
    const key = name.toLowerCase();
    const held = headers.get(key);
    if (held) held.values.push(value);
    else headers.set(key, { name, values: [value] });
  }
  const named = (headers.get('connection')?.values ?? []).join(',').split(',');
  for (const name of [...hopByHop, ...named.map((item) => item.trim().toLowerCase())]) {
    // Node has parsed the framing of the body; a Connection header cannot remove it.
    if (name !== 'content-length') headers.delete(name);
  }
  return headers;
}

export interface RequestFacts {
  /** The visitor's, where it is known. */
  address: string | undefined;
  /** The public name that the visitor connected to; without it every Host is accepted. */
  hostname: string | undefined;
}

/** What a request says differently to its service than it came. */
export interface RequestChanges {
  /** Host header, in place of the visitor's. */
  hostHeader: string | undefined;
  /** The part of the path that was taken off. */
  prefix: string | undefined;
}

/** The headers of a visitor's request as they are sent to the service. */
export function requestHeaders(
  request: IncomingMessage,
  { address, hostname }: RequestFacts,
  { hostHeader, prefix }: RequestChanges,
): Headers {
  const headers = endToEnd(request);
  for (const name of headers.keys()) if (isForwarding(name)) headers.delete(name);
  // Optional in HTTP/1.0, required in HTTP/1.1.
  const host = request.headers.host ?? hostname;
  const set = (name: string, value: string | undefined) => {
    if (value !== undefined) headers.set(name.toLowerCase(), { name, values: [value] });
  };
  set('Host', hostHeader ?? host ?? '');
  set('X-Forwarded-For', address);
  set('X-Forwarded-Host', host);
  set('X-Forwarded-Proto', 'https');
  set('X-Forwarded-Prefix', prefix);
  // Framing of the body: Content-Length, which `endToEnd` kept, or chunked.
  if ('transfer-encoding' in request.headers) {
    headers.delete('content-length');
    set('Transfer-Encoding', 'chunked');
  }
  return headers;
}

/** The trailers of a message that are forwarded. */
export function trailersOf(message: IncomingMessage): [string, string][] {
  return pairs(message.rawTrailers).filter(([name]) => !noTrailer.has(name.toLowerCase()) && !isForwarding(name));
}

/** Some services treat `_` as `-` (CGI). */
function isForwarding(name: string): boolean {
  return forwarding.test(name.toLowerCase().replaceAll('_', '-'));
}

function pairs(raw: string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at] as string, raw[2 * at + 1] as string]);
}

/**
 * Whether a request is for the public name of its TLS connection (RFC 9110 7.4): a service that trusts Host must not
 * get another one. The port is ignored: a load balancer may have changed it.
 */
export function leadsHere({ headers, httpVersion }: IncomingMessage, hostname: string | undefined): boolean {
  if (hostname === undefined || (headers.host === undefined && httpVersion === '1.0')) return true;
  const [, host, port = '1'] = /^([^:]+)(?::(\d{1,5}))?$/.exec(headers.host ?? '') ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return false;
  return host.toLowerCase().replace(/\.$/, '') === hostname;
}

/**
 * Why a request is ambiguous, so that the service could parse it differently (request smuggling).
 * @returns undefined for a request that can be forwarded
 */
export function ambiguity(request: IncomingMessage): string | undefined {
  const count = (wanted: string) => pairs(request.rawHeaders).filter(([name]) => name.toLowerCase() === wanted).length;
  const coding = request.headers['transfer-encoding'];
  if (count('host') > 1) return 'more than one Host';
  if (count('content-length') > 1) return 'more than one Content-Length';
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return 'a Transfer-Encoding other than chunked';
  if (coding !== undefined && request.httpVersion !== '1.1') return 'a Transfer-Encoding before HTTP/1.1';
  if (coding !== undefined && count('content-length') > 0) return 'both Transfer-Encoding and Content-Length';
  if (request.httpVersion !== '1.1' && request.httpVersion !== '1.0') return 'a version of HTTP other than 1.0 and 1.1';
  const options = (request.headers.connection ?? '').split(',').map((option) => option.trim().toLowerCase());
  const named = options.find((option) => notHopByHop.has(option) || isForwarding(option));
  if (named !== undefined) return `${named} named by Connection`;
  const target = request.url ?? '';
  if (!target.startsWith('/') && target !== '*') return 'a target that is no path';
  return undefined;
}
