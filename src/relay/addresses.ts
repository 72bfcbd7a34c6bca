import { isIPv6 } from 'node:net';
import { ipBytes } from '../streams/ip-address.js';

/** What counts as one source in limits: an IPv4 address, or the /64 of an IPv6 address, where addresses cost nothing. */
export function sourceOf(ip: string): string {
  return isIPv6(ip) ? `${ipBytes(ip).toString('hex', 0, 8)}/64` : ip;
}
