import { isIPv4, isIPv6 } from 'node:net';
import { ipBytes, ipOfBytes, parseIp } from '../net/ip-address.js';

// The PROXY protocol (haproxy.org, proxy-protocol.txt): version 1 is 2.1 there, version 2 is 2.2.

/** A version 1 line, with its end. */
export const maxProxyV1Bytes = 107;
/** A version 2 header: 16 bytes, then addresses and TLVs up to the size that every receiver must accept. */
export const maxProxyV2Bytes = 16 + 536;

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const v1Prefix = Buffer.from('PROXY ', 'latin1');
const fixedBytes = 16;
const local = 0x20;
const proxy = 0x21;
const unspecified = 0x00;
/** Family and transport -> bytes of one address. */
const addressBytes = new Map([
  [0x11, 4],
  [0x21, 16],
]);

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Source and destination; absent for `LOCAL` and `UNKNOWN`, where the connection's own addresses count. */
export interface ProxiedAddresses {
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

export interface ProxyHeader {
  /** Bytes of the header; what follows is the connection's own. */
  length: number;
  addresses?: ProxiedAddresses;
  /** The type-length-value fields after the addresses (2.2.4 there), of version 2, unparsed. */
  fields?: Buffer;
}

/** A type-length-value field of version 2. */
export interface ProxyField {
  type: number;
  value: Buffer;
}

/** The bytes are not a PROXY header for TCP. */
export class ProxyProtocolError extends Error {
  override readonly name = 'ProxyProtocolError';
}

/**
 * A version 2 header for a TCP connection: 28 bytes for IPv4, 52 for IPv6; `LOCAL` without addresses (16 bytes) when
 * they are unknown or of different families. Fields follow the addresses; without these the family is then unspecified, since
 * receivers skip all of `LOCAL`.
 */
export function proxyHeader(addresses: ProxiedAddresses | undefined, fields: readonly ProxyField[] = []): Buffer {
  const both = (test: (address: string) => unknown) =>
    addresses !== undefined && test(addresses.source.address) && test(addresses.destination.address);
  const tail = fields.flatMap(({ type, value }) => [Buffer.from([type]), uint16(value.length), value]);
  const tailLength = tail.reduce((sum, part) => sum + part.length, 0);
  if (!addresses || (!both(isIPv4) && !both(isIPv6))) {
    const command = fields.length === 0 ? local : proxy;
    return Buffer.concat([signature, Buffer.from([command, unspecified]), uint16(tailLength), ...tail]);
  }
  const { source, destination } = addresses;
  const block = Buffer.concat([
    ipBytes(source.address),
    ipBytes(destination.address),
    uint16(source.port),
    uint16(destination.port),
  ]);
  const family = isIPv4(source.address) ? 0x11 : 0x21;
  return Buffer.concat([signature, Buffer.from([proxy, family]), uint16(block.length + tailLength), block, ...tail]);
}

/** @throws ProxyProtocolError for a field that is cut */
export function parseProxyFields(bytes: Buffer): ProxyField[] {
  const fields: ProxyField[] = [];
  for (let at = 0; at < bytes.length;) {
    const begin = at + 3;
    const end = begin <= bytes.length ? begin + bytes.readUInt16BE(at + 1) : Infinity;
    if (end > bytes.length) throw new ProxyProtocolError('a field of the PROXY header is cut');
    fields.push({ type: bytes[at]!, value: bytes.subarray(begin, end) });
    at = end;
  }
  return fields;
}

/**
 * Reads the header that a connection begins with, of version 2, or of either version.
 * @returns undefined while more bytes are needed
 * @throws ProxyProtocolError as soon as the bytes cannot become a header of TCP, or one longer than the bounds above
 */
export function parseProxyHeader(bytes: Buffer, versions: 'v2' | 'v1 or v2'): ProxyHeader | undefined {
  if (startsLike(bytes, signature)) return parseV2(bytes);
  if (versions === 'v1 or v2' && startsLike(bytes, v1Prefix)) return parseV1(bytes);
  throw new ProxyProtocolError('no PROXY header');
}

function parseV2(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length < fixedBytes) return undefined;
  const [command, family] = [bytes[12], bytes[13] as number];
  if (command !== local && command !== proxy) throw new ProxyProtocolError('no command of version 2');
  const length = fixedBytes + bytes.readUInt16BE(14);
  if (length > maxProxyV2Bytes) throw new ProxyProtocolError('the PROXY header is too long');
  // Addresses of LOCAL and of an unspecified family are skipped.
  const known = command === proxy && family !== unspecified;
  const size = addressBytes.get(family);
  if (known && (size === undefined || length < fixedBytes + 2 * size + 4)) {
    throw new ProxyProtocolError('the PROXY header is of no TCP connection');
  }
  if (bytes.length < length) return undefined;
  if (command === proxy && family === unspecified) return { length, fields: bytes.subarray(fixedBytes, length) };
  if (!known || size === undefined) return { length };
  const at = (offset: number, portOffset: number): Endpoint => ({
    address: ipOfBytes(bytes.subarray(fixedBytes + offset, fixedBytes + offset + size)),
    port: bytes.readUInt16BE(fixedBytes + 2 * size + portOffset),
  });
  const fields = bytes.subarray(fixedBytes + 2 * size + 4, length);
  return { length, addresses: { source: at(0, 0), destination: at(size, 2) }, fields };
}

const v1Line = /^PROXY (TCP4|TCP6) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/;

function parseV1(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, maxProxyV1Bytes).indexOf('\r\n');
  if (end < 0) {
    if (bytes.length >= maxProxyV1Bytes) throw new ProxyProtocolError('the PROXY line does not end');
    return undefined;
  }
  const line = bytes.toString('latin1', 0, end);
  const length = end + 2;
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return { length };
  const [, family, from = '', to = '', fromPort, toPort] = v1Line.exec(line) ?? [];
  const isFamily = family === 'TCP4' ? isIPv4 : isIPv6;
  const [source, destination] = [from, to].map((text) => (isFamily(text) ? parseIp(text) : undefined));
  const [sourcePort, destinationPort] = [Number(fromPort), Number(toPort)];
  if (!family || !source || !destination || sourcePort > 0xffff || destinationPort > 0xffff) {
    throw new ProxyProtocolError('the PROXY line is of no TCP connection');
  }
  return {
    length,
    addresses: {
      source: { address: source, port: sourcePort },
      destination: { address: destination, port: destinationPort },
    },
  };
}

/** Whether the bytes so far could be, or are, the beginning of `wanted`. */
function startsLike(bytes: Buffer, wanted: Buffer): boolean {
  const length = Math.min(bytes.length, wanted.length);
  return bytes.compare(wanted, 0, length, 0, length) === 0;
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
