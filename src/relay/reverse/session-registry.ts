import { EventEmitter, once, setMaxListeners } from 'node:events';
import type { Lease } from '../leases/lease.js';
import type { LeaseEnding } from '../leases/lease-registry.js';
import { Bandwidth } from '../limiters/bandwidth.js';
import { ReadyQueue } from './ready-queue.js';
import type { ReverseSession } from './reverse-session.js';

/** How long live connections may continue once their lease was unregistered or replaced. */
const lingerAfterLeaseMs = 30_000;

/** A public connection that is being served. */
export interface LiveConnection {
  /** Ends it at once. */
  destroy(): void;
  /** The same, and what is on its way to the visitor, in this machine's buffers, goes nowhere. */
  reset(): void;
  /** Address of the tunnel at its other end. */
  readonly tunnelIp: string;
  /** Bytes from the visitor so far, and to it. */
  readonly traffic: Traffic;
}

/** Bytes from visitors to the tunnel (`up`), and back. */
export interface Traffic {
  up: number;
  down: number;
}

/** All that one registration of a lease has open here. */
export class LeaseSessions {
  readonly queue = new ReadyQueue();
  readonly live = new Set<LiveConnection>();
  /** Visitors that wait for a session. */
  waiting = 0;
  /** Of all connections together, those that are over included. */
  readonly traffic: Traffic = { up: 0, down: 0 };
  readonly bandwidth: Bandwidth;
  readonly #ended = new AbortController();
  readonly #idle = new EventEmitter<{ idle: [] }>();
  #linger: NodeJS.Timeout | undefined;

  constructor(
    readonly lease: Lease,
    /** Bytes a second over all its connections. */
    limit?: number,
  ) {
    this.bandwidth = new Bandwidth(limit);
    // One listener a waiting visitor, which are bounded elsewhere.
    setMaxListeners(0, this.#ended.signal);
  }

  /** Aborted when the lease ends, so that nobody waits for a session of it any more. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Adds a ready session, unless the lease ended while it was on its way. */
  add(session: ReverseSession): void {
    if (this.#ended.signal.aborted) session.close();
    else this.queue.add(session);
  }

  /** Ends all of it, down to the last byte. */
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
    this.live.delete(connection);
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
 * Where the reverse sessions of a hostname are. Ingress asks here and nowhere else, so that sessions held by another
 * process or node would change this module, not the path.
 */
export class SessionRegistry {
  readonly #byHostname = new Map<string, LeaseSessions>();
  /** Ended leases whose connections are still finishing. */
  readonly #lingering = new Set<LeaseSessions>();
  /** Bytes of all that is in neither of these any more. */
  readonly pastTraffic: Traffic = { up: 0, down: 0 };

  /** @param limitOf bytes a second that a lease is allowed, asked when its sessions are made and by `applyLimits` */
  constructor(private readonly limitOf: (lease: Lease) => number | undefined = () => undefined) {}

  /** Connections served now, and all bytes that have passed since the start, both ways. */
  load(): { connections: number; bytes: number } {
    const load = { connections: 0, bytes: this.pastTraffic.up + this.pastTraffic.down };
    for (const { live, traffic } of this.all()) {
      load.connections += live.size;
      load.bytes += traffic.up + traffic.down;
    }
    return load;
  }

  /** Asks again what each lease is allowed; live connections go on under that at once. */
  applyLimits(): void {
    for (const sessions of this.all()) sessions.bandwidth.limit = this.limitOf(sessions.lease);
  }

  /** The sessions of the lease as it is registered now, made at first need. */
  of(lease: Lease): LeaseSessions {
    const held = this.#byHostname.get(lease.hostname);
    if (held?.lease.generation === lease.generation) return held;
    const sessions = new LeaseSessions(lease, this.limitOf(lease));
    this.#byHostname.set(lease.hostname, sessions);
    return sessions;
  }

  /** All that is open, of ended leases as well. */
  all(): LeaseSessions[] {
    return [...this.#byHostname.values(), ...this.#lingering];
  }

  /** Whether anything of the lease is ready or live. */
  isAlive(lease: Lease): boolean {
    const sessions = this.#byHostname.get(lease.hostname);
    if (sessions?.lease.generation !== lease.generation) return false;
    return sessions.queue.ready + sessions.live.size > 0;
  }

  /** A lease that expired or was rejected is cut; one that was given back or replaced lets its connections finish, for a bounded time. */
  end(lease: Lease, ending: LeaseEnding): void {
    const sessions = this.#byHostname.get(lease.hostname);
    if (sessions?.lease.generation !== lease.generation) return;
    this.#byHostname.delete(lease.hostname);
    if (ending === 'rejected') sessions.reset();
    else sessions.end(ending !== 'expired');
    this.#release(sessions);
  }

  /**
   * Ends all that these leases have open, also what lingers of earlier registrations. The leases stay, and what they open
   * afterwards counts again.
   */
  reset(isHit: (lease: Lease) => boolean): void {
    for (const sessions of this.all()) {
      if (!isHit(sessions.lease)) continue;
      sessions.reset();
      if (this.#byHostname.get(sessions.lease.hostname) !== sessions) continue;
      this.#byHostname.delete(sessions.lease.hostname);
      this.#release(sessions);
    }
  }

  /** Ends every session that was opened from these addresses. */
  resetFrom(isHit: (ip: string) => boolean): void {
    for (const sessions of this.all()) sessions.resetFrom(isHit);
  }

  /** Closes the sessions that wait, and settles when no connection is left, or at the signal. */
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

  /** Keeps what has ended for as long as connections of it live, and its sums for good. */
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
