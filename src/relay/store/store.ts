import type { GovernanceStore } from './governance-store.js';

/** What the relay keeps over a restart. Times are milliseconds since the epoch. */

export interface Metadata {
  description?: string;
  owner?: string;
  thumbnail?: string;
  tags?: string[];
  hide?: boolean;
}

export interface LeaseRecord {
  /** `name.<root host>`, the key: one hostname has one owner. */
  hostname: string;
  name: string;
  /** EIP-55 checksum form. */
  address: string;
  /** Changes with each registration; the access token names it. */
  generation: string;
  expiresAt: number;
  /** The expiry that the last access token bears. */
  tokenExpiresAt: number;
  metadata: Metadata;
  firstSeenAt: number;
  lastSeenAt: number;
  clientIp: string;
  reportedIp?: string | undefined;
}

export type PortProtocol = 'tcp' | 'udp';

export interface PortRecord {
  protocol: PortProtocol;
  port: number;
  identityKey: string;
  /** Until when nobody else may have it; absent while a lease has it. */
  keptUntil?: number | undefined;
}

export interface ChallengeRecord {
  id: string;
  /** The exact EIP-4361 text that was issued. */
  message: string;
  expiresAt: number;
  /** What was asked for, as JSON: the challenge carries it to the call that spends it. */
  request: string;
  /** Who asked, as it counts in limits. */
  source: string;
}

/**
 * The relay's memory. Every call is atomic, and settled only once what it wrote is kept. Engines: SQLite in the state
 * directory; a shared one (keys with a TTL, take-once, claim-if-free) fits the same calls.
 */
export interface Store {
  /** What the operator decided. */
  readonly governance: GovernanceStore;

  /** Need not outlive a restart. A bounded number is held; past it, the source that holds most gives up its oldest. */
  putChallenge(challenge: ChallengeRecord, now: number): Promise<void>;
  /** Takes a challenge out: the second caller of two gets nothing, and so does one who comes too late. */
  takeChallenge(id: string, now: number): Promise<ChallengeRecord | undefined>;

  /** All of them or none. */
  putLeases(leases: LeaseRecord[], now: number): Promise<void>;
  deleteLease(hostname: string, generation: string, now: number): Promise<void>;
  /** All leases held, expired ones included, and when anything was last written. */
  loadLeases(): Promise<{ leases: LeaseRecord[]; lastWriteAt: number }>;

  /** Writes who has a port, or whom it is kept for; one protocol and port has one record. */
  putPort(record: PortRecord): Promise<void>;
  deletePort(protocol: PortProtocol, port: number): Promise<void>;
  loadPorts(protocol: PortProtocol): Promise<PortRecord[]>;

  close(): Promise<void>;
}
