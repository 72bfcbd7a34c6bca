import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

const loopback: LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * Happy Eyeballs delay before the next address is tried in parallel (RFC 8305), in milliseconds. Node's default of
 * 250 can pass before a busy process polls its sockets, and an established connection would count as failed.
 */
const attemptTimeoutMs = 3_000;

/** For `net.connect` and `tls.connect`: tries every address of a name; names under `localhost` mean this machine. */
export const addressOptions = {
  lookup: lookupWithLoopback,
  autoSelectFamily: true,
  autoSelectFamilyAttemptTimeout: attemptTimeoutMs,
};

/**
 * A `lookup` for `net.connect` and `tls.connect`: `localhost` and names under it are the loopback addresses, whatever
 * the system's resolver says (RFC 6761 6.3); other names are resolved as usual.
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
