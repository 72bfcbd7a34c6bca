import { ApiError, type ErrorCode } from '../../contract/index.js';
import type { PortSettings } from '../policy/settings.js';
import type { PortProtocol, PortRecord, Store } from '../store/store.js';

/** How long a port that was freed stays reserved for the identity that had it. */
const portReservationMs = 300_000;
/** How soon a port that another program had is tried again for a new lease. */
const occupiedPortRetryMs = 60_000;

export interface PortRange {
  first: number;
  last: number;
}

/** A port that is bound. */
export interface BoundPort {
  /** Frees the port at once, and ends what goes on there if it is `cut`. */
  close(cut: boolean): void;
}

export interface PortAllocatorOptions {
  protocol: PortProtocol;
  /** None: the relay has no such ports. */
  range: PortRange | undefined;
  settings(): PortSettings;
  /** @throws the system's error */
  bind(port: number, hostname: string): Promise<BoundPort>;
  store: Store;
  /** A port that a lease has cannot be bound at the moment. */
  onBlocked(port: number, hostname: string, error: unknown): void;
  onFault(error: unknown): void;
}

interface Held {
  port: number;
  readonly hostname: string;
  /** Generation of the lease that has it; none while registering. */
  owner: string | undefined;
  /** Registrations under way that want it. */
  grips: number;
  bound: BoundPort | undefined;
  binding: Promise<void> | undefined;
  /** It could not be bound the last time. */
  blocked: boolean;
}

/** A port that a registration has got hold of. Exactly one of the two calls settles whose it is. */
export interface PortHold {
  readonly port: number;
  /** It is that lease's now. */
  keep(generation: string): void;
  /** The registration came to nothing. */
  drop(): void;
}

const codes: Record<PortProtocol, { disabled: ErrorCode; full: ErrorCode; exhausted: ErrorCode }> = {
  tcp: { disabled: 'tcp_port_disabled', full: 'tcp_port_capacity_exceeded', exhausted: 'tcp_port_exhausted' },
  udp: { disabled: 'udp_disabled', full: 'udp_capacity_exceeded', exhausted: 'udp_port_exhausted' },
};

/**
 * Which identity has which public port, for one protocol. A port is bound before it is promised. Freed, it stays the
 * identity's for a while, so that a tunnel that comes back is where its peers look for it. The store has each change
 * before it counts, so that both outlive a restart.
 */
export class PortAllocator {
  readonly #held = new Map<string, Held>();
  /** Port -> whose it was, and until when it is kept for that identity. */
  readonly #kept = new Map<number, { key: string; until: number }>();
  /** Ports held or being tried. */
  readonly #taken = new Set<number>();
  /** Ports that other programs had, and when to look again. */
  readonly #occupied = new Map<number, number>();
  #cursor = Math.random();

  constructor(private readonly options: PortAllocatorOptions) {}

  /** Ports that leases have. */
  get size(): number {
    return this.#held.size;
  }

  get isOffered(): boolean {
    return this.options.range !== undefined && this.options.settings().enabled;
  }

  portOf(key: string): number | undefined {
    return this.#held.get(key)?.port;
  }

  /** @throws ApiError `feature_unavailable`, `tcp_port_disabled` or `udp_disabled` */
  assertOffered(): void {
    const { protocol, range, settings } = this.options;
    const name = protocol.toUpperCase();
    if (!range) throw new ApiError('feature_unavailable', `this relay has no ${name} ports`);
    if (!settings().enabled) throw new ApiError(codes[protocol].disabled, `${name} ports are disabled on this relay`);
  }

  /**
   * Gets hold of the identity's port, or of one that is free, and binds it.
   * @param preferred taken if it is free
   * @throws ApiError as `assertOffered`, and `…_capacity_exceeded` or `…_exhausted`
   */
  async take(key: string, hostname: string, preferred?: number): Promise<PortHold> {
    this.assertOffered();
    const { protocol, settings } = this.options;
    const known = this.#held.get(key);
    const held = known ?? newHeld(0, hostname);
    if (!known) {
      const { maxLeases } = settings();
      if (maxLeases > 0 && this.#held.size >= maxLeases) {
        throw new ApiError(
          codes[protocol].full,
          `${protocol.toUpperCase()} ports for leases: ${maxLeases} at most, and all are taken`,
        );
      }
      this.#held.set(key, held);
    }
    held.grips++;
    try {
      await held.binding;
      if (!held.bound) {
        const bound = this.#bindAnother(key, held, preferred);
        // Nobody else tries meanwhile.
        held.binding = bound.catch(() => undefined).finally(() => (held.binding = undefined));
        await bound;
      }
    } catch (error) {
      held.grips--;
      if (held.owner === undefined) this.#forget(key, held);
      throw error;
    }
    return this.#grip(key, held);
  }

  /** A lease has ended; its port is freed, unless a registration has taken it over. */
  free(key: string, generation: string): void {
    const held = this.#held.get(key);
    if (held?.owner !== generation) return;
    held.owner = undefined;
    if (held.grips === 0) this.#release(key, held);
  }

