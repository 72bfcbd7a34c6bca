import type { FoundRelay } from './find-relays.js';

/** Differences below this are noise when relays are chosen. */
const minCountedLatencyMs = 2;
/** A relay that reports so many connections, or so many bytes a second, counts as twice as far away. */
const busyConnections = 1_000;
const busyBps = 50_000_000;
/** However busy a relay says it is, it counts as no more times as far away. */
const maxLoadPenalty = 4;

export interface RelayNeeds {
  /** How many. */
  count: number;
  /** What a lease is going to ask for. */
  udp?: boolean | undefined;
  tcp?: boolean | undefined;
  /** URLs (`https://host[:port]`) that are not to be chosen: in use already, or just left. */
  except?: Iterable<string>;
}

/**
 * The relays to use, best first: those that answer and have what is needed, near ones before far ones, idle ones before busy
 * ones, and none on a host that is chosen already while there is another. Those that the caller named go before those that were
 * heard of. Fewer than asked for where there are not as many.
 *
 * Pure: the same relays give the same choice.
 */
export function chooseRelays(found: FoundRelay[], { count, udp, tcp, except = [] }: RelayNeeds): FoundRelay[] {
  const excluded = new Set(except);
  const fit = found.filter(
    (relay) =>
      relay.reachable &&
      !excluded.has(relay.url) &&
      // A relay that says nothing of itself may have it; to ask is the only way to know.
      (!udp || relay.facts?.supportsUdp !== false) &&
      (!tcp || relay.facts?.supportsTcp !== false),
  );
  const ranked = fit
    .map((relay) => ({ relay, cost: relayCost(relay) }))
    .sort(
      (a, b) => Number(b.relay.named) - Number(a.relay.named) || a.cost - b.cost || compare(a.relay.url, b.relay.url),
    )
    .map(({ relay }) => relay);

  const hosts = new Set<string>();
  const [first, again]: [FoundRelay[], FoundRelay[]] = [[], []];
  for (const relay of ranked) {
    const { hostname } = new URL(relay.url);
    (hosts.has(hostname) ? again : first).push(relay);
    hosts.add(hostname);
  }
  return [...first, ...again].slice(0, Math.max(0, count));
}

/**
 * Latency, weighed up to `maxLoadPenalty` times by the load that the relay reports. Load can only count against a relay, and only
 * so far: it is the relay's own word, and one that understates it gains no more than being as near as it is.
 */
export function relayCost({ latencyMs = Infinity, facts }: FoundRelay): number {
  const load = facts ? facts.activeConnections / busyConnections + facts.tcpBps / busyBps : 0;
  return Math.max(latencyMs, minCountedLatencyMs) * Math.min(1 + load, maxLoadPenalty);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
