/** Quantum: bytes of one connection's turn, and the least that a pause accumulates. */
const bandwidthQuantumBytes = 65_536;
/** Least duration of a pause, as bytes at the limit: shorter pauses would keep a fast lease below its limit. */
const bandwidthBurstMs = 25;
/** Additional time that is credited to waiting connections when the process is late. */
const bandwidthLatenessMs = 250;
/** Least interval between two scheduling runs. */
const bandwidthTickMs = 4;

/** Resumes a flow that was told to wait. */
export interface Paced {
  resume(): void;
}

/** The clock and timers in use; replaceable in tests. */
export interface Clock {
  /** Monotonic time in milliseconds. */
  now(): number;
  /** @returns cancels it */
  after(ms: number, callback: () => void): () => void;
}

const machineClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** One connection's share of a bandwidth. */
export interface Share {
  /** Bytes left of the connection's turn (deficit counter). */
  allowance: number;
  readonly waiting: Set<Paced>;
  queued: boolean;
}

let ids = 0;

/**
 * The bandwidth of all connections of a lease together, both directions: a token bucket with deficit round robin.
 * Bytes are debited after they have passed and the bucket may go negative, so that no chunk is split. A connection
 * that passes bytes with an empty bucket waits, in turn with the others, until the bucket is positive again.
 */
export class Bandwidth {
  /** Of all that share it, for what counts by them. */
  readonly id = ++ids;
  #limit: number | undefined;
  /** Tokens in bytes; negative when bytes have passed early. */
  #credit = 0;
  #countedAt = 0;
  #queue: Share[] = [];
  #cancelTick: (() => void) | undefined;
  readonly #onLimited = new Set<() => void>();

  constructor(
    limit?: number,
    private readonly clock: Clock = machineClock,
  ) {
    this.limit = limit;
  }

  /** Bytes per second; undefined for no limit. A change applies at once, also to live connections. */
  get limit(): number | undefined {
    return this.#limit;
  }

  /** @throws RangeError when it is not above zero */
  set limit(limit: number | undefined) {
    if (limit !== undefined && !(limit > 0 && limit < Infinity))
      throw new RangeError(`a bandwidth is a positive number, not ${limit}`);
    if (limit === this.#limit) return;
    if (this.#limit === undefined) this.#credit = 0;
    else this.#count();
    this.#limit = limit;
    if (limit !== undefined) for (const told of [...this.#onLimited]) told();
    this.#countedAt = this.clock.now();
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    if (limit === undefined) for (const share of this.#queue.splice(0)) release(share);
    else {
      // Tokens of the former limit do not carry over.
      this.#credit = Math.min(Math.max(this.#credit, -bandwidthQuantumBytes), burst(limit));
      this.#awaitCredit();
    }
  }

  /** Calls back when a limit is set. @returns unsubscribes */
  whenLimited(callback: () => void): () => void {
    this.#onLimited.add(callback);
    return () => this.#onLimited.delete(callback);
  }

  /** A share for one connection; return it with `leave`. */
  join(): Share {
    return { allowance: bandwidthQuantumBytes, waiting: new Set(), queued: false };
  }

  leave(share: Share): void {
    share.waiting.clear();
    if (!share.queued) return;
    share.queued = false;
    this.#queue.splice(this.#queue.indexOf(share), 1);
    if (this.#queue.length > 0) return;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  /**
   * Debits bytes that one direction of a connection has moved.
   * @returns whether it may continue; if not, it is resumed later
   */
  spend(share: Share, flow: Paced, bytes: number): boolean {
    if (this.#limit === undefined) return true;
    this.#count();
    this.#credit -= bytes;
    share.allowance -= bytes;
    if (this.#credit > 0 && share.allowance > 0) return true;
    if (this.#queue.length === 0) {
      // The only connection needs no turns.
      share.allowance = Math.max(share.allowance, 0);
      if (this.#credit > 0) return true;
    }
    share.waiting.add(flow);
    if (!share.queued) {
      share.queued = true;
      // A turn that ran out of tokens is continued first.
      if (share.allowance > 0) this.#queue.unshift(share);
      else this.#queue.push(share);
    } else if (share.allowance <= 0 && this.#queue[0] === share) {
      // Its other direction has used the rest of the turn.
      this.#queue.push(this.#queue.shift() as Share);
    }
    this.#awaitCredit();
    return false;
  }

  /** Adds the tokens for the time since the last call. */
  #count(): void {
    const now = this.clock.now();
    const limit = this.#limit as number;
    const grown = this.#credit + ((now - this.#countedAt) / 1000) * limit;
    this.#countedAt = now;
    // While a connection waits, late timers lose no tokens.
    this.#credit =
      this.#queue.length > 0
        ? Math.min(grown, burst(limit) + (bandwidthLatenessMs / 1000) * limit)
        : Math.max(this.#credit, Math.min(grown, burst(limit)));
  }

  #awaitCredit(): void {
    const limit = this.#limit as number;
    if (this.#queue.length === 0 || this.#cancelTick) return;
    const owedMs = Math.ceil(((1 - this.#credit) / limit) * 1000);
    this.#cancelTick = this.clock.after(Math.min(Math.max(owedMs, bandwidthTickMs), maxTickMs), this.#tick);
  }

  readonly #tick = (): void => {
    this.#cancelTick = undefined;
    this.#count();
    // Resumed flows may spend later, so no more turns are given than there are tokens.
    for (let left = this.#credit; left > 0 && this.#credit > 0 && this.#queue.length > 0;) {
      const share = this.#queue.shift() as Share;
      if (share.allowance <= 0) share.allowance += bandwidthQuantumBytes;
      left -= Math.max(share.allowance, 1);
      release(share);
    }
    this.#awaitCredit();
  };
}

/** Longest duration of one timer; a longer wait uses several. */
const maxTickMs = 60_000;

/** Tokens that a pause accumulates. */
function burst(limit: number): number {
  return Math.max(bandwidthQuantumBytes, (bandwidthBurstMs / 1000) * limit);
}

function release(share: Share): void {
  share.queued = false;
  const flows = [...share.waiting];
  share.waiting.clear();
  for (const flow of flows) flow.resume();
}
