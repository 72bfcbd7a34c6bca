import { ApiError, type ErrorCode } from '../../contract/index.js';
import type { PortSettings } from '../policy/settings.js';
import type { PortProtocol, Store } from '../store/store.js';
import { type PortBlock, describeBlock, portsOf } from '../../net/port-block.js';
import { PortReservations } from './port-reservations.js';

/** How long a released port stays reserved for its identity. */
const portReservationMs = 300_000;
/** When a port in use by another program is tried again for a new lease. */
const occupiedPortRetryMs = 60_000;

export interface PortRange {
  first: number;
  last: number;
}

/** The bound ports of a lease. */
export interface BoundPorts {
  /** Releases the ports at once, and cuts its connections if `cut` is set. */
  close(cut: boolean): void;
}

export interface PortAllocatorOptions {
  protocol: PortProtocol;
  /** Absent when the relay has no such ports. */
  range: PortRange | undefined;
  /** Most ports of one lease. */
  maxPerLease: number;
  settings(): PortSettings;
  /** Binds all of them or none. @throws the system's error */
  bind(block: PortBlock, hostname: string): Promise<BoundPorts>;
  store: Store;
  /** Called when the ports of a lease cannot be bound. */
  onBlocked(block: PortBlock, hostname: string, error: unknown): void;
  onFault(error: unknown): void;
}

/** The state of the sockets of an identity's ports. */
type Binding =
  | { readonly state: 'unbound' }
  /** `done` never rejects: it settles when the state changes. */
  | { readonly state: 'binding'; readonly done: Promise<void> }
  | { readonly state: 'bound'; readonly sockets: BoundPorts }
  /** The last bind failed; `reconcile` retries it. */
  | { readonly state: 'blocked' };

const unbound: Binding = { state: 'unbound' };

/** The ports of one identity. They are released when no lease owns them and no registration refers to them. */
interface Entry {
  /** Absent until it was found. */
  block: PortBlock | undefined;
  readonly hostname: string;
  /** Generation of the owning lease; absent during the first registration. */
  owner: string | undefined;
  /** Reference count: registrations in progress that use it. */
  references: number;
  binding: Binding;
}

/** Which ports a registration wants. */
export interface PortChoice {
  /** So many with consecutive numbers; 1 by default. */
  count?: number | undefined;
  /** From this one on or none. */
  required?: number | undefined;
  /** From this one on if they are free. */
  preferred?: number | undefined;
}

/** Ports acquired by a registration. Call exactly one of the two methods. */
export interface PortHold {
  readonly block: PortBlock;
  /** Assigns the ports to the lease. */
  commit(generation: string): void;
  /** Releases the ports: the registration failed. */
  rollback(): void;
}

const codes: Record<PortProtocol, { disabled: ErrorCode; full: ErrorCode; exhausted: ErrorCode }> = {
  tcp: { disabled: 'tcp_port_disabled', full: 'tcp_port_capacity_exceeded', exhausted: 'tcp_port_exhausted' },
  udp: { disabled: 'udp_disabled', full: 'udp_capacity_exceeded', exhausted: 'udp_port_exhausted' },
};

/**
 * Allocates the public ports of one protocol to identities: to each a block of consecutive ones. A port is bound before it
 * is promised, and reserved for its identity for a while after its release. Each change is stored before it takes effect, so
 * that allocations and reservations survive a restart.
 */
export class PortAllocator {
  readonly #entries = new Map<string, Entry>();
  /** Ports of registrations in progress that are to replace those their identity has. */
  readonly #moving = new Set<Entry>();
  readonly #reservations: PortReservations;
  /** Ports that are allocated or being tried. */
  readonly #taken = new Set<number>();
  /** Ports in use by other programs, and when to try them again. */
  readonly #occupied = new Map<number, number>();
  #cursor = Math.random();

  constructor(private readonly options: PortAllocatorOptions) {
    this.#reservations = new PortReservations(options.protocol, options.store);
  }

  /** Number of leases that have ports. */
  get size(): number {
    return this.#entries.size;
  }

