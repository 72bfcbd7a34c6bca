/** What the operator decided, and who may decide: kept over restarts. Times are milliseconds since the epoch. */

/** What was decided about one identity. */
export interface DecisionRecord {
  name: string;
  /** EIP-55 checksum form. */
  address: string;
  approved: boolean;
  denied: boolean;
  banned: boolean;
  /** Bytes per second, both directions together; absent without a limit. */
  bps?: number | undefined;
}

/** The settings that an admin has set. Those absent are the configuration's to say. */
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
  /** A decision in which nothing is decided is forgotten. */
  | { kind: 'decision'; decision: DecisionRecord }
  | { kind: 'ip'; ip: string; banned: boolean };

/** One action of an admin, or of somebody who would be one. */
export interface AuditEntry {
  at: number;
  /** Who: an address with its checksum, absent where nobody is logged in. */
  wallet?: string | undefined;
  /** Source address. */
  ip: string;
  /** Operation id of the contract. */
  action: string;
  /** Identity key or address that the action was about. */
  target?: string | undefined;
  /** What was set. */
  value?: unknown;
  result: 'done' | 'refused';
  /** Why it was refused. */
  reason?: string;
}

export interface NumberedEntry extends AuditEntry {
  /** Counts up, without gaps. */
  seq: number;
}

export interface AdminSessionRecord {
  /** SHA-256 of the session's token. */
  tokenHash: string;
  wallet: string;
  expiresAt: number;
}

/** Each call is atomic, the entry for the audit log included, and settled only once what it wrote would survive a power cut. */
export interface GovernanceStore {
  loadPolicy(): Promise<{ settings: SettingsRecord; decisions: DecisionRecord[]; bannedIps: string[] }>;
  changePolicy(change: PolicyChange, entry: AuditEntry): Promise<void>;

  loadSessions(): Promise<AdminSessionRecord[]>;
  putSession(session: AdminSessionRecord, entry: AuditEntry): Promise<void>;
  /** @param entry absent where nobody ended them: they expired */
  deleteSessions(tokenHashes: string[], entry?: AuditEntry): Promise<void>;

  addAuditEntry(entry: AuditEntry): Promise<void>;
  /** The oldest entries that are not in the audit log yet. */
  pendingAuditEntries(limit: number): Promise<NumberedEntry[]>;
  /** Forgets those up to `seq`: the audit log has them. */
  dropAuditEntries(seq: number): Promise<void>;
}
