import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

const loopback: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * How long one address of several is tried before the next is tried beside it (RFC 8305), in milliseconds. Node's 250 are
 * over before a busy process has looked at its sockets, and then a connection that stands counts as failed.
 */
const attemptTimeoutMs = 3_000;

/** For `net.connect` and `tls.connect`: every address of a name is tried, and names under `localhost` are this machine. */
export const addressOptions = {
  lookup: lookupWithLoopback,
  autoSelectFamily: true,
  autoSelectFamilyAttemptTimeout: attemptTimeoutMs,
};

/**
 * A `lookup` for `net.connect` and `tls.connect`: `localhost` and names under it are the loopback addresses, whatever the
 * system's resolver makes of them (RFC 6761 6.3); every other name is looked up as usual.
 */
export function lookupWithLoopback(hostname: string, options: LookupOptions, callback: LookupCallback): void {
  if (!/(^|\.)localhost\.?$/i.test(hostname)) {
    systemLookup(hostname, options, callback);
    return;
  }
  const family = options.family === 'IPv6' ? 6 : options.family === 'IPv4' ? 4 : (options.family ?? 0);
  const addresses = loopback.filter((entry) => family === 0 || entry.family === family);
  process.nextTick(() => {
    if (options.all === true) callback(null, addresses);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  });
}
