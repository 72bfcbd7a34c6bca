import { ApiError } from '../../contract/index.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import type { ReverseSession } from './reverse-session.js';

const readyQueueLimit = 8;
/** Most public connections of one lease that wait for a reverse session. */
export const maxWaitingClaims = 512;

interface Waiting {
  accepts(session: ReverseSession): boolean;
  resolve(session: ReverseSession): void;
}

/** Ready sessions of the lease that someone else has. */
interface Elsewhere {
  ready(): number;
  /** A connection waits here. */
  want(): void;
  /** The number of ready sessions here is another. */
  onReady(): void;
}
const nowhere: Elsewhere = { ready: () => 0, want: () => undefined, onReady: () => undefined };

/**
 * The ready reverse sessions of one lease, oldest first, and the public connections waiting for one, in FIFO order.
 */
export class ReadyQueue {
  readonly #ready: ReverseSession[] = [];
  readonly #waiting = new Set<Waiting>();
  /** Admitted sessions that are not ready yet, by the tunnel of a group. */
  readonly #coming = new ConcurrencyLimiter(Infinity);
  #closed = false;

  constructor(private readonly elsewhere: Elsewhere = nowhere) {}

  /** Connections that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  get ready(): number {
    return this.#ready.length;
  }

  /** Ready sessions of one tunnel of a group. */
  readyOf(member: string | undefined): number {
    if (member === undefined) return this.#ready.length + this.elsewhere.ready();
    return this.#ready.reduce((count, session) => count + (session.member === member ? 1 : 0), 0);
  }

  /**
   * @param member the tunnel, of a group: each has a queue's room of its own
   * @throws ApiError `rate_limited` when the queue is full
   */
  assertRoom(member: string | undefined): void {
    const waiting = this.#waiting.size;
    const coming = this.#coming.count(member ?? '');
    // Ready sessions may be of a kind that no waiter accepts.
    const used = waiting === 0 ? this.readyOf(member) + coming : coming - waiting;
    if (used >= readyQueueLimit) {
      throw new ApiError('rate_limited', `the ready queue of this tunnel is full: ${readyQueueLimit} sessions wait`, {
        retryAfterSeconds: 1,
      });
    }
  }

  /**
   * Reserves a place for an admitted session that is not ready yet.
   * @returns releases the place
   */
  hold(member: string | undefined): () => void {
    this.#coming.add(member ?? '');
    return () => this.#coming.remove(member ?? '');
  }

  /** Hands the session to the first waiter, or keeps it until it is claimed or gone. */
  add(session: ReverseSession): void {
    if (this.#closed) {
      session.close();
      return;
    }
    for (const waiting of this.#waiting) {
      if (!waiting.accepts(session)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(session);
      return;
    }
    this.#ready.push(session);
    this.elsewhere.onReady();
    session.once('gone', () => this.#remove(session));
  }

  /**
   * Takes the oldest ready session that `accepts` allows, if any.
   * @param load connections of the tunnel that a session is of: the one with the fewest counts first
   */
  take(
    accepts: (session: ReverseSession) => boolean,
    load?: (session: ReverseSession) => number,
  ): ReverseSession | undefined {
    let found = this.#ready.findIndex(accepts);
    if (load !== undefined) {
      for (let index = found + 1; index > 0 && index < this.#ready.length; index++)
        if (accepts(this.#ready[index]!) && load(this.#ready[index]!) < load(this.#ready[found]!)) found = index;
    }
    const session = this.#ready[found];
    if (session) this.#remove(session);
    return session;
  }

  #remove(session: ReverseSession): void {
    const index = this.#ready.indexOf(session);
    if (index < 0) return;
    this.#ready.splice(index, 1);
    this.elsewhere.onReady();
  }

  /**
   * Waits for a session after `take` found none.
   * @param signal cancels the wait
   * @returns undefined when the wait was cancelled, or too many wait already
   */
  async claim(accepts: (session: ReverseSession) => boolean, signal: AbortSignal): Promise<ReverseSession | undefined> {
    if (signal.aborted || this.#waiting.size >= maxWaitingClaims) return undefined;
    return await new Promise((resolve) => {
      const waiting: Waiting = {
        accepts,
        resolve: (session) => {
          signal.removeEventListener('abort', giveUp);
          resolve(session);
        },
      };
      const giveUp = () => {
        this.#waiting.delete(waiting);
        resolve(undefined);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(waiting);
      this.elsewhere.want();
    });
  }

  /** Takes those out that `takes` says it has taken. */
  removeIf(takes: (session: ReverseSession) => boolean): void {
    for (const session of [...this.#ready]) if (takes(session)) this.#remove(session);
  }

  /** Closes the sessions that were opened from these addresses. */
  closeFrom(isHit: (ip: string) => boolean): void {
    for (const session of this.#ready.filter(({ from }) => isHit(from))) session.close();
  }

  /** Closes the sessions of one tunnel of a group. */
  closeOf(member: string): void {
    for (const session of this.#ready.filter((each) => each.member === member)) session.close();
  }

  /** Closes the ready sessions, and those added later. */
  close(): void {
    this.#closed = true;
    for (const session of this.#ready.splice(0)) session.close();
  }
}
