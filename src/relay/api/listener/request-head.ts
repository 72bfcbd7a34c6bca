import type { Socket } from 'node:net';
import { NoPrefixError, readPrefix } from '../../../net/read-prefix.js';

export const maxRequestHeadBytes = 16_384;
export const requestHeadTimeoutMs = 10_000;

/** The head of a plain `GET /sdk/connect`, parsed before any HTTP parser sees the connection. */
export interface RequestHead {
  version: string;
  /** Lower-case names; repeated headers are joined by a comma. */
  headers: Map<string, string>;
  /** Bytes after the head. */
  rest: Buffer;
}

const prefix = Buffer.from('GET /sdk/connect', 'latin1');
const http2Preface = Buffer.from('PRI * HTTP/2.0\r\n', 'latin1');
const headEnd = Buffer.from('\r\n\r\n', 'latin1');
const requestLine = /^GET \/sdk\/connect(?:\?[\x21-\x7e]*)? HTTP\/(\d\.\d)$/;
const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;

type Peeked = RequestHead | 'http2' | 'other';

/** Reads the head of a first request incrementally. */
export class RequestHeadReader {
  /** All bytes received. */
  bytes: Buffer = Buffer.alloc(0);

  /** @returns undefined while more is needed */
  take(chunk: Buffer): Peeked | undefined {
    const bytes = (this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]));
    if (startsLike(bytes, http2Preface)) return bytes.length >= http2Preface.length ? 'http2' : undefined;
    if (!startsLike(bytes, prefix)) return 'other';
    // A chunk may be larger than the largest head: only that many bytes are examined.
    const end = bytes.subarray(0, maxRequestHeadBytes).indexOf(headEnd);
    if (end >= 0) return parseHead(bytes.toString('latin1', 0, end), bytes.subarray(end + headEnd.length)) ?? 'other';
    return bytes.length >= maxRequestHeadBytes ? 'other' : undefined;
  }
}

/**
 * Looks at the first request of a connection. A plain GET of the reverse session's path is read whole and returned: its
 * connection becomes raw bytes, which Node's HTTP server could not let go of. Any other connection is given back as it
 * was, for the HTTP server.
 * @returns the head; `http2` for a client that speaks only that; `other` with the bytes put back; `gone` when the
 * client closed or sent nothing in time
 */
export async function peekRequest(socket: Socket): Promise<Peeked | 'gone'> {
  const reader = new RequestHeadReader();
  try {
    const found = await readPrefix(socket, (chunk) => reader.take(chunk), { timeoutMs: requestHeadTimeoutMs });
    if (found === 'other') socket.unshift(reader.bytes);
    return found;
  } catch (error) {
    if (error instanceof NoPrefixError) return 'gone';
    throw error;
  }
}

/** Whether the bytes so far could be, or are, the beginning of `wanted`. */
function startsLike(bytes: Buffer, wanted: Buffer): boolean {
  const length = Math.min(bytes.length, wanted.length);
  return bytes.compare(wanted, 0, length, 0, length) === 0;
}

/** @returns undefined for a malformed request, another path or an upgrade, which the HTTP server handles */
function parseHead(text: string, rest: Buffer): RequestHead | undefined {
  const [first, ...lines] = text.split('\r\n');
  const version = requestLine.exec(first ?? '')?.[1];
  if (!version) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    const value = withoutBlanks(line, colon + 1);
    if (!headerName.test(name) || !headerValue.test(value)) return undefined;
    const key = name.toLowerCase();
    headers.set(key, headers.has(key) ? `${headers.get(key)}, ${value}` : value);
  }
  // Upgrade counts only where Connection names it (RFC 9110 7.8).
  const options = (headers.get('connection') ?? '').split(',').map((option) => option.trim().toLowerCase());
  const wantsUpgrade = headers.has('upgrade') && options.includes('upgrade');
  const hasBody = (headers.get('content-length') ?? '0') !== '0' || headers.has('transfer-encoding');
  if (wantsUpgrade || hasBody) return undefined;
  headers.delete('upgrade');
  return { version, headers, rest };
}

/** A header value without surrounding whitespace (RFC 9110 5.5), in linear time. */
function withoutBlanks(line: string, from: number): string {
  let [begin, end] = [from, line.length];
  while (begin < end && isBlank(line[begin])) begin++;
  while (end > begin && isBlank(line[end - 1])) end--;
  return line.slice(begin, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}
