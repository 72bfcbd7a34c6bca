import { isIPv4, isIPv6 } from 'node:net';
import { ipBytes } from '../addresses.js';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

export interface Endpoint {
  address: string;
  port: number;
}

/**
 * A PROXY protocol v2 header for a TCP connection (haproxy.org, proxy-protocol.txt 2.2): 28 bytes for IPv4, 52 for IPv6;
 * `LOCAL` with no addresses (16 bytes) where the two ends are not of one family.
 */
export function proxyHeader(source: Endpoint, destination: Endpoint): Buffer {
  const both = (test: (address: string) => unknown) => test(source.address) && test(destination.address);
  if (!both(isIPv4) && !both(isIPv6)) return Buffer.concat([signature, Buffer.from([0x20, 0x00, 0, 0])]);
  const addresses = Buffer.concat([
    ipBytes(source.address),
    ipBytes(destination.address),
    port(source.port),
    port(destination.port),
  ]);
  const family = isIPv4(source.address) ? 0x11 : 0x21;
  return Buffer.concat([signature, Buffer.from([0x21, family]), port(addresses.length), addresses]);
}

function port(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
