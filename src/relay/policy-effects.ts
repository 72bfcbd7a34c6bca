import { identityKey } from '../contract/lease-identity.js';
import { networkOf } from '../net/source-network.js';
import type { LeaseRegistry } from './leases/lease-registry.js';
import type { Policy } from './policy/policy.js';
import type { LeasePorts } from './ports/lease-ports.js';
import type { SessionRegistry } from './reverse/session-registry.js';

export interface AffectedParts {
  leases: LeaseRegistry;
  sessions: SessionRegistry;
  ports: LeasePorts;
}

/**
 * Applies policy decisions to live leases and connections, within the call that decides: leases of refused identities
 * end, sessions and connections of identities that may not be served and sessions from banned addresses are dropped,
 * bandwidth limits and port settings take effect. Every effect of a decision is wired here.
 */
export function applyPolicyEffects(policy: Policy, { leases, sessions, ports }: AffectedParts): void {
  const reject = (isHit: (key: string) => boolean) => {
    for (const lease of leases.live()) {
      const key = identityKey(lease.identity);
      if (isHit(key) && policy.isRejected(key)) leases.reject(lease);
    }
    sessions.reset(({ identity }) => {
      const key = identityKey(identity);
      return isHit(key) && !policy.mayServe(key);
    });
  };
  policy.on('bps', () => sessions.applyLimits());
  policy.on('standing', (changed) => reject((key) => key === changed));
  policy.on('settings', () => {
    ports.reconcile();
    reject(() => true);
  });
  policy.on('ip', (ip, banned) => {
    if (banned) sessions.resetFrom((from) => networkOf(from) === ip);
  });
  // The decision was made just before the relay stopped.
  reject(() => true);
}

/** Connections that end by a decision: of an identity, from an address, or all where an approval is needed from now on. */
export type Cut = { identityKey: string } | { ip: string } | { all: true };

export function onCut(policy: Policy, listener: (cut: Cut) => void): void {
  policy.on('standing', (key) => {
    if (!policy.mayServe(key)) listener({ identityKey: key });
  });
  policy.on('ip', (ip, banned) => {
    if (banned) listener({ ip });
  });
  policy.on('settings', ({ approvalMode }) => {
    if (approvalMode === 'manual') listener({ all: true });
  });
}

/** Of the sessions that a process still serves after another has taken over. */
export function applyCut(sessions: SessionRegistry, cut: Cut): void {
  if ('ip' in cut) sessions.resetFrom((from) => networkOf(from) === cut.ip);
  else sessions.reset(({ identity }) => 'all' in cut || identityKey(identity) === cut.identityKey);
}
