import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** One spelling for one address (RFC 5952): IPv4-mapped IPv6 becomes IPv4, a zone is dropped. '' for what is no address. */
export function normalizeIp(address: string | undefined): string {
  const [plain = ''] = (address ?? '').split('%', 1);
  return parseIp(plain) ?? '';
}

/** `::192.0.2.1`, deprecated (RFC 4291 2.5.5.1): ipaddr.js takes it for the IPv4-mapped `::ffff:192.0.2.1`, which is another address. */
const ipv4Compatible = /^::\d+\./;

/**
 * Reads an address that somebody wrote, in its one spelling (RFC 5952 for IPv6).
 * @returns undefined for what is none, a zone and an IPv4-compatible IPv6 address included
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

/** The address that 4 or 16 bytes stand for, in its one spelling. */
export function ipOfBytes(bytes: Buffer): string {
  return ipaddr.process(ipaddr.fromByteArray([...bytes]).toString()).toString();
}
