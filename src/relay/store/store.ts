import type { PortBlock } from '../../net/port-block.js';
import type { AdminSessionRecord, GovernanceStore, PolicyChange } from './governance-store.js';

/** The relay's persistent data. Times are milliseconds since the epoch. */

/** How long the name of an ended lease stays reserved for its identity. */
export const nameReservationMs = 300_000;

export interface Metadata {
  description?: string;
  owner?: string;
  thumbnail?: string;
  tags?: string[];
  hide?: boolean;
}

export interface LeaseRecord {
  /** Of a shared store: the write that it is of. Absent, or 0: none yet. */
  revision?: number | undefined;
  /** `name.<root host>` or a domain, the key: one hostname has one owner. */
  hostname: string;
  name: string;
  /** EIP-55 checksum form. */
  address: string;
  /** Changes with each registration; the access token names it. */
  generation: string;
  expiresAt: number;
  /** It has not expired: it was given back, or refused. */
  ended?: boolean | undefined;
  /** Until when the name is the identity's; absent: as long after the expiry as names are reserved. */
  keptUntil?: number | undefined;
  /** The expiry in the last access token. */
  tokenExpiresAt: number;
  metadata: Metadata;
  firstSeenAt: number;
  lastSeenAt: number;
  clientIp: string;
  reportedIp?: string | undefined;
  ownCertificate: boolean;
  sessionWaitSeconds: number;
  /** In a shared store, which keeps it as long as the name; else see `PortRecord`. */
  tcpPort?: number | undefined;
  /** Its place in a path of relays. */
  hop?:
    | {
        readonly accepts?: string | undefined;
        readonly forwards?:
          { relay: string; token: string; passVisitorAddress: boolean; helloKey?: string | undefined } | undefined;
      }
    | undefined;
  /** The tunnels that share the lease, by member id. */
  group?: { name: string; members: Record<string, { expiresAt: number; tokenExpiresAt: number }> } | undefined;
}

export type PortProtocol = 'tcp' | 'udp';

/** Consecutive ports of one identity. */
export interface PortRecord {
  protocol: PortProtocol;
  block: PortBlock;
  identityKey: string;
  /** End of the reservation; absent while a lease owns it. */
  keptUntil?: number | undefined;
}

export interface ChallengeRecord {
  id: string;
  /** The exact EIP-4361 text that was issued. */
  message: string;
  expiresAt: number;
  /** The requested registration as JSON, for the call that spends the challenge. */
  request: string;
  /** The source of the request, for limits. */
  source: string;
}

/** Another node has changed the lease of a hostname since the revision that a write was based on (optimistic concurrency control). */
export class LeaseChangedError extends Error {
  override readonly name = 'LeaseChangedError';

  /** @param current what the store has; undefined for nothing */
  constructor(
    hostname: string,
    readonly current: LeaseRecord | undefined,
  ) {
    super(`the lease of ${hostname} was changed by another node`);
  }
}

/** Another lease has the TCP port: another node gave it out, or keeps it for an identity. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
}

/** The store cannot be reached: the call may be made again later. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
}

/**
 * The relay's store. Every call is atomic and settles once its write is committed. SQLite in the state directory serves one
 * relay; Redis serves several nodes of one.
 */
export interface Store {
  /** The operator's decisions. */
  readonly governance: GovernanceStore;
  /** Present where other nodes use the store, too. */
  readonly shared?: SharedStore | undefined;

  /** Need not survive a restart. The number is bounded; past it the oldest of the source with the most is evicted. */
  putChallenge(challenge: ChallengeRecord, now: number): Promise<void>;
  /** Removes and returns a challenge: of two callers only the first gets it, and only before it expires. */
  takeChallenge(id: string, now: number): Promise<ChallengeRecord | undefined>;

  /**
   * @returns its new revision
   * @throws LeaseChangedError unless the record has the revision that the store has; of a shared store also PortTakenError
   */
  putLease(lease: LeaseRecord, now: number): Promise<number>;
  /** For the start of a relay that is alone: all of them or none, whatever their revision. Not for a shared store. */
  putLeases(leases: LeaseRecord[], now: number): Promise<void>;
  /**
   * Ends the lease. A shared store keeps the name for its identity as after an expiry, since a node may not have heard of it.
   * @throws LeaseChangedError as `putLease`
   */
  deleteLease(lease: LeaseRecord, now: number): Promise<number>;
  /** All leases, including expired ones, and the time of the last write. */
  loadLeases(): Promise<{ leases: LeaseRecord[]; lastWriteAt: number }>;

  /** Writes the owner or reservation of ports; one record per protocol and first port. A shared store has them by their leases. */
  putPorts(record: PortRecord): Promise<void>;
  deletePorts(protocol: PortProtocol, first: number): Promise<void>;
  loadPorts(protocol: PortProtocol): Promise<PortRecord[]>;

  close(): Promise<void>;
}

/** What nodes of one relay tell each other through their store. */
export type StoreChange =
  | { kind: 'lease'; hostname: string; lease: LeaseRecord }
  | { kind: 'policy'; change: PolicyChange; revision: number }
  | { kind: 'session'; session: AdminSessionRecord; isOpen: boolean };

/** Another node of the relay. */
export interface NodeRecord {
  id: string;
  /** `host:port` where it takes visitors of other nodes. */
  address: string;
}

/** What a store that several nodes use has besides. Times are of the store's clock. */
export interface SharedStore {
  /** The store's time in milliseconds since the epoch, as far as it is known: what decides expiry. */
  now(): number;
  /**
   * Reports each change, of this node's too, in the order of the store.
   * @param reload called where changes may have been missed, by this node or by the store itself; what it throws makes it be called again
   */
  follow(listener: (change: StoreChange) => void, reload: () => Promise<void>): void;
  /** The lease of a hostname, or what is left of it. */
  readLease(hostname: string): Promise<LeaseRecord | undefined>;
  /** The other nodes, as of the last report of this one. */
  nodes(): NodeRecord[];
  /** Announces this node, and finds the others, from now on. @throws Error when the store belongs to another relay */
  join(address: string): Promise<void>;
  /** Keeps a value for a while. @returns false when there is one already */
  putOnce(key: string, value: string, ttlMs: number): Promise<boolean>;
  /** Removes and returns a value: of two callers only the first gets it. */
  take(key: string): Promise<string | undefined>;
  /** Whether the store answers, as far as is known. */
  readonly isUp: boolean;
  /**
   * For how long after its expiry a lease may still be live: 0, but while the store is away, and for a while after that, other nodes may
   * know of a renewal that is not in it. In milliseconds, and no longer than names are reserved.
   */
  readonly graceMs: number;
}
