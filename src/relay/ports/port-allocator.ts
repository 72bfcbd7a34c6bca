import { ApiError, type ErrorCode } from '../../contract/index.js';
import type { PortSettings } from '../policy/settings.js';
import type { PortProtocol, PortRecord, Store } from '../store/store.js';

/** How long a released port stays reserved for its identity. */
const portReservationMs = 300_000;
/** When a port in use by another program is tried again for a new lease. */
const occupiedPortRetryMs = 60_000;

export interface PortRange {
  first: number;
  last: number;
}

/** A port that is bound. */
export interface BoundPort {
  /** Releases the port at once, and cuts its connections if `cut` is set. */
  close(cut: boolean): void;
}

export interface PortAllocatorOptions {
  protocol: PortProtocol;
  /** Absent when the relay has no such ports. */
  range: PortRange | undefined;
  settings(): PortSettings;
  /** @throws the system's error */
  bind(port: number, hostname: string): Promise<BoundPort>;
  store: Store;
  /** Called when the port of a lease cannot be bound. */
  onBlocked(port: number, hostname: string, error: unknown): void;
  onFault(error: unknown): void;
}

/** The state of the socket of an identity's port. */
type Binding =
  | { readonly state: 'unbound' }
  /** `done` never rejects: it settles when the state changes. */
  | { readonly state: 'binding'; readonly done: Promise<void> }
  | { readonly state: 'bound'; readonly socket: BoundPort }
  /** The last bind failed; `reconcile` retries it. */
  | { readonly state: 'blocked' };

const unbound: Binding = { state: 'unbound' };

/** The port of one identity. It is released when no lease owns it and no registration refers to it. */
interface Entry {
  /** 0 until one was found. */
  port: number;
  readonly hostname: string;
  /** Generation of the owning lease; absent during the first registration. */
  owner: string | undefined;
  /** Reference count: registrations in progress that use it. */
  references: number;
  binding: Binding;
}

/** Which port a registration wants. */
export interface PortChoice {
  /** This one or none. */
  required?: number | undefined;
  /** This one if it is free. */
  preferred?: number | undefined;
}

/** A port acquired by a registration. Call exactly one of the two methods. */
export interface PortHold {
  readonly port: number;
  /** Assigns the port to the lease. */
  commit(generation: string): void;
  /** Releases the port: the registration failed. */
  rollback(): void;
}

const codes: Record<PortProtocol, { disabled: ErrorCode; full: ErrorCode; exhausted: ErrorCode }> = {
  tcp: { disabled: 'tcp_port_disabled', full: 'tcp_port_capacity_exceeded', exhausted: 'tcp_port_exhausted' },
  udp: { disabled: 'udp_disabled', full: 'udp_capacity_exceeded', exhausted: 'udp_port_exhausted' },
};

/**
 * Allocates the public ports of one protocol to identities. A port is bound before it is promised. A released port
 * stays reserved for its identity for a while, so that a tunnel that reconnects keeps its address. Each change is
 * stored before it takes effect, so that allocations and reservations survive a restart.
 */
export class PortAllocator {
  readonly #entries = new Map<string, Entry>();
  /** Ports of registrations in progress that are to replace the port their identity has. */
  readonly #moving = new Set<Entry>();
  /** Reserved ports, each with its last identity and the end of the reservation. */
  readonly #kept = new Map<number, { key: string; until: number }>();
  /** Ports that are allocated or being tried. */
  readonly #taken = new Set<number>();
  /** Ports in use by other programs, and when to try them again. */
  readonly #occupied = new Map<number, number>();
  #cursor = Math.random();

  constructor(private readonly options: PortAllocatorOptions) {}

  /** Number of ports owned by leases. */
  get size(): number {
    return this.#entries.size;
  }

  get isOffered(): boolean {
    return this.options.range !== undefined && this.options.settings().enabled;
  }

  portOf(key: string): number | undefined {
    return this.#entries.get(key)?.port;
  }

  /**
   * @param port number of the port that is wanted, if it must be that one
   * @throws ApiError `feature_unavailable`, `tcp_port_disabled` or `udp_disabled`; `invalid_request` for a port outside
   * the range
   */
  assertOffered(port?: number): void {
    const { protocol, range, settings } = this.options;
    const name = protocol.toUpperCase();
    if (!range) throw new ApiError('feature_unavailable', `this relay has no ${name} ports`);
    if (!settings().enabled) throw new ApiError(codes[protocol].disabled, `${name} ports are disabled on this relay`);
    if (port !== undefined && (port < range.first || port > range.last)) {
      const offered = `this relay has ${range.first} to ${range.last}`;
      throw new ApiError('invalid_request', `${protocol}_port ${port} is not a port for leases: ${offered}`);
    }
  }

