import type Database from 'libsql';
import type {
  AdminSessionRecord,
  AuditEntry,
  GovernanceStore,
  NumberedEntry,
  PolicyChange,
  SettingsRecord,
  StoredChange,
} from './governance-store.js';
import { transact } from './transaction.js';

export const governanceTables = `CREATE TABLE policy_settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE policy_decisions (
    name TEXT NOT NULL, address TEXT NOT NULL, approved INTEGER NOT NULL, denied INTEGER NOT NULL, banned INTEGER NOT NULL,
    bps INTEGER, PRIMARY KEY (name, address)
  ) WITHOUT ROWID;
  CREATE TABLE banned_ips (ip TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE admin_sessions (token_hash TEXT PRIMARY KEY, wallet TEXT NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE audit_outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL);`;

interface DecisionRow {
  name: string;
  address: string;
  approved: number;
  denied: number;
  banned: number;
  bps: number | null;
}

/** The operator's decisions in the embedded store. */
export class SqliteGovernance implements GovernanceStore {
  readonly #statements;

  constructor(private readonly db: Database.Database) {
    this.#statements = {
      allSettings: db.prepare('SELECT name, value FROM policy_settings'),
      putSetting: db.prepare('INSERT OR REPLACE INTO policy_settings (name, value) VALUES (?, ?)'),
      allDecisions: db.prepare('SELECT * FROM policy_decisions'),
      putDecision: db.prepare(`INSERT OR REPLACE INTO policy_decisions (name, address, approved, denied, banned, bps)
          VALUES (?, ?, ?, ?, ?, ?)`),
      deleteDecision: db.prepare('DELETE FROM policy_decisions WHERE name = ? AND address = ?'),
      allIps: db.prepare('SELECT ip FROM banned_ips'),
      addIp: db.prepare('INSERT OR IGNORE INTO banned_ips (ip) VALUES (?)'),
      deleteIp: db.prepare('DELETE FROM banned_ips WHERE ip = ?'),
      allSessions: db.prepare('SELECT token_hash, wallet, expires_at FROM admin_sessions ORDER BY expires_at'),
      putSession: db.prepare('INSERT INTO admin_sessions (token_hash, wallet, expires_at) VALUES (?, ?, ?)'),
      deleteSession: db.prepare('DELETE FROM admin_sessions WHERE token_hash = ?'),
      addEntry: db.prepare('INSERT INTO audit_outbox (entry) VALUES (?)'),
      someEntries: db.prepare('SELECT seq, entry FROM audit_outbox ORDER BY seq LIMIT ?'),
      dropEntries: db.prepare('DELETE FROM audit_outbox WHERE seq <= ?'),
    };
  }

  async loadPolicy(): Promise<StoredChange[]> {
    const settings = this.#statements.allSettings.all() as { name: string; value: string }[];
    const decisions = this.#statements.allDecisions.all() as DecisionRow[];
    const ips = this.#statements.allIps.all() as { ip: string }[];
    const values = Object.fromEntries(settings.map(({ name, value }) => [name, JSON.parse(value)])) as SettingsRecord;
    const changes: PolicyChange[] = [
      { kind: 'settings', values },
      ...decisions.map((row) => ({
        kind: 'decision' as const,
        decision: {
          name: row.name,
          address: row.address,
          approved: row.approved === 1,
          denied: row.denied === 1,
          banned: row.banned === 1,
          bps: row.bps ?? undefined,
        },
      })),
      ...ips.map(({ ip }) => ({ kind: 'ip' as const, ip, banned: true })),
    ];
    return changes.map((change) => ({ change, revision: 0 }));
  }

  async changePolicy(change: PolicyChange, entry?: AuditEntry): Promise<StoredChange> {
    this.#durably(() => {
      this.#change(change);
      if (entry) this.#addEntry(entry);
    });
    return { change, revision: 0 };
  }

  async loadSessions(): Promise<AdminSessionRecord[]> {
    const rows = this.#statements.allSessions.all() as { token_hash: string; wallet: string; expires_at: number }[];
    return rows.map((row) => ({ tokenHash: row.token_hash, wallet: row.wallet, expiresAt: row.expires_at }));
  }

  async putSession({ tokenHash, wallet, expiresAt }: AdminSessionRecord, entry: AuditEntry): Promise<void> {
    this.#durably(() => {
      this.#statements.putSession.run(tokenHash, wallet, expiresAt);
      this.#addEntry(entry);
    });
  }

  async deleteSessions(tokenHashes: string[], entry?: AuditEntry): Promise<void> {
    this.#durably(() => {
      for (const hash of tokenHashes) this.#statements.deleteSession.run(hash);
      if (entry) this.#addEntry(entry);
    });
  }

  async addAuditEntry(entry: AuditEntry): Promise<void> {
    this.#addEntry(entry);
  }

  async pendingAuditEntries(limit: number): Promise<NumberedEntry[]> {
    const rows = this.#statements.someEntries.all(limit) as { seq: number; entry: string }[];
    return rows.map(({ seq, entry }) => ({ seq, ...(JSON.parse(entry) as AuditEntry) }));
  }

  async dropAuditEntries(seq: number): Promise<void> {
    this.#statements.dropEntries.run(seq);
  }

  #change(change: PolicyChange): void {
    const { putSetting, putDecision, deleteDecision, addIp, deleteIp } = this.#statements;
    if (change.kind === 'settings') {
      for (const [name, value] of Object.entries(change.values)) putSetting.run(name, JSON.stringify(value));
    } else if (change.kind === 'ip') {
      (change.banned ? addIp : deleteIp).run(change.ip);
    } else {
      const { name, address, approved, denied, banned, bps } = change.decision;
      if (approved || denied || banned || bps !== undefined)
        putDecision.run(name, address, Number(approved), Number(denied), Number(banned), bps ?? null);
      else deleteDecision.run(name, address);
    }
  }

  #addEntry(entry: AuditEntry): void {
    this.#statements.addEntry.run(JSON.stringify(entry));
  }

  /**
   * One transaction that is on disk (fsync) when this returns. The rest of the store may lose its last commits in a
   * power failure, since tunnels renew; but nobody repeats a ban, and a logout must not be undone. These writes are
   * rare.
   */
  #durably(change: () => void): void {
    this.db.pragma('synchronous = FULL');
    try {
      transact(this.db, change);
    } finally {
      this.db.pragma('synchronous = NORMAL');
    }
  }
}
