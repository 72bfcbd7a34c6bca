import { SocketAddress, isIPv4, isIPv6 } from 'node:net';

/** One spelling for one address: IPv4-mapped IPv6 becomes IPv4, a zone is dropped, letters are lower-cased. */
export function normalizeIp(address: string | undefined): string {
  const [plain = ''] = (address ?? '').toLowerCase().split('%', 1);
  return plain.startsWith('::ffff:') && plain.includes('.') ? plain.slice(7) : plain;
}

/**
 * Reads an address that somebody wrote, in its one spelling (RFC 5952 for IPv6).
 * @returns undefined for what is none, a zone included
 */
export function parseIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return normalizeIp(new SocketAddress({ address: text, family: 'ipv6' }).address);
}

/** The 4 bytes of an IPv4 address or the 16 of an IPv6 address, which must be well-formed. */
export function ipBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const dotted = address.slice(address.lastIndexOf(':') + 1);
  const tail4 = dotted.includes('.') ? ipBytes(dotted) : undefined;
  const plain = tail4
    ? address.slice(0, -dotted.length) + `${tail4.toString('hex', 0, 2)}:${tail4.toString('hex', 2)}`
    : address;
  const [left, right] = plain.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const filled = right ? [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right] : left;
  return Buffer.from(filled.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** The address that 4 or 16 bytes stand for, in its one spelling. */
export function ipOfBytes(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  return parseIp(bytes.toString('hex').replace(/(....)(?!$)/g, '$1:')) as string;
}
