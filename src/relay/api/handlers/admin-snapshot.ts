import type { SuccessData } from '../../../contract/index.js';
import { getAddress } from 'ethers';
import type { Hop } from '../../leases/hop.js';
import type { LeaseRegistry } from '../../leases/lease-registry.js';
import { identityKey } from '../../../contract/lease-identity.js';
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

/** The relay's current state in the contract's form. */
export function takeSnapshot({ rootHost, leases, sessions, policy }: SnapshotParts): SuccessData<'getSnapshot'> {
  const standing = (key: string) => {
    const decision = policy.decisionOn(key);
    return withoutUndefined({
      bps: policy.bps(key),
      is_approved: policy.mayServe(key),
      is_banned: decision?.banned ?? false,
      is_denied: decision?.denied ?? false,
    });
  };
  return {
    approval_mode: policy.settings.approvalMode,
    landing_page_enabled: policy.settings.landingPageEnabled,
    leases: Array.from(leases.live(), (lease): SuccessData<'getSnapshot'>['leases'][number] => {
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
        ready: sessions.of(lease).queue.ready,
        group: lease.group?.name,
        members: lease.group?.members.size,
        ...standing(key),
        is_ip_banned: policy.isIpBanned(lease.clientIp),
      });
    }),
    udp: portSettings(policy.settings.udp),
    tcp_port: portSettings(policy.settings.tcpPort),
    identities: Array.from(policy.decisions, ({ name, address }) => {
      const key = identityKey({ name, address });
      return { identity_key: key, address, name, ...standing(key) };
    }),
    banned_ips: [...policy.bannedIps],
  };
}

function hopOf({ accepts, forwards }: Hop) {
  return withoutUndefined({
    accepts: accepts !== undefined,
    forwards_to: forwards && getAddress(forwards.relay),
  });
}

export const portSettings = ({ enabled, maxLeases }: PortSettings) => ({ enabled, max_leases: maxLeases });
