import { EventEmitter, once, setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Lease } from '../leases/lease.js';
import type { LeaseEnding } from '../leases/lease-registry.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import { Bandwidth } from '../../util/bandwidth.js';
import { ReadyQueue } from './ready-queue.js';
import type { ReverseSession } from './reverse-session.js';

/** Grace for live connections after their lease was unregistered or replaced. */
const lingerAfterLeaseMs = 30_000;

/** A live public connection. */
export interface LiveConnection {
  /** Ends it at once. */
  destroy(): void;
  /** Ends it with a reset, which also discards data in the socket's send buffer. */
  reset(): void;
  /** Address of its tunnel. */
  readonly tunnelIp: string;
  /** The tunnel, of those that share the lease. */
  readonly member?: string | undefined;
  /** Bytes from the visitor so far, and to it. */
  readonly traffic: Traffic;
}

/** Bytes from visitors to the tunnel (`up`), and back. */
export interface Traffic {
  up: number;
  down: number;
}

/** The sessions and connections of one registration of a lease. */
export class LeaseSessions {
  readonly queue = new ReadyQueue();
  readonly live = new Set<LiveConnection>();
  /** Live connections by the tunnel of a group. */
  readonly #liveOf = new ConcurrencyLimiter(Infinity);
  /** Connections that wait for a session. */
  waiting = 0;
  /** Bytes of all connections, including closed ones. */
  readonly traffic: Traffic = { up: 0, down: 0 };
  readonly bandwidth: Bandwidth;
  /** Tunnels' connections for sessions, claimed or not. */
  #streams = 0;
  readonly #ended = new AbortController();
  readonly #idle = new EventEmitter<{ idle: [] }>();
  #linger: NodeJS.Timeout | undefined;

