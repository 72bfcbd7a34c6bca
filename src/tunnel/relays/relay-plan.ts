import { chooseRelays } from '../../sdk/discovery/choose-relays.js';
import type { FoundRelay } from '../../sdk/discovery/find-relays.js';
import type { RelayTimes } from '../options/relay-times.js';

/** Relays that a tunnel holds on to, serving or not, beyond twice as many as are to serve. */
const maxMembersBeyondTwice = 2;

/** What counts about a relay that a tunnel has taken. Times are readings of one monotonic clock, in milliseconds. */
export interface MemberState {
  /** `https://host[:port]` */
  readonly url: string;
  /** Whether the caller named it. */
  readonly named: boolean;
  /** Taken for its own sake, and not as a spare. */
  readonly home: boolean;
  readonly hasServed: boolean;
  /** Since when it serves, or does not. */
  readonly isUp: boolean;
  readonly since: number;
  readonly liveConnections: number;
}

export interface Situation {
  /** In the order in which they were taken. */
  members: MemberState[];
  /** All that is known of other relays, and of these. */
  known: FoundRelay[];
  /** URLs that are not to be taken any more. */
  barred: Iterable<string>;
  /** How many relays are to serve. */
  maxRelays: number;
  udp?: boolean;
  tcp?: boolean;
  now: number;
  times: RelayTimes;
}

export interface RelayPlan {
  take: { url: string; named: boolean; home: boolean }[];
  leave: string[];
  /** When to plan again though nothing has happened; Infinity for never. */
  reviewAt: number;
}

/**
 * Which relays to take and which to leave now.
 *
 * One that stops serving is waited for a moment, and then another takes its place; it is kept all the same, since it tries
 * to come back by itself. When it has, and has served for a while, the spare goes, though not while visitors are on it.
 * So for a time more relays than wanted may serve, and fewer never do while there are others; and one that comes and
 * goes moves nothing but itself.
 *
 * Pure: the same situation gives the same plan.
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
    // Spares that were lost in their turn, or never came.
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
    // All places are taken by relays that do not serve: the spare that has been away for longest makes room.
    const [lost] = kept.filter(({ isUp, home }) => !isUp && !home).sort((a, b) => a.since - b.since);
    if (lost && reviewIn(lost.since, 2 * times.joinPatienceMs)) leave.add(lost.url);
  }
  return { take, leave: [...leave], reviewAt };
}

/** Those that answered before; failing these, those that the caller named, which may answer any moment. */
function choose({ members, known, barred, udp, tcp }: Situation, count: number): FoundRelay[] {
  if (count <= 0) return [];
  const except = new Set([...members.map(({ url }) => url), ...barred]);
  const chosen = chooseRelays(known, { count, udp, tcp, except });
  const silent = known.filter(({ url, named, reachable }) => named && !reachable && !except.has(url));
  return [...chosen, ...silent].slice(0, count);
}

/** Homes before spares, those named before others; the order in which they were taken decides the rest. */
function rank({ home, named }: MemberState): number {
  return (home ? 2 : 0) + (named ? 1 : 0);
}
