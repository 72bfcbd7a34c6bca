import {
  type ProxiedAddresses,
  ProxyProtocolError,
  maxProxyV2Bytes,
  parseProxyFields,
  parseProxyHeader,
  proxyHeader,
} from './proxy-protocol.js';
import { bindingBytes } from './session-opening.js';

// What a relay writes to the next relay of a path before a visitor's own bytes, and what comes back before the tunnel's
// (docs/protocol.md, Paths).

/** TCP port of the overlay address where visitors come from other relays. */
export const hopPort = 7_778;
/** TCP port of the overlay address that leads to the relay's API. */
export const peerApiPort = 7_779;

/** The token of a hop. */
export const hopTokenBytes = 32;
export const connectionIdBytes = 16;
export const maxHopHeaderBytes = maxProxyV2Bytes;

/** Types of fields: PP2_TYPE_UNIQUE_ID, and two of those that are left to applications. */
const fieldType = { connectionId: 0x05, token: 0xe0, binding: 0xe1 } as const;

/** The first byte that comes back. */
export const hopAnswer = {
  /** A reverse session was claimed: all that follows is from the tunnel. */
  joined: 0x01,
  /** No lease accepts this token. */
  unknownToken: 0x02,
  /** No reverse session was ready in time, or the relay after this one does not take the visitor. */
  noSession: 0x03,
  /** The visitor has been at this relay before. */
  loop: 0x04,
} as const;
export type HopAnswer = keyof typeof hopAnswer;

export interface HopHeader {
  token: Buffer;
  /** Of the entry. */
  binding: Buffer;
  /** The same all along the path: a relay that sees it twice is in a loop. */
  connectionId: Buffer;
  /** The visitor's, where it is passed on. */
  addresses?: ProxiedAddresses | undefined;
}

export function encodeHopHeader({ token, binding, connectionId, addresses }: HopHeader): Buffer {
  return proxyHeader(addresses, [
    { type: fieldType.connectionId, value: connectionId },
    { type: fieldType.token, value: token },
    { type: fieldType.binding, value: binding },
  ]);
}

/**
 * @returns undefined while more bytes are needed; `length` is the number of bytes of the header
 * @throws ProxyProtocolError for anything else
 */
export function parseHopHeader(bytes: Buffer): (HopHeader & { length: number }) | undefined {
  const header = parseProxyHeader(bytes, 'v2');
  if (header === undefined) return undefined;
  const fields = parseProxyFields(header.fields ?? Buffer.alloc(0));
  const field = (type: number, length: number): Buffer => {
    const found = fields.filter((each) => each.type === type);
    if (found.length !== 1 || found[0]!.value.length !== length)
      throw new ProxyProtocolError(`the header of a hop needs one field 0x${type.toString(16)} of ${length} bytes`);
    return Buffer.from(found[0]!.value);
  };
  return {
    length: header.length,
    addresses: header.addresses,
    connectionId: field(fieldType.connectionId, connectionIdBytes),
    token: field(fieldType.token, hopTokenBytes),
    binding: field(fieldType.binding, bindingBytes),
  };
}
