import { useEffect, useState, useSyncExternalStore } from 'react';
import type { AgentClient } from '../../agent/client/agent-client.js';
import type { AgentStore, AgentView } from '../../agent/client/agent-store.js';
import { readEvents } from '../../agent/client/read-events.js';
import type { AgentConfiguration, AgentLogLine, AgentRequestLine } from '../../agent/contract.js';

/** Of requests and lines, those that are shown. */
const maxShown = 200;

export const useAgent = (store: AgentStore): AgentView => useSyncExternalStore(store.subscribe, store.view);

/** Something that comes as a stream, about one service, as long as it is shown. */
function useStream<Item>(
  store: AgentStore,
  id: string | undefined,
  open: (client: AgentClient, id: string, signal: AbortSignal) => Promise<unknown>,
  merge: (items: Item[], item: Item) => Item[],
  version?: unknown,
): Item[] {
  const { connection } = useAgent(store);
  const [items, setItems] = useState<Item[]>([]);
  useEffect(() => {
    setItems([]);
    const { client } = store;
    if (id === undefined || connection !== 'connected' || !client) return undefined;
    const ending = new AbortController();
    const follow = async () => {
      const stream = await open(client, id, ending.signal);
      if (!stream) return;
      for await (const { data } of readEvents(stream as ReadableStream<Uint8Array>, ending.signal))
        if (!ending.signal.aborted) setItems((before) => merge(before, data as Item).slice(-maxShown));
    };
    // It ends with the agent, whose store tells so.
    follow().catch(() => undefined);
    return () => ending.abort();
  }, [store, id, connection, version]);
  return items;
}

export const useLog = (store: AgentStore, id: string | undefined): AgentLogLine[] =>
  useStream<AgentLogLine>(store, id, openLog, (lines, line) => [...lines, line]);

/** @param version read anew when it changes */
export const useRequests = (store: AgentStore, id: string | undefined, version?: unknown): AgentRequestLine[] =>
  useStream<AgentRequestLine>(
    store,
    id,
    openTraffic,
    (requests, request) =>
      requests.some((each) => each.id === request.id)
        ? requests.map((each) => (each.id === request.id ? request : each))
        : [...requests, request],
    version,
  );

const openLog = async (client: AgentClient, id: string, signal: AbortSignal) =>
  (await client.GET('/v1/agent/tunnels/{id}/log/events', { params: { path: { id } }, parseAs: 'stream', signal })).data;

const openTraffic = async (client: AgentClient, id: string, signal: AbortSignal) =>
  (await client.GET('/v1/agent/tunnels/{id}/traffic/events', { params: { path: { id } }, parseAs: 'stream', signal }))
    .data;

/** What is in force for a service. @param version read anew when it changes */
export function useSettings(
  store: AgentStore,
  id: string | undefined,
  version: unknown,
): AgentConfiguration['services'][number]['settings'] {
  const [settings, setSettings] = useState<AgentConfiguration['services'][number]['settings']>([]);
  useEffect(() => {
    let isOver = false;
    const read = async () => {
      const answer = id === undefined ? undefined : await store.client?.GET('/v1/agent/configuration');
      const found = answer?.data?.data.services.find((service) => service.id === id);
      if (!isOver) setSettings(found?.settings ?? []);
    };
    read().catch(() => undefined);
    return () => {
      isOver = true;
    };
  }, [store, id, version]);
  return settings;
}

/** Has the component drawn anew, for what depends on the time. */
export function useClock(intervalMs: number): void {
  const [, setNow] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
}
