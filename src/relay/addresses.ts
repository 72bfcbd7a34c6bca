import { isIPv6 } from 'node:net';

/** One spelling for one address: IPv4-mapped IPv6 becomes IPv4, a zone is dropped, letters are lower-cased. */
export function normalizeIp(address: string | undefined): string {
  const plain = (address ?? '').toLowerCase().replace(/%.*$/, '');
  return plain.startsWith('::ffff:') && plain.includes('.') ? plain.slice(7) : plain;
}

/** The 4 bytes of an IPv4 address or the 16 of an IPv6 address, which must be well-formed. */
export function ipBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const dotted = /[\d.]+$/.exec(address)?.[0];
  const tail4 = dotted?.includes('.') ? ipBytes(dotted) : undefined;
  const plain =
    tail4 && dotted
      ? address.slice(0, -dotted.length) + `${tail4.toString('hex', 0, 2)}:${tail4.toString('hex', 2)}`
      : address;
  const [left, right] = plain.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const filled = right ? [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right] : left;
  return Buffer.from(filled.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** What counts as one source in limits: an IPv4 address, or the /64 of an IPv6 address, where addresses cost nothing. */
export function sourceOf(ip: string): string {
  return isIPv6(ip) ? `${ipBytes(ip).toString('hex', 0, 8)}/64` : ip;
}
