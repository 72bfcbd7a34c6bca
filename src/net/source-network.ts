import { isIPv6 } from 'node:net';
import { ipBytes, ipOfBytes } from './ip-address.js';

/**
 * One source for rate and concurrency limits: an IPv4 address, or the /64 of an IPv6 address, since a host can use a
 * whole /64.
 */
export function sourceOf(ip: string): string {
  return isIPv6(ip) ? `${ipBytes(ip).toString('hex', 0, 8)}/64` : ip;
}

/** The address to show for a source: the IPv4 address, or the first address of the IPv6 /64. */
export function networkOf(ip: string): string {
  return isIPv6(ip) ? ipOfBytes(Buffer.concat([ipBytes(ip).subarray(0, 8), Buffer.alloc(8)])) : ip;
}