  /**
   * Brings back what was held and kept at the last write.
   * @param leaseOf the live lease of an identity
   */
  async start(leaseOf: (key: string) => { hostname: string; generation: string } | undefined): Promise<void> {
    const { protocol, range, store } = this.options;
    for (const record of await store.loadPorts(protocol)) {
      const { port, identityKey: key, keptUntil } = record;
      const lease = keptUntil === undefined ? leaseOf(key) : undefined;
      // Another range since then: such a port is nobody's.
      if (!range || port < range.first || port > range.last) await store.deletePort(protocol, port);
      else if (lease && !this.#held.has(key)) {
        this.#held.set(key, { ...newHeld(port, lease.hostname), owner: lease.generation });
        this.#taken.add(port);
      } else await this.#keep(record, keptUntil ?? Date.now() + portReservationMs);
    }
    this.reconcile();
    await Promise.all([...this.#held.values()].map(({ binding }) => binding));
  }

  /** Brings what is bound in line with the settings, and lets go of what was kept long enough. */
  reconcile(): void {
    const { enabled } = this.options.settings();
    for (const held of this.#held.values()) {
      if (!enabled) this.#close(held, true);
      else if (!held.bound && !held.binding) this.#rebind(held);
    }
    const now = Date.now();
    for (const [port, { until }] of this.#kept) {
      if (until > now) continue;
      this.#kept.delete(port);
      this.options.store.deletePort(this.options.protocol, port).catch(this.options.onFault);
    }
    for (const [port, until] of this.#occupied) if (until <= now) this.#occupied.delete(port);
  }

  /** Closes every port; who has which is remembered by the store. */
  stop(): void {
    for (const held of this.#held.values()) this.#close(held, true);
    this.#held.clear();
  }

  #grip(key: string, held: Held): PortHold {
    const settle = (owner: string | undefined) => {
      held.grips--;
      held.owner = owner;
      if (held.owner === undefined && held.grips === 0) this.#release(key, held);
    };
    return { port: held.port, keep: settle, drop: () => settle(held.owner) };
  }

  /** Binds a port for whoever has none, or one that another program has. */
  async #bindAnother(key: string, held: Held, preferred: number | undefined): Promise<void> {
    const { protocol, store } = this.options;
    const earlier = held.port;
    const port = await this.#bindFree(key, held, preferred);
    held.port = port;
    held.blocked = false;
    await store.putPort({ protocol, port, identityKey: key });
    this.#kept.delete(port);
    if (earlier === 0) return;
    this.#taken.delete(earlier);
    await store.deletePort(protocol, earlier);
  }

  async #bindFree(key: string, held: Held, preferred: number | undefined): Promise<number> {
    const { protocol, bind } = this.options;
    for (const port of this.#candidates(key, preferred)) {
      this.#taken.add(port);
      try {
        const bound = await bind(port, held.hostname);
        if (this.#held.get(key) === held) {
          held.bound = bound;
          return port;
        }
        bound.close(true);
        throw new Error('stopped while a port was bound');
      } catch (error) {
        this.#taken.delete(port);
        if (!isOccupied(error)) throw error;
        this.#occupied.set(port, Date.now() + occupiedPortRetryMs);
      }
    }
    throw new ApiError(codes[protocol].exhausted, `no ${protocol.toUpperCase()} port is free`);
  }

  /** First the identity's own, then the preferred one, then the others from where the last search ended. */
  *#candidates(key: string, preferred: number | undefined): Generator<number> {
    const { first, last } = this.options.range as PortRange;
    const own = [...this.#kept].find(([, kept]) => kept.key === key)?.[0];
    const count = last - first + 1;
    const begin = Math.floor(this.#cursor * count);
    if (own !== undefined && this.#isFree(own, key)) yield own;
    if (preferred !== undefined && this.#isFree(preferred, key)) yield preferred;
    for (let step = 0; step < count; step++) {
      const at = (begin + step) % count;
      this.#cursor = ((at + 1) % count) / count;
      if (this.#isFree(first + at, key)) yield first + at;
    }
  }

  #isFree(port: number, key: string): boolean {
    const now = Date.now();
    const kept = this.#kept.get(port);
    if (kept && kept.key !== key && kept.until > now) return false;
    return !this.#taken.has(port) && (this.#occupied.get(port) ?? 0) <= now;
  }

  #release(key: string, held: Held): void {
    this.#forget(key, held);
    const record = { protocol: this.options.protocol, port: held.port, identityKey: key };
    this.#keep(record, Date.now() + portReservationMs).catch(this.options.onFault);
  }

  #forget(key: string, held: Held): void {
    if (this.#held.get(key) === held) this.#held.delete(key);
    this.#close(held, false);
    if (held.port !== 0) this.#taken.delete(held.port);
  }

  async #keep(record: PortRecord, until: number): Promise<void> {
    this.#kept.set(record.port, { key: record.identityKey, until });
    await this.options.store.putPort({ ...record, keptUntil: until });
  }

  #rebind(held: Held): void {
    const { bind, onBlocked } = this.options;
    const isWanted = () => [...this.#held.values()].includes(held) && this.options.settings().enabled;
    held.binding = bind(held.port, held.hostname)
      .then((bound) => {
        held.bound = bound;
        held.blocked = false;
        if (!isWanted()) this.#close(held, true);
      })
      .catch((error: unknown) => {
        if (!held.blocked) onBlocked(held.port, held.hostname, error);
        held.blocked = true;
      })
      .finally(() => (held.binding = undefined));
  }

  #close(held: Held, cut: boolean): void {
    held.bound?.close(cut);
    held.bound = undefined;
  }
}

function newHeld(port: number, hostname: string): Held {
  return { port, hostname, owner: undefined, grips: 0, bound: undefined, binding: undefined, blocked: false };
}

/** What the system says of a port that is not to be had, and may be later. */
function isOccupied(error: unknown): boolean {
  return ['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '');
}
