import type { Libc } from '../kernel/libc.js';
import type { PumpTools } from '../kernel/pump.js';
import type { Clock } from '../util/bandwidth.js';
import type { ConcurrencyLimiter } from '../util/concurrency-limiter.js';
import type { FairSlots } from '../util/fair-slots.js';
import type { Endpoint, ProxiedAddresses } from '../protocol/proxy-protocol.js';
import type { Deadlines } from './deadlines.js';
import type { EntryLeaseFacts, EntryLimits, EntryOutcome, FromEntry } from './messages.js';
import type { SharedCounts } from './shared-memory.js';

/** Something whose file descriptor is in epoll. */
export interface Watched {
  readonly token: number;
  onEvents(events: number): void;
  /** Ends it at once, after an error. */
  reset(): void;
}

/** A visitor that goes to a session. */
export interface EntryVisitor {
  fd: number;
  /** Undefined when nobody has watched it yet. */
  token: number | undefined;
  source: string;
  /** Of a balancer's PROXY header; else those of the connection. */
  passedOn: ProxiedAddresses | undefined;
  peer: Endpoint;
  /** The ClientHello and what came after it. */
  early: Buffer;
  /** The handshake message. */
  clientHello: Buffer;
}

/** A visitor that can be given to a session, and can wait for one. */
export interface WaitingVisitor {
  wait(host: VisitorHost): void;
  /** It goes to a session. */
  leave(): EntryVisitor;
  /** The main thread serves it. */
  handOver(): void;
}

/** A lease, for its visitors. */
export interface VisitorHost {
  readonly facts: EntryLeaseFacts;
  /** @returns false when the main thread is to decide about the visitor */
  accept(visitor: WaitingVisitor): boolean;
  /** The visitor has gone, or waits no longer here. */
  stopWaiting(visitor: WaitingVisitor): void;
}

/** Something with more to do, without waiting for an event. */
export interface Runnable {
  runBusy(): void;
  /** Ends it at once, after an error. */
  reset(): void;
}

/** What a deadline is for. */
export interface Expiring {
  expire(): void;
  /** Ends it at once, after an error. */
  reset(): void;
}

/** What is kept alive. */
export interface Keeping {
  keepAlive(): void;
  /** Ends it at once, after an error. */
  reset(): void;
}

/** What all parts of the entry worker use. */
export interface EntryThread {
  readonly libc: Libc;
  /** For one read; its bytes are valid until the next. */
  readonly scratch: Buffer;
  readonly tools: PumpTools;
  readonly limits: EntryLimits;
  /** Monotonic time in milliseconds. */
  readonly now: number;
  readonly clock: Clock;
  readonly sources: SharedCounts;
  readonly awaited: FairSlots;
  readonly awaitedOf: ConcurrencyLimiter;
  // Deadlines
  readonly headers: Deadlines<Expiring>;
  readonly hellos: Deadlines<Expiring>;
  readonly waits: Deadlines<Expiring>;
  readonly keepalives: Deadlines<Keeping>;
  readonly closing: Deadlines<Expiring>;
  readonly settling: Deadlines<Expiring>;

  isBalancer(ip: string): boolean;
  leaseAt(hostname: string): VisitorHost | undefined;
  count(outcome: EntryOutcome): void;
  post(message: FromEntry): void;
  /** @returns the token of its events */
  watch(watched: Watched, fd: number): number;
  /** Takes the place of what had its token. */
  rewatch(watched: Watched): void;
  /** Its file descriptor is to be used elsewhere. */
  unwatch(watched: Pick<Watched, 'token'>, fd: number): void;
  /** Closes its file descriptor. */
  drop(watched: Pick<Watched, 'token'> | undefined, fd: number): void;
  /** Has it run in the next round. */
  soon(runnable: Runnable): void;
}
