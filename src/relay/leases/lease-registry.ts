import { randomBytes } from 'node:crypto';
import { ApiError } from '../../contract/index.js';
import { repeat } from '../../util/boundary.js';
import { type LeaseTable, leaseWeight } from './lease-table.js';
import { defaultLeaseTtlSeconds } from './lease.js';
import type { LeasePorts, PortsHold, RequestedPorts } from '../ports/lease-ports.js';
import { RateLimit } from '../../http-api/rate-limit.js';
import type { Policy } from '../policy/policy.js';
import {
  LeaseChangedError,
  type LeaseRecord,
  type Metadata,
  nameReservationMs,
  PortTakenError,
  type SharedStore,
  type Store,
  StoreUnavailableError,
} from '../store/store.js';
import { KeyedMutex } from '../../util/mutex.js';
import type { AccessTokenClaims } from '../auth/tokens.js';
import { type LeaseIdentity, identityKey } from '../../contract/lease-identity.js';
import { type Holding, type Lease, isDomain, knownMetadata } from './lease.js';
import { expiryOf, maxMembers, memberId, newGroup, withMember, withoutMember } from './lease-group.js';
import type { Hop } from './hop.js';
import { leaseFromRecord, recordFromLease } from './lease-record.js';

/** How often a change is made again, on top of what another node has changed meanwhile. */
const maxAttempts = 8;
const leaseSweepIntervalMs = 1_000;
const renewalBurst = 20;
/** By lease, and by tunnel of a group. */
const renewalsPerSecond = 1;

/** `rejected`: the identity was denied or banned; `disproven`: its domain names it no longer. */
export type LeaseEnding = 'unregistered' | 'replaced' | 'expired' | 'rejected' | 'disproven';

export interface LeaseTerms {
  identity: LeaseIdentity;
  ttlSeconds: number;
  metadata: Metadata;
  ports: RequestedPorts;
  /** Name of the group of tunnels that share the lease. */
  group?: string | undefined;
  ownCertificate: boolean;
  sessionWaitSeconds: number;
  hop?: Hop | undefined;
  /** For a domain: the addresses that it names, in lower case. */
  proven?: ReadonlySet<string> | undefined;
  clientIp: string;
  reportedIp?: string | undefined;
}

export interface LeaseRegistryOptions {
  rootHost: string;
  /** Other names of the relay itself. */
  apiHosts: readonly string[];
  maxTtlSeconds: number;
  /** Reserved names. */
  reservedNames: ReadonlySet<string>;
  /** Filled here; routing reads it. */
  table: LeaseTable;
  policy: Pick<Policy, 'assertNotRejected'>;
  store: Store;
  /** Present where other nodes change leases, too. */
  shared?: SharedStore | undefined;
  ports: LeasePorts;
  onEnded(lease: Lease, ending: LeaseEnding): void;
  /** One of several tunnels has left; the lease goes on. */
  onMemberEnded(lease: Lease, member: string, ending: LeaseEnding): void;
  /** Called when the store fails. */
  onFault(error: unknown): void;
}

interface Reservation {
  key: string;
  lease: Lease;
  until: number;
}

/**
 * Which identity holds which hostname. A hostname has one owner. Reads come from memory, and nothing is acknowledged
 * before the store has it.
 */
export class LeaseRegistry {
  readonly #options: LeaseRegistryOptions;
  readonly #table: LeaseTable;
  readonly #shared: SharedStore | undefined;
  /** Reserved hostnames, each with its last lease and the end of the reservation in milliseconds. */
  readonly #reserved = new Map<string, Reservation>();
  /** Serializes changes of one hostname. */
  readonly #byHostname = new KeyedMutex();
  readonly #renewals = new RateLimit(renewalBurst, renewalsPerSecond);
  #sweeper: NodeJS.Timeout | undefined;
  /** Leases renewed in memory while the store failed; written once the store works again. */
  readonly #unwritten = new Set<Lease>();
  #rewriting = false;

