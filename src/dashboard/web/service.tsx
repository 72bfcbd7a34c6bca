import { useState } from 'react';
import { encode } from 'uqr';
import type { AgentStore } from '../../agent/client/agent-store.js';
import type { AgentTunnel } from '../../agent/contract.js';
import { duration, size } from '../../util/human.js';
import { useLog, useSettings } from '../hooks/use-agent.js';
import { ChangeService } from './change-service.js';
import { Requests } from './requests.js';
import { TimedLines } from './timed-lines.js';

const tabs = ['Requests', 'Relays', 'Log', 'Settings', 'Change'] as const;
type Tab = (typeof tabs)[number];

interface ServiceProps {
  store: AgentStore;
  tunnel: AgentTunnel;
  isOwner: boolean;
}

/** One service. */
export function Service({ store, tunnel, isOwner }: ServiceProps) {
  const [tab, setTab] = useState<Tab>('Requests');
  const [changed, setChanged] = useState<string>();
  const { id, state, last_error: fault, relays } = tunnel;
  const urls = relays.flatMap(({ public_urls: each = [] }) => each);
  return (
    <>
      <div className="bar">
        <h2>{id}</h2>
        <span className={`state ${state}`}>{state}</span>
        <span className="grow" />
        {isOwner && <Actions store={store} tunnel={tunnel} />}
      </div>
      {fault !== undefined && <p className="bad">{fault}</p>}
      <ul className="urls">
        {urls.map((url) => (
          <li key={url}>
            {url.startsWith('https:') ? (
              <a href={url} target="_blank" rel="noreferrer noopener">
                {url}
              </a>
            ) : (
              <code>{url}</code>
            )}
          </li>
        ))}
      </ul>
      <p className="dim">{trafficOf(tunnel)}</p>
      <div role="tablist" className="bar">
        {tabs
          .filter((each) => isOwner || each !== 'Change')
          .map((each) => (
            <button key={each} role="tab" aria-selected={each === tab} onClick={() => setTab(each)}>
              {each}
            </button>
          ))}
      </div>
      <div role="tabpanel" aria-label={tab}>
        {tab === 'Requests' && <Requests store={store} tunnel={tunnel} isOwner={isOwner} />}
        {tab === 'Relays' && <Relays tunnel={tunnel} />}
        {tab === 'Log' && <Log store={store} id={id} />}
        {tab === 'Settings' && <Settings store={store} tunnel={tunnel} />}
        {tab === 'Change' && (
          // Another change of the same service makes another form.
          <ChangeService
            key={JSON.stringify([tunnel.metadata, tunnel.target_addr, tunnel.max_active_relays, tunnel.inspected])}
            {...{ store, tunnel }}
            message={changed}
            setMessage={setChanged}
          />
        )}
      </div>
    </>
  );
}

function Actions({ store, tunnel }: { store: AgentStore; tunnel: AgentTunnel }) {
  const { id, state } = tunnel;
  const [message, setMessage] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const about = { params: { path: { id } } };
  const tell = (work: Promise<{ error?: { error: { message: string } } }> | undefined) => {
    setAsking(false);
    setMessage(undefined);
    if (!work) return setMessage('The agent does not answer.');
    work.then(
      ({ error }) => setMessage(error?.error.message),
      (error: Error) => setMessage(error.message),
    );
  };
  const { client } = store;
  return (
    <>
      {message && <span className="bad">{message}</span>}
      {state === 'stopped' ? (
        <button onClick={() => tell(client?.POST('/v1/agent/tunnels/{id}/start', about))}>Start</button>
      ) : (
        <button onClick={() => tell(client?.POST('/v1/agent/tunnels/{id}/stop', about))}>Stop</button>
      )}
      <button onClick={() => tell(client?.POST('/v1/agent/tunnels/{id}/restart', about))}>Restart</button>
      {isAsking ? (
        <>
          <span>Take it out of the configuration?</span>
          <button onClick={() => tell(client?.DELETE('/v1/agent/tunnels/{id}', about))}>Yes, remove</button>
          <button onClick={() => setAsking(false)}>No</button>
        </>
      ) : (
        <button onClick={() => setAsking(true)}>Remove</button>
      )}
    </>
  );
}

function trafficOf({ traffic, certificate_expires_at: end }: AgentTunnel): string {
  const { connections, requests, failed, received, sent } = traffic;
  const certificate = end === undefined ? '' : `; certificate until ${end.slice(0, 10)}`;
  return `Requests: ${requests}, connections: ${connections}, failed: ${failed}; ${size(received)} in, ${size(sent)} out${certificate}`;
}

function Relays({ tunnel: { relays, multi_hop: path } }: { tunnel: AgentTunnel }) {
  return (
    <>
      <table>
        <thead>
          <tr>
            <th>Relay</th>
            <th>State</th>
            <th>Answers in</th>
            <th>Offers</th>
          </tr>
        </thead>
        <tbody>
          {relays.map((relay) => (
            <tr key={relay.relay_url}>
              <td>
                {relay.relay_url}
                {!relay.explicit && <span className="dim"> (discovered)</span>}
              </td>
              <td>{relayState(relay)}</td>
              <td>{relay.latency_ms === undefined ? '' : duration(relay.latency_ms)}</td>
              <td>
                {[
                  relay.supports_tcp && 'TCP ports',
                  relay.supports_udp && 'UDP ports',
                  relay.supports_overlay && 'paths',
                ]
                  .filter(Boolean)
                  .join(', ')}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {path.length > 0 && <p>Path: {path.join(' → ')}</p>}
      {relays.flatMap(({ public_url: url }) => (url?.startsWith('https:') ? [<Code key={url} url={url} />] : []))}
    </>
  );
}

function relayState({ banned, connecting, public_url: url }: AgentTunnel['relays'][number]): string {
  if (banned) return 'not used again';
  if (connecting) return 'connecting';
  return url === undefined ? 'not in use' : 'up';
}

/** A QR code. */
function Code({ url }: { url: string }) {
  const { data, size: width } = encode(url, { border: 4 });
  const path = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : []))).join('');
  return (
    <figure>
      <svg viewBox={`0 0 ${width} ${width}`} width="180" height="180" role="img" aria-label={`QR code of ${url}`}>
        <rect width={width} height={width} fill="white" />
        <path d={path} fill="black" shapeRendering="crispEdges" />
      </svg>
      <figcaption>{url}</figcaption>
    </figure>
  );
}

function Log({ store, id }: { store: AgentStore; id: string }) {
  return <TimedLines lines={useLog(store, id)} />;
}

function Settings({ store, tunnel }: { store: AgentStore; tunnel: AgentTunnel }) {
  const settings = useSettings(store, tunnel.id, tunnel);
  return (
    <table>
      <thead>
        <tr>
          <th>Setting</th>
          <th>Value</th>
          <th>From</th>
        </tr>
      </thead>
      <tbody>
        {settings.map(({ name, value, from }) => (
          <tr key={name}>
            <td>{name}</td>
            <td>{String(value)}</td>
            <td>{origins[from]}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const origins = { service: 'its table', file: 'the top of the file', default: 'its key' };
