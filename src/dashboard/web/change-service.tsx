import type { FormEvent } from 'react';
import type { AgentStore } from '../../agent/client/agent-store.js';
import type { AgentTunnel } from '../../agent/contract.js';

interface ChangeServiceProps {
  store: AgentStore;
  tunnel: AgentTunnel;
  /** The outcome of the last change, which outlives the form. */
  message: string | undefined;
  setMessage(message: string): void;
}

/** What can be changed of a service here; all else is in the file. */
export function ChangeService({ store, tunnel, message, setMessage }: ChangeServiceProps) {
  const { id, target_addr: target, metadata = {}, max_active_relays: most, inspected, relays } = tunnel;
  const about = { params: { path: { id } } };
  const tell = (work: Promise<{ error?: { error: { message: string } } }> | undefined, done: string) => {
    if (!work) return setMessage('The agent does not answer.');
    work.then(
      ({ error }) => setMessage(error?.error.message ?? done),
      (error: Error) => setMessage(error.message),
    );
  };
  const change = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => (form.get(name) as string).trim();
    const { description, tags: tagsBefore, ...others } = metadata;
    const tags = text('tags').split(/[ ,]+/).filter(Boolean);
    const changed = {
      ...others,
      ...(text('description') && { description: text('description') }),
      ...(tags.length > 0 && { tags }),
    };
    const isTold = JSON.stringify(sorted(changed)) !== JSON.stringify(sorted(metadata));
    const body = {
      ...(text('target') !== target && { target_addr: text('target') }),
      ...(isTold && { metadata: changed }),
      ...(text('most') !== (most === undefined ? '' : String(most)) && {
        max_active_relays: text('most') === '' ? null : Number(text('most')),
      }),
      ...((form.get('inspect') !== null) !== inspected && { inspect: form.get('inspect') !== null }),
    };
    tell(store.client?.PATCH('/v1/agent/tunnels/{id}', { ...about, body }), 'Changed.');
  };
  const addRelay = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const body = { relay_url: (new FormData(event.currentTarget).get('relay') as string).trim() };
    tell(store.client?.POST('/v1/agent/tunnels/{id}/relays', { ...about, body }), 'Added.');
  };
  return (
    <>
      <form onSubmit={change}>
        <label>
          What it is
          <input name="target" defaultValue={target} required maxLength={4096} />
        </label>
        <label>
          Description, for listings
          <input name="description" defaultValue={metadata.description} maxLength={280} />
        </label>
        <label>
          Tags
          <input name="tags" defaultValue={metadata.tags?.join(' ')} />
        </label>
        <label>
          Relays at once
          <input name="most" type="number" min={1} max={16} defaultValue={most} placeholder="all" />
        </label>
        <label className="check">
          <input name="inspect" type="checkbox" defaultChecked={inspected} /> Keep its last requests in memory, to be
          read and sent again
        </label>
        <button>Change</button>
      </form>
      <form onSubmit={addRelay} className="bar">
        <label className="grow">
          Another relay
          <input name="relay" type="url" required placeholder="https://relay.example.com" />
        </label>
        <button>Use it</button>
      </form>
      {relays
        .filter(({ explicit }) => explicit)
        .map(({ relay_url: url }) => (
          <p key={url} className="bar">
            <span className="grow">{url}</span>
            <button
              onClick={() =>
                tell(
                  store.client?.DELETE('/v1/agent/tunnels/{id}/relays', { ...about, body: { relay_url: url } }),
                  'Left.',
                )
              }
            >
              Leave it
            </button>
          </p>
        ))}
      <p role="status">{message}</p>
    </>
  );
}

const sorted = (table: object) => Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1));
