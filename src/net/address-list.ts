import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A set of addresses and ranges set by the operator. */
export type AddressList = (ip: string) => boolean;
type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Whether the text is an address (`192.0.2.1`) or a range (`192.0.2.0/24`, `2001:db8::/32`). */
export function isCidr(text: string): boolean {
  const [address = ''] = text.split('/', 1);
  if (isIP(address) === 0 || address.includes('%')) return false;
  return text === address || ipaddr.isValidCIDR(text);
}

/** @param cidrs addresses and ranges, each of which `isCidr` */
export function addressList(cidrs: string[]): AddressList {
  const ranges = cidrs.map(rangeOf);
  return (ip) => {
    if (ranges.length === 0 || isIP(ip) === 0) return false;
    const address = ipaddr.process(ip);
    return ranges.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
  };
}

/** A range of IPv4-mapped addresses is one of IPv4 addresses. */
function rangeOf(cidr: string): Range {
  const [network, bits] = ipaddr.parseCIDR(cidr.includes('/') ? cidr : `${cidr}/${isIP(cidr) === 4 ? 32 : 128}`);
  const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= 96;
  return isMapped ? [network.toIPv4Address(), bits - 96] : [network, bits];
}
