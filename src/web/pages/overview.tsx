import { useMemo } from 'react';
import { api, unwrapped, type Sample, type Schemas } from '../api.js';
import { ago, bytes, duration, short } from '../format.js';
import { Chart } from '../parts/chart.js';
import { Loaded } from '../parts/state.js';
import { words } from '../words.js';

const text = words.overview;
const overlayPollMs = 5_000;
const plain = (value: number) =>
  value >= 10 || Number.isInteger(value) ? Math.round(value).toLocaleString('en') : value.toFixed(value < 0.1 ? 2 : 1);

export function Overview() {
  const query = unwrapped(api.useQuery('get', '/admin/overview', {}));
  return <Loaded query={query}>{(overview) => <Shown overview={overview} />}</Loaded>;
}

function Shown({ overview }: { overview: Schemas['Overview'] }) {
  const { samples, relays, overlay, sample_seconds: seconds } = overview;
  const last = samples.at(-1);
  const certificate = Date.parse(overview.certificate_expires_at);
  const sum = (of: (sample: Sample) => number) => samples.reduce((all, sample) => all + of(sample), 0);
  return (
    <>
      <h1>{overview.root_host}</h1>
      <p className="soft">
        {overview.version} · {text.up(duration(Date.now() - Date.parse(overview.started_at)))}
      </p>
      <dl className="tiles">
        <Tile name={text.leases} value={plain(last?.leases ?? 0)} />
        <Tile name={text.connections} value={plain(last?.connections ?? 0)} />
        <Tile name={text.sessions} value={plain(last?.ready ?? 0)} />
        <Tile name={text.traffic} value={`${bytes(last ? (last.received + last.sent) / seconds : 0)}/s`} />
        <Tile
          name={text.certificate}
          value={certificate < Date.now() ? text.expired : text.expires(ago(overview.certificate_expires_at))}
          isBad={certificate < Date.now() + 7 * 86_400_000}
        />
        {relays && <Tile name={text.relays} value={`${relays.believed}`} note={text.known(relays.held)} />}
        {overlay && (
          <Tile
            name={text.overlay}
            value={overlay.is_up ? text.peers(overlay.peers) : text.isDown}
            isBad={!overlay.is_up}
          />
        )}
        <Tile name={text.drops} value={plain(sum((sample) => sample.datagrams_dropped))} note={text.lastHour} />
        <Tile
          name={text.storeFailures}
          value={plain(sum((sample) => sample.store_failures))}
          note={text.lastHour}
          isBad={sum((sample) => sample.store_failures) > 0}
        />
      </dl>
      <h2>{text.lastHour}</h2>
      {samples.length === 0 ? <p className="soft">{text.noSamples}</p> : <Charts samples={samples} seconds={seconds} />}
      {overlay && <OverlayPeers />}
      <div className="columns">
        <Counts title={text.outcomes} counts={overview.outcomes} />
        <Counts title={text.errors} counts={overview.errors} none={text.noErrors} />
      </div>
    </>
  );
}

function Tile({ name, value, note, isBad = false }: { name: string; value: string; note?: string; isBad?: boolean }) {
  return (
    <div className={isBad ? 'tile bad' : 'tile'}>
      <dt>{name}</dt>
      <dd>
        {value} {note && <small>{note}</small>}
      </dd>
    </div>
  );
}

function Charts({ samples, seconds }: { samples: readonly Sample[]; seconds: number }) {
  const times = useMemo(() => samples.map(({ at }) => Date.parse(at) / 1_000), [samples]);
  const { charts, lines } = text;
  const line = (label: string, of: (sample: Sample) => number) => ({ label, values: samples.map(of) });
  const rate = (label: string, of: (sample: Sample) => number) => line(label, (sample) => of(sample) / seconds);
  const all = useMemo(
    () => [
      {
        title: charts.connections,
        format: plain,
        lines: [
          line(lines.connections, (each) => each.connections),
          line(lines.public, (each) => each.public_connections),
        ],
      },
      {
        title: charts.bytes,
        format: bytes,
        least: 1_000,
        lines: [rate(lines.sent, (each) => each.sent), rate(lines.received, (each) => each.received)],
      },
      {
        title: charts.handshakes,
        format: plain,
        lines: [
          rate(lines.routed, (each) => each.routed),
          rate(lines.refused, (each) => each.refused),
          rate(lines.signatures, (each) => each.signatures),
        ],
      },
      {
        title: charts.requests,
        format: plain,
        lines: [
          rate(lines.requests, (each) => each.requests),
          rate(lines.requestsRefused, (each) => each.requests_refused),
        ],
      },
      {
        title: charts.store,
        format: plain,
        lines: [
          line(lines.store, (each) => (each.store_calls > 0 ? (each.store_seconds * 1_000) / each.store_calls : 0)),
        ],
      },
    ],
    [samples, seconds],
  );
  return (
    <div className="charts">
      {all.map((chart) => (
        <Chart key={chart.title} times={times} {...chart} />
      ))}
    </div>
  );
}

/** The relays with which this one shares the overlay, and those that it does not let in. */
function OverlayPeers() {
  const query = unwrapped(api.useQuery('get', '/admin/overlay', {}, { refetchInterval: overlayPollMs }));
  return (
    <section>
      <h2>{text.overlayPeers}</h2>
      <Loaded query={query}>
        {({ peers, refused }) => (
          <>
            {peers.length === 0 && <p className="soft">{text.noPeers}</p>}
            {peers.length > 0 && <PeerTable peers={peers} />}
            {refused.length > 0 && <h3>{text.refusedPeers}</h3>}
            <ul className="plain">
              {refused.map(({ relay, reason }) => (
                <li key={relay}>
                  <code>{relay}</code> <bdi>{reason}</bdi>
                </li>
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </section>
  );
}

function PeerTable({ peers }: { peers: Schemas['OverlayPeer'][] }) {
  return (
    <div className="scroll" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{text.peer.host}</th>
            <th scope="col">{text.peer.relay}</th>
            <th scope="col">{text.peer.address}</th>
            <th scope="col">{text.peer.handshake}</th>
            <th scope="col" className="number">
              {text.traffic}
            </th>
          </tr>
        </thead>
        <tbody>
          {peers.map(({ relay, host, address, fault, received, sent, last_handshake_at: handshake }) => (
            <tr key={relay}>
              <td>
                <bdi>{host}</bdi> {fault !== undefined && <small className="bad">{fault}</small>}
              </td>
              <td className="short" title={relay}>
                {short(relay)}
              </td>
              <td>{address}</td>
              <td>{handshake === undefined ? text.never : ago(handshake)}</td>
              <td className="number">
                {bytes(received)} ↓ {bytes(sent)} ↑
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Counts({ title, counts, none }: { title: string; counts: Schemas['Count'][]; none?: string }) {
  const most = Math.max(1, ...counts.map(({ count }) => count));
  return (
    <section>
      <h2>{title}</h2>
      {counts.length === 0 && <p className="soft">{none}</p>}
      <ul className="bars">
        {[...counts]
          .sort((a, b) => b.count - a.count)
          .map(({ what, count }) => (
            <li key={what}>
              <code>{what}</code>
              <meter aria-label={what} value={count} max={most} />
              <span className="number">{count.toLocaleString('en')}</span>
            </li>
          ))}
      </ul>
    </section>
  );
}