  constructor(options: LeaseRegistryOptions) {
    this.#options = options;
    this.#table = options.table;
    this.#shared = options.shared;
  }

  /** The clock that decides expiry. */
  #now(): number {
    return this.#shared?.now() ?? Date.now();
  }

  /** Restores the leases that were alive at the last write, each for one new TTL, and starts expiring leases. */
  async start(freshTtlSeconds: number): Promise<void> {
    if (this.#shared) {
      await this.#options.ports.start(() => undefined);
      await this.reload();
    } else await this.#restore(freshTtlSeconds);
    this.#sweeper = repeat('lease sweep', () => this.#sweep(this.#now()), leaseSweepIntervalMs);
  }

  async #restore(freshTtlSeconds: number): Promise<void> {
    const now = this.#now();
    const { leases, lastWriteAt } = await this.#options.store.loadLeases();
    const alive: Lease[] = [];
    for (const record of leases) {
      const lease = leaseFromRecord(record);
      if (record.expiresAt <= lastWriteAt) this.#reserve(lease, record.expiresAt + nameReservationMs);
      else {
        const fresh = wholeSeconds(now, freshTtlSeconds);
        for (const member of lease.group?.members.values() ?? []) member.expiresAt = Math.max(member.expiresAt, fresh);
        alive.push({ ...lease, expiresAt: Math.max(lease.expiresAt, fresh) });
      }
    }
    await this.#options.store.putLeases(alive.map(recordFromLease), now);
    const byKey = new Map(alive.map((lease) => [identityKey(lease.identity), lease]));
    await this.#options.ports.start((key) => byKey.get(key));
    for (const [key, lease] of byKey) {
      this.#table.add({
        ...lease,
        tcpPort: this.#options.ports.tcp.blockOf(key)?.first,
        udpPorts: this.#options.ports.udp.blockOf(key),
      });
    }
  }

  /** Reads what other nodes have written, and writes again what a shared store has lost. */
  async reload(): Promise<void> {
    const { leases } = await this.#options.store.loadLeases();
    const records = new Map(leases.map((record) => [record.hostname, record]));
    for (const record of leases) await this.apply(record);
    for (const lease of [...this.#table.all()]) {
      const { hostname, revision = 0 } = lease;
      const record = records.get(hostname);
      if (record !== undefined && (record.revision ?? 0) >= revision) continue;
      await this.#byHostname.run(hostname, async () => {
        // Written meanwhile, or ended.
        if (this.#table.held(hostname) !== lease || lease.revision !== revision) return;
        lease.revision = record?.revision;
        await this.#upToDate(hostname, async () => {
          if (this.#table.held(hostname) === lease)
            await this.#put(lease).catch((error: unknown) => this.#lost(lease, error));
        });
      });
    }
  }

  /**
   * The port of a lease was given to another one, after the store had lost it: so the lease is over.
   * @returns that nothing is left to write
   * @throws any other error
   */
  #lost(lease: Lease, error: unknown): true {
    if (!(error instanceof PortTakenError)) throw error;
    if (this.#table.held(lease.hostname) === lease) {
      this.#remove(lease);
      this.#end(lease, 'expired');
    }
    return true;
  }

  /** Takes over what another node has written, unless it is known already. */
  async apply(record: LeaseRecord): Promise<void> {
    await this.#byHostname.run(record.hostname, () => {
      if ((record.revision ?? 0) > this.#revisionOf(record.hostname)) this.#takeOver(record.hostname, record);
    });
  }

  /** Looks at what other nodes have just written of a name. @returns whether there is a store to look at */
  async refresh(name: string): Promise<boolean> {
    if (!this.#shared?.isUp) return false;
    const record = await this.#shared.readLease(this.hostnameOf(name));
    if (record) await this.apply(record);
    return true;
  }

  /** Called within the hostname's mutex. @param record what the store has; undefined for nothing */
  #takeOver(hostname: string, record: LeaseRecord | undefined): void {
    const held = this.#table.held(hostname);
    const now = this.#now();
    if (record === undefined && held && this.#isLive(held, now)) {
      // It keeps what ends for longer than a node serves what it cannot renew there: so it was lost.
      held.revision = 0;
      return;
    }
    this.#reserved.delete(hostname);
    const lease = record && leaseFromRecord(record);
    const isLive = lease !== undefined && !lease.ended && this.#isLive(lease, now);
    if (held && isLive && held.generation === lease.generation) return this.#refreshed(held, lease);
    if (held) this.#remove(held);
    if (isLive) this.#table.add(lease);
    else if (lease) this.#reserve(lease, record.keptUntil ?? lease.expiresAt + nameReservationMs);
    if (lease?.tcpPort !== undefined) this.#takeOverPort(lease, lease.tcpPort, isLive);
    if (held) this.#end(held, isLive ? 'replaced' : 'unregistered');
  }

  #takeOverPort({ identity, hostname, generation }: Lease, port: number, isLive: boolean): void {
    const { tcp } = this.#options.ports;
    const block = { first: port, count: 1 };
    if (isLive) tcp.adopt(identityKey(identity), hostname, block, generation);
    else tcp.keep(identityKey(identity), block, this.#reserved.get(hostname)!.until);
  }

  /** Takes over a renewal, or a change of its group, that another node has written. */
  #refreshed(held: Lease, { group, ...changed }: Lease): void {
    // Renewed here while the store was away: that is written yet.
    const isAhead = this.#unwritten.has(held) && held.expiresAt > changed.expiresAt;
    const { expiresAt, tokenExpiresAt } = held;
    const members = held.group?.members;
    for (const member of [...(members?.keys() ?? [])])
      if (!isAhead && !group?.members.has(member)) this.#endMember(held, member, 'unregistered');
    for (const [member, terms] of group?.members ?? [])
      if (!isAhead || !members?.has(member)) members?.set(member, terms);
    Object.assign(held, changed, isAhead ? { expiresAt, tokenExpiresAt } : {});
  }

  /** The revision of what this node knows of a hostname. */
  #revisionOf(hostname: string): number {
    return (this.#table.held(hostname) ?? this.#reserved.get(hostname)?.lease)?.revision ?? 0;
  }

  /** Whether its time is not over, as far as that is certain. */
  #isLive({ expiresAt }: { expiresAt: number }, now: number): boolean {
    return expiresAt + this.#table.graceMs() > now;
  }

  /** Makes a change again, on top of what another node has written meanwhile. Called within the hostname's mutex. */
  async #upToDate<Result>(hostname: string, change: () => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await change();
      } catch (error) {
        const isPort = error instanceof PortTakenError;
        if (isPort && attempt === maxAttempts)
          throw new ApiError('tcp_port_exhausted', error.message, { cause: error });
        if (!(isPort || error instanceof LeaseChangedError) || attempt === maxAttempts) throw error;
        // Of a port that was taken, another one is tried.
        if (!isPort) this.#takeOver(hostname, error.current);
      }
    }
  }

  /** Serializes a change with others of its hostname, in this process and in others. */
  async #change<Result>(hostname: string, change: () => Promise<Result>): Promise<Result> {
    return await this.#byHostname.run(hostname, () => this.#upToDate(hostname, change)).catch(storeFault);
  }

  /** Writes a lease that is held, or will be. */
  async #put(lease: Lease, now = this.#now()): Promise<void> {
    const { expiresAt } = lease;
    lease.revision = await this.#options.store.putLease(recordFromLease(lease), now);
    lease.storedUntil = expiresAt;
  }

  /** @param cut whether connections by ports of leases end, too */
  stop(cut = true): void {
    clearInterval(this.#sweeper);
    this.#options.ports.stop(cut);
  }

  get size(): number {
    return this.#table.size;
  }

  hostnameOf(name: string): string {
    return isDomain(name) ? name : `${name}.${this.#options.rootHost}`;
  }

  /** The live lease of a hostname, if there is one. */
  at(hostname: string, now = this.#now()): Lease | undefined {
    return this.#table.at(hostname, now);
  }

  /** All live leases. */
  live(): Iterable<Lease> {
    return this.#table.live();
  }

  /**
   * @param proven the addresses that a domain names; without them its owner is not looked at
   * @throws ApiError `lease_rejected` for an identity that was denied or banned, `hostname_conflict` while the name
   * is held by or reserved for another identity, or reserved by configuration, `invalid_request` for a domain that is
   * the relay's
   */
  assertFree(identity: LeaseIdentity, proven?: ReadonlySet<string>, now = this.#now()): void {
    const hostname = this.hostnameOf(identity.name);
    const { rootHost, apiHosts } = this.#options;
    if (
      isDomain(hostname) &&
      isDomain(identity.name) &&
      (`.${hostname}`.endsWith(`.${rootHost}`) || apiHosts.includes(hostname))
    )
      throw new ApiError(
        'invalid_request',
        `${hostname} is the relay's own: for a name under ${rootHost} give its first label`,
      );
    if (this.#options.reservedNames.has(identity.name)) {
      throw new ApiError('hostname_conflict', `${hostname} is reserved by the operator of this relay`);
    }
    const key = identityKey(identity);
    this.#options.policy.assertNotRejected(key);
    const held = this.#table.held(hostname);
    if (held) this.#endIfExpired(held, now);
    const reserved = this.#reserved.get(hostname);
    const owner = this.at(hostname, now);
    const ownerKey = owner ? identityKey(owner.identity) : reserved && reserved.until > now ? reserved.key : key;
    // A domain is its owner's as long as it names the owner.
    const isHeld = !isDomain(identity.name) || proven?.has(ownerKey.slice(ownerKey.indexOf(':') + 1)) === true;
    if (ownerKey !== key && isHeld) {
      throw new ApiError('hostname_conflict', `${hostname} belongs to another identity`);
    }
  }

  /**
   * Takes the hostname, joins the identity's own lease on it if both are of the same group, or replaces that.
   * @throws ApiError `lease_rejected`, `hostname_conflict`, `rate_limited`, `invalid_request` when the group has other
   * ports, and what `LeasePorts.take` throws
   */
  async register(terms: LeaseTerms): Promise<Holding> {
    const hostname = this.hostnameOf(terms.identity.name);
    return await this.#change(hostname, async () => {
      this.assertFree(terms.identity, terms.proven);
      if (this.#isTokenTaken(terms, hostname)) throw tokenTaken();
      const shared = this.at(hostname);
      const isOwn = shared?.identity.address === terms.identity.address;
      if (isOwn && terms.group !== undefined && shared.group?.name === terms.group)
        return await this.#join(shared, terms);
      this.#assertRoom(terms, this.#now());
      const ports = await this.#options.ports.take(identityKey(terms.identity), hostname, terms.ports);
      const lease = this.#leaseOf(terms, ports);
      try {
        // The limit may have been reached while this waited for a port.
        this.#assertRoom(terms, lease.lastSeenAt);
        await this.#write(lease);
        if (this.#isTokenTaken(terms, hostname)) {
          await this.#options.store.deleteLease(recordFromLease(lease), lease.lastSeenAt);
          throw tokenTaken();
        }
      } catch (error) {
        ports.rollback();
        if (error instanceof PortTakenError) this.#options.ports.tcp.avoid({ first: lease.tcpPort!, count: 1 });
        throw error;
      }
      ports.commit(lease.generation);
      // The earlier lease may have ended while this waited for a port.
      const earlier = this.#table.held(hostname);
      if (earlier) this.#remove(earlier);
      this.#table.add(lease);
      this.#reserved.delete(hostname);
      if (earlier) this.#end(earlier, 'replaced');
      return { lease, member: lease.group?.members.keys().next().value };
    });
  }

  /** Whether a lease of another hostname accepts the same token from another relay. */
  #isTokenTaken({ hop }: LeaseTerms, hostname: string): boolean {
    const holder = hop?.accepts === undefined ? undefined : this.#table.heldHop(hop.accepts);
    return holder !== undefined && holder.hostname !== hostname;
  }

  /** Adds a tunnel to the lease of its group. Called within the hostname's mutex. */
  async #join(lease: Lease, terms: LeaseTerms): Promise<Holding> {
    const { tcp } = terms.ports;
    const hasPort = lease.tcpPort === undefined ? !tcp : tcp && (tcp.number ?? lease.tcpPort) === lease.tcpPort;
    if (!hasPort)
      throw new ApiError('invalid_request', 'the other tunnels of the group have another choice of TCP port');
    if (lease.ownCertificate !== terms.ownCertificate)
      throw new ApiError('invalid_request', 'the other tunnels of the group have another choice of own_certificate');
    if (lease.group!.members.size >= maxMembers) this.#endExpiredMembers(lease, this.#now());
    if (lease.group!.members.size >= maxMembers)
      throw new ApiError('rate_limited', `the group has ${maxMembers} tunnels`, { retryAfterSeconds: 5 });
    const now = this.#now();
    const member = memberId();
    const expiresAt = wholeSeconds(now, this.#ttl(terms.ttlSeconds));
    const joined: Lease = {
      ...withMember(lease, member, expiresAt),
      metadata: terms.metadata,
      sessionWaitSeconds: terms.sessionWaitSeconds,
      lastSeenAt: now,
      clientIp: terms.clientIp,
      reportedIp: terms.reportedIp ?? lease.reportedIp,
    };
    await this.#put(joined, now);
    // It may have ended, or the identity may have been banned, while the store wrote.
    this.#options.policy.assertNotRejected(identityKey(lease.identity));
    this.assertCurrent(lease, now);
    this.#update(lease, joined, member);
    return { lease, member };
  }

  /**
   * Takes over what has been written.
   * @param member who of the group has called; others may have left meanwhile
   */
  #update(lease: Lease, { group, ...changed }: Lease, member: string | undefined): void {
    Object.assign(lease, changed);
    const renewed = group?.members.get(member ?? '');
    if (member === undefined || renewed === undefined) return;
    lease.group?.members.set(member, renewed);
    Object.assign(lease, expiryOf(lease));
  }

  async #write(lease: Lease): Promise<void> {
    await this.#put(lease, lease.lastSeenAt);
    try {
      // The identity may have been banned while the store wrote.
      this.#options.policy.assertNotRejected(identityKey(lease.identity));
    } catch (error) {
      await this.#options.store.deleteLease(recordFromLease(lease), lease.lastSeenAt);
      throw error;
    }
  }

  #leaseOf(terms: LeaseTerms, ports: PortsHold): Lease {
    const { identity, ttlSeconds, metadata, group, ownCertificate, sessionWaitSeconds, hop, clientIp, reportedIp } =
      terms;
    const now = this.#now();
    const hostname = this.hostnameOf(identity.name);
    const earlier = this.#table.held(hostname);
    const expiresAt = wholeSeconds(now, this.#ttl(ttlSeconds));
    return {
      identity,
      hostname,
      revision: this.#revisionOf(hostname),
      generation: randomBytes(12).toString('base64url'),
      expiresAt,
      tokenExpiresAt: expiresAt,
      metadata,
      tcpPort: ports.tcpPort,
      udpPorts: ports.udpPorts,
      group: group === undefined ? undefined : newGroup(group, expiresAt),
      ownCertificate,
      hop,
      sessionWaitSeconds,
      firstSeenAt: earlier && identityKey(earlier.identity) === identityKey(identity) ? earlier.firstSeenAt : now,
      lastSeenAt: now,
      registeredFrom: clientIp,
      clientIp,
      reportedIp,
    };
  }

  /**
   * Extends the lease; in memory alone while the store is away. @throws ApiError `lease_not_found`, `hostname_conflict` when it ended meanwhile,
   * `rate_limited`
   */
  async renew(
    { lease, member }: Holding,
    terms: { ttlSeconds: number; metadata?: Metadata | undefined; clientIp: string; reportedIp?: string | undefined },
  ): Promise<void> {
    this.#renewals.take(member === undefined ? lease.hostname : `${lease.hostname} ${member}`);
    await this.#change(lease.hostname, async () => {
      const now = this.#now();
      this.#assertHeld({ lease, member }, now);
      const expiresAt = wholeSeconds(now, this.#ttl(terms.ttlSeconds));
      const renewed: Lease = {
        ...withMember(lease, member, expiresAt),
        metadata: terms.metadata ? knownMetadata(terms.metadata) : lease.metadata,
        lastSeenAt: now,
        clientIp: terms.clientIp,
        reportedIp: terms.reportedIp ?? lease.reportedIp,
      };
      const isWritten = await this.#tryWrite(renewed, now).catch((error: unknown) => this.#lost(lease, error));
      // The lease may have ended while the store wrote.
      this.#assertHeld({ lease, member }, now);
      this.#update(lease, renewed, member);
      if (isWritten) this.#unwritten.delete(lease);
      else this.#unwritten.add(lease);
    });
  }

  /** Number of live leases renewed while the store failed and not written yet. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** A lease in use must not end because the disk is full. Only the first fault of an outage is reported. */
  async #tryWrite(lease: Lease, now: number): Promise<boolean> {
    try {
      await this.#put(lease, now);
      return true;
    } catch (error) {
      if (error instanceof LeaseChangedError || error instanceof PortTakenError) throw error;
      if (this.#unwritten.size === 0) this.#options.onFault(error);
      return false;
    }
  }

  /** Writes the pending leases, until a write fails again. */
  async #rewrite(): Promise<void> {
    if (this.#rewriting) return;
    this.#rewriting = true;
    try {
      for (const lease of this.#unwritten) {
        const isDone = await this.#change(lease.hostname, async () => {
          if (this.#table.held(lease.hostname) !== lease) return true;
          return await this.#tryWrite(lease, this.#now()).catch((error: unknown) => this.#lost(lease, error));
        });
        if (!isDone) return;
        this.#unwritten.delete(lease);
      }
    } finally {
      this.#rewriting = false;
    }
  }

  /** Releases the hostname at once, without a reservation; of a group only a tunnel's own part, unless it is the last. */
  async unregister({ lease, member }: Holding): Promise<void> {
    await this.#change(lease.hostname, async () => {
      const now = this.#now();
      this.#assertHeld({ lease, member }, now);
      this.#endExpiredMembers(lease, now);
      if (member !== undefined && lease.group !== undefined && lease.group.members.size > 1) {
        const remaining = withoutMember(lease, member);
        await this.#put(remaining, now).catch((error: unknown) => this.#lost(lease, error));
        if (this.#table.held(lease.hostname) !== lease) return;
        const { revision, storedUntil } = remaining;
        Object.assign(lease, { revision, storedUntil });
        this.#endMember(lease, member, 'unregistered');
        return;
      }
      await this.#delete(lease, now).catch((error: unknown) => this.#lost(lease, error));
      if (this.#table.held(lease.hostname) !== lease) return;
      this.#remove(lease);
      this.#end(lease, 'unregistered');
    });
  }

  /** A shared store keeps the name for its identity for a while: other nodes may not have heard that it is free. */
  async #delete(lease: Lease, now: number): Promise<void> {
    const until = Math.max(lease.expiresAt, now) + nameReservationMs;
    lease.revision = await this.#options.store.deleteLease(recordFromLease(lease), now);
    if (this.#shared) this.#reserve(lease, until);
  }

  /**
   * Ends the lease of a denied or banned identity at once; the store is updated afterwards. The name stays reserved
   * as after an expiry, so that the identity gets it back when the decision is lifted.
   */
  reject(lease: Lease, now = this.#now()): void {
    const { hostname } = lease;
    if (this.#table.held(hostname) !== lease) return;
    this.#remove(lease);
    const ended: Lease = { ...lease, expiresAt: now, ended: true };
    const until = now + nameReservationMs;
    this.#reserve(ended, until);
    this.#end(lease, 'rejected');
    this.#change(hostname, async () => {
      // Written meanwhile by another node, which has heard of the decision, too.
      if (this.#reserved.get(hostname)?.lease === ended) await this.#put(ended, now);
    }).catch(this.#options.onFault);
  }

  /** Ends the lease of a domain that no longer names its identity. Nobody has it reserved. */
  disprove(lease: Lease, now = this.#now()): void {
    const { hostname, revision } = lease;
    if (this.#table.held(hostname) !== lease) return;
    this.#remove(lease);
    this.#end(lease, 'disproven');
    this.#change(hostname, async () => {
      if (this.#table.held(hostname) === undefined && this.#revisionOf(hostname) <= (revision ?? 0))
        await this.#delete(lease, now);
    }).catch(this.#options.onFault);
  }

  /**
   * The live lease of a token's claims.
   * @throws ApiError `lease_not_found` when it is gone or the token has expired, `hostname_conflict` when the
   * identity has registered again since
   */
  forToken(claims: AccessTokenClaims, now = this.#now()): Lease {
    const name = claims.identityKey.slice(0, claims.identityKey.indexOf(':'));
    const lease = this.at(this.hostnameOf(name), now);
    if (!lease || identityKey(lease.identity) !== claims.identityKey) throw notFound();
    if (lease.generation !== claims.generation) throw superseded();
    const holder = lease.group ? lease.group.members.get(claims.member ?? '') : lease;
    if (!holder || !this.#isLive(holder, now)) throw notFound();
    // The last token has its holder's expiry.
    if (claims.expiresAt <= now && claims.expiresAt < holder.tokenExpiresAt) throw notFound();
    return lease;
  }

  /** @throws ApiError as `assertCurrent`, and `lease_not_found` for a tunnel that has left its group */
  #assertHeld({ lease, member }: Holding, now: number): void {
    this.assertCurrent(lease, now);
    if (lease.group && !lease.group.members.has(member ?? '')) throw notFound();
  }

  /** Whether the claims are of an identity's live registration. */
  isCurrent({ identityKey: key, generation }: Pick<AccessTokenClaims, 'identityKey' | 'generation'>): boolean {
    const lease = this.at(this.hostnameOf(key.slice(0, Math.max(key.indexOf(':'), 0))));
    return lease !== undefined && identityKey(lease.identity) === key && lease.generation === generation;
  }

  /** @throws ApiError `lease_not_found`, or `hostname_conflict` when the identity has registered again since */
  assertCurrent(lease: Lease, now = this.#now()): void {
    const held = this.at(lease.hostname, now);
    if (!held) throw notFound();
    if (held.generation !== lease.generation) throw superseded();
  }

  /** What the registration would add to the counts: nothing where it replaces a lease with as many UDP ports. */
  #addedWeight({ identity, ports: { udp } }: LeaseTerms): number {
    const earlier = this.#table.held(this.hostnameOf(identity.name));
    const isOwn = earlier?.identity.address === identity.address;
    return leaseWeight(udp ? (udp.count ?? 1) : 0) - (isOwn ? leaseWeight(earlier.udpPorts?.count) : 0);
  }

  #assertRoom(terms: LeaseTerms, now: number): void {
    const full = () => {
      const added = this.#addedWeight(terms);
      return added > 0 && this.#table.isFull(terms.clientIp, terms.identity.address, added);
    };
    if (full()) this.#sweep(now);
    if (full()) throw new ApiError('rate_limited', 'too many leases', { retryAfterSeconds: defaultLeaseTtlSeconds });
  }

  #remove(lease: Lease): void {
    this.#unwritten.delete(lease);
    this.#table.remove(lease);
  }

  #ttl(seconds: number): number {
    return Math.min(seconds, this.#options.maxTtlSeconds);
  }

  #sweep(now: number): void {
    if (this.#unwritten.size > 0) this.#rewrite().catch(this.#options.onFault);
    for (const lease of this.#table.all()) {
      this.#endIfExpired(lease, now);
      this.#endIfForgotten(lease, now);
      if (lease.group !== undefined && this.#isLive(lease, now)) this.#endExpiredMembers(lease, now);
    }
    for (const [hostname, reserved] of this.#reserved) {
      if (reserved.until > now) continue;
      this.#reserved.delete(hostname);
      // A shared store does this by its own clock.
      if (!this.#shared)
        this.#options.store.deleteLease(recordFromLease(reserved.lease), now).catch(this.#options.onFault);
    }
  }

  /** Renewed here alone for so long that another identity can have the name at other nodes, which this one cannot hear of. */
  #endIfForgotten(lease: Lease, now: number): void {
    const { storedUntil = lease.expiresAt } = lease;
    if (!this.#shared || this.#table.held(lease.hostname) !== lease || storedUntil + nameReservationMs > now) return;
    this.#remove(lease);
    this.#end(lease, 'expired');
  }

  #endIfExpired(lease: Lease, now: number): void {
    if (this.#isLive(lease, now)) return;
    this.#remove(lease);
    this.#reserve(lease, lease.expiresAt + nameReservationMs);
    this.#end(lease, 'expired');
  }

  #endExpiredMembers(lease: Lease, now: number): void {
    for (const [member, terms] of lease.group?.members ?? [])
      if (!this.#isLive(terms, now)) this.#endMember(lease, member, 'expired');
  }

  /** The lease lasts as long as the members that remain, of which there is one. */
  #endMember(lease: Lease, member: string, ending: LeaseEnding): void {
    lease.group?.members.delete(member);
    Object.assign(lease, expiryOf(lease));
    this.#options.onMemberEnded(lease, member, ending);
  }

  #end(lease: Lease, ending: LeaseEnding): void {
    this.#options.onEnded(lease, ending);
    this.#options.ports.free(identityKey(lease.identity), lease.generation);
  }

  #reserve(lease: Lease, until: number): void {
    this.#reserved.set(lease.hostname, { key: identityKey(lease.identity), lease, until });
  }
}

/** Tunnels wait, as for any relay that is briefly unavailable. @throws ApiError `rate_limited` when the store is away; what it is given */
export function storeFault(error: unknown): never {
  const isTransient = error instanceof StoreUnavailableError || error instanceof LeaseChangedError;
  if (!isTransient) throw error;
  throw new ApiError('rate_limited', 'the store of this relay is away', { retryAfterSeconds: 2, cause: error });
}

const superseded = () =>
  new ApiError('hostname_conflict', 'this identity has registered again: the token is superseded');
const tokenTaken = () =>
  new ApiError('invalid_request', 'another lease has this hop.accept.token: choose 32 random bytes');
const notFound = () => new ApiError('lease_not_found', 'the lease has expired or was given back');

/** Expiries are whole seconds, like a token's `exp`. */
function wholeSeconds(now: number, ttlSeconds: number): number {
  return Math.floor(now / 1000 + ttlSeconds) * 1000;
}
