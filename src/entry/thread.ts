import type { Libc } from '../kernel/libc.js';
import type { PumpTools } from '../kernel/pump.js';
import type { Clock } from '../util/bandwidth.js';
import type { ConcurrencyLimiter } from '../util/concurrency-limiter.js';
import type { FairSlots } from '../util/fair-slots.js';
import type { Arrival } from './arrival.js';
import type { Deadlines } from './deadlines.js';
import type { EntryLease } from './entry-lease.js';
import type { EntrySession } from './entry-session.js';
import type { Lane } from './lane.js';
import type { EntryLimits, EntryOutcome, FromEntry } from './messages.js';
import type { SharedCounts } from './shared-memory.js';

/** Something whose file descriptor is in epoll. */
export interface Watched {
  readonly token: number;
  onEvents(events: number): void;
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
  /** Monotonic time in milliseconds, of this round. */
  readonly now: number;
  readonly clock: Clock;
  readonly sources: SharedCounts;
  readonly awaited: FairSlots;
  readonly awaitedOf: ConcurrencyLimiter;
  // Deadlines
  readonly headers: Deadlines<Arrival>;
  readonly hellos: Deadlines<Arrival>;
  readonly waits: Deadlines<Arrival>;
  readonly keepalives: Deadlines<EntrySession>;
  readonly closing: Deadlines<EntrySession>;
  readonly settling: Deadlines<Lane>;

  isBalancer(ip: string): boolean;
  leaseAt(hostname: string): EntryLease | undefined;
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
  /** Has the lane run in the next round. */
  soon(lane: Lane): void;
}
