import { EventEmitter, once, setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import { Bandwidth } from '../../util/bandwidth.js';
import { guard } from '../../util/boundary.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import type { Lease } from '../leases/lease.js';
import { LentSessions, type SessionLender } from './lent-sessions.js';
import { ReadyQueue } from './ready-queue.js';
import type { ReverseSession } from './reverse-session.js';
import type { Traffic } from './traffic.js';

/** Grace for live connections after their lease was unregistered or replaced. */
const lingerAfterLeaseMs = 30_000;

/** Sessions whose last bytes are not sent yet are offered again after this long; then less often. */
const soonMs = 5;
const laterMs = 250;

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

/** The sessions and connections of one registration of a lease. */
export class LeaseSessions {
  readonly queue: ReadyQueue;
  readonly live = new Set<LiveConnection>();
  /** Live connections by the tunnel of a group. */
  readonly #liveOf = new ConcurrencyLimiter(Infinity);
  /** Bytes of the connections of this thread, including closed ones. */
  readonly ownTraffic: Traffic = { up: 0, down: 0 };
  readonly #lent: LentSessions;
  /** Connections that wait for a session. */
  #waiting = 0;
  readonly bandwidth: Bandwidth;
  /** Tunnels' connections for sessions, claimed or not. */
  #streams = 0;
  readonly #ended = new AbortController();
  readonly #idle = new EventEmitter<{ idle: [] }>();
  #linger: NodeJS.Timeout | undefined;
  #lending: NodeJS.Timeout | undefined;

  constructor(
    readonly lease: Lease,
    /** The bandwidth shared by all its connections. */
    limit?: number,
    /** Called when there is the first tunnel, and when there is none any more. */
    private readonly onPresence: (isPresent: boolean) => void = () => {},
    lender?: SessionLender,
  ) {
    this.#lent = new LentSessions(lender, lease, {
      onCount: (change) => this.#count(change),
      onIdle: () => this.#checkIdle(),
    });
    this.queue = new ReadyQueue({
      ready: () => this.#lent.ready,
      want: () => this.#lent.want(),
      onReady: () => this.#update(),
    });
    this.bandwidth = new Bandwidth(limit);
    // One listener per waiting connection; their number is bounded elsewhere.
    setMaxListeners(0, this.#ended.signal);
  }

  /** Aborted when the lease ends, to cancel the waits for a session. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Ready sessions. */
  get ready(): number {
    return this.queue.ready + this.#lent.ready;
  }

  /** Live connections. */
  get connections(): number {
    return this.live.size + this.#lent.live;
  }

  /** Connections that wait for a session in this thread. */
  get waiting(): number {
    return this.#waiting;
  }

  set waiting(count: number) {
    this.#waiting = count;
    this.#update();
  }

  /** Bytes of all connections, including closed ones. */
  get traffic(): Readonly<Traffic> {
    const { up, down } = this.#lent.traffic;
    return { up: this.ownTraffic.up + up, down: this.ownTraffic.down + down };
  }

  /** A tunnel has opened a connection for sessions. */
  attach(stream: Duplex): void {
    this.#count(1);
    // boundary: cannot throw.
    stream.once('close', () => this.#count(-1));
  }

  /** Sessions of tunnels have come or gone. */
  #count(change: number): void {
    const before = this.#streams;
    this.#streams += change;
    if ((before === 0) !== (this.#streams === 0)) this.onPresence(this.#streams > 0);
  }

  /** @param bytesPerSecond of all connections together; undefined for no limit */
  setLimit(bytesPerSecond: number | undefined): void {
    const isNew = this.bandwidth.limit !== bytesPerSecond;
    this.bandwidth.limit = bytesPerSecond;
    if (isNew) this.#lent.limit(bytesPerSecond);
    this.#update();
  }

  #update(): void {
    this.#lent.update(this.live.size + this.#waiting, this.queue.ready);
  }

  /** Whether a tunnel is connected, with sessions ready or in use. */
  get hasTunnels(): boolean {
    return this.#streams > 0;
  }

  /** Adds a ready session, unless the lease has ended meanwhile. */
  add(session: ReverseSession): void {
    if (this.#ended.signal.aborted) session.close();
    else if (!this.#mayLend) this.queue.add(session);
    else {
      const isLent = this.#lent.offer(session);
      if (isLent !== true) this.queue.add(session);
      if (isLent === 'later') this.#lendIn(soonMs);
    }
  }

  get #mayLend(): boolean {
    return this.queue.waiting === 0 && this.bandwidth.limit === undefined;
  }

  /** Offers the ready sessions to where visitors are served without this thread. */
  lend(): void {
    if (!this.#mayLend) return;
    let isLater = false;
    this.queue.removeIf((session) => {
      const isLent = this.#lent.offer(session);
      isLater ||= isLent === 'later';
      return isLent === true;
    });
    if (isLater) this.#lendIn(laterMs);
  }

  #lendIn(ms: number): void {
    if (this.#lending) return;
    const lend = guard('entry worker message', () => {
      this.#lending = undefined;
      this.lend();
    });
    this.#lending = setTimeout(lend, ms).unref();
  }

  /** Takes the binding of a connection that this thread does not serve. @returns its ClientHello; undefined when it is unknown or spent */
  async takeBinding(binding: Buffer): Promise<Buffer | undefined> {
    return await this.#lent.takeBinding(binding);
  }

  /** A visitor comes that only this thread can serve. */
  keep(): void {
    this.#lent.keep();
  }

  /** Takes a ready session: of a group, one of the tunnel with the fewest connections. */
  take(accepts: (session: ReverseSession) => boolean): ReverseSession | undefined {
    const load = ({ member = '' }: ReverseSession) => this.#liveOf.count(member);
    return this.queue.take(accepts, this.lease.group && load);
  }

  /** Counts a connection until `release`. */
  admit(connection: LiveConnection): void {
    this.live.add(connection);
    this.#update();
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
    this.closeIdle();
    for (const connection of this.live) connection.reset();
    this.#lent.cut(true);
  }

  /** Closes the ready sessions, and those that come later. */
  closeIdle(): void {
    this.queue.close();
    this.#lent.end();
  }

  end(linger: boolean): void {
    this.#ended.abort();
    this.closeIdle();
    if (linger && this.connections > 0) this.#linger = setTimeout(() => this.destroy(), lingerAfterLeaseMs);
    else this.destroy();
  }

  /** Ends the sessions, ready or live, that were opened from these addresses. */
  resetFrom(isHit: (ip: string) => boolean): void {
    this.queue.closeFrom(isHit);
    for (const connection of this.live) if (isHit(connection.tunnelIp)) connection.reset();
    this.#lent.cutFrom(isHit);
  }

  destroy(): void {
    clearTimeout(this.#linger);
    for (const connection of this.live) connection.destroy();
    this.#lent.cut(false);
  }

  release(connection: LiveConnection): void {
    if (this.live.delete(connection) && connection.member !== undefined) this.#liveOf.remove(connection.member);
    this.#update();
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.connections > 0) return;
    clearTimeout(this.#linger);
    this.#idle.emit('idle');
  }

  /** Settles when no connection lives, or at the signal. */
  async idle(signal: AbortSignal): Promise<void> {
    if (this.connections > 0) await once(this.#idle, 'idle', { signal }).catch(() => undefined);
  }
}
