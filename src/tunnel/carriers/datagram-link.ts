import { once } from 'node:events';
import { Backoff } from '../../sdk/lease/backoff.js';
import { networkBackoff } from '../../sdk/lease/backoff.js';
import { retryDecision } from '../../sdk/lease/retry-policy.js';
import { sleep } from '../../sdk/lease/sleep.js';
import type { DatagramChannel } from '../../streams/datagram-channel.js';
import { failureMemoryMs } from './carrier.js';
import { background } from '../../util/boundary.js';

export interface DatagramLinkOptions {
  dial(signal: AbortSignal): Promise<DatagramChannel>;
  /** Opens a better channel than the current one, as `DatagramCarrier.improve`. */
  improve?: ((channel: DatagramChannel, signal: AbortSignal) => Promise<DatagramChannel>) | undefined;
  /** A carrier is open: the relay has accepted the token. */
  onReady(): void;
  /** Serves the datagrams of a carrier until it is closed. */
  serve(channel: DatagramChannel): void;
  /** The relay refused, and retrying will not help. */
  onRefused(error: Error): void;
  /** Opening failed or the carrier was lost; the next attempt is in `delayMs`. */
  onWaiting(error: Error, delayMs: number): void;
}

/** Keeps one datagram carrier of a registration open, switches to a better one, and reconnects after a loss. */
export class DatagramLink {
  readonly #stop = new AbortController();
  readonly #backoff = new Backoff(networkBackoff);

  constructor(private readonly options: DatagramLinkOptions) {}

  start(): void {
    background('datagram carrier', () => this.#run());
  }

  stop(): void {
    this.#stop.abort(new Error('the tunnel closes'));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let failedAt = -Infinity;
    while (!signal.aborted) {
      let failure: Error;
      let atLeastMs = 0;
      try {
        failure = await this.#serveOne(signal);
      } catch (error) {
        failure = error as Error;
        const reaction = retryDecision(error, 'connect', true);
        if (!signal.aborted && reaction.do !== 'wait') {
          this.options.onRefused(failure);
          return;
        }
        if (reaction.do === 'wait') atLeastMs = reaction.atLeastMs;
      }
      if (signal.aborted) return;
      if (performance.now() - failedAt > failureMemoryMs) this.#backoff.reset();
      failedAt = performance.now();
      const delayMs = atLeastMs + Math.max(this.#backoff.next(), (Math.random() * atLeastMs) / 4);
      this.options.onWaiting(failure, delayMs);
      await sleep(delayMs, signal);
    }
  }

  /** Opens a carrier, switches to a better one if possible, and waits for the end. */
  async #serveOne(signal: AbortSignal): Promise<Error> {
    for (;;) {
      const first = await this.options.dial(signal);
      const end = this.#serve(first, signal);
      const better = await this.options.improve?.(first, signal).catch(() => undefined);
      if (!better) return await end;
      const betterEnd = this.#serve(better, signal);
      first.close();
      const error = await betterEnd;
      // Reconnect at once with the first kind: the path worked until now.
      if (signal.aborted) return error;
    }
  }

  /** Serves one carrier until its end. */
  async #serve(channel: DatagramChannel, signal: AbortSignal): Promise<Error> {
    const closed = once(channel, 'closed') as Promise<[Error | undefined]>;
    const close = () => channel.close();
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    else {
      this.options.serve(channel);
      this.options.onReady();
    }
    const [error] = await closed;
    signal.removeEventListener('abort', close);
    return error ?? new Error('the relay closed the datagram carrier');
  }
}