  /**
   * Acquires the identity's port, or a free one, and binds it.
   * @throws ApiError as `assertOffered`, and `…_capacity_exceeded` or `…_exhausted`
   */
  async take(key: string, hostname: string, choice: PortChoice = {}): Promise<PortHold> {
    this.assertOffered(choice.required);
    const { protocol, settings } = this.options;
    const known = this.#entries.get(key);
    if (known && choice.required !== undefined && known.port !== choice.required)
      return await this.#move(key, hostname, choice);
    const entry = known ?? newEntry(0, hostname);
    if (!known) {
      const { maxLeases } = settings();
      if (maxLeases > 0 && this.#entries.size >= maxLeases) {
        throw new ApiError(
          codes[protocol].full,
          `all ${maxLeases} ${protocol.toUpperCase()} ports for leases are taken`,
        );
      }
      this.#entries.set(key, entry);
    }
    entry.references++;
    try {
      // Another waiter for the same port may already be binding it again.
      while (entry.binding.state === 'binding') await entry.binding.done;
      if (entry.binding.state !== 'bound') await this.#bindAnother(key, entry, choice);
    } catch (error) {
      entry.references--;
      if (entry.owner === undefined && entry.references === 0) this.#forget(key, entry);
      throw error;
    }
    return this.#hold(key, entry);
  }

