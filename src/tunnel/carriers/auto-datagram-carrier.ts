import { Backoff } from '../../sdk/lease/backoff.js';
import { sleep } from '../../sdk/lease/sleep.js';
import type { DatagramChannel } from '../../streams/datagram-channel.js';
import { repeat } from '../../util/boundary.js';
import type { DatagramCarrier, DatagramDialRequest } from './datagram-carrier.js';

/** Timing of the attempts with QUIC, in milliseconds. */
export const quicTimes = {
  /** How often to check whether QUIC can be tried: the relay offers it and it is not backing off. */
  quicLookMs: 2_000,
  /**
   * Back-off after a failure, growing up to `quicRestLongestMs` with consecutive failures. The longest applies when
   * the service's datagrams are too large or too many for QUIC.
   */
  quicRestMs: 10_000,
  quicRestLongestMs: 600_000,
  /** A QUIC carrier that lasted this long resets the back-off. */
  quicProvenMs: 60_000,
};
export type QuicTimes = typeof quicTimes;
/** Consecutive checks with datagrams dropped by QUIC, after which the WebSocket is used. */
const maxLooksWithDrops = 3;

/**
 * Starts with the WebSocket, which works everywhere without delay, and tries to upgrade to QUIC repeatedly while the
 * relay offers it. After losing a QUIC carrier it falls back to the WebSocket first.
 */
export class AutoDatagramCarrier implements DatagramCarrier {
  readonly #webSocket: DatagramCarrier;
  readonly #quic: DatagramCarrier;
  readonly #isOffered: () => boolean;
  readonly #onChange: (message: string, error?: Error) => void;
  readonly #times: QuicTimes;
  readonly #backoff: Backoff;
  /** End of the back-off: a reading of `performance.now()`. */
  #restsUntil = 0;

  /**
   * @param isOffered whether the relay offers QUIC
   * @param onChange called with the carrier in use, and the reason why the other is not
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
          // Not aborted when the channel ends: the relay closes it once it has this one.
          const better = await this.#quic.dial(request);
          this.#watch(better);
          this.#onChange('datagrams now use QUIC');
          return better;
        } catch {
          // A refusal counts like a failure: if it concerns the lease, the WebSocket gets it too.
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

  /** Back off after a carrier that did not last, and for a service whose datagrams do not fit. */
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
      // Any carrier drops datagrams in a burst; continuous drops mean that this one is too slow.
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
