import { isIPv6 } from 'node:net';
import { ipBytes, ipOfBytes } from './ip-address.js';

/** What counts as one source in limits: an IPv4 address, or the /64 of an IPv6 address, where addresses cost nothing. */
export function sourceOf(ip: string): string {
  return isIPv6(ip) ? `${ipBytes(ip).toString('hex', 0, 8)}/64` : ip;
}

/** The address that stands for a source where one has to be written: an IPv4 address, or the first of an IPv6 /64. */
export function networkOf(ip: string): string {
  return isIPv6(ip) ? ipOfBytes(Buffer.concat([ipBytes(ip).subarray(0, 8), Buffer.alloc(8)])) : ip;
}
