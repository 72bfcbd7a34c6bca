import { useQueries } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useDeferredValue, useMemo, useRef, useState } from 'react';
import { api, type Lease } from '../api.js';
import type { Action, Subject } from '../decide.js';
import { ago, bytes } from '../format.js';
import { Confirm, type Pending } from '../parts/confirm.js';
import { LeaseState } from '../parts/lease-state.js';
import { SearchBox } from '../parts/search-box.js';
import { Loaded } from '../parts/state.js';
import { type Params, useParams } from '../url.js';
import { words } from '../words.js';
import { LeaseDetails } from './lease-details.js';

const text = words.leases;
const partSize = 100;
const rowHeight = 44;

type Column = keyof typeof text.columns;
const columns: { id: Column; width: string; isNumber?: boolean; sorts: boolean }[] = [
  { id: 'hostname', width: 'minmax(12rem, 2fr)', sorts: true },
  { id: 'state', width: '9rem', sorts: false },
  { id: 'connections', width: '8.5rem', isNumber: true, sorts: true },
  { id: 'traffic', width: '7rem', isNumber: true, sorts: true },
  { id: 'ready', width: '5rem', isNumber: true, sorts: true },
  { id: 'client_ip', width: '10rem', sorts: true },
  { id: 'first_seen_at', width: '9rem', sorts: true },
  { id: 'last_seen_at', width: '9rem', sorts: true },
  { id: 'ports', width: '10rem', sorts: false },
];
const usual: Column[] = ['hostname', 'state', 'connections', 'traffic', 'client_ip', 'last_seen_at'];

export function Leases() {
  const [params, change] = useParams();
  const shown = columns.filter(({ id }) => (params['columns']?.split(',') ?? usual).includes(id));
  const search = useDeferredValue(params['q'] ?? '');
  const filter = {
    ...(search !== '' && { search }),
    ...(isState(params['state']) && { state: params['state'] }),
    sort: (columns.find(({ id, sorts }) => sorts && id === params['sort'])?.id ?? 'hostname') as 'hostname',
    order: params['order'] === 'desc' ? ('desc' as const) : ('asc' as const),
  };
  const [chosen, setChosen] = useState<ReadonlyMap<string, Lease>>(new Map());
  const [pending, setPending] = useState<Pending>();
  const propose = (action: Exclude<Action, 'banIp' | 'unbanIp'>, leases: readonly Lease[]) => {
    setPending({
      action,
      subjects: leases.map(({ lease }): Subject => lease),
      connections: leases.reduce((sum, { connections }) => sum + connections, 0),
      ready: leases.reduce((sum, { lease }) => sum + lease.ready, 0),
    });
  };
  return (
    <>
      <h1>{words.pages.leases}</h1>
      <Filters params={params} change={change} shown={shown.map(({ id }) => id)} />
      <Table
        filter={filter}
        shown={shown}
        chosen={chosen}
        choose={setChosen}
        onSort={(id) => change({ sort: id, order: filter.sort === id && filter.order === 'asc' ? 'desc' : undefined })}
        onOpen={({ lease }) => change({ lease: lease.identity_key })}
        isFiltered={search !== '' || params['state'] !== undefined}
      />
      {chosen.size > 0 && (
        <div className="bulk" role="toolbar" aria-label={text.chosen(chosen.size)}>
          <strong>{text.chosen(chosen.size)}</strong>
          {(['approveLease', 'denyLease', 'banLease', 'setLeaseBps', 'removeLeaseBps'] as const).map((action) => (
            <button key={action} type="button" onClick={() => propose(action, [...chosen.values()])}>
              {words.actions[action]}
            </button>
          ))}
          <button type="button" className="quiet" onClick={() => setChosen(new Map())}>
            {text.clear}
          </button>
        </div>
      )}
      {params['lease'] !== undefined && (
        <LeaseDetails
          key={params['lease']}
          identityKey={params['lease']}
          propose={propose}
          proposeIp={(action, ip) => setPending({ action, ip })}
          onClose={() => change({ lease: undefined })}
        />
      )}
      {pending && (
        <Confirm
          pending={pending}
          onCancel={() => setPending(undefined)}
          onDone={() => {
            setPending(undefined);
            setChosen(new Map());
          }}
        />
      )}
    </>
  );
}

type State = 'reached' | 'unreached' | 'waiting';
const isState = (value: string | undefined): value is State =>
  value === 'reached' || value === 'unreached' || value === 'waiting';

function Filters({
  params,
  change,
  shown,
}: {
  params: Params;
  change: ReturnType<typeof useParams>[1];
  shown: Column[];
}) {
  const toggle = (id: Column) => {
    const next = shown.includes(id) ? shown.filter((each) => each !== id) : [...shown, id];
    change({ columns: next.join(',') === usual.join(',') ? undefined : next.join(',') }, { replace: true });
  };
  return (
    <div className="filters" role="search">
      <SearchBox />
      <fieldset className="segments">
        <legend className="unseen">{text.columns.state}</legend>
        {Object.entries(text.states).map(([id, label]) => (
          <label key={id}>
            <input
              type="radio"
              name="state"
              checked={(params['state'] ?? 'all') === id}
              onChange={() => change({ state: id === 'all' ? undefined : id })}
            />
            {label}
          </label>
        ))}
      </fieldset>
      <details className="menu">
        <summary>{text.choose}</summary>
        <div>
          {columns
            .filter(({ id }) => id !== 'hostname')
            .map(({ id }) => (
              <label key={id}>
                <input type="checkbox" checked={shown.includes(id)} onChange={() => toggle(id)} /> {text.columns[id]}
              </label>
            ))}
        </div>
      </details>
    </div>
  );
}