  constructor(
    readonly lease: Lease,
    /** The bandwidth shared by all its connections. */
    limit?: number,
    /** Called when there is the first tunnel, and when there is none any more. */
    private readonly onPresence: (isPresent: boolean) => void = () => {},
  ) {
    this.bandwidth = new Bandwidth(limit);
    // One listener per waiting connection; their number is bounded elsewhere.
    setMaxListeners(0, this.#ended.signal);
  }

  /** Aborted when the lease ends, to cancel the waits for a session. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** A tunnel has opened a connection for sessions. */
  attach(stream: Duplex): void {
    if (++this.#streams === 1) this.onPresence(true);
    // boundary: cannot throw.
    stream.once('close', () => {
      if (--this.#streams === 0) this.onPresence(false);
    });
  }

  /** Whether a tunnel is connected, with sessions ready or in use. */
  get hasTunnels(): boolean {
    return this.#streams > 0;
  }

  /** Adds a ready session, unless the lease has ended meanwhile. */
  add(session: ReverseSession): void {
    if (this.#ended.signal.aborted) session.close();
    else this.queue.add(session);
  }

  /** Takes a ready session: of a group, one of the tunnel with the fewest connections. */
  take(accepts: (session: ReverseSession) => boolean): ReverseSession | undefined {
    const load = ({ member = '' }: ReverseSession) => this.#liveOf.count(member);
    return this.queue.take(accepts, this.lease.group && load);
  }

  /** Counts a connection until `release`. */
  admit(connection: LiveConnection): void {
    this.live.add(connection);
    if (connection.member !== undefined) this.#liveOf.add(connection.member);
  }

  /** A tunnel has left the group: its connections may finish, unless it is gone. */
  endMember(member: string, linger: boolean): void {
    this.queue.closeOf(member);
    if (linger) return;
    for (const connection of this.live) if (connection.member === member) connection.destroy();
  }

  /** Ends everything with a reset, including buffered bytes. */
  reset(): void {
    clearTimeout(this.#linger);
    this.#ended.abort();
    this.queue.close();
    for (const connection of this.live) connection.reset();
  }

  end(linger: boolean): void {
    this.#ended.abort();
    this.queue.close();
    if (linger && this.live.size > 0) this.#linger = setTimeout(() => this.destroy(), lingerAfterLeaseMs);
    else this.destroy();
  }

  /** Ends the sessions, ready or live, that were opened from these addresses. */
  resetFrom(isHit: (ip: string) => boolean): void {
    this.queue.closeFrom(isHit);
    for (const connection of this.live) if (isHit(connection.tunnelIp)) connection.reset();
  }

  destroy(): void {
    clearTimeout(this.#linger);
    for (const connection of this.live) connection.destroy();
  }

  release(connection: LiveConnection): void {
    if (this.live.delete(connection) && connection.member !== undefined) this.#liveOf.remove(connection.member);
    if (this.live.size > 0) return;
    clearTimeout(this.#linger);
    this.#idle.emit('idle');
  }

  /** Settles when no connection lives, or at the signal. */
  async idle(signal: AbortSignal): Promise<void> {
    if (this.live.size > 0) await once(this.#idle, 'idle', { signal }).catch(() => undefined);
  }
}

/**
 * The registry of reverse sessions by hostname. It is the only place that ingress asks, so that sessions held by
 * another process would only change this module.
 */
export class SessionRegistry {
  readonly #byHostname = new Map<string, LeaseSessions>();
  /** Ended leases with live connections. */
  readonly #lingering = new Set<LeaseSessions>();
  /** Leases that have ended: who still holds one must not bring its sessions back. */
  readonly #ended = new WeakSet<Lease>();
  /** Bytes of leases that are in neither map any more. */
  readonly pastTraffic: Traffic = { up: 0, down: 0 };

  /**
   * @param limitOf a lease's limit in bytes per second, read when its sessions are created and by `applyLimits`
   * @param reachesNext whether visitors of a lease go on to another relay, which is reached, or to another node
   * @param onPresence called when a lease has its first tunnel at this node, and when it has none any more
   */
  constructor(
    private readonly limitOf: (lease: Lease) => number | undefined = () => undefined,
    private readonly reachesNext: (lease: Lease) => boolean = () => false,
    private readonly onPresence: (hostname: string, isPresent: boolean) => void = () => {},
  ) {}

  /** Connections served now, and all bytes that have passed since the start, both ways. */
  load(): { connections: number; bytes: number } {
    const load = { connections: 0, bytes: this.pastTraffic.up + this.pastTraffic.down };
    for (const { live, traffic } of this.all()) {
      load.connections += live.size;
      load.bytes += traffic.up + traffic.down;
    }
    return load;
  }

  /** As `applyLimits`, for one lease. */
  applyLimit(hostname: string): void {
    const sessions = this.#byHostname.get(hostname);
    if (sessions) sessions.bandwidth.limit = this.limitOf(sessions.lease);
  }

  /** Reads each lease's limit again and applies it to live connections. */
  applyLimits(): void {
    for (const sessions of this.all()) sessions.bandwidth.limit = this.limitOf(sessions.lease);
  }

  /**
   * The sessions of a registration, created on first use. Those of one that has ended take no session and no visitor,
   * and do not displace those of its successor.
   */
  of(lease: Lease): LeaseSessions {
    const held = this.peek(lease);
    if (held) return held;
    const { hostname } = lease;
    const sessions = new LeaseSessions(lease, this.limitOf(lease), (isPresent) => {
      // Those of an earlier registration say nothing of its successor.
      if (this.#byHostname.get(hostname) === sessions) this.onPresence(hostname, isPresent);
    });
    if (this.#ended.has(lease)) {
      sessions.end(false);
      return sessions;
    }
    this.#byHostname.set(lease.hostname, sessions);
    return sessions;
  }

  /** The sessions of the current registration, if there ever were any. */
  peek(lease: Lease): LeaseSessions | undefined {
    const held = this.#byHostname.get(lease.hostname);
    return held?.lease.generation === lease.generation ? held : undefined;
  }

  /** All open sessions, including those of ended leases. */
  all(): LeaseSessions[] {
    return [...this.#byHostname.values(), ...this.#lingering];
  }

  /** Whether the lease has a ready session or a live connection, or another relay that has them. */
  isAlive(lease: Lease): boolean {
    if (this.reachesNext(lease)) return true;
    const sessions = this.peek(lease);
    return sessions !== undefined && sessions.queue.ready + sessions.live.size > 0;
  }

  /**
   * An expired or rejected lease is cut; after an unregistration or replacement its connections get a bounded grace.
   */
  end(lease: Lease, ending: LeaseEnding): void {
    this.#ended.add(lease);
    const sessions = this.peek(lease);
    if (!sessions) return;
    this.#byHostname.delete(lease.hostname);
    this.onPresence(lease.hostname, false);
    if (ending === 'rejected') sessions.reset();
    else sessions.end(ending !== 'expired');
    this.#release(sessions);
  }

  /** One tunnel of a lease's group has left, or its time is over. */
  endMember(lease: Lease, member: string, ending: LeaseEnding): void {
    this.peek(lease)?.endMember(member, ending !== 'expired');
  }

  /**
   * Ends all sessions and connections of these leases, including lingering ones of earlier registrations. The leases
   * stay and may open new ones.
   */
  reset(isHit: (lease: Lease) => boolean): void {
    for (const sessions of this.all()) {
      if (!isHit(sessions.lease)) continue;
      sessions.reset();
      if (this.#byHostname.get(sessions.lease.hostname) !== sessions) continue;
      this.#byHostname.delete(sessions.lease.hostname);
      this.onPresence(sessions.lease.hostname, false);
      this.#release(sessions);
    }
  }

  /** Ends every session opened from these addresses. */
  resetFrom(isHit: (ip: string) => boolean): void {
    for (const sessions of this.all()) sessions.resetFrom(isHit);
  }

  /** Closes idle sessions. Settles when no connection is left, or when the signal is aborted. */
  async drain(signal: AbortSignal): Promise<void> {
    const all = this.all();
    for (const sessions of all) sessions.queue.close();
    await Promise.all(all.map((sessions) => sessions.idle(signal)));
  }

  /** Ends every session and connection. */
  close(): void {
    for (const sessions of this.all()) {
      sessions.end(false);
      sessions.destroy();
    }
    this.#byHostname.clear();
    this.#lingering.clear();
  }

  /** Keeps an ended lease while its connections live, and its byte counts for good. */
  #release(ended: LeaseSessions): void {
    this.#lingering.add(ended);
    for (const sessions of this.#lingering) {
      if (sessions.live.size > 0) continue;
      this.#lingering.delete(sessions);
      this.pastTraffic.up += sessions.traffic.up;
      this.pastTraffic.down += sessions.traffic.down;
    }
  }
}
