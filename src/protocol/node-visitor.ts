import {
  type ProxiedAddresses,
  parseProxyFields,
  parseProxyHeader,
  proxyHeader,
  ProxyProtocolError,
} from './proxy-protocol.js';

// What nodes of one relay say to each other, over TLS 1.3 with a certificate on both sides.

/** ALPN of a visitor that is passed on: a PROXY header of version 2 and the visitor's bytes; one byte of `nodeAnswer` comes first in return. */
export const visitorProtocol = 'portal-node-visitor/1';
/** ALPN of a connection on which a node says for which names it has tunnels: lines of `+name`, `-name`, or `.` to show that it lives. */
export const presenceProtocol = 'portal-node-presence/1';

export const nodeAnswer = { noSession: 0, joined: 1 } as const;

/** `PP2_TYPE_AUTHORITY`: the name that the visitor asks for, or whose port it came to. */
const authorityField = 0x02;
/** One byte, in the range for custom types: `1` for a visitor of a TCP port, whose bytes are not TLS; absent for TLS. */
const rawField = 0xe0;

/** Of a visitor that is passed on. */
export interface NodeVisitor {
  hostname: string;
  /** It came to a TCP port. */
  isRaw: boolean;
  addresses: ProxiedAddresses | undefined;
}

export function encodeNodeVisitor({ hostname, isRaw, addresses }: NodeVisitor): Buffer {
  const raw = isRaw ? [{ type: rawField, value: Buffer.from([1]) }] : [];
  return proxyHeader(addresses, [{ type: authorityField, value: Buffer.from(hostname, 'latin1') }, ...raw]);
}

/**
 * Reads what comes before the visitor's bytes.
 * @returns undefined while more bytes are needed
 * @throws ProxyProtocolError for anything else
 */
export function parseNodeVisitor(bytes: Buffer): (NodeVisitor & { length: number }) | undefined {
  const header = parseProxyHeader(bytes, 'v2');
  if (!header) return undefined;
  const fields = parseProxyFields(header.fields ?? Buffer.alloc(0));
  const valueOf = (wanted: number) => fields.find(({ type }) => type === wanted)?.value;
  const hostname = valueOf(authorityField)?.toString('latin1').toLowerCase();
  if (hostname === undefined) throw new ProxyProtocolError('the PROXY header names no authority');
  const { length, addresses } = header;
  return { hostname, isRaw: valueOf(rawField)?.[0] === 1, addresses, length };
}
