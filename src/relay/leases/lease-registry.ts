import { randomBytes } from 'node:crypto';
import { ApiError } from '../../contract/index.js';
import { repeat } from '../../util/boundary.js';
import type { LeaseTable } from './lease-table.js';
import { defaultLeaseTtlSeconds } from './lease.js';
import type { LeasePorts, PortsHold, RequestedPorts } from '../ports/lease-ports.js';
import { RateLimit } from '../limiters/rate-limit.js';
import type { Policy } from '../policy/policy.js';
import type { LeaseRecord, Metadata, Store } from '../store/store.js';
import { KeyedMutex } from '../../util/mutex.js';
import type { AccessTokenClaims } from '../auth/tokens.js';
import { type LeaseIdentity, identityKey } from '../../contract/lease-identity.js';
import { type Lease, knownMetadata } from './lease.js';

/** How long an expired name stays reserved for the identity that had it. */
const nameReservationMs = 300_000;
const leaseSweepIntervalMs = 1_000;
const renewalBurst = 20;
/** By lease. */
const renewalsPerSecond = 1;

/** `rejected`: its identity was denied or banned. */
export type LeaseEnding = 'unregistered' | 'replaced' | 'expired' | 'rejected';

export interface LeaseTerms {
  identity: LeaseIdentity;
  ttlSeconds: number;
  metadata: Metadata;
  ports: RequestedPorts;
  clientIp: string;
  reportedIp?: string | undefined;
}

export interface LeaseRegistryOptions {
  rootHost: string;
  maxTtlSeconds: number;
  /** Names that nobody can lease. */
  reservedNames: ReadonlySet<string>;
  /** Filled here, and read by whoever routes. */
  table: LeaseTable;
  policy: Pick<Policy, 'assertNotRejected'>;
  store: Store;
  ports: LeasePorts;
  onEnded(lease: Lease, ending: LeaseEnding): void;
  /** Told when the store fails. */
  onFault(error: unknown): void;
}

/**
 * Who holds which hostname. One hostname has one owner; memory answers, the store remembers. Nothing is
 * acknowledged before the store has it.
 */
export class LeaseRegistry {
  readonly #options: LeaseRegistryOptions;
  readonly #table: LeaseTable;
  /** hostname -> whose it was, and until when (milliseconds) nobody else may take it. */
  readonly #reserved = new Map<string, { key: string; generation: string; until: number }>();
  /** Calls that change one hostname run one after the other. */
  readonly #byHostname = new KeyedMutex();
  readonly #renewals = new RateLimit(renewalBurst, renewalsPerSecond);
  #sweeper: NodeJS.Timeout | undefined;
  /** Renewed in memory while the store failed: written as soon as it can be. */
  readonly #unwritten = new Set<Lease>();
  #rewriting = false;

  constructor(options: LeaseRegistryOptions) {
    this.#options = options;
    this.#table = options.table;
  }

