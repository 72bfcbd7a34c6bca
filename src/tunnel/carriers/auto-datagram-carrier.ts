import { Backoff } from '../../sdk/lease/backoff.js';
import { sleep } from '../../sdk/lease/sleep.js';
import type { DatagramChannel } from '../../streams/datagram-channel.js';
import { repeat } from '../../util/boundary.js';
import type { DatagramCarrier, DatagramDialRequest } from './datagram-carrier.js';

/** When QUIC is tried, in milliseconds. */
export const quicTimes = {
  /** How often to look whether datagrams can go over QUIC: the relay offers it, and it does not rest. */
  quicLookMs: 2_000,
  /**
   * After a failure QUIC rests for this long; with more of them in a row up to `quicRestLongestMs` more. So long as that it rests when the
   * service's datagrams are too large for it, or too many.
   */
  quicRestMs: 10_000,
  quicRestLongestMs: 600_000,
  /** A QUIC carrier that held for this long wipes out earlier failures. */
  quicProvenMs: 60_000,
};
export type QuicTimes = typeof quicTimes;
/** Looks in a row at each of which QUIC had dropped datagrams since the one before: then the WebSocket takes them. */
const maxLooksWithDrops = 3;

/**
 * The WebSocket, which gets through everywhere and costs no wait; and from there to QUIC, at once and again and again, as long as the
 * relay offers it. What loses its QUIC carrier is on the WebSocket first.
 */
export class AutoDatagramCarrier implements DatagramCarrier {
  readonly #webSocket: DatagramCarrier;
  readonly #quic: DatagramCarrier;
  readonly #isOffered: () => boolean;
  readonly #onChange: (message: string, error?: Error) => void;
  readonly #times: QuicTimes;
  readonly #backoff: Backoff;
  /** Until then QUIC is not tried: a reading of `performance.now()`. */
  #restsUntil = 0;

  /**
   * @param isOffered whether the relay says that it has QUIC
   * @param onChange tells which is used from now on, and why the other is not
   */
  constructor(
    webSocket: DatagramCarrier,
    quic: DatagramCarrier,
    isOffered: () => boolean,
    onChange: (message: string, error?: Error) => void,
    times: QuicTimes = quicTimes,
  ) {
    this.#webSocket = webSocket;
    this.#quic = quic;
    this.#isOffered = isOffered;
    this.#onChange = onChange;
    this.#times = times;
    this.#backoff = new Backoff({ firstMs: times.quicRestMs, longestMs: times.quicRestLongestMs });
  }

  get name(): string {
    return this.#webSocket.name;
  }

  async dial(request: DatagramDialRequest): Promise<DatagramChannel> {
    return await this.#webSocket.dial(request);
  }

  async improve(channel: DatagramChannel, request: DatagramDialRequest): Promise<DatagramChannel> {
    const closed = new AbortController();
    const onClosed = () => closed.abort(new Error('the datagram carrier was closed'));
    const onAbort = () => closed.abort(request.signal.reason);
    channel.once('closed', onClosed);
    request.signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (request.signal.aborted) onAbort();
      for (;;) {
        while (!this.#isOffered() || performance.now() < this.#restsUntil) {
          await sleep(this.#times.quicLookMs, closed.signal);
          closed.signal.throwIfAborted();
        }
        closed.signal.throwIfAborted();
        try {
          // Not ended by the channel's end: that is what the relay does once it has this one.
          const better = await this.#quic.dial(request);
          this.#watch(better);
          this.#onChange('datagrams now use QUIC');
          return better;
        } catch {
          // A relay's no is no worse than silence: what it means for the lease, the WebSocket is told as well.
          this.#rest();
        }
      }
    } finally {
      channel.off('closed', onClosed);
      request.signal.removeEventListener('abort', onAbort);
    }
  }

  #rest(): void {
    this.#restsUntil = performance.now() + this.#times.quicRestMs + this.#backoff.next();
  }

  /** A carrier that does not last was not worth the change; nor is one for a service that sends what it does not take. */
  #watch(better: DatagramChannel): void {
    const openedAt = performance.now();
    let unfit: Error | undefined;
    let dropped = 0;
    let looksWithDrops = 0;
    const check = () => {
      const before = dropped;
      dropped = better.dropped;
      looksWithDrops = dropped > before ? looksWithDrops + 1 : 0;
      if (better.oversized > 0) unfit = new Error('the service sends what is too large for QUIC');
      // A burst is lost by any carrier; what goes on is more than this one takes.
      else if (looksWithDrops >= maxLooksWithDrops) unfit = new Error('the service sends more than QUIC takes');
      if (unfit) better.close();
    };
    const look = repeat('datagram carrier check', check, this.#times.quicLookMs);
    better.once('closed', (failure) => {
      clearInterval(look);
      const lasted = performance.now() - openedAt > this.#times.quicProvenMs;
      if (lasted) this.#backoff.reset();
      if (unfit) this.#restsUntil = performance.now() + this.#times.quicRestLongestMs;
      else if (!lasted || failure !== undefined) this.#rest();
      const error = unfit ?? failure;
      if (error) this.#onChange(`datagrams now use WebSocket: ${error.message}`, error);
    });
  }
}
