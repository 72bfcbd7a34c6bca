import { chmodSync, closeSync, openSync } from 'node:fs';
import Database from 'libsql';
import { OpenChallenges } from './open-challenges.js';
import { SqliteGovernance, governanceTables } from './sqlite-governance.js';
import type { ChallengeRecord, LeaseRecord, Metadata, PortProtocol, PortRecord, Store } from './store.js';
import { transact } from './transaction.js';

/**
 * Migrations: each step upgrades the database from the version equal to its index. Released steps are never changed.
 */
const migrations = [
  `CREATE TABLE IF NOT EXISTS challenges (
    id TEXT PRIMARY KEY, message TEXT NOT NULL, request TEXT NOT NULL, expires_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS challenges_by_expiry ON challenges (expires_at);
  CREATE TABLE IF NOT EXISTS leases (
    hostname TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, generation TEXT NOT NULL,
    expires_at INTEGER NOT NULL, token_expires_at INTEGER NOT NULL, metadata TEXT NOT NULL, first_seen_at INTEGER NOT NULL, last_seen_at INTEGER NOT NULL,
    client_ip TEXT NOT NULL, reported_ip TEXT
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;`,
  governanceTables,
  `CREATE TABLE ports (
    protocol TEXT NOT NULL, port INTEGER NOT NULL, identity_key TEXT NOT NULL, kept_until INTEGER,
    PRIMARY KEY (protocol, port)
  ) WITHOUT ROWID;`,
  // Challenges are held in memory.
  'DROP TABLE challenges;',
  'ALTER TABLE leases ADD COLUMN tunnel_group TEXT;',
  'ALTER TABLE leases ADD COLUMN own_certificate INTEGER NOT NULL DEFAULT 0;',
  'ALTER TABLE ports ADD COLUMN port_count INTEGER NOT NULL DEFAULT 1;',
  'ALTER TABLE leases ADD COLUMN session_wait INTEGER NOT NULL DEFAULT 10;',
  'ALTER TABLE leases ADD COLUMN hop TEXT;',
];

interface LeaseRow {
  hostname: string;
  name: string;
  address: string;
  generation: string;
  expires_at: number;
  token_expires_at: number;
  metadata: string;
  first_seen_at: number;
  last_seen_at: number;
  client_ip: string;
  reported_ip: string | null;
  tunnel_group: string | null;
  own_certificate: number;
  session_wait: number;
  hop: string | null;
}

interface PortRow {
  port: number;
  port_count: number;
  identity_key: string;
  kept_until: number | null;
}

/** The embedded store: one SQLite file (mode 0600) in write-ahead mode. A commit survives the process being killed. */
export class SqliteStore implements Store {
  readonly governance: SqliteGovernance;
  readonly #db: Database.Database;
  readonly #challenges = new OpenChallenges();
  readonly #statements;