  /** Acquires another port for an identity that has one, which it keeps until the new one is committed. */
  async #move(key: string, hostname: string, choice: PortChoice): Promise<PortHold> {
    const entry = newEntry(0, hostname);
    this.#moving.add(entry);
    try {
      await this.#bindAnother(key, entry, choice);
    } catch (error) {
      this.#moving.delete(entry);
      throw error;
    }
    return {
      port: entry.port,
      commit: (generation) => {
        this.#moving.delete(entry);
        const earlier = this.#entries.get(key);
        if (earlier) this.#release(key, earlier);
        entry.owner = generation;
        this.#entries.set(key, entry);
      },
      rollback: () => {
        this.#moving.delete(entry);
        this.#release(key, entry);
      },
    };
  }

  /** Releases the port of an ended lease, unless a registration has taken it over. */
  free(key: string, generation: string): void {
    const entry = this.#entries.get(key);
    if (entry?.owner !== generation) return;
    entry.owner = undefined;
    if (entry.references === 0) this.#release(key, entry);
  }

  /**
   * Restores the stored allocations and reservations.
   * @param leaseOf the live lease of an identity
   */
  async start(leaseOf: (key: string) => { hostname: string; generation: string } | undefined): Promise<void> {
    const { protocol, range, store } = this.options;
    for (const record of await store.loadPorts(protocol)) {
      const { port, identityKey: key, keptUntil } = record;
      const lease = keptUntil === undefined ? leaseOf(key) : undefined;
      // The range has changed since: drop a port outside it.
      if (!range || port < range.first || port > range.last) await store.deletePort(protocol, port);
      else if (lease && !this.#entries.has(key)) {
        this.#entries.set(key, { ...newEntry(port, lease.hostname), owner: lease.generation });
        this.#taken.add(port);
      } else await this.#keep(record, keptUntil ?? Date.now() + portReservationMs);
    }
    this.reconcile();
    await Promise.all(
      [...this.#entries.values()].flatMap(({ binding }) => (binding.state === 'binding' ? [binding.done] : [])),
    );
  }

  /** Reconciles bound ports with the settings, and ends expired reservations. */
  reconcile(): void {
    const { enabled } = this.options.settings();
    for (const entry of this.#entries.values()) {
      if (!enabled) this.#close(entry, true);
      else if (entry.binding.state === 'unbound' || entry.binding.state === 'blocked') this.#rebind(entry);
    }
    const now = Date.now();
    for (const [port, { until }] of this.#kept) {
      if (until > now) continue;
      this.#kept.delete(port);
      this.options.store.deletePort(this.options.protocol, port).catch(this.options.onFault);
    }
    for (const [port, until] of this.#occupied) if (until <= now) this.#occupied.delete(port);
  }

  /** Closes every port; the store keeps the allocations. */
  stop(): void {
    for (const entry of [...this.#entries.values(), ...this.#moving]) this.#close(entry, true);
    this.#entries.clear();
    this.#moving.clear();
  }

  #hold(key: string, entry: Entry): PortHold {
    const settle = (owner: string | undefined) => {
      entry.references--;
      entry.owner = owner;
      if (entry.owner === undefined && entry.references === 0) this.#release(key, entry);
    };
    return { port: entry.port, commit: settle, rollback: () => settle(entry.owner) };
  }

  /** Binds a port for an identity that has none, or whose port is in use by another program. */
  async #bindAnother(key: string, entry: Entry, choice: PortChoice): Promise<void> {
    const before = entry.binding;
    const binding = this.#bindAndWrite(key, entry, choice);
    entry.binding = { state: 'binding', done: binding.then(ignore, ignore) };
    try {
      entry.binding = { state: 'bound', socket: await binding };
    } catch (error) {
      entry.binding = before;
      throw error;
    }
  }

  async #bindAndWrite(key: string, entry: Entry, choice: PortChoice): Promise<BoundPort> {
    const { protocol, store } = this.options;
    const { port, socket } = await this.#bindFree(key, entry, choice);
    const earlier = entry.port;
    try {
      await store.putPort({ protocol, port, identityKey: key });
      if (earlier !== 0) await store.deletePort(protocol, earlier);
      this.#assertCurrent(key, entry);
    } catch (error) {
      socket.close(true);
      this.#taken.delete(port);
      throw error;
    }
    entry.port = port;
    this.#kept.delete(port);
    this.#taken.delete(earlier);
    return socket;
  }

  async #bindFree(key: string, entry: Entry, choice: PortChoice): Promise<{ port: number; socket: BoundPort }> {
    const { protocol, bind } = this.options;
    for (const port of this.#candidates(key, choice)) {
      this.#assertCurrent(key, entry);
      this.#taken.add(port);
      try {
        return { port, socket: await bind(port, entry.hostname) };
      } catch (error) {
        this.#taken.delete(port);
        if (!isOccupied(error)) throw error;
        this.#occupied.set(port, Date.now() + occupiedPortRetryMs);
      }
    }
    const name = protocol.toUpperCase();
    const message =
      choice.required === undefined ? `no ${name} port is free` : `${name} port ${choice.required} is taken`;
    throw new ApiError(codes[protocol].exhausted, message);
  }

  /** @throws Error when the relay has been stopped meanwhile */
  #assertCurrent(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry && !this.#moving.has(entry))
      throw new Error('the relay stopped while a port was bound');
  }

  /**
   * The required port alone; otherwise the identity's own port, then the preferred one, then the others from where the
   * last search ended.
   */
  *#candidates(key: string, { required, preferred }: PortChoice): Generator<number> {
    if (required !== undefined) {
      if (this.#isFree(required, key)) yield required;
      return;
    }
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

  #release(key: string, entry: Entry): void {
    this.#forget(key, entry);
    const record = { protocol: this.options.protocol, port: entry.port, identityKey: key };
    this.#keep(record, Date.now() + portReservationMs).catch(this.options.onFault);
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    this.#close(entry, false);
    if (entry.port !== 0) this.#taken.delete(entry.port);
  }

  /** An identity has one reservation: the latest. */
  async #keep(record: PortRecord, until: number): Promise<void> {
    const earlier = [...this.#kept].filter(([port, { key }]) => key === record.identityKey && port !== record.port);
    this.#kept.set(record.port, { key: record.identityKey, until });
    for (const [port] of earlier) this.#kept.delete(port);
    await this.options.store.putPort({ ...record, keptUntil: until });
    for (const [port] of earlier) await this.options.store.deletePort(record.protocol, port);
  }

  /** Tries to bind an identity's port. */
  #rebind(entry: Entry): void {
    const { bind, onBlocked, onFault } = this.options;
    const wasBlocked = entry.binding.state === 'blocked';
    const isWanted = () => [...this.#entries.values()].includes(entry) && this.options.settings().enabled;
    const bound = (socket: BoundPort) => {
      entry.binding = { state: 'bound', socket };
      if (!isWanted()) this.#close(entry, true);
    };
    const blocked = (error: unknown) => {
      entry.binding = { state: 'blocked' };
      if (!wasBlocked) onBlocked(entry.port, entry.hostname, error);
    };
    entry.binding = { state: 'binding', done: bind(entry.port, entry.hostname).then(bound, blocked).catch(onFault) };
  }

  /** A port in the middle of a bind is closed by its binder. */
  #close(entry: Entry, cut: boolean): void {
    if (entry.binding.state !== 'bound') return;
    entry.binding.socket.close(cut);
    entry.binding = unbound;
  }
}

function newEntry(port: number, hostname: string): Entry {
  return { port, hostname, owner: undefined, references: 0, binding: unbound };
}

function ignore(): void {}

/** System errors of a port that is unavailable for now. */
function isOccupied(error: unknown): boolean {
  return ['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '');
}
