import { EventEmitter, once, setMaxListeners } from 'node:events';
import type { Lease } from '../leases/lease.js';
import type { LeaseEnding } from '../leases/lease-book.js';
import { lingerAfterLeaseMs, recycledReadyLimit } from '../constants.js';
import { Bandwidth } from '../ingress/bandwidth.js';
import { ReadyQueue } from './ready-queue.js';
import type { ReverseSession } from './reverse-session.js';

/** A public connection that is being served. */
export interface LiveConnection {
  /** Ends it at once. */
  cut(): void;
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
    if (this.#ended.signal.aborted) {
      session.close();
      return;
    }
    session.once('recycled', (again) => {
      if (this.queue.ready < recycledReadyLimit) this.add(again);
      else again.close();
    });
    this.queue.add(session);
  }

  end(linger: boolean): void {
    this.#ended.abort();
    this.queue.close();
    if (linger && this.live.size > 0) this.#linger = setTimeout(() => this.cut(), lingerAfterLeaseMs);
    else this.cut();
  }

  cut(): void {
    clearTimeout(this.#linger);
    for (const connection of this.live) connection.cut();
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
export class SessionDirectory {
  readonly #byHostname = new Map<string, LeaseSessions>();
  /** Ended leases whose connections are still finishing. */
  readonly #lingering = new Set<LeaseSessions>();
  /** Bytes of leases that are gone. */
  #pastBytes = 0;

  /** Connections served now, and all bytes that have passed since the start, both ways. */
  load(): { connections: number; bytes: number } {
    const load = { connections: 0, bytes: this.#pastBytes };
    for (const { live, traffic } of [...this.#byHostname.values(), ...this.#lingering]) {
      load.connections += live.size;
      load.bytes += traffic.up + traffic.down;
    }
    return load;
  }

  /** @param limitOf bytes a second that a lease is allowed, asked when its sessions are made and by `applyLimits` */
  constructor(private readonly limitOf: (lease: Lease) => number | undefined = () => undefined) {}

  /** Asks again what each lease is allowed; live connections go on under that at once. */
  applyLimits(): void {
    for (const sessions of [...this.#byHostname.values(), ...this.#lingering]) {
      sessions.bandwidth.limit = this.limitOf(sessions.lease);
    }
  }

  /** The sessions of the lease as it is registered now, made at first need. */
  of(lease: Lease): LeaseSessions {
    const held = this.#byHostname.get(lease.hostname);
    if (held?.lease.generation === lease.generation) return held;
    const sessions = new LeaseSessions(lease, this.limitOf(lease));
    this.#byHostname.set(lease.hostname, sessions);
    return sessions;
  }

  /** Whether anything of the lease is ready or live. */
  isAlive(lease: Lease): boolean {
    const sessions = this.of(lease);
    return sessions.queue.ready + sessions.live.size > 0;
  }

  /** An expired lease is cut; one that was given back or replaced lets its connections finish, for a bounded time. */
  end(lease: Lease, ending: LeaseEnding): void {
    const sessions = this.#byHostname.get(lease.hostname);
    if (sessions?.lease.generation !== lease.generation) return;
    this.#byHostname.delete(lease.hostname);
    sessions.end(ending !== 'expired');
    for (const lingering of this.#lingering) {
      if (lingering.live.size > 0) continue;
      this.#lingering.delete(lingering);
      this.#pastBytes += lingering.traffic.up + lingering.traffic.down;
    }
    if (sessions.live.size > 0) this.#lingering.add(sessions);
    else this.#pastBytes += sessions.traffic.up + sessions.traffic.down;
  }

  /** Closes the sessions that wait, and settles when no connection is left, or at the signal. */
  async drain(signal: AbortSignal): Promise<void> {
    const all = [...this.#byHostname.values(), ...this.#lingering];
    for (const sessions of all) sessions.queue.close();
    await Promise.all(all.map((sessions) => sessions.idle(signal)));
  }

  /** Ends every session and connection. */
  close(): void {
    for (const sessions of [...this.#byHostname.values(), ...this.#lingering]) {
      sessions.end(false);
      sessions.cut();
    }
    this.#byHostname.clear();
    this.#lingering.clear();
  }
}
