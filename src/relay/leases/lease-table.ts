import { sourceOf } from '../../net/source-network.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import { hashOfToken, isSameHash } from './hop.js';
import type { Lease } from './lease.js';

const maxLeases = 50_000;

export interface LeaseTableLimits {
  /**
   * Live leases by source address, and by Ethereum address: since both are cheap to create. Each UDP port after a lease's
   * first counts as one more.
   */
  perSource: number;
  perWallet: number;
}

/** The in-memory table of leases by hostname. Routing reads it; only `LeaseRegistry` changes it. */
export class LeaseTable {
  readonly #leases = new Map<string, Lease>();
  /** Leases that accept visitors from another relay, by the hash of its token. */
  readonly #byHop = new Map<string, Lease>();
  readonly #bySource: ConcurrencyLimiter;
  readonly #byWallet: ConcurrencyLimiter;

  /**
   * @param clock milliseconds since the epoch: what decides expiry
   * @param graceMs how long after its expiry a lease counts as live: see `SharedStore`
   */
  constructor(
    private readonly limits: LeaseTableLimits,
    private readonly clock: () => number = () => Date.now(),
    readonly graceMs: () => number = () => 0,
  ) {
    // Restored leases and those that replace others are counted, however many there are.
    this.#bySource = new ConcurrencyLimiter(Infinity);
    this.#byWallet = new ConcurrencyLimiter(Infinity);
  }

  /** Number of leases, including expired ones not yet removed. */
  get size(): number {
    return this.#leases.size;
  }

  /** The live lease of a hostname, if there is one. */
  at(hostname: string, now = this.clock()): Lease | undefined {
    const lease = this.#leases.get(hostname);
    return lease && lease.expiresAt + this.graceMs() > now ? lease : undefined;
  }

  /** The live lease that accepts this token from another relay. */
  ofHop(token: Buffer, now = this.clock()): Lease | undefined {
    const hash = hashOfToken(token);
    const lease = this.#byHop.get(hash);
    const accepted = lease?.hop?.accepts;
    return accepted !== undefined && lease && lease.expiresAt + this.graceMs() > now && isSameHash(accepted, hash)
      ? lease
      : undefined;
  }

  /** The lease, expired or not, that accepts the token of this hash. */
  heldHop(hash: string): Lease | undefined {
    return this.#byHop.get(hash);
  }

  /** All live leases. */
  *live(now = this.clock()): Iterable<Lease> {
    const graceMs = this.graceMs();
    for (const lease of this.#leases.values()) if (lease.expiresAt + graceMs > now) yield lease;
  }

  /** The lease of a hostname, expired or not. */
  held(hostname: string): Lease | undefined {
    return this.#leases.get(hostname);
  }

  /** All leases, expired or not. */
  all(): Iterable<Lease> {
    return this.#leases.values();
  }

  /** Whether a new lease for this wallet from this source would exceed a limit. @param weight what it adds to the counts */
  isFull(clientIp: string, wallet: string, weight: number): boolean {
    return (
      this.#leases.size >= maxLeases ||
      this.#bySource.count(sourceOf(clientIp)) + weight > this.limits.perSource ||
      this.#byWallet.count(wallet) + weight > this.limits.perWallet
    );
  }

  add(lease: Lease): void {
    this.#leases.set(lease.hostname, lease);
    if (lease.hop?.accepts !== undefined) this.#byHop.set(lease.hop.accepts, lease);
    this.#bySource.add(sourceOf(lease.registeredFrom), leaseWeight(lease.udpPorts?.count));
    this.#byWallet.add(lease.identity.address, leaseWeight(lease.udpPorts?.count));
  }

  remove(lease: Lease): void {
    this.#leases.delete(lease.hostname);
    if (lease.hop?.accepts !== undefined) this.#byHop.delete(lease.hop.accepts);
    this.#bySource.remove(sourceOf(lease.registeredFrom), leaseWeight(lease.udpPorts?.count));
    this.#byWallet.remove(lease.identity.address, leaseWeight(lease.udpPorts?.count));
  }
}

/** What a lease counts for in the limits of leases. */
export const leaseWeight = (udpPorts = 1) => Math.max(1, udpPorts);
