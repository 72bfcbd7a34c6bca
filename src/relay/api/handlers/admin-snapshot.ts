import type { SuccessData } from '../../../contract/index.js';
import { getAddress } from 'ethers/address';
import type { Hop } from '../../leases/hop.js';
import type { Lease } from '../../leases/lease.js';
import type { LeaseRegistry } from '../../leases/lease-registry.js';
import { type LeaseIdentity, identityKey } from '../../../contract/lease-identity.js';
import type { Policy } from '../../policy/policy.js';
import type { PortSettings } from '../../policy/settings.js';
import type { SessionRegistry } from '../../reverse/session-registry.js';
import { publicAddress, udpPorts } from './sdk.js';
import { withoutUndefined } from '../../../util/without-undefined.js';

export interface SnapshotParts {
  rootHost: string;
  leases: LeaseRegistry;
  sessions: SessionRegistry;
  policy: Policy;
}

type SnapshotLease = SuccessData<'getSnapshot'>['leases'][number];
type SnapshotIdentity = SuccessData<'getSnapshot'>['identities'][number];

/** The relay's current state in the contract's form. */
export function takeSnapshot(parts: SnapshotParts): SuccessData<'getSnapshot'> {
  const { leases, policy } = parts;
  return {
    approval_mode: policy.settings.approvalMode,
    landing_page_enabled: policy.settings.landingPageEnabled,
    leases: Array.from(leases.live(), (lease) => snapshotLease(parts, lease)),
    udp: portSettings(policy.settings.udp),
    tcp_port: portSettings(policy.settings.tcpPort),
    identities: Array.from(policy.decisions, (identity) => snapshotIdentity(policy, identity)),
    banned_ips: [...policy.bannedIps],
  };
}

export function snapshotLease({ rootHost, sessions, policy }: SnapshotParts, lease: Lease): SnapshotLease {
  const key = identityKey(lease.identity);
  return withoutUndefined({
    identity_key: key,
    address: lease.identity.address,
    name: lease.identity.name,
    hostname: lease.hostname,
    expires_at: new Date(lease.expiresAt).toISOString(),
    first_seen_at: new Date(lease.firstSeenAt).toISOString(),
    last_seen_at: new Date(lease.lastSeenAt).toISOString(),
    client_ip: lease.clientIp,
    reported_ip: lease.reportedIp,
    ...udpPorts(rootHost, lease.udpPorts),
    tcp_addr: publicAddress(rootHost, lease.tcpPort),
    hop: lease.hop && hopOf(lease.hop),
    metadata: lease.metadata,
    ready: sessions.peek(lease)?.ready ?? 0,
    group: lease.group?.name,
    members: lease.group?.members.size,
    ...standing(policy, key),
    is_ip_banned: policy.isIpBanned(lease.clientIp),
  });
}

export function snapshotIdentity(policy: Policy, { name, address }: LeaseIdentity): SnapshotIdentity {
  const key = identityKey({ name, address });
  return { identity_key: key, address, name, ...standing(policy, key) };
}

function standing(policy: Policy, key: string) {
  const decision = policy.decisionOn(key);
  return withoutUndefined({
    bps: policy.bps(key),
    is_approved: policy.mayServe(key),
    has_approval: decision?.approved ?? false,
    is_banned: decision?.banned ?? false,
    is_denied: decision?.denied ?? false,
  });
}

function hopOf({ accepts, forwards }: Hop) {
  return withoutUndefined({
    accepts: accepts !== undefined,
    forwards_to: forwards && getAddress(forwards.relay),
  });
}

export const portSettings = ({ enabled, maxLeases }: PortSettings) => ({ enabled, max_leases: maxLeases });
