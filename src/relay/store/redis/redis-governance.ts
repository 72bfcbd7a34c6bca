import type {
  AdminSessionRecord,
  AuditEntry,
  DecisionRecord,
  GovernanceStore,
  NumberedEntry,
  PolicyChange,
  SettingsRecord,
  StoredChange,
} from '../governance-store.js';
import type { RedisClient } from './redis-client.js';
import type { RedisKeys, Revisions } from './redis-keys.js';

/** The operator's decisions in Redis. Each node copies the audit entries of all of them to its own audit log. */
export class RedisGovernance implements GovernanceStore {
  /** The last audit entry that is in this node's log. */
  #copied = 0;

  constructor(
    private readonly redis: RedisClient,
    private readonly keys: RedisKeys,
    private readonly revisions: Revisions,
  ) {}

  async loadPolicy(): Promise<StoredChange[]> {
    const changes: StoredChange[] = [];
    for (const [kind, key] of [
      ['settings', this.keys.settings],
      ['decision', this.keys.decisions],
      ['ip', this.keys.bannedIps],
    ] as const) {
      const values = await this.redis.call((redis) => redis.hgetall(key));
      for (const [about, value] of Object.entries(values)) {
        const afterRevision = value.indexOf(':') + 1;
        const revision = Number(value.slice(0, afterRevision - 1));
        this.revisions.saw(revision);
        changes.push({ change: policyChangeOf(kind, about, value.slice(afterRevision)), revision });
      }
    }
    return changes;
  }

  async changePolicy(change: PolicyChange, entry?: AuditEntry): Promise<StoredChange> {
    const { settings, decisions, bannedIps, feed, revision, audit, auditCounter } = this.keys;
    const key = { settings, decision: decisions, ip: bannedIps }[change.kind];
    const reply = (await this.redis.run(
      'changePolicy',
      [key, feed, revision, audit, auditCounter],
      [change.kind, ...argumentsOf(change), this.revisions.seen, entry ? JSON.stringify(entry) : '', this.#copied],
    )) as [number, string];
    this.revisions.saw(reply[0]);
    const [about] = argumentsOf(change);
    return { change: policyChangeOf(change.kind, about, reply[1]), revision: reply[0] };
  }

  async loadSessions(): Promise<AdminSessionRecord[]> {
    const texts = await this.redis.call((redis) => redis.hvals(this.keys.sessions));
    return texts
      .map((text) => JSON.parse(text) as AdminSessionRecord)
      .sort((one, other) => one.expiresAt - other.expiresAt);
  }

  async putSession(session: AdminSessionRecord, entry: AuditEntry): Promise<void> {
    await this.#changeSessions('open', [session], entry);
  }

  async deleteSessions(tokenHashes: string[], entry?: AuditEntry): Promise<void> {
    const ended = tokenHashes.map((tokenHash) => ({ tokenHash, wallet: '', expiresAt: 0 }));
    await this.#changeSessions('end', ended, entry);
  }

  async addAuditEntry(entry: AuditEntry): Promise<void> {
    const { audit, auditCounter } = this.keys;
    await this.redis.run('addAuditEntry', [audit, auditCounter], [JSON.stringify(entry), this.#copied]);
  }

  async pendingAuditEntries(limit: number, after: number): Promise<NumberedEntry[]> {
    this.#copied = Math.max(this.#copied, after);
    const found = await this.redis.call((redis) =>
      redis.xrange(this.keys.audit, `(${this.#copied}-0`, '+', 'COUNT', limit),
    );
    return found.map(([id, [, entry]]) => ({ seq: Number(id.split('-')[0]), ...(JSON.parse(entry!) as AuditEntry) }));
  }

  /** Other nodes copy them, too: the store keeps the newest of them, some 100,000. */
  async dropAuditEntries(seq: number): Promise<void> {
    this.#copied = Math.max(this.#copied, seq);
  }

  async #changeSessions(change: 'open' | 'end', sessions: AdminSessionRecord[], entry?: AuditEntry): Promise<void> {
    const { sessions: key, feed, revision, audit, auditCounter } = this.keys;
    await this.redis.run(
      'changeSessions',
      [key, feed, revision, audit, auditCounter],
      [
        change,
        this.revisions.seen,
        entry ? JSON.stringify(entry) : '',
        this.#copied,
        ...sessions.map((session) => JSON.stringify(session)),
      ],
    );
  }
}

/** What a change is about, and its value. */
function argumentsOf(change: PolicyChange): [about: string, value: string] {
  if (change.kind === 'settings') return ['', JSON.stringify(change.values)];
  if (change.kind === 'ip') return [change.ip, String(change.banned)];
  const { decision, patch } = change;
  // A limit that is lifted is said so.
  const told = patch && ('bps' in patch ? { ...patch, bps: patch.bps ?? null } : patch);
  return [`${decision.name}:${decision.address.toLowerCase()}`, JSON.stringify({ decision, patch: told })];
}

/** @param about of settings: the name of one, or an empty text for several @param value JSON; of a decision all of it */
export function policyChangeOf(kind: string, about: string, value: string): PolicyChange {
  const parsed: unknown = JSON.parse(value);
  if (kind === 'settings') return { kind, values: (about === '' ? parsed : { [about]: parsed }) as SettingsRecord };
  if (kind === 'ip') return { kind, ip: about, banned: parsed as boolean };
  return { kind: 'decision', decision: parsed as DecisionRecord };
}
