import type { LeaseRecord } from '../store/store.js';
import type { Lease } from './lease.js';

export function recordFromLease(lease: Lease): LeaseRecord {
  return {
    hostname: lease.hostname,
    revision: lease.revision,
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
    ownCertificate: lease.ownCertificate,
    sessionWaitSeconds: lease.sessionWaitSeconds,
    tcpPort: lease.tcpPort,
    ended: lease.ended,
    hop: lease.hop,
    group: lease.group && { name: lease.group.name, members: Object.fromEntries(lease.group.members) },
  };
}

export function leaseFromRecord(record: LeaseRecord): Lease {
  const { name, address, group, keptUntil: _, ...rest } = record;
  const members = group && { name: group.name, members: new Map(Object.entries(group.members)) };
  return {
    ...rest,
    storedUntil: rest.expiresAt,
    group: members,
    registeredFrom: rest.clientIp,
    identity: { name, address },
  };
}
