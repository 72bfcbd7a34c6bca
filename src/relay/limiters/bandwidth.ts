/** What a connection may move before the others have their turn, and the least that a pause saves up. */
const bandwidthQuantumBytes = 65_536;
/** Time whose bytes a pause saves up: with less, a fast lease falls short of its limit. */
const bandwidthBurstMs = 25;
/** Time beyond it that waiting connections are made good for when the process is late. */
const bandwidthLatenessMs = 250;
/** Between two looks at who may continue, at least. */
const bandwidthTickMs = 4;

/** A flow of bytes that stops when it is told to wait, until this is called. */
export interface Paced {
  resume(): void;
}

/** Where time comes from. */
export interface Clock {
  /** Milliseconds, never going back. */
  now(): number;
  /** @returns what calls it off */
  after(ms: number, callback: () => void): () => void;
}

const machineClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** One connection's part in a bandwidth. */
export interface Share {
  /** Bytes it may still move before others have their turn. */
  allowance: number;
  readonly waiting: Set<Paced>;
  queued: boolean;
}

/**
 * What all connections of a lease may move together, both directions counted. Bytes are debited once they have passed, and
 * a debt is allowed, so that no chunk need be cut: who has moved bytes while nothing is left waits, in turn with the
 * others, until time has paid the debt.
 */
export class Bandwidth {
  #limit: number | undefined;
  /** Bytes that may pass now; below zero, what was passed too early. */
  #credit = 0;
  #countedAt = 0;
  #queue: Share[] = [];
  #cancelTick: (() => void) | undefined;

  constructor(
    limit?: number,
    private readonly clock: Clock = machineClock,
  ) {
    this.limit = limit;
  }

  /** Bytes a second; undefined for no limit. A change counts from now on, for live connections as well. */
  get limit(): number | undefined {
    return this.#limit;
  }

  /** @throws RangeError for what is not above zero */
  set limit(limit: number | undefined) {
    if (limit !== undefined && !(limit > 0 && limit < Infinity))
      throw new RangeError(`a bandwidth is a positive number, not ${limit}`);
    if (limit === this.#limit) return;
    if (this.#limit === undefined) this.#credit = 0;
    else this.#count();
    this.#limit = limit;
    this.#countedAt = this.clock.now();
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    if (limit === undefined) for (const share of this.#queue.splice(0)) release(share);
    else {
      // What was saved up or owed under another limit is none of this one's.
      this.#credit = Math.min(Math.max(this.#credit, -bandwidthQuantumBytes), burst(limit));
      this.#awaitCredit();
    }
  }

  /** For one connection, to be given back by `leave`. */
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
   * Counts bytes that a flow of a connection has moved.
   * @returns whether it may continue; if not, it is told when it may
   */
  spend(share: Share, flow: Paced, bytes: number): boolean {
    if (this.#limit === undefined) return true;
    this.#count();
    this.#credit -= bytes;
    share.allowance -= bytes;
    if (this.#credit > 0 && share.allowance > 0) return true;
    if (this.#queue.length === 0) {
      // Alone, it takes nobody's turn.
      share.allowance = Math.max(share.allowance, 0);
      if (this.#credit > 0) return true;
    }
    share.waiting.add(flow);
    if (!share.queued) {
      share.queued = true;
      // Whose turn was cut short for lack of credit continues with it first.
      if (share.allowance > 0) this.#queue.unshift(share);
      else this.#queue.push(share);
    } else if (share.allowance <= 0 && this.#queue[0] === share) {
      // Its other direction has used up the rest of the turn.
      this.#queue.push(this.#queue.shift() as Share);
    }
    this.#awaitCredit();
    return false;
  }

  /** Takes the time since the last call into account. */
  #count(): void {
    const now = this.clock.now();
    const limit = this.#limit as number;
    const grown = this.#credit + ((now - this.#countedAt) / 1000) * limit;
    this.#countedAt = now;
    // While somebody waits no time is lost: that they still do is only our being late.
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
    // What is let go may spend later: no more turns are given than there is credit for.
    for (let left = this.#credit; left > 0 && this.#credit > 0 && this.#queue.length > 0;) {
      const share = this.#queue.shift() as Share;
      if (share.allowance <= 0) share.allowance += bandwidthQuantumBytes;
      left -= Math.max(share.allowance, 1);
      release(share);
    }
    this.#awaitCredit();
  };
}

/** What timers are made for; a longer wait is several. */
const maxTickMs = 60_000;

/** What a pause saves up. */
function burst(limit: number): number {
  return Math.max(bandwidthQuantumBytes, (bandwidthBurstMs / 1000) * limit);
}

function release(share: Share): void {
  share.queued = false;
  const flows = [...share.waiting];
  share.waiting.clear();
  for (const flow of flows) flow.resume();
}
