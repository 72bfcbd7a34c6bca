import { printable } from '../../sdk/calls/answers.js';
import type { PortSettings, Snapshot } from '../../sdk/admin/admin-client.js';
import { type Column, table } from '../support/table.js';

type Lease = Snapshot['leases'][number];
type Decided = Snapshot['identities'][number];

interface Standing {
  is_approved: boolean;
  is_banned: boolean;
  is_denied: boolean;
  is_ip_banned?: boolean;
}

/** The snapshot as text: the settings, then one table each for leases, decisions and banned addresses. */
export function snapshotText(snapshot: Snapshot, now: number, width?: number): string {
  const { leases, identities, banned_ips: banned } = snapshot;
  const settings = [
    `approval      ${printable(snapshot.approval_mode, 16)}`,
    `landing page  ${onOff(snapshot.landing_page_enabled)}`,
    `UDP ports     ${portsText(snapshot.udp)}`,
    `TCP ports     ${portsText(snapshot.tcp_port)}`,
  ];
  const live = [...leases].sort((a, b) => (a.name < b.name ? -1 : 1));
  const parts = [`${settings.join('\n')}\n`];
  parts.push(leases.length === 0 ? 'No leases.\n' : `Leases\n${table(leaseColumns(now), live, width)}`);
  if (identities.length > 0) parts.push(`Decisions\n${table(decisionColumns, identities, width)}`);
  if (banned.length > 0) parts.push(`Banned addresses\n${banned.map((ip) => `${printable(ip, 64)}\n`).join('')}`);
  return parts.join('\n');
}

export function portsText({ enabled, max_leases: max }: PortSettings): string {
  return `${onOff(enabled)}, ${max === 0 ? 'no limit' : `${max} leases at most`}`;
}

export function bpsText(bps: number | undefined): string {
  if (bps === undefined) return '-';
  const unit = (['GB', 'MB', 'kB'] as const).find((_, index) => bps >= 10 ** (9 - 3 * index));
  const size = unit === undefined ? 1 : { GB: 1e9, MB: 1e6, kB: 1e3 }[unit];
  return `${Number((bps / size).toFixed(2))} ${unit ?? 'B'}/s`;
}

export const onOff = (on: boolean): string => (on ? 'on' : 'off');

function leaseColumns(now: number): Column<Lease>[] {
  return [
    { title: 'NAME', of: ({ name }) => name },
    { title: 'ADDRESS', of: ({ address }) => address },
    { title: 'STATE', of: (lease) => standing(lease) ?? (lease.ready > 0 ? 'ready' : 'away') },
    { title: 'READY', of: ({ ready }) => String(ready), right: true },
    { title: 'LIMIT', of: ({ bps }) => bpsText(bps), right: true },
    { title: 'FROM', of: ({ client_ip: ip }) => ip ?? '-' },
    { title: 'SEEN', of: ({ last_seen_at: at }) => `${ageText(now - Date.parse(at))} ago`, right: true },
    { title: 'OWNER', of: ({ metadata }) => metadata?.owner ?? '' },
    { title: 'DESCRIPTION', of: ({ metadata }) => metadata?.description ?? '' },
  ];
}

const decisionColumns: Column<Decided>[] = [
  { title: 'NAME', of: ({ name }) => name },
  { title: 'ADDRESS', of: ({ address }) => address },
  { title: 'STATE', of: (identity) => standing(identity) ?? 'approved' },
  { title: 'LIMIT', of: ({ bps }) => bpsText(bps), right: true },
];

/** Why an identity is not served; undefined when it is served. */
function standing(one: Standing): string | undefined {
  if (one.is_banned) return 'banned';
  if (one.is_denied) return 'denied';
  if (one.is_ip_banned) return 'IP banned';
  return one.is_approved ? undefined : 'to approve';
}

function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}
