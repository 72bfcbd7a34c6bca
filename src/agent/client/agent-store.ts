import type { AgentNotice, AgentStatus, AgentTunnel } from '../contract.js';
import type { AgentClient } from './agent-client.js';
import { readEvents, type ServerSentEvent } from './read-events.js';

/** A stream that is silent for so long is dead: the agent says something every 15 s. */
const silenceMs = 40_000;
/** Before the agent is looked for again, doubled each time up to the longest. */
const firstDelayMs = 500;
const longestDelayMs = 5_000;
/** Requests a second are those of the last so many seconds. */
const rateSeconds = 5;
const maxNotices = 100;

/** What is known of an agent now. Each change makes another object. */
export interface AgentView {
  /** `lost`: it does not answer; `refused`: the credential does not serve (any more). What was known stays. */
  connection: 'connecting' | 'connected' | 'lost' | 'refused';
  status: AgentStatus | undefined;
}

/** Follows an agent, over restarts of it, for a user interface. */
export class AgentStore {
  #view: AgentView = { connection: 'connecting', status: undefined };
  readonly #listeners = new Set<() => void>();
  readonly #samples = new Map<string, { at: number; count: number }[]>();
  readonly #ending = new AbortController();
  #client: AgentClient | undefined;

  /** @param connect finds the agent, anew each time; undefined when none runs */
  constructor(private readonly connect: () => Promise<AgentClient | undefined>) {}

  /** The same object as long as nothing changes. */
  readonly view = (): AgentView => this.#view;

  /** Requests (of a service that gets bytes: connections) a second, lately. */
  rate(id: string, now = Date.now()): number {
    const samples = this.#samples.get(id) ?? [];
    const base = samples.filter(({ at }) => now - at > rateSeconds * 1_000).at(-1) ?? samples[0];
    return ((samples.at(-1)?.count ?? 0) - (base?.count ?? 0)) / rateSeconds;
  }

  /** To be asked; undefined while there is none. */
  get client(): AgentClient | undefined {
    return this.#client;
  }

  /** @returns unsubscribes */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Follows until `stop`. Never rejects. */
  async run(): Promise<void> {
    const { signal } = this.#ending;
    let delayMs = firstDelayMs;
    while (!signal.aborted) {
      try {
        if (await this.#follow()) delayMs = firstDelayMs;
      } catch {
        // As a stream that ends.
      }
      if (signal.aborted) return;
      if (this.#view.connection !== 'refused') this.#change({ connection: 'lost' });
      await pause(delayMs, signal);
      delayMs = Math.min(delayMs * 2, longestDelayMs);
    }
  }

  stop(): void {
    this.#ending.abort();
  }

  /** @returns whether it was connected */
  async #follow(): Promise<boolean> {
    this.#client = await this.connect();
    if (!this.#client) return false;
    const silence = new AbortController();
    const signal = AbortSignal.any([this.#ending.signal, silence.signal]);
    let timer = setTimeout(() => silence.abort(), silenceMs);
    try {
      // First the stream, so that nothing is missed between the two.
      const stream = await this.#client.GET('/v1/agent/events', { parseAs: 'stream', signal });
      const { data, response } = await this.#client.GET('/v1/agent/status', { signal });
      if (!data || !stream.data) {
        this.#change({ connection: response.status === 401 ? 'refused' : 'lost' });
        return false;
      }
      this.#samples.clear();
      this.#change({ connection: 'connected', status: data.data });
      const heard = (stream.data as ReadableStream<Uint8Array>).pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            clearTimeout(timer);
            timer = setTimeout(() => silence.abort(), silenceMs);
            controller.enqueue(chunk);
          },
        }),
        { signal },
      );
      for await (const event of readEvents(heard, this.#ending.signal)) this.#take(event);
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  #take({ event, data }: ServerSentEvent): void {
    const { status } = this.#view;
    if (!status) return;
    if (event === 'tunnel') this.#tunnel(status, data as AgentTunnel);
    if (event === 'removed') {
      const { id } = data as { id: string };
      this.#samples.delete(id);
      this.#change({ status: { ...status, tunnels: status.tunnels.filter((each) => each.id !== id) } });
    }
    if (event === 'notice') {
      const notices = [...status.notices, data as AgentNotice].slice(-maxNotices);
      this.#change({ status: { ...status, notices } });
    }
    if (event === 'configuration') {
      const { config_error: before, ...rest } = status;
      this.#change({ status: { ...rest, ...(data as { config_error?: string }) } });
    }
  }

  #tunnel(status: AgentStatus, tunnel: AgentTunnel): void {
    const isKnown = status.tunnels.some(({ id }) => id === tunnel.id);
    const tunnels = isKnown
      ? status.tunnels.map((each) => (each.id === tunnel.id ? tunnel : each))
      : [...status.tunnels, tunnel];
    this.#sample(tunnel);
    this.#change({ status: { ...status, tunnels } });
  }

  #sample({ id, traffic }: AgentTunnel): void {
    const at = Date.now();
    const count = traffic.requests || traffic.connections;
    const known = this.#samples.get(id) ?? [];
    // Started anew, it counts from the beginning.
    const before = (known.at(-1)?.count ?? 0) > count ? [] : known;
    const old = before.filter((sample) => at - sample.at > rateSeconds * 1_000).slice(-1);
    const recent = before.filter((sample) => at - sample.at <= rateSeconds * 1_000);
    this.#samples.set(id, [...old, ...recent, { at, count }]);
  }

  #change(changes: Partial<AgentView>): void {
    this.#view = { ...this.#view, ...changes };
    for (const listener of this.#listeners) listener();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
