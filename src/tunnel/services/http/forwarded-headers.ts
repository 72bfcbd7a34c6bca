import { UsageError } from '../../../sdk/calls/errors.js';
import { type Field, field, isForwarding, valueOf, valuesOf } from './message/fields.js';
import { requestFraming } from './message/message-body.js';
import { MessageError, type RequestHead } from './message/message-head.js';
import type { Origins } from './origins.js';

/** A Connection header must not remove these (RFC 9110 7.6.1). */
const notHopByHop = new Set(['content-length', 'transfer-encoding', 'host', 'expect']);
/** Not allowed in trailers (RFC 9110 6.5.1). */
const noTrailer = new Set(['host', 'content-length', 'trailer', 'expect', 'authorization', 'cookie']);

/** @throws UsageError unless it is a host, with or without a port */
export function checkHostHeader(text: string): string {
  if (/^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.test(text)) return text;
  throw new UsageError(`not a valid Host header: ${JSON.stringify(text)} (give host or host:port)`);
}

/** The end-to-end fields of a message. */
export function endToEnd({ fields, options }: Pick<RequestHead, 'fields' | 'options'>): Field[] {
  // The framing of the body has been parsed; a Connection header cannot remove it.
  if (options.length === 0) return fields.filter(({ isHopByHop }) => !isHopByHop);
  return fields.filter(({ key, isHopByHop }) => !isHopByHop && !(key !== 'content-length' && options.includes(key)));
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
  /** Maps what names the public origin. */
  origins: Origins | undefined;
}

/** The fields of a visitor's request as they are sent to the service. */
export function requestFields(
  head: RequestHead,
  { address, hostname }: RequestFacts,
  { hostHeader, prefix, origins }: RequestChanges,
): Field[] {
  // Optional in HTTP/1.0, required in HTTP/1.1.
  const host = valueOf(head.fields, 'host') ?? hostname;
  const fields = [field('Host', hostHeader ?? host ?? '')];
  for (const each of endToEnd(head))
    if (each.key !== 'host' && !each.isForwarding) fields.push(origins?.ofRequest(each) ?? each);
  const set = (name: string, value: string | undefined) => {
    if (value !== undefined) fields.push(field(name, value));
  };
  set('X-Forwarded-For', address);
  // Services that know this field compare it with the Origin.
  if (!origins?.isOwn(valueOf(head.fields, 'origin'))) set('X-Forwarded-Host', host);
  set('X-Forwarded-Proto', 'https');
  set('X-Forwarded-Prefix', prefix);
  // Content-Length is end-to-end.
  if (valueOf(head.fields, 'transfer-encoding') !== undefined) set('Transfer-Encoding', 'chunked');
  return fields;
}

/** The trailers of a message that are forwarded. */
export function forwardedTrailers(trailers: readonly Field[]): Field[] {
  return trailers.filter(({ key, isHopByHop, isForwarding }) => !isHopByHop && !isForwarding && !noTrailer.has(key));
}

/**
 * Whether a request is for the public name of its TLS connection (RFC 9110 7.4): a service that trusts Host must not
 * get another one. The port is ignored: a load balancer may have changed it.
 */
export function leadsHere({ fields, minor }: RequestHead, hostname: string | undefined): boolean {
  const given = valueOf(fields, 'host');
  if (hostname === undefined || (given === undefined && minor === 0)) return true;
  const [, host, port = '1'] = /^([^:]+)(?::(\d{1,5}))?$/.exec(given ?? '') ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return false;
  return host.toLowerCase().replace(/\.$/, '') === hostname;
}

/**
 * Why a request is ambiguous, so that the service could parse it differently (request smuggling).
 * @returns undefined for a request that can be forwarded
 */
export function ambiguity(head: RequestHead): string | undefined {
  const { fields, target, minor, options } = head;
  try {
    requestFraming(head);
  } catch (error) {
    if (error instanceof MessageError) return error.message;
    throw error;
  }
  const hosts = valuesOf(fields, 'host').length;
  if (hosts > 1) return 'more than one Host';
  if (hosts === 0 && minor === 1) return 'no Host';
  const named = options.find((option) => notHopByHop.has(option) || isForwarding(option));
  if (named !== undefined) return `${named} named by Connection`;
  if (!target.startsWith('/') && target !== '*') return 'a target that is no path';
  return undefined;
}
