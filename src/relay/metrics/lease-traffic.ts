import type { LeaseSessions } from '../reverse/lease-sessions.js';
import type { Traffic } from '../reverse/traffic.js';

/** The parts of the session registry used here. */
export interface TrafficSource {
  /** All open sessions, including lingering ones of ended leases. */
  all(): Iterable<LeaseSessions>;
  /** Bytes of everything that is closed. */
  readonly pastTraffic: Traffic;
}

/**
 * Bytes by hostname for a bounded number of hostnames: the busiest ones. All others are summed in `others`. Each sum
 * is monotonic while it exists, so that rates can be computed: bytes count for a hostname from the moment it is among
 * the busiest, and for `others` before.
 */
export class LeaseTraffic {
  readonly named = new Map<string, Traffic>();
  readonly others: Traffic = { up: 0, down: 0 };
  readonly total: Traffic = { up: 0, down: 0 };
  readonly #seen = new WeakMap<LeaseSessions, Traffic>();
  #weights = new Map<string, number>();

  constructor(
    private readonly source: TrafficSource,
    private readonly limit: number,
  ) {}

  /** Reads the counters of the leases. */
  update(): void {
    const total: Traffic = { ...this.source.pastTraffic };
    const moved = new Map<string, Traffic>();
    const weights = new Map<string, number>();
    // There may be tens of thousands, but only few have moved bytes since the last run.
    for (const sessions of this.source.all()) {
      const { up, down } = sessions.traffic;
      const { hostname } = sessions.lease;
      total.up += up;
      total.down += down;
      const weight = this.#weights.get(hostname);
      if (weight !== undefined && weight >= 2) weights.set(hostname, weight / 2);
      const seen = this.#seen.get(sessions);
      if (up === (seen?.up ?? 0) && down === (seen?.down ?? 0)) continue;
      const held = moved.get(hostname) ?? { up: 0, down: 0 };
      add(held, { up: up - (seen?.up ?? 0), down: down - (seen?.down ?? 0) });
      moved.set(hostname, held);
      this.#seen.set(sessions, { up, down });
    }
    for (const [hostname, { up, down }] of moved) weights.set(hostname, (weights.get(hostname) ?? 0) + up + down);
    this.#weights = weights;
    this.#count(total, moved);
  }

  #count(total: Traffic, moved: Map<string, Traffic>): void {
    const rest: Traffic = { up: total.up - this.total.up, down: total.down - this.total.down };
    Object.assign(this.total, total);
    const first = this.#first();
    for (const hostname of this.named.keys()) if (!first.has(hostname)) this.named.delete(hostname);
    for (const hostname of first) {
      const bytes = moved.get(hostname) ?? { up: 0, down: 0 };
      const sum = this.named.get(hostname) ?? { up: 0, down: 0 };
      add(sum, bytes);
      this.named.set(hostname, sum);
      add(rest, { up: -bytes.up, down: -bytes.down });
    }
    add(this.others, rest);
  }

  /** The busiest hostnames, by an exponentially decaying sum that halves at each run. */
  #first(): Set<string> {
    const heaviest = [...this.#weights].sort(([, a], [, b]) => b - a).slice(0, this.limit);
    return new Set(heaviest.map(([hostname]) => hostname));
  }
}

function add(sum: Traffic, bytes: Traffic): void {
  sum.up += bytes.up;
  sum.down += bytes.down;
}
