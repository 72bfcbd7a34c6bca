import { type ProxiedAddresses, type ProxyHeader, parseProxyFields, proxyHeader } from './proxy-protocol.js';

// What nodes of one relay say to each other, over TLS 1.3 with a certificate on both sides.

/** ALPN of a visitor that is passed on: a PROXY header of version 2 and the visitor's bytes; one byte of `nodeAnswer` comes first in return. */
export const visitorProtocol = 'portal-node-visitor/1';
/** ALPN of a connection on which a node says for which names it has tunnels: lines of `+name`, `-name`, or `.` to show that it lives. */
export const presenceProtocol = 'portal-node-presence/1';

export const nodeAnswer = { noSession: 0, joined: 1 } as const;

/** `PP2_TYPE_AUTHORITY`: the name that the visitor asks for. */
const authorityField = 0x02;

export const visitorHeader = (hostname: string, addresses: ProxiedAddresses | undefined): Buffer =>
  proxyHeader(addresses, [{ type: authorityField, value: Buffer.from(hostname, 'latin1') }]);

/** @throws ProxyProtocolError for a field that is cut */
export function authorityOf({ fields }: ProxyHeader): string | undefined {
  const field = fields && parseProxyFields(fields).find(({ type }) => type === authorityField);
  return field?.value.toString('latin1').toLowerCase();
}