interface TableProps {
  filter: { search?: string; state?: State; sort: 'hostname'; order: 'asc' | 'desc' };
  shown: typeof columns;
  chosen: ReadonlyMap<string, Lease>;
  choose(chosen: ReadonlyMap<string, Lease>): void;
  onSort(column: Column): void;
  onOpen(lease: Lease): void;
  isFiltered: boolean;
}

/** All leases that match. Only the rows that are seen are there, and only the parts they are of are loaded. */
function Table({ filter, shown, chosen, choose, onSort, onOpen, isFiltered }: TableProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [first, setFirst] = useState(0);
  const [last, setLast] = useState(0);
  const parts = useMemo(() => {
    const list = [];
    for (let part = Math.floor(first / partSize); part <= Math.floor(last / partSize); part++) list.push(part);
    return list;
  }, [first, last]);
  const optionsOf = (part: number) =>
    api.queryOptions(
      'get',
      '/admin/leases',
      { params: { query: { ...filter, offset: part * partSize, limit: partSize } } },
      { refetchInterval: 10_000 },
    );
  const head = api.useQuery(
    'get',
    '/admin/leases',
    { params: { query: { ...filter, offset: 0, limit: partSize } } },
    { refetchInterval: 10_000 },
  );
  const loaded = useQueries({ queries: parts.map(optionsOf) });
  const count = head.data?.data.matching ?? 0;
  const at = (index: number): Lease | undefined => {
    const part = Math.floor(index / partSize);
    const data = part === 0 ? head.data : loaded[parts.indexOf(part)]?.data;
    return data?.data.leases[index % partSize];
  };
  const rows = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    onChange(instance) {
      const items = instance.getVirtualItems();
      setFirst(items[0]?.index ?? 0);
      setLast(items.at(-1)?.index ?? 0);
    },
  });
  const template = `2.75rem ${shown.map(({ width }) => width).join(' ')}`;
  const toggle = (lease: Lease) => {
    const next = new Map(chosen);
    if (!next.delete(lease.lease.identity_key)) next.set(lease.lease.identity_key, lease);
    choose(next);
  };
  return (
    <Loaded query={head}>
      {({ data: { total, matching } }) => (
        <>
          <p className="soft" role="status">
            {text.count(matching, total)}
          </p>
          {matching === 0 ? (
            <p>{isFiltered ? text.none : text.noneAtAll}</p>
          ) : (
            <div
              ref={scroller}
              className="table"
              role="table"
              aria-rowcount={matching + 1}
              aria-label={words.pages.leases}
              tabIndex={0}
            >
              <div role="row" className="row head" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
                <span role="columnheader">
                  <span className="unseen">{words.choice}</span>
                </span>
                {shown.map(({ id, isNumber, sorts }) => (
                  <span
                    key={id}
                    role="columnheader"
                    className={isNumber ? 'number' : ''}
                    aria-sort={filter.sort === id ? (filter.order === 'asc' ? 'ascending' : 'descending') : undefined}
                  >
                    {sorts ? (
                      <button type="button" className="sort" onClick={() => onSort(id)}>
                        {text.columns[id]} {filter.sort === id ? (filter.order === 'asc' ? '↑' : '↓') : ''}
                      </button>
                    ) : (
                      text.columns[id]
                    )}
                  </span>
                ))}
              </div>
              <div role="rowgroup" className="body" style={{ height: rows.getTotalSize() }}>
                {rows.getVirtualItems().map(({ index, start }) => {
                  const lease = at(index);
                  const key = lease?.lease.identity_key ?? '';
                  return (
                    <div
                      key={index}
                      role="row"
                      aria-rowindex={index + 2}
                      aria-selected={chosen.has(key)}
                      className="row"
                      style={{ gridTemplateColumns: template, transform: `translateY(${start}px)`, height: rowHeight }}
                    >
                      {lease ? (
                        <Cells
                          lease={lease}
                          shown={shown}
                          isChosen={chosen.has(key)}
                          toggle={() => toggle(lease)}
                          open={() => onOpen(lease)}
                        />
                      ) : (
                        <span role="cell" className="soft">
                          …
                        </span>
                      )}
                    </div>
                  );
                })}
              </div>
            </div>
          )}
        </>
      )}
    </Loaded>
  );
}

function Cells({
  lease: listed,
  shown,
  isChosen,
  toggle,
  open,
}: {
  lease: Lease;
  shown: typeof columns;
  isChosen: boolean;
  toggle(): void;
  open(): void;
}) {
  const { lease, connections, received, sent } = listed;
  const cell: Record<Column, () => React.ReactNode> = {
    hostname: () => (
      <button type="button" className="link" onClick={open}>
        {lease.hostname}
      </button>
    ),
    state: () => <LeaseState listed={listed} />,
    connections: () => connections.toLocaleString('en'),
    traffic: () => bytes(received + sent),
    ready: () => lease.ready,
    client_ip: () => lease.client_ip,
    first_seen_at: () => ago(lease.first_seen_at),
    last_seen_at: () => ago(lease.last_seen_at),
    ports: () =>
      [lease.tcp_addr && `tcp ${portOf(lease.tcp_addr)}`, lease.udp_addr && `udp ${portOf(lease.udp_addr)}`]
        .filter(Boolean)
        .join(', '),
  };
  return (
    <>
      <span role="cell">
        <input type="checkbox" aria-label={text.chooseOne(lease.hostname)} checked={isChosen} onChange={toggle} />
      </span>
      {shown.map(({ id, isNumber }) => (
        <span key={id} role="cell" className={isNumber ? 'number' : ''}>
          {cell[id]()}
        </span>
      ))}
    </>
  );
}

const portOf = (address: string) => address.slice(address.lastIndexOf(':') + 1);
