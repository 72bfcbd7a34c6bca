import { isIPv4 } from 'node:net';
import { isPublicAddress } from '../../net/public-address.js';
import { sourceOf } from '../../net/source-network.js';
import { relayCost } from '../../sdk/discovery/choose-relays.js';
import type { FoundRelay } from '../../sdk/discovery/find-relays.js';

/** How much less likely a relay is chosen for each path that broke with it. */
const strikeFactor = 4;

export interface PathWishes {
  /** Number of relays. */
  length: number;
  /** Keeps this entry, and so the public URL, if it can be one. */
  entry?: string | undefined;
  /** Relays that did not answer on a path. */
  barred?: ReadonlySet<string> | undefined;
  /** How often a path has broken with a relay. */
  strikes?: ReadonlyMap<string, number> | undefined;
  /** From 0 up to 1, as `Math.random`. */
  random?: (() => number) | undefined;
}

/**
 * A path of relays that have an overlay and answer, entry first: at random, near and idle ones more often, and no two on one
 * host or in one network of 256 addresses.
 * @returns undefined when there are too few
 */
export function choosePath(found: readonly FoundRelay[], wishes: PathWishes): string[] | undefined {
  const { length, entry, barred = new Set(), strikes = new Map(), random = Math.random } = wishes;
  let left = found.filter(({ url, reachable, facts }) => reachable && facts?.overlay && !barred.has(url));
  const path: string[] = [];
  while (path.length < length) {
    const kept = path.length === 0 ? left.find(({ url }) => url === entry) : undefined;
    const next = kept ?? pick(left, strikes, random);
    if (next === undefined) return undefined;
    path.push(next.url);
    left = left.filter((other) => !isNear(next, other));
  }
  return path;
}

/** Weighted by the inverse of the cost. */
function pick(
  relays: readonly FoundRelay[],
  strikes: ReadonlyMap<string, number>,
  random: () => number,
): FoundRelay | undefined {
  const weights = relays.map((relay) => 1 / (relayCost(relay) * strikeFactor ** (strikes.get(relay.url) ?? 0)));
  let at = random() * weights.reduce((sum, weight) => sum + weight, 0);
  return relays.find((_relay, index) => (at -= weights[index]!) < 0) ?? relays.at(-1);
}

/** One operator, or one machine, may well have both. */
function isNear(one: FoundRelay, other: FoundRelay): boolean {
  if (new URL(one.url).hostname === new URL(other.url).hostname) return true;
  const [network, another] = [networkOf(one), networkOf(other)];
  return network !== undefined && network === another;
}

function networkOf({ remoteAddress }: FoundRelay): string | undefined {
  // Private addresses, in tests and closed networks, say nothing of whose relay it is.
  if (remoteAddress === undefined || !isPublicAddress(remoteAddress)) return undefined;
  return isIPv4(remoteAddress) ? remoteAddress.split('.').slice(0, 3).join('.') : sourceOf(remoteAddress);
}
