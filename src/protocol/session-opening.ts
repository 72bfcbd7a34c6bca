import { type ProxiedAddresses, parseProxyHeader, proxyHeader } from './proxy-protocol.js';

// What a relay writes into a reverse session before a visitor's own bytes (docs/protocol.md).

/** The first byte from the relay: a keepalive, or the kind of connection that follows. */
export const marker = { keepalive: 0x00, rawTcp: 0x01, tenantTls: 0x02 } as const;
/** The binding after the marker of tenant TLS: it authorizes one request to `/v1/sign`. */
export const bindingBytes = 16;

export type ConnectionKind = 'rawTcp' | 'tenantTls';

export interface SessionOpening {
  readonly kind: ConnectionKind;
  /** Present for tenant TLS, where the tunnel asked for it. */
  readonly binding?: Buffer | undefined;
  /** Source and destination; absent where the relay does not know them. */
  readonly addresses?: ProxiedAddresses | undefined;
}

export interface EncodedOpening extends SessionOpening {
  /** Whether a PROXY header is part of it. */
  withAddresses: boolean;
}

export function encodeOpening({ kind, binding, addresses, withAddresses }: EncodedOpening): Buffer {
  const parts: Buffer[] = [Buffer.from([marker[kind]])];
  if (binding) parts.push(binding);
  if (withAddresses) parts.push(proxyHeader(addresses));
  return Buffer.concat(parts);
}

/**
 * Parses an opening: a PROXY header, preceded by a binding for tenant TLS.
 * @param isBare neither follows the marker: the relay is of an earlier release, and does not know them
 * @returns undefined while more bytes are needed; `length` is the number of bytes of the opening
 * @throws Error for anything else, including keepalives
 */
export function parseOpening(bytes: Buffer, isBare = false): (SessionOpening & { length: number }) | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] !== marker.tenantTls && bytes[0] !== marker.rawTcp)
    throw new Error(`the relay began a session with 0x${bytes.toString('hex', 0, 1)}`);
  const kind = bytes[0] === marker.tenantTls ? 'tenantTls' : 'rawTcp';
  if (isBare) return { length: 1, kind };
  const headerAt = kind === 'tenantTls' ? 1 + bindingBytes : 1;
  if (bytes.length <= headerAt) return undefined;
  const header = parseProxyHeader(bytes.subarray(headerAt), 'v2');
  if (header === undefined) return undefined;
  return {
    length: headerAt + header.length,
    kind,
    binding: headerAt > 1 ? Buffer.from(bytes.subarray(1, headerAt)) : undefined,
    addresses: header.addresses,
  };
}

/** The bytes after the leading keepalives. */
export function skipKeepalives(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== marker.keepalive);
  return first === -1 ? Buffer.alloc(0) : bytes.subarray(first);
}
