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

/** `rejected`: the identity was denied or banned. */
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
  /** Reserved names. */
  reservedNames: ReadonlySet<string>;
  /** Filled here; routing reads it. */
  table: LeaseTable;
  policy: Pick<Policy, 'assertNotRejected'>;
  store: Store;
  ports: LeasePorts;
  onEnded(lease: Lease, ending: LeaseEnding): void;
  /** Called when the store fails. */
  onFault(error: unknown): void;
}

/**
 * Which identity holds which hostname. A hostname has one owner. Reads come from memory, and nothing is acknowledged
 * before the store has it.
 */
export class LeaseRegistry {
  readonly #options: LeaseRegistryOptions;
  readonly #table: LeaseTable;
  /** Reserved hostnames, each with its last owner and the end of the reservation in milliseconds. */
  readonly #reserved = new Map<string, { key: string; generation: string; until: number }>();
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
  }

  /** Restores the leases that were alive at the last write, each for one new TTL, and starts expiring leases. */
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
   * @throws ApiError `lease_rejected` for an identity that was denied or banned, `hostname_conflict` while the name
   * is held by or reserved for another identity, or reserved by configuration
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
        // The limit may have been reached while this waited for a port.
        if (!this.#table.held(hostname)) this.#assertRoom(terms, lease.lastSeenAt);
        await this.#write(lease);
      } catch (error) {
        ports.rollback();
        throw error;
      }
      ports.commit(lease.generation);
      // The earlier lease may have ended while this waited for a port.
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
      // The identity may have been banned while the store wrote.
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

  /**
   * Extends the lease. @throws ApiError `lease_not_found`, `hostname_conflict` when it ended meanwhile,
   * `rate_limited`
   */
  async renew(
    lease: Lease,
    terms: { ttlSeconds: number; metadata?: Metadata | undefined; clientIp: string; reportedIp?: string | undefined },
  ): Promise<void> {
    this.#renewals.take(lease.hostname);
    await this.#byHostname.run(lease.hostname, async () => {
      const now = Date.now();
      this.assertCurrent(lease, now);
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
      // The lease may have ended while the store wrote.
      this.assertCurrent(lease, now);
      Object.assign(lease, renewed);
      if (!isWritten) this.#unwritten.add(lease);
    });
  }

  /** Number of live leases renewed while the store failed and not written yet. */
  get unwritten(): number {
    return this.#unwritten.size;
  }

  /** A lease in use must not end because the disk is full. Only the first fault of an outage is reported. */
  async #tryWrite(lease: Lease, now: number): Promise<boolean> {
    try {
      await this.#options.store.putLeases([recordFromLease(lease)], now);
      return true;
    } catch (error) {
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

  /** Releases the hostname at once, without a reservation. */
  async unregister(lease: Lease): Promise<void> {
    await this.#byHostname.run(lease.hostname, async () => {
      const now = Date.now();
      this.assertCurrent(lease, now);
      await this.#options.store.deleteLease(lease.hostname, lease.generation, now);
      if (this.#table.held(lease.hostname) !== lease) return;
      this.#remove(lease);
      this.#end(lease, 'unregistered');
    });
  }

  /**
   * Ends the lease of a denied or banned identity at once; the store is updated afterwards. The name stays reserved
   * as after an expiry, so that the identity gets it back when the decision is lifted.
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
   * The live lease of a token's claims.
   * @throws ApiError `lease_not_found` when it is gone or the token has expired, `hostname_conflict` when the
   * identity has registered again since
   */
  forToken(claims: AccessTokenClaims, now = Date.now()): Lease {
    const name = claims.identityKey.slice(0, claims.identityKey.indexOf(':'));
    const lease = this.at(this.hostnameOf(name), now);
    if (!lease || identityKey(lease.identity) !== claims.identityKey) throw notFound();
    if (lease.generation !== claims.generation) throw superseded();
    // The last token has the lease's expiry.
    if (claims.expiresAt <= now && claims.expiresAt < lease.tokenExpiresAt) throw notFound();
    return lease;
  }

  /** Whether the claims are of an identity's live registration. */
  isCurrent({ identityKey: key, generation }: Pick<AccessTokenClaims, 'identityKey' | 'generation'>): boolean {
    const lease = this.at(this.hostnameOf(key.slice(0, Math.max(key.indexOf(':'), 0))));
    return lease !== undefined && identityKey(lease.identity) === key && lease.generation === generation;
  }

  /** @throws ApiError `lease_not_found`, or `hostname_conflict` when the identity has registered again since */
  assertCurrent(lease: Lease, now = Date.now()): void {
    const held = this.at(lease.hostname, now);
    if (!held) throw notFound();
    if (held.generation !== lease.generation) throw superseded();
  }

  /** Replacing a lease does not change the counts, so only new names are checked. */
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

/** Expiries are whole seconds, like a token's `exp`. */
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
