import { EventEmitter } from 'node:events';
import { ApiError } from '../../contract/index.js';
import { Mutex } from '../../util/mutex.js';
import { networkOf } from '../../net/source-network.js';
import type { AuditLog } from '../audit/audit-log.js';
import { type LeaseIdentity, identityKey } from '../../contract/lease-identity.js';
import type {
  AuditEntry,
  DecisionRecord,
  GovernanceStore,
  PolicyChange,
  SettingsRecord,
  StoredChange,
} from '../store/governance-store.js';
import { type PolicySettings, changedSettings } from './settings.js';

/** Most identities with a decision or a limit, and most banned addresses. */
const maxDecisions = 100_000;
const maxBannedIps = 100_000;

/** The acting admin and the source address. */
export interface Actor {
  wallet: string;
  ip: string;
}

/** Without `maxLeases` the current limit stays. */
export interface PortSettingsChange {
  enabled: boolean;
  maxLeases?: number | undefined;
}

export interface PolicyEvents {
  /** The settings have changed. */
  settings: [settings: PolicySettings];
  /** The status of this identity may have changed. */
  standing: [identityKey: string];
  /** The identity's limit has changed: bytes per second, or none. */
  bps: [identityKey: string, bps: number | undefined];
  ip: [ip: string, banned: boolean];
}

/** The change of an identity's record for each decision, by operation id. */
const decisions = {
  banLease: { banned: true },
  unbanLease: { banned: false },
  approveLease: { approved: true, denied: false },
  revokeLeaseApproval: { approved: false },
  denyLease: { denied: true, approved: false },
  removeLeaseDenial: { denied: false },
} as const satisfies Record<string, Partial<DecisionRecord>>;

export type Decision = keyof typeof decisions;
export const decisionNames = Object.keys(decisions) as Decision[];

/**
 * The operator's decisions. Reads come from memory. A change is stored before it takes effect, and its events are
 * emitted before the call returns, so that its effects are complete by then.
 */
export class Policy extends EventEmitter<PolicyEvents> {
  #settings: PolicySettings;
  readonly #decisions = new Map<string, DecisionRecord>();
  /** Banned sources, each with its stored addresses: earlier releases stored IPv6 addresses as given. */
  readonly #bannedIps = new Map<string, string[]>();
  /** Of a shared store: the last change that is known, by what it is about. */
  readonly #known = new Map<string, StoredChange>();
  /** Serializes changes. */
  readonly #changes = new Mutex();

  /** @param configured the settings that apply until an admin changes them */
  constructor(
    configured: PolicySettings,
    private readonly store: GovernanceStore,
    private readonly audit: AuditLog,
  ) {
    super();
    this.#settings = configured;
  }

  /** Restores the stored decisions. */
  async start(): Promise<void> {
    for (const { change, revision } of await this.store.loadPolicy()) this.apply(change, revision);
  }

  get settings(): Readonly<PolicySettings> {
    return this.#settings;
  }

  /** Every identity with a decision or a limit. */
  get decisions(): Iterable<Readonly<DecisionRecord>> {
    return this.#decisions.values();
  }

  /** An IPv6 address counts as its /64. */
  get bannedIps(): Iterable<string> {
    return this.#bannedIps.keys();
  }

  /** How many `decisions` there are. */
  get decided(): number {
    return this.#decisions.size;
  }

  /** How many `bannedIps` there are. */
  get banned(): number {
    return this.#bannedIps.size;
  }

  decisionOn(key: string): Readonly<DecisionRecord> | undefined {
    return this.#decisions.get(key);
  }

  /** Whether the identity is denied or banned. */
  isRejected(key: string): boolean {
    const decision = this.#decisions.get(key);
    return decision !== undefined && (decision.denied || decision.banned);
  }

  /** Whether connections are routed to this identity and its sessions admitted. */
  mayServe(key: string): boolean {
    if (this.isRejected(key)) return false;
    return this.#settings.approvalMode === 'auto' || this.#decisions.get(key)?.approved === true;
  }

  /** Bytes per second of all the identity's connections together; undefined without a limit. */
  bps(key: string): number | undefined {
    return this.#decisions.get(key)?.bps;
  }

  /** @param ip in canonical spelling (`parseIp`). A ban applies to the source: for an IPv6 address, its /64 */
  isIpBanned(ip: string): boolean {
    return this.#bannedIps.has(networkOf(ip));
  }

  /** @throws ApiError `lease_rejected` for an identity that was denied or banned */
  assertNotRejected(key: string): void {
    if (!this.isRejected(key)) return;
    throw new ApiError('lease_rejected', 'the operator of this relay refuses this identity', { isFinal: true });
  }

  /** @throws ApiError `lease_rejected`, also for an identity that awaits approval */
  assertMayServe(key: string): void {
    this.assertNotRejected(key);
    if (!this.mayServe(key)) {
      throw new ApiError('lease_rejected', 'the operator of this relay has yet to approve this identity');
    }
  }

  /** @throws ApiError `ip_banned` */
  assertIpAllowed(ip: string): void {
    if (this.isIpBanned(ip)) throw new ApiError('ip_banned', 'the operator of this relay has banned this address');
  }

  /** @throws ApiError `invalid_request` when there are already too many identities with decisions */
  async decide(decision: Decision, identity: LeaseIdentity, by: Actor): Promise<void> {
    await this.#decide(decision, identity, () => decisions[decision], by);
  }

  /** @param bps undefined lifts the limit @throws ApiError `invalid_request`, as `decide` does */
  async limit(identity: LeaseIdentity, bps: number | undefined, by: Actor): Promise<void> {
    await this.#decide(bps === undefined ? 'removeLeaseBps' : 'setLeaseBps', identity, () => ({ bps }), by, bps);
  }

