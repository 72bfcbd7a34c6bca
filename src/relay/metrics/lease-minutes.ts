import { identityKey } from '../../contract/lease-identity.js';
import type { LeaseIdentity } from '../../contract/lease-identity.js';
import type { Traffic } from '../reverse/traffic.js';

export const minuteMs = 60_000;
const minutesKept = 60;
/** Leases whose minutes are kept; the one that has been quiet for the longest makes room. */
const maxLeases = 10_000;
const valuesPerMinute = 3;

/** The bytes of a minute. Times are milliseconds since the epoch. */
export interface TrafficMinute {
  /** When it ended. */
  readonly at: number;
  readonly received: number;
  readonly sent: number;
}

/** A ring buffer of the minutes in which bytes passed: a relay has many leases, and few that are busy for an hour. */
class Minutes {
  readonly #values = new Float64Array(minutesKept * valuesPerMinute);
  #count = 0;
  lastAt = -Infinity;

  add(at: number, received: number, sent: number): void {
    if (at !== this.lastAt) this.#count++;
    const start = ((this.#count - 1) % minutesKept) * valuesPerMinute;
    const isSame = at === this.lastAt;
    this.#values[start] = at;
    this.#values[start + 1] = received + (isSame ? this.#values[start + 1]! : 0);
    this.#values[start + 2] = sent + (isSame ? this.#values[start + 2]! : 0);
    this.lastAt = at;
  }

  /** The oldest first. */
  since(time: number): TrafficMinute[] {
    const minutes: TrafficMinute[] = [];
    for (let index = Math.max(0, this.#count - minutesKept); index < this.#count; index++) {
      const start = (index % minutesKept) * valuesPerMinute;
      const [at = 0, received = 0, sent = 0] = this.#values.subarray(start, start + valuesPerMinute);
      if (at > time) minutes.push({ at, received, sent });
    }
    return minutes;
  }
}

/** Sessions of a registration, with what has passed since it began. */
export interface CountedSessions {
  readonly lease: { readonly identity: LeaseIdentity };
  readonly traffic: Readonly<Traffic>;
}

/** What has passed through each lease, minute by minute over the last hour, also where it was registered anew. */
export class LeaseMinutes {
  /** By identity, the one that has been quiet for the longest first. */
  readonly #minutes = new Map<string, Minutes>();
  readonly #before = new WeakMap<CountedSessions, Traffic>();

  /** Takes what has passed since it was called before as a minute. */
  take(all: Iterable<CountedSessions>, now = Date.now()): void {
    for (const sessions of all) {
      const { up, down } = sessions.traffic;
      const before = this.#before.get(sessions) ?? { up: 0, down: 0 };
      if (up === before.up && down === before.down) continue;
      this.#before.set(sessions, { up, down });
      const key = identityKey(sessions.lease.identity);
      const minutes = this.#minutes.get(key) ?? new Minutes();
      minutes.add(now, up - before.up, down - before.down);
      this.#minutes.delete(key);
      this.#minutes.set(key, minutes);
    }
    for (const [key, { lastAt }] of this.#minutes) {
      if (lastAt > now - minutesKept * minuteMs && this.#minutes.size <= maxLeases) break;
      this.#minutes.delete(key);
    }
  }

  /** The oldest first. */
  of(identity: LeaseIdentity, now = Date.now()): TrafficMinute[] {
    return this.#minutes.get(identityKey(identity))?.since(now - minutesKept * minuteMs) ?? [];
  }
}
