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
  /** Opens a better one than the channel that serves, as `DatagramCarrier.improve` does. */
  improve?: ((channel: DatagramChannel, signal: AbortSignal) => Promise<DatagramChannel>) | undefined;
  /** A carrier is open: the relay accepts the token. */
  onReady(): void;
  /** Serves what comes over a carrier, until it is closed. */
  serve(channel: DatagramChannel): void;
  /** The relay refused in a way that opening again will not mend. */
  onRefused(error: Error): void;
  /** Opening failed, or the carrier was lost; the next try is `delayMs` away. */
  onWaiting(error: Error, delayMs: number): void;
}

/** Keeps one datagram carrier of a registration open, goes over to a better one, and opens another when it is lost. */
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

  /** Opens a carrier, goes over to a better one where there is one, and waits for the end. */
  async #serveOne(signal: AbortSignal): Promise<Error> {
    for (;;) {
      const first = await this.options.dial(signal);
      const end = this.#serve(first, signal);
      const better = await this.options.improve?.(first, signal).catch(() => undefined);
      if (!better) return await end;
      const betterEnd = this.#serve(better, signal);
      first.close();
      const error = await betterEnd;
      // The first kind will do, and is tried at once: a path that was good until now is not far.
      if (signal.aborted) return error;
    }
  }

  /** Serves one until its end. */
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
