import { type FormEvent, useEffect, useState } from 'react';
import type { AgentStore } from '../../agent/client/agent-store.js';
import type { AgentRequest, AgentRequestLine, AgentTunnel } from '../../agent/contract.js';
import { duration, size } from '../../util/human.js';
import { useRequests } from '../hooks/use-agent.js';

interface RequestsProps {
  store: AgentStore;
  tunnel: AgentTunnel;
  isOwner: boolean;
}

/** The last requests, and one of them. */
export function Requests({ store, tunnel, isOwner }: RequestsProps) {
  const { id, inspected } = tunnel;
  // Forgotten requests are not told as such: what is left is read anew.
  const [version, setVersion] = useState(0);
  const requests = useRequests(store, id, version);
  const [filter, setFilter] = useState('');
  const [opened, setOpened] = useState<number>();
  const [showsSecrets, setShowsSecrets] = useState(false);
  const wanted = filter.toLowerCase();
  const shown = requests.filter(({ method, target, status, type = '' }) =>
    `${method} ${target} ${status ?? ''} ${type}`.toLowerCase().includes(wanted),
  );
  const line = requests.find((each) => each.id === opened);
  const exportAll = async () => {
    const query = { secrets: showsSecrets ? 'shown' : 'masked' } as const;
    const { data } = (await store.client?.GET('/v1/agent/tunnels/{id}/har', { params: { path: { id }, query } })) ?? {};
    if (!data) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([JSON.stringify(data)], { type: 'application/json' }));
    link.download = `${id}.har`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const forget = async () => {
    await store.client?.DELETE('/v1/agent/tunnels/{id}/requests', { params: { path: { id } } });
    setVersion(version + 1);
  };
  return (
    <>
      <div className="bar">
        <input
          type="search"
          aria-label="Filter requests"
          placeholder="Method, path, status or type"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
        {inspected && isOwner && (
          <label className="check">
            <input type="checkbox" checked={showsSecrets} onChange={(event) => setShowsSecrets(event.target.checked)} />{' '}
            Show secrets
          </label>
        )}
        {inspected && <button onClick={() => void exportAll().catch(() => undefined)}>Export HAR</button>}
        {isOwner && (
          <button
            onClick={() => {
              forget().catch(() => undefined);
            }}
          >
            Forget all
          </button>
        )}
      </div>
      {!inspected && <p className="dim">Lines only: with “Change”, its requests are kept to be read and sent again.</p>}
      <table className="requests">
        <thead>
          <tr>
            <th>Time</th>
            <th>Status</th>
            <th>Request</th>
            <th>Took</th>
            <th>Bytes</th>
            <th>From</th>
          </tr>
        </thead>
        <tbody>
          {shown.toReversed().map((request) => (
            <tr key={request.id} aria-selected={request.id === opened}>
              <td>{new Date(request.started_at).toLocaleTimeString()}</td>
              <td className={statusClass(request)}>
                {request.status ?? (request.error === undefined ? '…' : 'broke off')}
              </td>
              <td>
                {inspected ? (
                  <button className="link" onClick={() => setOpened(request.id === opened ? undefined : request.id)}>
                    {request.method} {request.target}
                  </button>
                ) : (
                  `${request.method} ${request.target}`
                )}
              </td>
              <td>{request.took_ms === undefined ? '' : duration(request.took_ms)}</td>
              <td>{request.bytes === undefined ? '' : size(request.bytes)}</td>
              <td>{request.address}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length === 0 && <p className="dim">No requests yet.</p>}
      {line && (
        <Exchange
          key={line.id}
          {...{ store, id, isOwner, showsSecrets }}
          number={line.id}
          version={`${line.status} ${line.took_ms} ${line.messages}`}
        />
      )}
    </>
  );
}

function statusClass({ status = 0, error }: AgentRequestLine): string {
  if (error !== undefined || status >= 500) return 'bad';
  return status >= 200 && status < 400 ? 'good' : '';
}

interface ExchangeProps {
  store: AgentStore;
  id: string;
  number: number;
  isOwner: boolean;
  showsSecrets: boolean;
  /** It is read anew when this changes. */
  version: string;
}

/** A request and its response, whole. */
function Exchange({ store, id, number, isOwner, showsSecrets, version }: ExchangeProps) {
  const [exchange, setExchange] = useState<AgentRequest>();
  const [message, setMessage] = useState<string>();
  const [isEditing, setEditing] = useState(false);
  useEffect(() => {
    let isOver = false;
    const read = async () => {
      const answer = await store.client?.GET('/v1/agent/tunnels/{id}/requests/{request}', {
        params: { path: { id, request: number }, query: { secrets: showsSecrets ? 'shown' : 'masked' } },
      });
      if (isOver) return;
      setExchange(answer?.data?.data);
      setMessage(answer?.error?.error.message);
    };
    read().catch((error: Error) => setMessage(error.message));
    return () => {
      isOver = true;
    };
  }, [store, id, number, showsSecrets, version]);
  const replay = async (body: object) => {
    const answer = await store.client?.POST('/v1/agent/tunnels/{id}/requests/{request}/replay', {
      params: { path: { id, request: number } },
      body,
    });
    setMessage(answer?.error?.error.message ?? 'Sent again.');
    if (answer?.data) setEditing(false);
  };
  const send = (body: object) => void replay(body).catch((error: Error) => setMessage(error.message));
  if (!exchange) return <p role="status">{message}</p>;
  const { request, response, socket_messages: messages, curl } = exchange;
  return (
    <section aria-label={`Request ${number}`}>
      <div className="bar">
        <h3 className="grow">
          {exchange.method} {exchange.target}
        </h3>
        {isOwner && (
          <>
            <button onClick={() => send({})}>Send again</button>
            <button onClick={() => setEditing(!isEditing)}>Edit and send</button>
          </>
        )}
        <button
          onClick={() =>
            void navigator.clipboard.writeText(curl).then(
              () => setMessage('Copied.'),
              () => setMessage('The browser does not let this page copy.'),
            )
          }
        >
          Copy as curl
        </button>
      </div>
      <p role="status">{message}</p>
      {isEditing && <Edit exchange={exchange} send={send} />}
      <h4>Request</h4>
      <Message {...request} />
      {response && (
        <>
          <h4>
            Response: {exchange.status} {response.reason}
            {response.is_local && ' (of the agent itself)'}
          </h4>
          <Message {...response} />
        </>
      )}
      {messages.length > 0 && (
        <>
          <h4>WebSocket messages</h4>
          <ol className="log">
            {messages.map(({ direction, kind, text, length, time }, index) => (
              <li key={index}>
                <time dateTime={time}>{new Date(time).toLocaleTimeString()}</time>{' '}
                {direction === 'in' ? 'from the visitor' : 'to the visitor'}, {kind}, {size(length)}: {text}
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function Message({ fields, body }: AgentRequest['request']) {
  return (
    <>
      <table className="fields">
        <tbody>
          {fields.map(([name, value], index) => (
            <tr key={index}>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {body.base64 !== undefined && body.type.startsWith('image/') ? (
        <img src={`data:${body.type};base64,${body.base64}`} alt="The body" />
      ) : (
        body.length > 0 && (
          <pre tabIndex={0}>{body.text === undefined ? `${size(body.length)} of bytes` : pretty(body)}</pre>
        )
      )}
      {body.is_cut && <p className="dim">Only the beginning of {size(body.length)} was kept.</p>}
    </>
  );
}

function pretty({ type, text = '' }: AgentRequest['request']['body']): string {
  if (!type.includes('json')) return text;
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

/** The request, to be changed before it is sent. */
function Edit({ exchange, send }: { exchange: AgentRequest; send(body: object): void }) {
  const { method, target, request } = exchange;
  const fields = request.fields.map(([name, value]) => `${name}: ${value}`).join('\n');
  const text = request.body.text ?? '';
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const value = (name: string) => form.get(name) as string;
    const lines = value('fields').replaceAll('\r', '').split('\n').filter(Boolean);
    send({
      ...(value('method') !== method && { method: value('method') }),
      ...(value('target') !== target && { target: value('target') }),
      ...(lines.join('\n') !== fields && {
        fields: lines.map((line) => {
          const at = line.indexOf(':');
          return [line.slice(0, at), line.slice(at + 1).trim()];
        }),
      }),
      ...(value('body').replaceAll('\r\n', '\n') !== text && { body: value('body') }),
    });
  };
  return (
    <form onSubmit={submit}>
      <label>
        Method
        <input name="method" defaultValue={method} pattern="[A-Z]+" required />
      </label>
      <label>
        Path and query
        <input name="target" defaultValue={target} required />
      </label>
      <label>
        Header fields, a line each
        <textarea name="fields" defaultValue={fields} rows={6} />
      </label>
      <label>
        Body
        <textarea name="body" defaultValue={text} rows={6} />
      </label>
      <button>Send</button>
    </form>
  );
}
