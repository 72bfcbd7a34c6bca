import { useEffect, useMemo, useState } from 'react';
import { api, CallError, unwrapped, type Lease, tell } from '../api.js';
import { type Action, pathOf } from '../decide.js';
import { bytes, time } from '../format.js';
import { Chart } from '../parts/chart.js';
import { Drawer } from '../parts/drawer.js';
import { LeaseState } from '../parts/lease-state.js';
import { words } from '../words.js';
import { Entries } from './audit.js';

const text = words.leases;
const pollMs = 2_000;
const maxPoints = 150;

interface Props {
  identityKey: string;
  propose(action: Exclude<Action, 'banIp' | 'unbanIp'>, leases: readonly Lease[]): void;
  proposeIp(action: 'banIp' | 'unbanIp', ip: string): void;
  onClose(): void;
}

/** One lease: what it is, its traffic while one looks, what was decided about it, and what can be. */
export function LeaseDetails({ identityKey, propose, proposeIp, onClose }: Props) {
  const cut = identityKey.lastIndexOf(':');
  const identity = { name: identityKey.slice(0, cut), address: identityKey.slice(cut + 1) };
  const query = unwrapped(
    api.useQuery(
      'get',
      '/admin/leases/{name}/{addr}',
      { params: { path: pathOf(identity) } },
      { refetchInterval: pollMs },
    ),
  );
  const history = unwrapped(
    api.useQuery('get', '/admin/audit', { params: { query: { search: identityKey, limit: 50 } } }),
  );
  const isGone = query.error instanceof CallError && query.error.code === 'not_found';
  const listed = isGone ? undefined : query.data;
  return (
    <Drawer title={listed?.lease.hostname ?? identity.name} onClose={onClose}>
      {isGone && <p role="status">{text.gone}</p>}
      {query.error && !isGone ? <p className="fault">{tell(query.error)}</p> : null}
      {listed && (
        <>
          <p>
            <LeaseState listed={listed} />
          </p>
          <Actions listed={listed} propose={propose} proposeIp={proposeIp} />
          <TrafficNow listed={listed} at={query.dataUpdatedAt} />
          <Facts listed={listed} />
        </>
      )}
      <h3>{text.history}</h3>
      {history.data && history.data.entries.length === 0 && <p className="soft">{text.noHistory}</p>}
      {history.data && history.data.entries.length > 0 && <Entries entries={history.data.entries} isShort />}
    </Drawer>
  );
}

function Actions({ listed, propose, proposeIp }: { listed: Lease } & Pick<Props, 'propose' | 'proposeIp'>) {
  const { lease } = listed;
  const actions: Exclude<Action, 'banIp' | 'unbanIp'>[] = [
    lease.has_approval ? 'revokeLeaseApproval' : 'approveLease',
    lease.is_denied ? 'removeLeaseDenial' : 'denyLease',
    lease.is_banned ? 'unbanLease' : 'banLease',
    'setLeaseBps',
    ...(lease.bps === undefined ? [] : (['removeLeaseBps'] as const)),
  ];
  const ofIp = lease.is_ip_banned ? 'unbanIp' : 'banIp';
  return (
    <p className="buttons wrap">
      {actions.map((action) => (
        <button key={action} type="button" onClick={() => propose(action, [listed])}>
          {words.actions[action]}
        </button>
      ))}
      <button type="button" onClick={() => proposeIp(ofIp, lease.client_ip)}>
        {words.actions[ofIp]}
      </button>
    </p>
  );
}

function TrafficNow({ listed, at }: { listed: Lease; at: number }) {
  const [points, setPoints] = useState<{ at: number; received: number; sent: number }[]>([]);
  useEffect(() => {
    const point = { at, received: listed.received, sent: listed.sent };
    setPoints((before) => (before.at(-1)?.at === at ? before : [...before, point].slice(-maxPoints)));
    // What is the same as before is told as well: nothing has passed.
  }, [at]);
  const [times, lines] = useMemo(() => {
    const pairs = points.slice(1).map((point, index) => ({ point, before: points[index]! }));
    const rate = (of: 'received' | 'sent') =>
      pairs.map(({ point, before }) => Math.max(0, ((point[of] - before[of]) * 1_000) / (point.at - before.at)));
    return [
      pairs.map(({ point }) => point.at / 1_000),
      [
        { label: words.overview.lines.sent, values: rate('sent') },
        { label: words.overview.lines.received, values: rate('received') },
      ],
    ];
  }, [points]);
  return <Chart title={text.trafficNow} times={times} lines={lines} format={bytes} least={1_000} />;
}

function Facts({ listed: { lease, connections, received, sent } }: { listed: Lease }) {
  const { facts } = text;
  const all: [name: string, value: string | number | undefined][] = [
    [facts.address, lease.address],
    [text.columns.connections, connections],
    [text.columns.ready, lease.ready],
    [text.columns.traffic, `${bytes(received)} ↓ ${bytes(sent)} ↑`],
    [facts.limit, lease.bps === undefined ? facts.noLimit : `${bytes(lease.bps)}/s`],
    [facts.expires, time(lease.expires_at)],
    [text.columns.first_seen_at, time(lease.first_seen_at)],
    [text.columns.last_seen_at, time(lease.last_seen_at)],
    [facts.from, lease.client_ip],
    [facts.reported, lease.reported_ip],
    [facts.tcp, lease.tcp_addr],
    [facts.udp, lease.udp_addr],
    [facts.group, lease.group],
    [facts.members, lease.members],
    [facts.description, lease.metadata.description],
    [facts.owner, lease.metadata.owner],
    [facts.tags, lease.metadata.tags?.join(', ')],
  ];
  return (
    <dl className="facts">
      {all
        .filter(([, value]) => value !== undefined && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <bdi>{value}</bdi>
            </dd>
          </div>
        ))}
    </dl>
  );
}
