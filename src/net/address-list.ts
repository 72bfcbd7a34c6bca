import { BlockList, isIP, isIPv4 } from 'node:net';

/** Addresses that the operator named. */
export type AddressList = (ip: string) => boolean;

const cidr = /^([0-9a-f:.]+?)(?:\/(\d{1,3}))?$/i;

/** Whether the text is an address (`192.0.2.1`) or a range (`192.0.2.0/24`, `2001:db8::/32`). */
export function isCidr(text: string): boolean {
  const [, address = '', bits] = cidr.exec(text) ?? [];
  return isIP(address) !== 0 && Number(bits ?? 0) <= (isIPv4(address) ? 32 : 128);
}

/** @param cidrs addresses and ranges, each of which `isCidr` */
export function addressList(cidrs: string[]): AddressList {
  const list = new BlockList();
  for (const text of cidrs) {
    const [, address = '', bits] = cidr.exec(text) ?? [];
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (ip) => cidrs.length > 0 && isIP(ip) !== 0 && list.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6');
}
