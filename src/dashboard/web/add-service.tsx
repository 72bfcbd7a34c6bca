import { type FormEvent, useState } from 'react';
import type { AgentStore } from '../../agent/client/agent-store.js';

/** @param close with the id of what was added */
export function AddService({ store, close }: { store: AgentStore; close(id?: string): void }) {
  const [fault, setFault] = useState<string>();
  const add = async (form: FormData) => {
    const text = (name: string) => (form.get(name) as string).trim();
    const [id, name, relays] = [text('id'), text('name'), text('relays')];
    const answer = await store.client?.POST('/v1/agent/tunnels', {
      body: {
        target_addr: text('target'),
        ...(id && { id }),
        ...(name && { name }),
        ...(relays && { relays: relays.split(/[ ,]+/) }),
      },
    });
    if (answer?.data) close(answer.data.data.id);
    else setFault(answer?.error?.error.message ?? 'The agent does not answer.');
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    add(new FormData(event.currentTarget)).catch((error: Error) => setFault(error.message));
  };
  return (
    <form onSubmit={submit}>
      <h2>Add a service</h2>
      <label>
        What it is, as the agent's machine sees it
        <input name="target" required maxLength={4096} placeholder="3000, http://localhost:3000, /srv/site" autoFocus />
      </label>
      <label>
        Id
        <input name="id" pattern="[A-Za-z0-9_\-]{1,64}" placeholder="made from the name or the target" />
      </label>
      <label>
        First label of its public name
        <input name="name" maxLength={63} placeholder="the id" />
      </label>
      <label>
        Relays
        <input name="relays" placeholder="those of the configuration; several with commas" />
      </label>
      <div className="bar">
        <button>Add</button>
        <button type="button" onClick={() => close()}>
          Leave
        </button>
      </div>
      <p className="bad" role="alert">
        {fault}
      </p>
    </form>
  );
}
