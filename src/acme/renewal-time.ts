import type { X509Certificate } from 'node:crypto';
import type { RenewalWindow } from './acme-client.js';

/** Share of its lifetime after which a certificate is renewed, where the CA does not say. */
const renewalShare = 2 / 3;
const shortLivedMs = 10 * 86_400_000;
/** The same for short-lived ones: there is less time for further tries. */
const shortLivedShare = 1 / 2;
/** Later than this it is not renewed, whatever the CA suggests: there must be time for further tries. */
const latestShare = 9 / 10;

/** When to renew, in milliseconds since the epoch. @param random from 0 to 1, where in the window that the CA suggests */
export function renewalTime(leaf: X509Certificate, window: RenewalWindow | undefined, random: number): number {
  const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
  const latest = from + latestShare * (to - from);
  if (window) return Math.min(window.start + random * (window.end - window.start), latest);
  const share = to - from < shortLivedMs ? shortLivedShare : renewalShare;
  return from + share * (to - from);
}
