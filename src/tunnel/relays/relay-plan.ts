import { chooseRelays } from '../../sdk/discovery/choose-relays.js';
import type { FoundRelay } from '../../sdk/discovery/find-relays.js';
import type { RelayTimes } from '../options/relay-times.js';

/** Most relays that a tunnel holds beyond twice as many as should serve. */
const maxMembersBeyondTwice = 2;

/** State of a relay that a tunnel has taken. Times are of one monotonic clock, in milliseconds. */
export interface MemberState {
  /** `https://host[:port]` */
  readonly url: string;
  /** Whether the caller named it. */
  readonly named: boolean;
  /** Taken as a regular relay, not as a spare. */
  readonly home: boolean;
  readonly hasServed: boolean;
  /** Time of the last change between serving and not. */
  readonly isUp: boolean;
  readonly since: number;
  readonly liveConnections: number;
}

export interface Situation {
  /** In the order in which they were added. */
  members: MemberState[];
  /** Candidates: what is known of these and of other relays. */
  known: FoundRelay[];
  /** URLs that must not be taken again. */
  barred: Iterable<string>;
  /** How many relays should serve. */
  maxRelays: number;
  udp?: boolean;
  tcp?: boolean;
  now: number;
  times: RelayTimes;
}

export interface RelayPlan {
  take: { url: string; named: boolean; home: boolean }[];
  leave: string[];
  /** When to plan again if nothing happens; Infinity for never. */
  reviewAt: number;
}

/**
 * Decides which relays to take and which to leave now.
 *
 * When a relay stops serving, a spare replaces it after a short delay. The relay is kept, since it reconnects by
 * itself. Once it has served again for a while, the spare is released, but not while visitors use it. So more relays
 * than wanted may serve for a time, but never fewer while there are others, and a flapping relay affects only itself.
 *
 * Pure function: the same situation gives the same plan.
 */
export function planRelays(situation: Situation): RelayPlan {
  const { members, maxRelays, now, times } = situation;
  let reviewAt = Infinity;
  const reviewIn = (since: number, waitMs: number): boolean => {
    const at = since + waitMs;
    if (at > now) reviewAt = Math.min(reviewAt, at);
    return at <= now;
  };

  const leave = new Set<string>();
  for (const { url, named, isUp, since } of members) {
    if (!named && !isUp && reviewIn(since, times.forgetLostAfterMs)) leave.add(url);
  }
  const up = members.filter(({ isUp }) => isUp).sort((a, b) => rank(b) - rank(a));
  const first = up.slice(0, maxRelays);
  const isSettled =
    first.length === maxRelays && first.map((m) => reviewIn(m.since, times.releaseSpareAfterMs)).every(Boolean);
  if (isSettled) {
    for (const member of up.slice(maxRelays)) if (member.liveConnections === 0) leave.add(member.url);
    // Spares that stopped serving, or never served.
    for (const { url, isUp, home } of members) if (!isUp && !home) leave.add(url);
  }

  const kept = members.filter(({ url }) => !leave.has(url));
  const counted = kept.filter(
    ({ isUp, hasServed, since }) => isUp || !reviewIn(since, hasServed ? times.lossPatienceMs : times.joinPatienceMs),
  );
  const missing = maxRelays - counted.length;
  const room = 2 * maxRelays + maxMembersBeyondTwice - kept.length;
  const homes = kept.filter(({ home }) => home).length;
  const take = choose(situation, Math.min(missing, room)).map(({ url, named }, index) => ({
    url,
    named,
    home: homes + index < maxRelays,
  }));
  if (missing > take.length && room <= take.length) {
    // All places are held by relays that do not serve: evict the spare that has not served for longest.
    const [lost] = kept.filter(({ isUp, home }) => !isUp && !home).sort((a, b) => a.since - b.since);
    if (lost && reviewIn(lost.since, 2 * times.joinPatienceMs)) leave.add(lost.url);
  }
  return { take, leave: [...leave], reviewAt };
}

/** First those that have responded before, then those that the caller named, which may respond at any moment. */
function choose({ members, known, barred, udp, tcp }: Situation, count: number): FoundRelay[] {
  if (count <= 0) return [];
  const except = new Set([...members.map(({ url }) => url), ...barred]);
  const chosen = chooseRelays(known, { count, udp, tcp, except });
  const silent = known.filter(({ url, named, reachable }) => named && !reachable && !except.has(url));
  return [...chosen, ...silent].slice(0, count);
}

/** Regular relays before spares, named ones before others, then the order in which they were added. */
function rank({ home, named }: MemberState): number {
  return (home ? 2 : 0) + (named ? 1 : 0);
}