  get isOffered(): boolean {
    return this.options.range !== undefined && this.options.settings().enabled;
  }

  blockOf(key: string): PortBlock | undefined {
    return this.#entries.get(key)?.block;
  }

  /**
   * @throws ApiError `feature_unavailable`, `tcp_port_disabled` or `udp_disabled`; `invalid_request` for a port outside
   * the range, or more ports than a lease may have
   */
  assertOffered({ count = 1, required }: PortChoice = {}): void {
    const { protocol, range, settings, maxPerLease } = this.options;
    const name = protocol.toUpperCase();
    if (!range) throw new ApiError('feature_unavailable', `this relay has no ${name} ports`);
    if (!settings().enabled) throw new ApiError(codes[protocol].disabled, `${name} ports are disabled on this relay`);
    if (count > maxPerLease)
      throw new ApiError('invalid_request', `${protocol}_count is ${maxPerLease} at most on this relay, not ${count}`);
    if (required !== undefined && (required < range.first || required + count - 1 > range.last)) {
      const asked = describeBlock({ first: required, count });
      const offered = `this relay has ${range.first} to ${range.last}`;
      throw new ApiError('invalid_request', `${protocol}_port ${asked} is not for leases: ${offered}`);
    }
  }

  /**
   * Acquires the identity's ports, or free ones, and binds them.
   * @throws ApiError as `assertOffered`, and `…_capacity_exceeded` or `…_exhausted`
   */
  async take(key: string, hostname: string, choice: PortChoice = {}): Promise<PortHold> {
    this.assertOffered(choice);
    const { protocol, settings } = this.options;
    const known = this.#entries.get(key);
    if (known?.block !== undefined && !isChosen(known.block, choice)) return await this.#move(key, hostname, choice);
    const entry = known ?? newEntry(undefined, hostname);
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
      // Another waiter for the same ports may already be binding them again.
      while (entry.binding.state === 'binding') await entry.binding.done;
      if (entry.binding.state !== 'bound') await this.#bindAnother(key, entry, choice);
    } catch (error) {
      entry.references--;
      if (entry.owner === undefined && entry.references === 0) this.#forget(key, entry);
      throw error;
    }
    return this.#hold(key, entry);
  }

  /** Acquires other ports for an identity that has some, which it keeps until the new ones are committed. */
  async #move(key: string, hostname: string, choice: PortChoice): Promise<PortHold> {
    const entry = newEntry(undefined, hostname);
    this.#moving.add(entry);
    try {
      await this.#bindAnother(key, entry, choice);
    } catch (error) {
      this.#moving.delete(entry);
      throw error;
    }
    return {
      block: blockOf(entry),
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

  /** Takes over the ports of a lease that another node has registered. */
  adopt(key: string, hostname: string, block: PortBlock, generation: string): void {
    const known = this.#entries.get(key);
    if (known?.block?.first === block.first && known.block.count === block.count) {
      known.owner = generation;
      return;
    }
    if (known) this.#forget(key, known);
    const { range, settings, onFault } = this.options;
    const ports = portsOf(block);
    if (!range || block.first < range.first || block.first + block.count - 1 > range.last) return;
    // A port that another identity had here until it ended there.
    for (const [other, entry] of this.#entries)
      if (entry.block && portsOf(entry.block).some((port) => ports.includes(port))) this.#forget(other, entry);
    const entry: Entry = { ...newEntry(block, hostname), owner: generation };
    this.#entries.set(key, entry);
    for (const port of ports) this.#taken.add(port);
    this.#reservations.end(block).catch(onFault);
    if (settings().enabled) this.#rebind(entry);
  }

  /** Keeps ports for the identity that had them at another node. */
  keep(identityKey: string, block: PortBlock, until: number): void {
    if (this.#entries.has(identityKey) || portsOf(block).some((port) => this.#taken.has(port))) return;
    this.#reservations.keep({ protocol: this.options.protocol, block, identityKey }, until).catch(this.options.onFault);
  }

  /** The ports are in use where this relay cannot see it: they are not tried for a while. */
  avoid(block: PortBlock): void {
    for (const port of portsOf(block)) this.#occupied.set(port, Date.now() + occupiedPortRetryMs);
  }

  /** Releases the ports of an ended lease, unless a registration has taken them over. */
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
    const records = await store.loadPorts(protocol);
    // A crash may have left a reservation of ports that were allocated since: allocations first.
    records.sort((one, other) => Number(one.keptUntil !== undefined) - Number(other.keptUntil !== undefined));
    for (const record of records) {
      const { block, identityKey: key, keptUntil } = record;
      const lease = keptUntil === undefined ? leaseOf(key) : undefined;
      const ports = portsOf(block);
      // The range has changed since: drop ports outside it.
      const isOffered = range && block.first >= range.first && block.first + block.count - 1 <= range.last;
      if (!isOffered || ports.some((port) => this.#taken.has(port))) await store.deletePorts(protocol, block.first);
      else if (lease && !this.#entries.has(key)) {
        this.#entries.set(key, { ...newEntry(block, lease.hostname), owner: lease.generation });
        for (const port of ports) this.#taken.add(port);
      } else await this.#reservations.keep(record, keptUntil ?? Date.now() + portReservationMs);
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
    this.#reservations.endExpired().catch(this.options.onFault);
    for (const [port, until] of this.#occupied) if (until <= now) this.#occupied.delete(port);
  }

  /** Closes every port; the store keeps the allocations. @param cut whether their connections end, too */
  stop(cut = true): void {
    for (const entry of [...this.#entries.values(), ...this.#moving]) this.#close(entry, cut);
    this.#entries.clear();
    this.#moving.clear();
  }

  #hold(key: string, entry: Entry): PortHold {
    const settle = (owner: string | undefined) => {
      entry.references--;
      entry.owner = owner;
      if (entry.owner === undefined && entry.references === 0) this.#release(key, entry);
    };
    return { block: blockOf(entry), commit: settle, rollback: () => settle(entry.owner) };
  }

  /** Binds ports for an identity that has none, or of whose ports one is in use by another program. */
  async #bindAnother(key: string, entry: Entry, choice: PortChoice): Promise<void> {
    const before = entry.binding;
    const binding = this.#bindAndWrite(key, entry, choice);
    entry.binding = { state: 'binding', done: binding.then(ignore, ignore) };
    try {
      entry.binding = { state: 'bound', sockets: await binding };
    } catch (error) {
      entry.binding = before;
      throw error;
    }
  }

  async #bindAndWrite(key: string, entry: Entry, choice: PortChoice): Promise<BoundPorts> {
    const { protocol, store } = this.options;
    const { block, sockets } = await this.#bindFree(key, entry, choice);
    const earlier = entry.block;
    try {
      await store.putPorts({ protocol, block, identityKey: key });
      await this.#reservations.end(block);
      if (earlier) await store.deletePorts(protocol, earlier.first);
      this.#assertCurrent(key, entry);
    } catch (error) {
      sockets.close(true);
      this.#untake(block);
      throw error;
    }
    entry.block = block;
    if (earlier) this.#untake(earlier);
    return sockets;
  }

  async #bindFree(key: string, entry: Entry, choice: PortChoice): Promise<{ block: PortBlock; sockets: BoundPorts }> {
    const { protocol, bind } = this.options;
    for (const block of this.#candidates(key, choice)) {
      this.#assertCurrent(key, entry);
      for (const port of portsOf(block)) this.#taken.add(port);
      try {
        return { block, sockets: await bind(block, entry.hostname) };
      } catch (error) {
        this.#untake(block);
        if (!isOccupied(error)) throw error;
        this.#occupied.set(occupiedPort(error, block), Date.now() + occupiedPortRetryMs);
      }
    }
    const name = protocol.toUpperCase();
    const { count = 1, required } = choice;
    const [ports, one, no] =
      count === 1
        ? ['port', 'is', `no ${name} port is free`]
        : ['ports', 'are', `no ${count} consecutive ${name} ports are free`];
    const taken = (first: number) => `${name} ${ports} ${describeBlock({ first, count })} ${one} taken`;
    throw new ApiError(codes[protocol].exhausted, required === undefined ? no : taken(required));
  }

  /** @throws Error when the relay has been stopped meanwhile */
  #assertCurrent(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry && !this.#moving.has(entry))
      throw new Error('the relay stopped while a port was bound');
  }

  /**
   * The required block alone; otherwise the identity's own, then the preferred one, then the others from where the last
   * search ended.
   */
  *#candidates(key: string, { count = 1, required, preferred }: PortChoice): Generator<PortBlock> {
    const { first, last } = this.options.range as PortRange;
    const own = this.#reservations.blockOf(key);
    const starts = required === undefined ? [own?.count === count ? own.first : undefined, preferred] : [required];
    for (const start of starts)
      if (start !== undefined && this.#isFree(key, start, count)) yield { first: start, count };
    if (required !== undefined) return;
    const places = last - first + 2 - count;
    const begin = Math.floor(this.#cursor * places);
    for (let step = 0; step < places; step++) {
      const at = (begin + step) % places;
      this.#cursor = ((at + 1) % places) / places;
      if (this.#isFree(key, first + at, count)) yield { first: first + at, count };
    }
  }

  /** Whether all of them may be tried for an identity. */
  #isFree(key: string, from: number, count: number): boolean {
    const { first, last } = this.options.range as PortRange;
    const now = Date.now();
    if (from < first || from + count - 1 > last) return false;
    for (let port = from; port < from + count; port++) {
      if (this.#taken.has(port) || (this.#occupied.get(port) ?? 0) > now) return false;
      if (this.#reservations.isKeptFrom(key, port)) return false;
    }
    return true;
  }

  #untake(block: PortBlock): void {
    for (const port of portsOf(block)) this.#taken.delete(port);
  }

  #release(key: string, entry: Entry): void {
    this.#forget(key, entry);
    if (!entry.block) return;
    const record = { protocol: this.options.protocol, block: entry.block, identityKey: key };
    this.#reservations.keep(record, Date.now() + portReservationMs).catch(this.options.onFault);
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    this.#close(entry, false);
    if (entry.block) this.#untake(entry.block);
  }

  /** Tries to bind an identity's ports. */
  #rebind(entry: Entry): void {
    const { bind, onBlocked, onFault } = this.options;
    const wasBlocked = entry.binding.state === 'blocked';
    const isWanted = () => [...this.#entries.values()].includes(entry) && this.options.settings().enabled;
    const bound = (sockets: BoundPorts) => {
      entry.binding = { state: 'bound', sockets };
      if (!isWanted()) this.#close(entry, true);
    };
    const blocked = (error: unknown) => {
      entry.binding = { state: 'blocked' };
      if (!wasBlocked) onBlocked(blockOf(entry), entry.hostname, error);
    };
    entry.binding = {
      state: 'binding',
      done: bind(blockOf(entry), entry.hostname).then(bound, blocked).catch(onFault),
    };
  }

  /** Ports in the middle of a bind are closed by its binder. */
  #close(entry: Entry, cut: boolean): void {
    if (entry.binding.state !== 'bound') return;
    entry.binding.sockets.close(cut);
    entry.binding = unbound;
  }
}

function newEntry(block: PortBlock | undefined, hostname: string): Entry {
  return { block, hostname, owner: undefined, references: 0, binding: unbound };
}

/** Of an entry that has been bound, or was restored. */
function blockOf(entry: Entry): PortBlock {
  return entry.block as PortBlock;
}

function isChosen({ first, count }: PortBlock, choice: PortChoice): boolean {
  return count === (choice.count ?? 1) && (choice.required ?? first) === first;
}

function ignore(): void {}

/** Which port of a block the error is about. */
function occupiedPort(error: unknown, { first, count }: PortBlock): number {
  const { port = first } = error as { port?: number };
  return port >= first && port < first + count ? port : first;
}

/** System errors of a port that is unavailable for now. */
function isOccupied(error: unknown): boolean {
  return ['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '');
}
