import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** IPv4 that is not for the public internet (IANA IPv4 Special-Purpose Address Registry; multicast, RFC 5771). */
const notPublic4 = [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // shared by carriers (CGNAT), and overlays
  ['127.0.0.0', 8], // loopback
  ['169.254.0.0', 16], // link-local, where clouds keep their metadata
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
] as const;

/**
 * Parts of 2000::/3, the global unicast range (RFC 4291 2.4), that are not reachable from everywhere or embed an IPv4
 * address.
 */
const notPublic6 = [
  ['2001::', 23], // protocol assignments, Teredo, ORCHID
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4
  ['3fff::', 20], // documentation
] as const;

const special = new BlockList();
for (const [network, bits] of notPublic4) special.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of notPublic6) special.addSubnet(network, bits, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/**
 * Whether an address is on the public internet, so that it does not reach this machine's or its operator's network.
 * IPv6 addresses that embed IPv4 ones (mapped, NAT64) never count as public: the translator decides where they lead.
 */
export function isPublicAddress(ip: string): boolean {
  if (isIPv4(ip)) return !special.check(ip, 'ipv4');
  return isIPv6(ip) && !ip.includes('%') && globalUnicast.check(ip, 'ipv6') && !special.check(ip, 'ipv6');
}
