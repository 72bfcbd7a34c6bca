import { background, repeat } from '../../util/boundary.js';
import type { Lease } from './lease.js';
import { isDomain } from './lease.js';
import type { DomainProofs } from './domain-proofs.js';

export const domainRecheckIntervalMs = 3_600_000;
/** Parts of the interval in which due leases are looked for. */
const ticks = 60;
/** Lookups at once, of the most that `DomainProofs` takes. */
const maxLookups = 16;
/** Misses in a row after which a proof counts as gone: a single answer may be a DNS server's mistake. */
const missesToEnd = 2;

export interface DomainRechecksOptions {
  proofs: DomainProofs;
  intervalMs: number;
  live(): Iterable<Lease>;
  /** The proof of a lease's domain is gone. */
  onGone(lease: Lease): void;
}

/** Looks again at intervals whether live leases of domains are still proven. */
export class DomainRechecks {
  /** Time of the last check, by the monotonic clock, and the misses since the last hit. */
  readonly #checks = new WeakMap<Lease, { at: number; misses: number }>();
  #timer: NodeJS.Timeout | undefined;
  #lookups = 0;

  constructor(private readonly options: DomainRechecksOptions) {}

  start(): void {
    this.#timer = repeat('domain check', () => this.#tick(), this.options.intervalMs / ticks);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    for (const lease of this.options.live()) {
      if (!isDomain(lease.identity.name)) continue;
      const check = this.#checks.get(lease);
      // The first time a lease is seen, its proof is fresh, or the relay has just started.
      if (!check) this.#checks.set(lease, { at: now, misses: 0 });
      else if (check.misses > 0 || now - check.at >= this.options.intervalMs) this.#check(lease, check, now);
    }
  }

  #check(lease: Lease, check: { at: number; misses: number }, now: number): void {
    if (this.#lookups >= maxLookups) return;
    this.#lookups++;
    check.at = now;
    const { name, address } = lease.identity;
    background('domain check', async () => {
      // Of no source: the bound is the one above. A failed lookup says nothing; the next one is due after another interval.
      const addresses = await this.options.proofs
        .addressesOf(name, `recheck ${name}`)
        .catch(() => undefined)
        .finally(() => this.#lookups--);
      if (!addresses) return;
      check.misses = addresses.has(address.toLowerCase()) ? 0 : check.misses + 1;
      if (check.misses >= missesToEnd) this.options.onGone(lease);
    });
  }
}