  /** Brings back what was alive at the last write, for one fresh TTL, and starts ending what expires. */
  async start(freshTtlSeconds: number): Promise<void> {
    const now = Date.now();
    const { leases, lastWriteAt } = await this.#options.store.loadLeases();
    const alive: Lease[] = [];
    for (const record of leases) {
      const lease = leaseFromRecord(record);
      if (record.expiresAt <= lastWriteAt) this.#reserve(lease, record.expiresAt);
      else alive.push({ ...lease, expiresAt: Math.max(lease.expiresAt, wholeSeconds(now, freshTtlSeconds)) });
    }
    await this.#options.store.putLeases(alive.map(recordFromLease), now);
    const byKey = new Map(alive.map((lease) => [identityKey(lease.identity), lease]));
    await this.#options.ports.start((key) => byKey.get(key));
    for (const [key, lease] of byKey) {
      this.#table.add({
        ...lease,
        tcpPort: this.#options.ports.tcp.portOf(key),
        udpPort: this.#options.ports.udp.portOf(key),
      });
    }
    this.#sweeper = repeat('lease sweep', () => this.#sweep(Date.now()), leaseSweepIntervalMs);
  }

  stop(): void {
    clearInterval(this.#sweeper);
    this.#options.ports.stop();
  }

  get size(): number {
    return this.#table.size;
  }

  hostnameOf(name: string): string {
    return `${name}.${this.#options.rootHost}`;
  }

  /** The live lease of a hostname, if there is one. */
  at(hostname: string, now = Date.now()): Lease | undefined {
    return this.#table.at(hostname, now);
  }

  /** All live leases. */
  live(): Iterable<Lease> {
    return this.#table.live();
  }

  /**
   * @throws ApiError `lease_rejected` for an identity that was denied or banned, `hostname_conflict` while the name is held
   * by, or kept for, another identity, or for nobody
   */
  assertFree(identity: LeaseIdentity, now = Date.now()): void {
    const hostname = this.hostnameOf(identity.name);
    if (this.#options.reservedNames.has(identity.name)) {
      throw new ApiError('hostname_conflict', `${hostname} is reserved by the operator of this relay`);
    }
    const key = identityKey(identity);
    this.#options.policy.assertNotRejected(key);
    const held = this.#table.held(hostname);
    if (held) this.#endIfExpired(held, now);
    const reserved = this.#reserved.get(hostname);
    const owner = this.at(hostname, now);
    if (owner ? identityKey(owner.identity) !== key : reserved && reserved.until > now && reserved.key !== key) {
      throw new ApiError('hostname_conflict', `${hostname} belongs to another identity`);
    }
  }

  /**
   * Takes the hostname, or replaces the identity's own lease on it.
   * @throws ApiError `lease_rejected`, `hostname_conflict`, `rate_limited`, and what `LeasePorts.take` throws
   */
  async register(terms: LeaseTerms): Promise<Lease> {
    const hostname = this.hostnameOf(terms.identity.name);
    return await this.#byHostname.run(hostname, async () => {
      this.assertFree(terms.identity);
      if (!this.#table.held(hostname)) this.#assertRoom(terms, Date.now());
      const ports = await this.#options.ports.take(identityKey(terms.identity), hostname, terms.ports);
      const lease = this.#leaseOf(terms, ports);
      try {
        // Others may have taken the room while this waited for a port.
        if (!this.#table.held(hostname)) this.#assertRoom(terms, lease.lastSeenAt);
        await this.#write(lease);
      } catch (error) {
        ports.rollback();
        throw error;
      }
      ports.commit(lease.generation);
      // While this waited for a port, the earlier one may have ended by itself.
      const earlier = this.#table.held(hostname);
      if (earlier) this.#remove(earlier);
      this.#table.add(lease);
      this.#reserved.delete(hostname);
      if (earlier) this.#end(earlier, 'replaced');
      return lease;
    });
  }

  async #write(lease: Lease): Promise<void> {
    await this.#options.store.putLeases([recordFromLease(lease)], lease.lastSeenAt);
    try {
      // It may have been decided while the store wrote.
      this.#options.policy.assertNotRejected(identityKey(lease.identity));
    } catch (error) {
      await this.#options.store.deleteLease(lease.hostname, lease.generation, lease.lastSeenAt);
      throw error;
    }
  }

  #leaseOf({ identity, ttlSeconds, metadata, clientIp, reportedIp }: LeaseTerms, ports: PortsHold): Lease {
    const now = Date.now();
    const hostname = this.hostnameOf(identity.name);
    const earlier = this.#table.held(hostname);
    const expiresAt = wholeSeconds(now, this.#ttl(ttlSeconds));
    return {
      identity,
      hostname,
      generation: randomBytes(12).toString('base64url'),
      expiresAt,
      tokenExpiresAt: expiresAt,
      metadata,
      tcpPort: ports.tcpPort,
      udpPort: ports.udpPort,
      firstSeenAt: earlier && identityKey(earlier.identity) === identityKey(identity) ? earlier.firstSeenAt : now,
      lastSeenAt: now,
      registeredFrom: clientIp,
      clientIp,
      reportedIp,
    };
  }

  /** Gives the lease a new expiry. @throws ApiError `lease_not_found`, `hostname_conflict` when it ended meanwhile, `rate_limited` */
  async renew(
    lease: Lease,
    terms: { ttlSeconds: number; metadata?: Metadata | undefined; clientIp: string; reportedIp?: string | undefined },
  ): Promise<void> {
    this.#renewals.take(lease.hostname);
    await this.#byHostname.run(lease.hostname, async () => {
      const now = Date.now();
      this.#assertCurrent(lease, now);
      const expiresAt = wholeSeconds(now, this.#ttl(terms.ttlSeconds));
      const renewed: Lease = {
        ...lease,
        expiresAt,
        tokenExpiresAt: expiresAt,
        metadata: terms.metadata ? knownMetadata(terms.metadata) : lease.metadata,
        lastSeenAt: now,
        clientIp: terms.clientIp,
        reportedIp: terms.reportedIp ?? lease.reportedIp,
      };
      const isWritten = await this.#tryWrite(renewed, now);
      // It may have ended while the store wrote.
      this.#assertCurrent(lease, now);
      Object.assign(lease, renewed);
      if (!isWritten) this.#unwritten.add(lease);
    });
  }

  /** Live leases that were renewed while the store failed, and are not written yet. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** A lease that is served must not end because the disk is full: the store is told of the first fault of an outage. */
  async #tryWrite(lease: Lease, now: number): Promise<boolean> {
    try {
      await this.#options.store.putLeases([recordFromLease(lease)], now);
      return true;
    } catch (error) {
      if (this.#unwritten.size === 0) this.#options.onFault(error);
      return false;
    }
  }

  /** Writes what could not be written, until that fails again. */
  async #rewrite(): Promise<void> {
    if (this.#rewriting) return;
    this.#rewriting = true;
    try {
      for (const lease of this.#unwritten) {
        const isDone = await this.#byHostname.run(lease.hostname, async () => {
          if (this.#table.held(lease.hostname) !== lease) return true;
          return await this.#tryWrite(lease, Date.now());
        });
        if (!isDone) return;
        this.#unwritten.delete(lease);
      }
    } finally {
      this.#rewriting = false;
    }
  }

  /** Gives the hostname back at once, to anybody. */
  async unregister(lease: Lease): Promise<void> {
    await this.#byHostname.run(lease.hostname, async () => {
      const now = Date.now();
      this.#assertCurrent(lease, now);
      await this.#options.store.deleteLease(lease.hostname, lease.generation, now);
      if (this.#table.held(lease.hostname) !== lease) return;
      this.#remove(lease);
      this.#end(lease, 'unregistered');
    });
  }

  /**
   * Ends a lease whose identity was denied or banned, at once: the store follows. Its name stays reserved for it, as after an
   * expiry, so that it comes back to it when the decision is lifted.
   */
  reject(lease: Lease, now = Date.now()): void {
    if (this.#table.held(lease.hostname) !== lease) return;
    this.#remove(lease);
    this.#reserve(lease, now);
    this.#end(lease, 'rejected');
    const ended = recordFromLease({ ...lease, expiresAt: now });
    this.#byHostname
      .run(lease.hostname, () => this.#options.store.putLeases([ended], now))
      .catch(this.#options.onFault);
  }

  /**
   * The live lease that a token stands for.
   * @throws ApiError `lease_not_found` when it is gone or the token has expired, `hostname_conflict` when the same
   * identity has registered again since
   */
  forToken(claims: AccessTokenClaims, now = Date.now()): Lease {
    const name = claims.identityKey.slice(0, claims.identityKey.indexOf(':'));
    const lease = this.at(this.hostnameOf(name), now);
    if (!lease || identityKey(lease.identity) !== claims.identityKey) throw notFound();
    if (lease.generation !== claims.generation) throw superseded();
    // The last token lives as long as the lease does.
    if (claims.expiresAt <= now && claims.expiresAt < lease.tokenExpiresAt) throw notFound();
    return lease;
  }

  /** Whether the claims name the live registration of an identity. */
  isCurrent({ identityKey: key, generation }: Pick<AccessTokenClaims, 'identityKey' | 'generation'>): boolean {
    const lease = this.at(this.hostnameOf(key.slice(0, Math.max(key.indexOf(':'), 0))));
    return lease !== undefined && identityKey(lease.identity) === key && lease.generation === generation;
  }

  #assertCurrent(lease: Lease, now: number): void {
    const held = this.at(lease.hostname, now);
    if (!held) throw notFound();
    if (held.generation !== lease.generation) throw superseded();
  }

  /** A replaced lease leaves as much room as it had taken, so only new names are counted. */
  #assertRoom({ identity, clientIp }: LeaseTerms, now: number): void {
    const full = () => this.#table.isFull(clientIp, identity.address);
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
    for (const lease of this.#table.all()) this.#endIfExpired(lease, now);
    for (const [hostname, reserved] of this.#reserved) {
      if (reserved.until > now) continue;
      this.#reserved.delete(hostname);
      this.#options.store.deleteLease(hostname, reserved.generation, now).catch(this.#options.onFault);
    }
  }

  #endIfExpired(lease: Lease, now: number): void {
    if (lease.expiresAt > now) return;
    this.#remove(lease);
    this.#reserve(lease, lease.expiresAt);
    this.#end(lease, 'expired');
  }

  #end(lease: Lease, ending: LeaseEnding): void {
    this.#options.onEnded(lease, ending);
    this.#options.ports.free(identityKey(lease.identity), lease.generation);
  }

  #reserve(lease: Lease, since: number): void {
    const reservation = {
      key: identityKey(lease.identity),
      generation: lease.generation,
      until: since + nameReservationMs,
    };
    this.#reserved.set(lease.hostname, reservation);
  }
}

const superseded = () =>
  new ApiError('hostname_conflict', 'this identity has registered again: the token is superseded');
const notFound = () => new ApiError('lease_not_found', 'the lease has expired or was given back');

/** Expiries are whole seconds, as a token's `exp` is. */
function wholeSeconds(now: number, ttlSeconds: number): number {
  return Math.floor(now / 1000 + ttlSeconds) * 1000;
}

function recordFromLease(lease: Lease): LeaseRecord {
  return {
    hostname: lease.hostname,
    name: lease.identity.name,
    address: lease.identity.address,
    generation: lease.generation,
    expiresAt: lease.expiresAt,
    tokenExpiresAt: lease.tokenExpiresAt,
    metadata: lease.metadata,
    firstSeenAt: lease.firstSeenAt,
    lastSeenAt: lease.lastSeenAt,
    clientIp: lease.clientIp,
    reportedIp: lease.reportedIp,
  };
}

function leaseFromRecord(record: LeaseRecord): Lease {
  const { name, address, ...rest } = record;
  return { ...rest, registeredFrom: rest.clientIp, identity: { name, address } };
}
