import type { AgentStore } from '../../agent/client/agent-store.js';
import type { AgentTunnel } from '../../agent/contract.js';

export interface Field {
  name: string;
  label: string;
  value: string;
  /** What an empty one means. */
  hint?: string;
}

type Values = Record<string, string>;

/** What can be filled in, and what then happens. */
export interface FormPlan {
  title: string;
  fields: Field[];
  /** Said once it is done. */
  done: string;
  /** @returns why it cannot be done */
  submit(values: Values): Promise<string | undefined>;
}

interface Answer {
  error?: { error: { message: string } } | undefined;
}

/** @returns why it was not done */
export const faultOf = async (work: Promise<Answer> | undefined): Promise<string | undefined> =>
  work ? (await work).error?.error.message : 'the agent does not answer';

/** @param resolveTarget makes a path of this terminal one of the agent @throws Error that says what is wrong with a target */
export function addForm(store: AgentStore, resolveTarget: (target: string) => string): FormPlan {
  return {
    title: 'Add a service',
    fields: [
      { name: 'target', label: 'What', value: '', hint: '3000, http://localhost:3000, ./folder' },
      { name: 'id', label: 'Id', value: '', hint: 'made from the name or the target' },
      { name: 'name', label: 'Public name', value: '', hint: 'the id' },
      { name: 'relay', label: 'Relay', value: '', hint: 'those of the configuration' },
    ],
    done: 'added',
    submit: async ({ target = '', id, name, relay }) =>
      await faultOf(
        store.client?.POST('/v1/agent/tunnels', {
          body: {
            target_addr: target && resolveTarget(target),
            ...(id && { id }),
            ...(name && { name }),
            ...(relay && { relays: relay.trim().split(/[ ,]+/) }),
          },
        }),
      ),
  };
}

/** @throws Error that says what is wrong with a target */
export function changeForm(
  store: AgentStore,
  tunnel: AgentTunnel,
  resolveTarget: (target: string) => string,
): FormPlan {
  const { id, metadata = {}, target_addr: before = '', max_active_relays: most, inspected } = tunnel;
  const mostBefore = most === undefined ? '' : String(most);
  return {
    title: `Change ${id}`,
    fields: [
      { name: 'target', label: 'What', value: before },
      { name: 'description', label: 'Description', value: metadata.description ?? '', hint: 'shown in listings' },
      { name: 'relays', label: 'Relays at once', value: mostBefore, hint: 'all' },
      { name: 'inspect', label: 'Inspect', value: inspected ? 'yes' : 'no', hint: 'yes or no' },
    ],
    done: `changed ${id}`,
    submit: async ({ target = '', description, relays, inspect = '' }) => {
      if (!/^(yes|no)$/.test(inspect)) return 'inspect: yes or no';
      if (relays && !/^\d+$/.test(relays)) return 'relays at once: a number';
      const { description: told = '', ...others } = metadata;
      const body = {
        ...(target !== before && { target_addr: target && resolveTarget(target) }),
        ...(description !== told && { metadata: { ...others, ...(description && { description }) } }),
        ...(relays !== mostBefore && { max_active_relays: relays ? Number(relays) : null }),
        ...((inspect === 'yes') !== inspected && { inspect: inspect === 'yes' }),
      };
      return await faultOf(store.client?.PATCH('/v1/agent/tunnels/{id}', { params: { path: { id } }, body }));
    },
  };
}
