import { identityKey } from '../../contract/lease-identity.js';
import type { Lease } from '../leases/lease.js';
import type { LeaseTable } from '../leases/lease-table.js';
import type { Policy } from '../policy/policy.js';

/** Finds the lease of a public hostname. */
export class Routing {
  constructor(
    private readonly leases: Pick<LeaseTable, 'at'>,
    private readonly policy: Pick<Policy, 'mayServe'>,
    private readonly draining: AbortSignal,
  ) {}

  /**
   * The live lease of a hostname; undefined when there is none, it may not be served, or the relay is shutting down.
   */
  leaseAt(hostname: string): Lease | undefined {
    const lease = this.draining.aborted ? undefined : this.leases.at(hostname);
    return lease && this.policy.mayServe(identityKey(lease.identity)) ? lease : undefined;
  }
}
