import { useState } from 'react';
import type { AgentStore } from '../../agent/client/agent-store.js';
import type { AgentTunnel } from '../../agent/contract.js';
import { useAgent, useClock } from '../hooks/use-agent.js';
import { AddService } from './add-service.js';
import { Service } from './service.js';
import { TimedLines } from './timed-lines.js';

interface DashboardProps {
  store: AgentStore;
  /** Whether things may be changed. */
  isOwner: boolean;
  leave(): void;
}

/** All services, and one of them. */
export function Dashboard({ store, isOwner, leave }: DashboardProps) {
  const { connection, status } = useAgent(store);
  useClock(1_000);
  const [selected, setSelected] = useState<string>();
  const [filter, setFilter] = useState('');
  const [isAdding, setAdding] = useState(false);
  if (!status)
    return (
      <main className="center">
        <p role="status">{connectionTexts[connection]}</p>
        {connection === 'refused' && <button onClick={leave}>Sign in again</button>}
      </main>
    );
  const tunnels = status.tunnels.filter(({ id, name = '', target_addr: target = '' }) =>
    [id, name, target].some((text) => text.toLowerCase().includes(filter.toLowerCase())),
  );
  const current = status.tunnels.find(({ id }) => id === selected) ?? tunnels[0];
  return (
    <>
      <header>
        <h1>Portal agent</h1>
        <span className="dim">
          {status.version}, {status.control_addr}
        </span>
        <span className="grow" />
        {!isOwner && <span>{status.wallet_address} may look, not change</span>}
        <button onClick={leave}>Sign out</button>
      </header>
      <Banner connection={connection} configError={status.config_error} leave={leave} />
      <div className="columns">
        <nav aria-label="Services">
          <div className="bar">
            <input
              type="search"
              aria-label="Find a service"
              placeholder={`Find one of ${status.tunnels.length}`}
              value={filter}
              onChange={(event) => setFilter(event.target.value)}
            />
            {isOwner && <button onClick={() => setAdding(true)}>Add</button>}
          </div>
          <ul>
            {tunnels.map((tunnel) => (
              <li key={tunnel.id}>
                <button
                  className="service"
                  aria-current={tunnel.id === current?.id}
                  onClick={() => {
                    setSelected(tunnel.id);
                    setAdding(false);
                  }}
                >
                  <ServiceLine tunnel={tunnel} rate={store.rate(tunnel.id)} />
                </button>
              </li>
            ))}
          </ul>
          {status.notices.length > 0 && (
            <details>
              <summary>Notices ({status.notices.length})</summary>
              <TimedLines lines={status.notices} />
            </details>
          )}
        </nav>
        <main>
          {isAdding ? (
            <AddService
              store={store}
              close={(id) => {
                setAdding(false);
                if (id !== undefined) setSelected(id);
              }}
            />
          ) : current ? (
            <Service key={current.id} store={store} tunnel={current} isOwner={isOwner} />
          ) : (
            <p>There are no services yet.{isOwner && ' Add one.'}</p>
          )}
        </main>
      </div>
    </>
  );
}

interface BannerProps {
  connection: keyof typeof connectionTexts;
  configError: string | undefined;
  leave(): void;
}

/** What is wrong with all that is below. */
function Banner({ connection, configError, leave }: BannerProps) {
  if (connection !== 'connected')
    return (
      <p className="banner" role="alert">
        {connectionTexts[connection]} {connection === 'refused' && <button onClick={leave}>Sign in again</button>}
      </p>
    );
  if (configError === undefined) return null;
  return (
    <p className="banner" role="alert">
      The configuration is not followed as it is: {configError}
    </p>
  );
}

function ServiceLine({ tunnel, rate }: { tunnel: AgentTunnel; rate: number }) {
  const { id, state, target_addr: target } = tunnel;
  return (
    <>
      <span className={`state ${state}`}>{state}</span>
      <b>{id}</b>
      <span className="dim">{target}</span>
      <span className="dim">{rate > 0 ? `${rate.toFixed(1)}/s` : ''}</span>
    </>
  );
}

const connectionTexts = {
  connecting: 'Asking the agent …',
  connected: '',
  lost: 'The agent does not answer. This page waits for it.',
  refused: 'The agent has been started anew, or the sign-in has ended.',
};
