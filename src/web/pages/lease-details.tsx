import { useEffect, useMemo, useState } from 'react';
import { api, CallError, type Lease, type Schemas, tell, unwrapped } from '../api.js';
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
          <TrafficChart details={listed} at={query.dataUpdatedAt} />
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

interface Rate {
  /** Milliseconds since the epoch. */
  at: number;
  /** Bytes a second. */
  received: number;
  sent: number;
}

const minuteMs = 60_000;
const nothing = (at: number): Rate => ({ at, received: 0, sent: 0 });

/** The rates of the last hour. The relay tells only of minutes in which bytes passed. */
function rates(minutes: Schemas['TrafficMinute'][], now: number): Rate[] {
  const hour: Rate[] = [nothing(now - 60 * minuteMs)];
  for (const { at: end, received, sent } of minutes) {
    const at = Date.parse(end);
    const before = hour.at(-1)!.at;
    if (at - before > 1.5 * minuteMs) hour.push(nothing(before + minuteMs / 4), nothing(at - minuteMs));
    hour.push({ at, received: received / 60, sent: sent / 60 });
  }
  if (now - hour.at(-1)!.at > 1.5 * minuteMs) hour.push(nothing(hour.at(-1)!.at + minuteMs / 4));
  return hour;
}

/** The hour by minutes, and what passes while one looks, which is asked for more often. */
function TrafficChart({ details, at }: { details: Schemas['LeaseDetails']; at: number }) {
  const { received, sent, traffic = [] } = details;
  const [points, setPoints] = useState<Rate[]>([]);
  useEffect(() => {
    setPoints((before) => (before.at(-1)?.at === at ? before : [...before, { at, received, sent }].slice(-maxPoints)));
    // What is the same as before is told as well: nothing has passed.
  }, [at]);
  const [times, lines] = useMemo(() => {
    const hour = rates(traffic, at);
    const live = points.slice(1).map((point, index) => {
      const before = points[index]!;
      const rate = (of: 'received' | 'sent') =>
        Math.max(0, ((point[of] - before[of]) * 1_000) / (point.at - before.at));
      return { at: point.at, received: rate('received'), sent: rate('sent') };
    });
    const all = [...hour, ...live.filter((rate) => rate.at > hour.at(-1)!.at)];
    return [
      all.map((rate) => rate.at / 1_000),
      [
        { label: words.overview.lines.sent, values: all.map((rate) => rate.sent) },
        { label: words.overview.lines.received, values: all.map((rate) => rate.received) },
      ],
    ];
  }, [points, traffic, at]);
  return <Chart title={text.traffic} times={times} lines={lines} format={bytes} least={1_000} />;
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
