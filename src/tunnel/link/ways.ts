import { isApiError } from '../../contract/errors.js';

/** How traffic comes from the relay: reverse sessions, or a datagram carrier. */
export type Way = 'sessions' | 'datagrams';

export interface WaysEvents {
  /** A way is open, for the first time or again. */
  onOpened(): void;
  /** All ways are open, for the first time or again. */
  onOnline(): void;
  onRefused(error: Error): void;
  /** The relay has started to refuse the identity. */
  onRejected(): void;
  /** A way could not be opened and is retried after this many milliseconds. */
  onWaiting(error: Error, delayMs: number): void;
}

/** The events of a session pool or a datagram link. */
export interface WayListeners {
  onReady(): void;
  onRefused(error: Error): void;
  onWaiting(error: Error, delayMs: number): void;
}

/** The ways of one registration: a tunnel is online when all that it needs are open. */
export class Ways {
  readonly #closed: Set<Way>;
  /** Whether the last attempt of any way was refused as `lease_rejected`. */
  #isRejected = false;

  constructor(
    wanted: readonly Way[],
    private readonly events: WaysEvents,
  ) {
    this.#closed = new Set(wanted);
  }

  listeners(way: Way): WayListeners {
    return {
      onReady: () => this.#opened(way),
      onRefused: (error) => this.events.onRefused(error),
      onWaiting: (error, delayMs) => this.#failed(way, error, delayMs),
    };
  }

  #opened(way: Way): void {
    this.#isRejected = false;
    this.events.onOpened();
    if (this.#closed.delete(way) && this.#closed.size === 0) this.events.onOnline();
  }

  #failed(way: Way, error: Error, delayMs: number): void {
    this.#closed.add(way);
    const wasRejected = this.#isRejected;
    this.#isRejected = isApiError(error, 'lease_rejected');
    if (this.#isRejected && !wasRejected) this.events.onRejected();
    this.events.onWaiting(error, delayMs);
  }
}
