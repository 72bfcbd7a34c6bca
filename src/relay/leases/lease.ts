import { domainToASCII, domainToUnicode } from 'node:url';
import { getAddress } from 'ethers/address';
import { withoutUndefined } from '../../util/without-undefined.js';
import { ApiError } from '../../contract/index.js';
import type { LeaseIdentity } from '../../contract/lease-identity.js';
import type { PortBlock } from '../../net/port-block.js';
import type { Metadata } from '../store/store.js';
import type { Hop } from './hop.js';

export const defaultLeaseTtlSeconds = 30;
export const defaultSessionWaitSeconds = 10;

/** One of the tunnels that share a lease. Times are milliseconds since the epoch, whole seconds. */
export interface Member {
  expiresAt: number;
  /** The expiry in its last token: earlier than its own after a restart. */
  tokenExpiresAt: number;
}

/** Tunnels of one identity that share a lease. */
export interface Group {
  /** Chosen by the tunnels. */
  readonly name: string;
  /** By the id in a member's tokens; the lease lasts as long as the last of them. */
  readonly members: Map<string, Member>;
}

/** A lease, and who of its group is meant, if it has one. */
export interface Holding {
  readonly lease: Lease;
  readonly member?: string | undefined;
}

/** An identity's right to a hostname until `expiresAt`. */
export interface Lease {
  readonly identity: LeaseIdentity;
  readonly hostname: string;
  /** Changes with each registration: tokens of an earlier one are superseded. */
  readonly generation: string;
  /** In a shared store: of the last write that this node knows. */
  revision?: number | undefined;
  /** In a shared store: it has not expired, but was given back or refused. */
  ended?: boolean | undefined;
  /** The expiry that the store has. */
  storedUntil?: number | undefined;
  /** Milliseconds since the epoch, whole seconds. */
  expiresAt: number;
  /** The expiry in the last issued token: earlier than the lease's own after a restart. */
  tokenExpiresAt: number;
  metadata: Metadata;
  /** Public ports, if the lease has any. */
  readonly tcpPort?: number | undefined;
  readonly udpPorts?: PortBlock | undefined;
  /** Absent for a lease of one tunnel. */
  readonly group?: Group | undefined;
  /** TLS of the name ends with a certificate that is not the relay's. */
  readonly ownCertificate: boolean;
  /** Its place in a path of relays, if it is in one. */
  readonly hop?: Hop | undefined;
  /** How long a visitor waits for a reverse session while none is ready. */
  sessionWaitSeconds: number;
  readonly firstSeenAt: number;
  lastSeenAt: number;
  /** Address that the registration came from. */
  readonly registeredFrom: string;
  /** Address of the last call. */
  clientIp: string;
  reportedIp?: string | undefined;
}

/** Only the contract's fields: others have no bounds and are dropped. */
export function knownMetadata({ description, owner, thumbnail, tags, hide }: Metadata): Metadata {
  return withoutUndefined({ description, owner, thumbnail, tags, hide });
}

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** The name of its TXT record must fit into 253 characters. */
const maxDomainLength = 245;

/** Whether a name is a domain of the identity's own, and not a label under the root host. */
export const isDomain = (name: string): boolean => name.includes('.');

/** Whether an `xn--` label round-trips as browsers convert it (UTS 46). */
function isValidIdna(name: string): boolean {
  const unicode = domainToUnicode(name);
  return unicode !== name && domainToASCII(unicode) === name;
}

/**
 * Normalizes an identity sent by a client.
 * @throws ApiError `invalid_request` for a name that is neither a DNS label nor a domain, or not a valid internationalized one,
 * `invalid_address` for an invalid Ethereum address
 */
export function parseIdentity(raw: { name: string; address: string }): LeaseIdentity {
  const name = raw.name.toLowerCase();
  const labels = name.split('.');
  if (name.length > maxDomainLength || !labels.every((each) => label.test(each)))
    throw new ApiError(
      'invalid_request',
      'identity.name must be one DNS label, or a domain of such: a-z, 0-9 and inner hyphens, 1 to 63 in each label',
    );
  if (labels.length > 1 && /^[0-9]+$/.test(labels.at(-1)!))
    throw new ApiError('invalid_request', 'identity.name is an address, not a domain');
  if (labels.some((each) => each.startsWith('xn--') && !isValidIdna(each)))
    throw new ApiError(
      'invalid_request',
      'identity.name has a label that begins with xn-- and is not a valid internationalized one (UTS 46)',
    );
  if (!/^0[xX][0-9a-fA-F]{40}$/.test(raw.address))
    throw new ApiError('invalid_address', 'identity.address must be 0x and 40 hex digits');
  return { name, address: getAddress(raw.address.toLowerCase()) };
}
