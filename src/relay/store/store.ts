import type { PortBlock } from '../../net/port-block.js';
import type { GovernanceStore } from './governance-store.js';

/** The relay's persistent data. Times are milliseconds since the epoch. */

export interface Metadata {
  description?: string;
  owner?: string;
  thumbnail?: string;
  tags?: string[];
  hide?: boolean;
}

export interface LeaseRecord {
  /** `name.<root host>` or a domain, the key: one hostname has one owner. */
  hostname: string;
  name: string;
  /** EIP-55 checksum form. */
  address: string;
  /** Changes with each registration; the access token names it. */
  generation: string;
  expiresAt: number;
  /** The expiry in the last access token. */
  tokenExpiresAt: number;
  metadata: Metadata;
  firstSeenAt: number;
  lastSeenAt: number;
  clientIp: string;
  reportedIp?: string | undefined;
  ownCertificate: boolean;
  sessionWaitSeconds: number;
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

/**
 * The relay's store. Every call is atomic and settles once its write is committed. The engine is SQLite in the state
 * directory; a shared one (keys with a TTL, take-once, set-if-absent) fits the same interface.
 */
export interface Store {
  /** The operator's decisions. */
  readonly governance: GovernanceStore;

  /** Need not survive a restart. The number is bounded; past it the oldest of the source with the most is evicted. */
  putChallenge(challenge: ChallengeRecord, now: number): Promise<void>;
  /** Removes and returns a challenge: of two callers only the first gets it, and only before it expires. */
  takeChallenge(id: string, now: number): Promise<ChallengeRecord | undefined>;

  /** All of them or none. */
  putLeases(leases: LeaseRecord[], now: number): Promise<void>;
  deleteLease(hostname: string, generation: string, now: number): Promise<void>;
  /** All leases, including expired ones, and the time of the last write. */
  loadLeases(): Promise<{ leases: LeaseRecord[]; lastWriteAt: number }>;

  /** Writes the owner or reservation of ports; one record per protocol and first port. */
  putPorts(record: PortRecord): Promise<void>;
  deletePorts(protocol: PortProtocol, first: number): Promise<void>;
  loadPorts(protocol: PortProtocol): Promise<PortRecord[]>;

  close(): Promise<void>;
}
