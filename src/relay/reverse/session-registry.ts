import type { LeaseEnding } from '../leases/lease-registry.js';
import type { Lease } from '../leases/lease.js';
import { LeaseSessions } from './lease-sessions.js';
import type { Traffic } from './traffic.js';
import type { SessionLender } from './lent-sessions.js';

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
   * @param lender where visitors are served without the main thread
   */
  constructor(
    private readonly limitOf: (lease: Lease) => number | undefined = () => undefined,
    private readonly reachesNext: (lease: Lease) => boolean = () => false,
    private readonly onPresence: (hostname: string, isPresent: boolean) => void = () => {},
    private readonly lender?: SessionLender,
  ) {}

  /** Connections served now, and all bytes that have passed since the start, both ways. */
  load(): { connections: number; bytes: number } {
    const load = { connections: 0, bytes: this.pastTraffic.up + this.pastTraffic.down };
    for (const { connections, traffic } of this.all()) {
      load.connections += connections;
      load.bytes += traffic.up + traffic.down;
    }
    return load;
  }

  /** As `applyLimits`, for one lease. */
  applyLimit(hostname: string): void {
    const sessions = this.#byHostname.get(hostname);
    sessions?.setLimit(this.limitOf(sessions.lease));
  }

  /** Reads each lease's limit again and applies it to live connections. */
  applyLimits(): void {
    for (const sessions of this.all()) sessions.setLimit(this.limitOf(sessions.lease));
  }

  /**
   * The sessions of a registration, created on first use. Those of one that has ended take no session and no visitor,
   * and do not displace those of its successor.
   */
  of(lease: Lease): LeaseSessions {
    const held = this.peek(lease);
    if (held) return held;
    const { hostname } = lease;
    const onPresence = (isPresent: boolean) => {
      // Those of an earlier registration say nothing of its successor.
      if (this.#byHostname.get(hostname) === sessions) this.onPresence(hostname, isPresent);
    };
    const sessions = new LeaseSessions(lease, this.limitOf(lease), onPresence, this.lender);
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
    return sessions !== undefined && sessions.ready + sessions.connections > 0;
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

  /** There is someone now who serves visitors without the main thread. */
  lend(): void {
    for (const sessions of this.all()) sessions.lend();
  }

  /** Closes idle sessions. Settles when no connection is left, or when the signal is aborted. */
  async drain(signal: AbortSignal): Promise<void> {
    const all = this.all();
    for (const sessions of all) sessions.closeIdle();
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
      if (sessions.connections > 0) continue;
      this.#lingering.delete(sessions);
      this.pastTraffic.up += sessions.traffic.up;
      this.pastTraffic.down += sessions.traffic.down;
    }
  }
}
