import type { LeaseSessions, Traffic } from '../reverse/session-registry.js';

/** What this needs to know of the session registry. */
export interface TrafficSource {
  /** All that is open, of leases that ended and linger as well. */
  all(): Iterable<LeaseSessions>;
  /** Of everything that is no longer open. */
  readonly pastTraffic: Traffic;
}

/**
 * Bytes by hostname for a bounded number of hostnames: those that moved the most recently. What all others moved is summed in
 * `others`. Each sum only grows for as long as it is there, so that rates can be had from it: bytes count for a name from the
 * moment that it is among the first, and for the others before.
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
    // There may be tens of thousands, of which few have moved anything since: the rest costs a look.
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

  /** The hostnames that have moved the most, where what was moved before counts half as much at each look. */
  #first(): Set<string> {
    const heaviest = [...this.#weights].sort(([, a], [, b]) => b - a).slice(0, this.limit);
    return new Set(heaviest.map(([hostname]) => hostname));
  }
}

function add(sum: Traffic, bytes: Traffic): void {
  sum.up += bytes.up;
  sum.down += bytes.down;
}
