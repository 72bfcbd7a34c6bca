import type { FoundRelay } from './find-relays.js';

/** Latency differences below this are treated as noise. */
const minCountedLatencyMs = 2;
/** A relay that reports this many connections or bytes per second counts as twice as far away. */
const busyConnections = 1_000;
const busyBps = 50_000_000;
/** Most that the reported load can multiply the latency. */
const maxLoadPenalty = 4;

export interface RelayNeeds {
  /** Number of relays to choose. */
  count: number;
  /** The features that the lease needs. */
  udp?: boolean | undefined;
  tcp?: boolean | undefined;
  /** URLs (`https://host[:port]`) to exclude: already in use, or just left. */
  except?: Iterable<string>;
}

/**
 * The relays to use, best first: those that answer and have the needed features, low latency before high, idle before
 * busy, and no second one on the same host while there is an alternative. Named relays come before discovered ones.
 * Fewer than requested if there are not enough.
 *
 * A pure function.
 */
export function chooseRelays(found: FoundRelay[], { count, udp, tcp, except = [] }: RelayNeeds): FoundRelay[] {
  const excluded = new Set(except);
  const fit = found.filter(
    (relay) =>
      relay.reachable &&
      !excluded.has(relay.url) &&
      // A relay without a descriptor may have the feature; only trying can tell.
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
 * Latency, multiplied by up to `maxLoadPenalty` for the reported load. Load can only count against a relay, and only
 * up to a limit: it is self-reported, and understating it gains nothing beyond the real latency.
 */
export function relayCost({ latencyMs = Infinity, facts }: FoundRelay): number {
  const load = facts ? facts.activeConnections / busyConnections + facts.tcpBps / busyBps : 0;
  return Math.max(latencyMs, minCountedLatencyMs) * Math.min(1 + load, maxLoadPenalty);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
