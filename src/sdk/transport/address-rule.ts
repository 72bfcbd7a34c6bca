import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import { isPublicAddress } from '../../net/public-address.js';
import { lookupWithLoopback } from './loopback.js';

/** Restricts which addresses may be connected to. */
export type AddressRule = (ip: string) => boolean;

export const publicAddressesOnly: AddressRule = isPublicAddress;

/** The error code for a name or address that the rule does not allow. */
export const addressRefusedCode = 'EADDRESSREFUSED';

/**
 * @returns an error of that code when the host is an address that is not allowed; names are checked when they are
 * resolved
 */
export function refusedLiteral(host: string, rule: AddressRule): Error | undefined {
  return isIP(host) !== 0 && !rule(host) ? refusal(host) : undefined;
}

/**
 * A `lookup` for `net.connect` and `tls.connect` that returns only allowed addresses. The connection uses one of
 * these, without a second resolution (DNS rebinding).
 */
export function lookupAllowed(rule: AddressRule): typeof lookupWithLoopback {
  return (hostname, options: LookupOptions, callback) => {
    lookupWithLoopback(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, []);
      const allowed = (found as LookupAddress[]).filter(({ address }) => rule(address));
      if (allowed.length === 0) callback(refusal(hostname), []);
      else if (options.all === true) callback(null, allowed);
      else callback(null, allowed[0]!.address, allowed[0]!.family);
    });
  };
}

function refusal(host: string): Error {
  return Object.assign(new Error(`${host} leads to no address that may be connected to`), { code: addressRefusedCode });
}
