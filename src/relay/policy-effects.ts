import { networkOf } from '../net/source-network.js';
import type { LeaseRegistry } from './leases/lease-registry.js';
import { identityKey } from '../contract/lease-identity.js';
import { type Lease } from './leases/lease.js';
import type { SessionRegistry } from './reverse/session-registry.js';
import type { Policy } from './policy/policy.js';

/**
 * Makes what is decided count for what is alive: leases of identities that are refused end, sessions and connections of those
 * that may not be served are dropped, and so are sessions from banned addresses. All within the call that decides it.
 */
export function applyPolicyEffects(policy: Policy, leases: LeaseRegistry, registry: SessionRegistry): void {
  const reject = (isHit: (key: string) => boolean) => {
    for (const lease of leases.live()) {
      const key = identityKey(lease.identity);
      if (isHit(key) && policy.isRejected(key)) leases.reject(lease);
    }
    registry.drop((lease: Lease) => {
      const key = identityKey(lease.identity);
      return isHit(key) && !policy.mayServe(key);
    });
  };
  policy.on('standing', (changed) => reject((key) => key === changed));
  policy.on('settings', () => reject(() => true));
  policy.on('ip', (ip, banned) => {
    if (banned) registry.endFrom((from) => networkOf(from) === ip);
  });
  // Decided just before the relay went down.
  reject(() => true);
}
