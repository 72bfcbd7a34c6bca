import { identityKey } from '../../contract/lease-identity.js';
import type { Lease } from '../leases/lease.js';
import type { LeaseTable } from '../leases/lease-table.js';
import type { Policy } from '../policy/policy.js';

/** Finds the lease of a public hostname, and of what another relay passes on. */
export class Routing {
  constructor(
    private readonly leases: Pick<LeaseTable, 'at' | 'ofHop'>,
    private readonly policy: Pick<Policy, 'mayServe'>,
    private readonly draining: AbortSignal,
  ) {}

  /**
   * The live lease of a hostname; undefined when there is none, it is reached from another relay only, it may not be served, or the relay is shutting
   * down.
   */
  leaseAt(hostname: string): Lease | undefined {
    const lease = this.#served(this.leases.at(hostname));
    return lease?.hop?.accepts === undefined ? lease : undefined;
  }

  /** The live lease that accepts this token from another relay; undefined as for `leaseAt`. */
  leaseOfHop(token: Buffer): Lease | undefined {
    return this.#served(this.leases.ofHop(token));
  }

  #served(lease: Lease | undefined): Lease | undefined {
    if (lease === undefined || this.draining.aborted) return undefined;
    return this.policy.mayServe(identityKey(lease.identity)) ? lease : undefined;
  }
}
