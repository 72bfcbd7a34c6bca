/** The persistent decisions and sessions of the operator. Times are milliseconds since the epoch. */

/** The decisions about one identity. */
export interface DecisionRecord {
  name: string;
  /** EIP-55 checksum form. */
  address: string;
  approved: boolean;
  denied: boolean;
  banned: boolean;
  /** Limit in bytes per second, both directions together; absent for none. */
  bps?: number | undefined;
}

/** The settings that an admin has set. Absent ones come from the configuration. */
export interface SettingsRecord {
  approvalMode?: 'auto' | 'manual';
  landingPageEnabled?: boolean;
  udpEnabled?: boolean;
  udpMaxLeases?: number | undefined;
  tcpPortEnabled?: boolean;
  tcpPortMaxLeases?: number | undefined;
}

export type PolicyChange =
  | { kind: 'settings'; values: SettingsRecord }
  /** A record without any decision is deleted. `patch` is what of it is new: a shared store keeps the rest as it is there. */
  | { kind: 'decision'; decision: DecisionRecord; patch?: Partial<DecisionRecord> | undefined }
  | { kind: 'ip'; ip: string; banned: boolean };

export interface StoredChange {
  change: PolicyChange;
  /** In a shared store; else 0. */
  revision: number;
}

/** One action of an admin, or a refused attempt. */
export interface AuditEntry {
  at: number;
  /** The admin's address with checksum; absent when not logged in. */
  wallet?: string | undefined;
  /** Source address. */
  ip: string;
  /** Operation id of the contract. */
  action: string;
  /** Identity key or address that the action applied to. */
  target?: string | undefined;
  /** The new values. */
  value?: unknown;
  result: 'done' | 'refused';
  /** Error code of a refused attempt. */
  reason?: string;
}

export interface NumberedEntry extends AuditEntry {
  /** Sequence number without gaps. */
  seq: number;
}

export interface AdminSessionRecord {
  /** SHA-256 of the session's token. */
  tokenHash: string;
  wallet: string;
  expiresAt: number;
}

/** Each call is atomic, including its audit entry, and settles only once the write would survive a power failure. */
export interface GovernanceStore {
  /** What makes up the policy, as changes of an empty one. A shared store also has what was decided and taken back. */
  loadPolicy(): Promise<StoredChange[]>;
  /**
   * @param entry absent for what an admin has done before, and the store has lost
   * @returns the change as it was made
   */
  changePolicy(change: PolicyChange, entry?: AuditEntry): Promise<StoredChange>;

  loadSessions(): Promise<AdminSessionRecord[]>;
  putSession(session: AdminSessionRecord, entry: AuditEntry): Promise<void>;
  /** @param entry absent when the sessions expired */
  deleteSessions(tokenHashes: string[], entry?: AuditEntry): Promise<void>;

  addAuditEntry(entry: AuditEntry): Promise<void>;
  /** The oldest entries not yet in the audit log. @param after the last one that it has; those up to it may be returned, too */
  pendingAuditEntries(limit: number, after: number): Promise<NumberedEntry[]>;
  /** The entries up to `seq` are in the audit log: they are not pending any more. */
  dropAuditEntries(seq: number): Promise<void>;
}