  /** @throws Error when the file cannot be opened or was written by a newer release */
  constructor(file: string) {
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
    this.#db = openDatabase(file);
    this.governance = new SqliteGovernance(this.#db);
    this.#statements = {
      putLease: this.#db.prepare(`INSERT OR REPLACE INTO leases
          (hostname, name, address, generation, expires_at, token_expires_at, metadata, first_seen_at, last_seen_at, client_ip, reported_ip,
          tunnel_group, own_certificate, session_wait, hop) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
      deleteLease: this.#db.prepare('DELETE FROM leases WHERE hostname = ? AND generation = ?'),
      allLeases: this.#db.prepare('SELECT * FROM leases'),
      putPorts: this.#db.prepare(
        'INSERT OR REPLACE INTO ports (protocol, port, port_count, identity_key, kept_until) VALUES (?, ?, ?, ?, ?)',
      ),
      deletePorts: this.#db.prepare('DELETE FROM ports WHERE protocol = ? AND port = ?'),
      portsOf: this.#db.prepare('SELECT port, port_count, identity_key, kept_until FROM ports WHERE protocol = ?'),
      touch: this.#db.prepare("INSERT OR REPLACE INTO meta VALUES ('last_write_at', ?)"),
      lastWrite: this.#db.prepare("SELECT value FROM meta WHERE key = 'last_write_at'"),
    };
  }

  async putChallenge(challenge: ChallengeRecord, now: number): Promise<void> {
    this.#challenges.put(challenge, now);
  }

  async takeChallenge(id: string, now: number): Promise<ChallengeRecord | undefined> {
    return this.#challenges.take(id, now);
  }

  async putLeases(leases: LeaseRecord[], now: number): Promise<void> {
    this.#write(now, () => {
      for (const lease of leases) {
        this.#statements.putLease.run(
          lease.hostname,
          lease.name,
          lease.address,
          lease.generation,
          lease.expiresAt,
          lease.tokenExpiresAt,
          JSON.stringify(lease.metadata),
          lease.firstSeenAt,
          lease.lastSeenAt,
          lease.clientIp,
          lease.reportedIp ?? null,
          lease.group === undefined ? null : JSON.stringify(lease.group),
          lease.ownCertificate ? 1 : 0,
          lease.sessionWaitSeconds,
          lease.hop === undefined ? null : JSON.stringify(lease.hop),
        );
      }
    });
  }

  async putLease(lease: LeaseRecord, now: number): Promise<number> {
    await this.putLeases([lease], now);
    return 0;
  }

  async deleteLease({ hostname, generation }: LeaseRecord, now: number): Promise<number> {
    this.#write(now, () => this.#statements.deleteLease.run(hostname, generation));
    return 0;
  }

  async loadLeases(): Promise<{ leases: LeaseRecord[]; lastWriteAt: number }> {
    const rows = this.#statements.allLeases.all() as LeaseRow[];
    const last = this.#statements.lastWrite.get() as { value: number } | undefined;
    return { leases: rows.map(fromRow), lastWriteAt: last?.value ?? 0 };
  }

  async putPorts({ protocol, block, identityKey, keptUntil }: PortRecord): Promise<void> {
    this.#statements.putPorts.run(protocol, block.first, block.count, identityKey, keptUntil ?? null);
  }

  async deletePorts(protocol: PortProtocol, first: number): Promise<void> {
    this.#statements.deletePorts.run(protocol, first);
  }

  async loadPorts(protocol: PortProtocol): Promise<PortRecord[]> {
    const rows = this.#statements.portsOf.all(protocol) as PortRow[];
    return rows.map((row) => ({
      protocol,
      block: { first: row.port, count: row.port_count },
      identityKey: row.identity_key,
      keptUntil: row.kept_until ?? undefined,
    }));
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  /** One transaction: the change and its time, which decides at the next start which leases were alive. */
  #write(now: number, change: () => void): void {
    transact(this.#db, () => {
      change();
      this.#statements.touch.run(now);
    });
  }
}

/** @throws Error that names the file and the remedy */
function openDatabase(file: string): Database.Database {
  let db: Database.Database | undefined;
  try {
    db = new Database(file);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = NORMAL');
    migrate(db, file);
    return db;
  } catch (cause) {
    db?.close();
    const { code } = cause as { code?: string };
    if (code === undefined || !['SQLITE_NOTADB', 'SQLITE_CORRUPT'].includes(code)) throw cause;
    const advice = 'restore a backup, or move it away: tunnels register again, bans and other decisions are lost';
    throw new Error(`${file} is damaged (${code}): ${advice}`, { cause });
  }
}

/** @throws Error when the file was written by a newer release */
function migrate(db: Database.Database, file: string): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > migrations.length) throw new Error(`${file} was written by a newer release (schema ${version})`);
  transact(db, () => {
    for (const step of migrations.slice(version)) db.exec(step);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

function fromRow(row: LeaseRow): LeaseRecord {
  return {
    hostname: row.hostname,
    name: row.name,
    address: row.address,
    generation: row.generation,
    expiresAt: row.expires_at,
    tokenExpiresAt: row.token_expires_at,
    metadata: JSON.parse(row.metadata) as Metadata,
    firstSeenAt: row.first_seen_at,
    lastSeenAt: row.last_seen_at,
    clientIp: row.client_ip,
    reportedIp: row.reported_ip ?? undefined,
    ownCertificate: row.own_certificate !== 0,
    sessionWaitSeconds: row.session_wait,
    hop: row.hop === null ? undefined : (JSON.parse(row.hop) as LeaseRecord['hop']),
    group: row.tunnel_group === null ? undefined : (JSON.parse(row.tunnel_group) as LeaseRecord['group']),
  };
}