  /** @throws ApiError `invalid_request` when too many addresses are already banned */
  async setIpBan(ip: string, banned: boolean, by: Actor): Promise<void> {
    const source = networkOf(ip);
    const what = { action: banned ? 'banIp' : 'unbanIp', target: source };
    await this.#inTurn(async () => {
      const kept = this.#bannedIps.get(source);
      if (banned && !kept && this.#bannedIps.size >= maxBannedIps)
        throw new ApiError('invalid_request', `at most ${maxBannedIps} addresses can be banned`);
      for (const each of banned ? [source] : (kept ?? [source]))
        await this.#keep({ kind: 'ip', ip: each, banned }, by, what);
    });
  }

  async setLandingPage(enabled: boolean, by: Actor): Promise<void> {
    await this.#set('setLandingPage', { landingPageEnabled: enabled }, by);
  }

  async setApprovalMode(mode: PolicySettings['approvalMode'], by: Actor): Promise<void> {
    await this.#set('setApprovalMode', { approvalMode: mode }, by);
  }

  async setUdp({ enabled, maxLeases }: PortSettingsChange, by: Actor): Promise<void> {
    await this.#set('setUdpSettings', { udpEnabled: enabled, udpMaxLeases: maxLeases }, by);
  }

  async setTcpPort({ enabled, maxLeases }: PortSettingsChange, by: Actor): Promise<void> {
    await this.#set('setTcpPortSettings', { tcpPortEnabled: enabled, tcpPortMaxLeases: maxLeases }, by);
  }

  async #set(action: string, wanted: SettingsRecord, by: Actor): Promise<void> {
    const values = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
    await this.#inTurn(async () => {
      await this.#keep({ kind: 'settings', values }, by, { action, value: values });
    });
  }

  async #decide(
    action: string,
    { name, address }: LeaseIdentity,
    patch: () => Partial<DecisionRecord>,
    by: Actor,
    value?: unknown,
  ): Promise<void> {
    const key = identityKey({ name, address });
    await this.#inTurn(async () => {
      const before = this.#decisions.get(key);
      if (!before && this.#decisions.size >= maxDecisions)
        throw new ApiError('invalid_request', `at most ${maxDecisions} identities can have a decision`);
      const changed = patch();
      const decision = { name, address, approved: false, denied: false, banned: false, ...before, ...changed };
      await this.#keep({ kind: 'decision', decision, patch: changed }, by, { action, target: key, value });
    });
  }

  /** Stores a change, which then takes effect. */
  async #keep(change: PolicyChange, by: Actor, what: Pick<AuditEntry, 'action' | 'target' | 'value'>): Promise<void> {
    const entry: AuditEntry = { at: Date.now(), wallet: by.wallet, ip: by.ip, ...what, result: 'done' };
    const made = await this.store.changePolicy(change, entry);
    this.apply(made.change, made.revision);
  }

  /**
   * Lets a stored change take effect, unless what is known is newer.
   * @param revision of a shared store, where another node may have made it
   */
  apply(change: PolicyChange, revision: number): void {
    if (change.kind === 'settings') {
      const values = Object.entries(change.values).filter(([name, value]) =>
        this.#isNew(settingOf(name), { kind: 'settings', values: { [name]: value as never } }, revision),
      );
      if (values.length === 0) return;
      this.#settings = changedSettings(this.#settings, Object.fromEntries(values));
      this.emit('settings', this.#settings);
    } else if (this.#isNew(subjectsOf(change)[0]!, change, revision)) {
      if (change.kind === 'ip') this.#applyIpBan(change.ip, change.banned);
      else this.#applyDecision(identityKey(change.decision), change.decision);
    }
  }

  #isNew(about: string, change: PolicyChange, revision: number): boolean {
    if (revision === 0) return true;
    if (revision <= (this.#known.get(about)?.revision ?? 0)) return false;
    this.#known.set(about, { change, revision });
    return true;
  }

  #applyIpBan(ip: string, banned: boolean): void {
    const source = networkOf(ip);
    const kept = (this.#bannedIps.get(source) ?? []).filter((each) => each !== ip);
    if (banned) kept.push(ip);
    if (kept.length > 0) this.#bannedIps.set(source, kept);
    else this.#bannedIps.delete(source);
    this.emit('ip', source, kept.length > 0);
  }

  #applyDecision(key: string, decision: DecisionRecord): void {
    const before = this.#decisions.get(key);
    const { approved, denied, banned, bps } = decision;
    if (approved || denied || banned || bps !== undefined) this.#decisions.set(key, decision);
    else this.#decisions.delete(key);
    this.emit('standing', key);
    if (bps !== before?.bps) this.emit('bps', key, bps);
  }

  /** Reads again what a shared store has, where changes were missed, and writes again what it has lost. */
  async reload(): Promise<void> {
    await this.#changes.run(async () => {
      const stored = new Map<string, number>();
      for (const { change, revision } of await this.store.loadPolicy()) {
        for (const about of subjectsOf(change)) stored.set(about, revision);
        this.apply(change, revision);
      }
      for (const [about, { change, revision }] of [...this.#known]) {
        if ((stored.get(about) ?? 0) >= revision) continue;
        const made = await this.store.changePolicy(change);
        this.apply(made.change, made.revision);
      }
    });
  }

  /** Settles once the change is in effect and in the audit log. */
  async #inTurn(change: () => Promise<void>): Promise<void> {
    await this.#changes.run(change);
    await this.audit.flush();
  }
}

const settingOf = (name: string) => `setting ${name}`;

/** What a change is about. */
function subjectsOf(change: PolicyChange): string[] {
  if (change.kind === 'settings') return Object.keys(change.values).map(settingOf);
  return [change.kind === 'ip' ? `ip ${change.ip}` : `identity ${identityKey(change.decision)}`];
}
