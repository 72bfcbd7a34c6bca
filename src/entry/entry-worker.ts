import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { epoll, errno, type Libc, loadLibc } from '../kernel/libc.js';
import { Pipes } from '../kernel/pipes.js';
import { type PumpTools, scratchBytes } from '../kernel/pump.js';
import { type AddressList, addressList } from '../net/address-list.js';
import { ConcurrencyLimiter } from '../util/concurrency-limiter.js';
import { FairSlots } from '../util/fair-slots.js';
import { Arrival } from './arrival.js';
import { Deadlines } from './deadlines.js';
import { EntryLease } from './entry-lease.js';
import { EntrySession } from './entry-session.js';
import {
  type EntryLimits,
  type EntryOutcome,
  type EntryStart,
  type FromEntry,
  packed,
  type ToEntry,
} from './messages.js';
import { OwnedDescriptors, SharedCounts } from './shared-memory.js';
import { Timers } from './timers.js';
import type { EntryThread, Expiring, Keeping, Runnable, Watched } from './thread.js';

/** `data` of the eventfd in epoll, and of the listening socket. */
const wakeToken = 0;
const listenToken = 1;
/** Connections that are accepted in one round, before others have their turn. */
const maxAccepts = 64;
/** After a failure for want of file descriptors or memory, nothing is accepted for this long. */
const acceptPauseMs = 100;
/** Least interval between two reports. */
const reportIntervalMs = 50;
/** Deadlines, as the main thread has them. */
const settleTimeoutMs = 5_000;
const closeTimeoutMs = 2_000;
const keepaliveIntervalMs = 15_000;
/** A visitor waits for a session here for so long; the main thread knows how long its lease lets it wait. */
const waitMs = 1_000;

const isTemporary = (code: number): boolean =>
  code === -errno.EMFILE || code === -errno.ENFILE || code === -errno.ENOBUFS || code === -errno.ENOMEM;

