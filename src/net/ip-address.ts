import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * The canonical spelling of an address (RFC 5952): IPv4-mapped IPv6 becomes IPv4, a zone is dropped. '' when it is
 * not an address.
 */
export function normalizeIp(address: string | undefined): string {
  const [plain = ''] = (address ?? '').split('%', 1);
  return parseIp(plain) ?? '';
}

/** `::192.0.2.1`, deprecated (RFC 4291 2.5.5.1): ipaddr.js takes it for the IPv4-mapped `::ffff:192.0.2.1`, which is another address. */
const ipv4Compatible = /^::\d+\./;

/**
 * Parses an address and returns its canonical spelling (RFC 5952 for IPv6).
 * @returns undefined when it is not an address, has a zone, or is an IPv4-compatible IPv6 address
 */
export function parseIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%') || ipv4Compatible.test(text)) return undefined;
  return ipaddr.process(text).toString();
}

/** The 4 bytes of an IPv4 address or the 16 of an IPv6 address, which must be well-formed. */
export function ipBytes(address: string): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray());
}

/** The canonical spelling of the address in 4 or 16 bytes. */
export function ipOfBytes(bytes: Buffer): string {
  return ipaddr.process(ipaddr.fromByteArray([...bytes]).toString()).toString();
}