/** One thread with one epoll loop: accepts public connections, and joins them to sessions. */
class EntryWorker implements EntryThread {
  readonly scratch = Buffer.allocUnsafeSlow(scratchBytes);
  readonly tools: PumpTools;
  readonly limits: EntryLimits;
  readonly sources: SharedCounts;
  readonly awaited: FairSlots;
  readonly awaitedOf: ConcurrencyLimiter;
  readonly isBalancer: AddressList;
  readonly clock = new Timers();
  readonly #onExpired = (one: Expiring): void => this.#within(one, () => one.expire());
  readonly headers: Deadlines<Expiring>;
  readonly hellos: Deadlines<Expiring>;
  readonly waits = new Deadlines<Expiring>(waitMs, this.#onExpired);
  readonly settling = new Deadlines<Expiring>(settleTimeoutMs, this.#onExpired);
  readonly closing = new Deadlines<Expiring>(closeTimeoutMs, this.#onExpired);
  readonly keepalives = new Deadlines<Keeping>(keepaliveIntervalMs, (session) =>
    this.#within(session, () => session.keepAlive()),
  );
  readonly #deadlines: Pick<Deadlines<object>, 'next' | 'expire'>[];
  readonly #watched = new Map<number, Watched>();
  #lastToken = listenToken;
  readonly #byHostname = new Map<string, EntryLease>();
  readonly #leases = new Map<number, EntryLease>();
  readonly #sessions = new Map<number, EntrySession>();
  #busy = new Set<Runnable>();
  readonly #outcomes = new Map<EntryOutcome, number>();
  #reportedAt = 0;
  #listening: number | undefined;
  #resumeAcceptingAt: number | undefined;
  #isStopped = false;
  readonly #owned: OwnedDescriptors;

  constructor(
    readonly libc: Libc,
    private readonly start: EntryStart,
    private readonly port: NonNullable<typeof parentPort>,
  ) {
    const { limits, pipes, balancers, sources, owned, poll, wake } = start;
    this.limits = limits;
    this.headers = new Deadlines(limits.headerTimeoutMs, this.#onExpired);
    this.hellos = new Deadlines(limits.helloTimeoutMs, this.#onExpired);
    this.#deadlines = [this.headers, this.hellos, this.waits, this.keepalives, this.closing, this.settling];
    this.tools = { libc, scratch: this.scratch, pipes: new Pipes(libc, pipes) };
    this.sources = new SharedCounts(sources, limits.maxConnectionsPerSource);
    this.#owned = new OwnedDescriptors(owned);
    this.awaited = new FairSlots(limits.maxAwaited);
    this.awaitedOf = new ConcurrencyLimiter(limits.maxAwaitedPerSource);
    this.isBalancer = addressList(balancers);
    libc.epollAdd(poll, wake, epoll.IN, wakeToken);
  }

  run(): void {
    this.post({ type: 'ready' });
    while (!this.#isStopped) {
      this.libc.epollWait(this.start.poll, this.#timeout(), this.#onEvents);
      this.#receive();
      this.#runBusy();
      this.#expire();
      if (this.#outcomes.size > 0 && this.now - this.#reportedAt >= reportIntervalMs) this.#report();
    }
    this.#report();
  }

  /** Always fresh: a time of before a long wait would have deadlines expire at once. */
  get now(): number {
    return performance.now();
  }

  #timeout(): number {
    if (this.#busy.size > 0) return 0;
    const dues = this.#deadlines.map(({ next }) => next);
    dues.push(this.clock.next, this.#resumeAcceptingAt);
    if (this.#outcomes.size > 0) dues.push(this.#reportedAt + reportIntervalMs);
    let first = Infinity;
    for (const due of dues) if (due !== undefined && due < first) first = due;
    return first === Infinity ? -1 : Math.max(0, Math.ceil(first - performance.now()));
  }

  /** Runs something for one connection: an error ends that one alone. */
  #within(one: { reset(): void } | undefined, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#reportFault(error);
      try {
        one?.reset();
      } catch (cause) {
        this.#reportFault(new Error('ending it failed as well', { cause }));
      }
    }
  }

  #reportFault(thrown: unknown): void {
    this.post({ type: 'fault', error: thrown instanceof Error ? thrown : new Error(String(thrown)) });
  }

  readonly #onEvents = (token: number, events: number): void => {
    if (token === wakeToken) return this.libc.clear(this.start.wake);
    if (token === listenToken) return this.#accept();
    const watched = this.#watched.get(token);
    if (watched) this.#within(watched, () => watched.onEvents(events));
  };

  #runBusy(): void {
    if (this.#busy.size === 0) return;
    const busy = this.#busy;
    this.#busy = new Set();
    for (const one of busy) this.#within(one, () => one.runBusy());
  }

  #expire(): void {
    if (this.#resumeAcceptingAt !== undefined && this.#resumeAcceptingAt <= this.now) this.#resumeAccepting();
    const { now } = this;
    for (const deadlines of this.#deadlines) deadlines.expire(now);
    this.#within(undefined, () => this.clock.run(this.now));
  }

  #report(): void {
    this.#reportedAt = this.now;
    if (this.#outcomes.size === 0) return;
    this.post({ type: 'report', outcomes: [...this.#outcomes] });
    this.#outcomes.clear();
  }

  // For all parts

  leaseAt(hostname: string): EntryLease | undefined {
    return this.#byHostname.get(hostname);
  }

  count(outcome: EntryOutcome): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }

  post(message: FromEntry): void {
    if (message.type === 'gone' || message.type === 'returned') this.#sessions.delete(message.session);
    if (message.type === 'idle') this.#leases.delete(message.lease);
    this.port.postMessage(message);
  }

  watch(watched: Watched, fd: number): number {
    do this.#lastToken = this.#lastToken === 0xffff_ffff ? listenToken + 1 : this.#lastToken + 1;
    while (this.#watched.has(this.#lastToken));
    const token = this.#lastToken;
    this.libc.epollAdd(this.start.poll, fd, epoll.IN | epoll.OUT | epoll.RDHUP | epoll.ET, token);
    this.#watched.set(token, watched);
    return token;
  }

  rewatch(watched: Watched): void {
    this.#watched.set(watched.token, watched);
  }

  unwatch({ token }: Pick<Watched, 'token'>, fd: number): void {
    this.#watched.delete(token);
    this.libc.epollRemove(this.start.poll, fd);
  }

  drop(watched: Pick<Watched, 'token'> | undefined, fd: number): void {
    if (watched) this.#watched.delete(watched.token);
    this.#owned.remove(fd);
    this.libc.close(fd);
  }

  soon(runnable: Runnable): void {
    this.#busy.add(runnable);
  }

  // Connections

  #accept(): void {
    for (let count = 0; count < maxAccepts && this.#listening !== undefined; count++) {
      const accepted = this.libc.accept(this.#listening);
      if (typeof accepted === 'number') {
        if (isTemporary(accepted)) this.#pauseAccepting();
        // Others concern the one connection that was to be accepted.
        if (accepted === -errno.EAGAIN || isTemporary(accepted)) return;
        continue;
      }
      const { fd, peer } = accepted;
      if (!this.#owned.add(fd)) {
        this.libc.close(fd);
        continue;
      }
      const arrival = new Arrival(this, fd, peer);
      this.#within(arrival, () => arrival.start());
    }
  }

  #pauseAccepting(): void {
    this.libc.epollRemove(this.start.poll, this.#listening!);
    this.#resumeAcceptingAt = this.now + acceptPauseMs;
  }

  #resumeAccepting(): void {
    this.#resumeAcceptingAt = undefined;
    if (this.#listening !== undefined) this.libc.epollAdd(this.start.poll, this.#listening, epoll.IN, listenToken);
  }

  // Messages

  #receive(): void {
    for (let next = receiveMessageOnPort(this.port); next; next = receiveMessageOnPort(this.port)) {
      const message = next.message as ToEntry;
      this.#within(undefined, () => this.#take(message));
    }
  }

  #take(message: ToEntry): void {
    switch (message.type) {
      case 'stop':
        this.#isStopped = true;
        return;
      case 'listen':
        this.#listening = message.fd;
        return this.#resumeAccepting();
      case 'unlisten':
        return this.#unlisten();
      case 'lease': {
        const lease = new EntryLease(this, message.id, message.lease);
        this.#leases.set(message.id, lease);
        this.#byHostname.set(message.lease.hostname, lease);
        return;
      }
      case 'session':
        return this.#addSession(message);
      case 'drop':
        for (const id of message.sessions) this.#sessions.get(id)?.reset();
        return;
      case 'signed': {
        const session = this.#sessions.get(message.session);
        if (session?.claims === message.claim) session.signed(Buffer.from(message.message));
        return;
      }
      default:
        return this.#takeForLease(message, this.#leases.get(message.lease));
    }
  }

  #takeForLease(
    message: Extract<ToEntry, { type: 'end' | 'limit' | 'want' | 'recall' | 'cut' | 'binding' }>,
    lease: EntryLease | undefined,
  ): void {
    if (message.type === 'binding') {
      const clientHello = lease?.takeBinding(Buffer.from(message.binding));
      this.post({ type: 'binding', question: message.question, clientHello: clientHello && packed(clientHello) });
      return;
    }
    if (!lease) return;
    if (message.type === 'want') lease.want();
    else if (message.type === 'recall') lease.recall();
    else if (message.type === 'cut') lease.cut(message.isReset);
    else if (message.type === 'limit') lease.bandwidth.limit = message.bytesPerSecond;
    else {
      if (this.#byHostname.get(lease.facts.hostname) === lease) this.#byHostname.delete(lease.facts.hostname);
      lease.end();
    }
  }

  #addSession({ id, lease: leaseId, fd, keys, withAddresses }: ToEntry & { type: 'session' }): void {
    const lease = this.#leases.get(leaseId);
    if (!lease || !this.#owned.add(fd)) {
      this.libc.close(fd);
      return this.post({ type: 'gone', session: id });
    }
    let session: EntrySession;
    try {
      session = new EntrySession(this, id, fd, lease, keys, withAddresses);
    } catch (error) {
      this.drop(undefined, fd);
      this.post({ type: 'gone', session: id });
      throw error;
    }
    this.#sessions.set(id, session);
    this.#within(session, () => lease.add(session));
  }

  #unlisten(): void {
    const fd = this.#listening;
    if (fd === undefined) return;
    this.#listening = undefined;
    if (this.#resumeAcceptingAt === undefined) this.libc.epollRemove(this.start.poll, fd);
    this.#resumeAcceptingAt = undefined;
    this.post({ type: 'unlistened', fd });
  }
}

const libc = loadLibc();
if (!libc || !parentPort) throw new Error('an entry worker needs Linux and the package koffi');
new EntryWorker(libc, workerData as EntryStart, parentPort).run();
