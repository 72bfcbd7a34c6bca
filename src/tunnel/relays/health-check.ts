import type { RelayTimes } from '../options/relay-times.js';
import { background } from '../../util/boundary.js';

export interface HealthCheckOptions {
  times: RelayTimes;
  /** Sends one health check. @throws when there is no response in time */
  ask(timeoutMs: number, signal: AbortSignal): Promise<unknown>;
  /** Called when the relay stops responding, and when it responds again. */
  onChange(isAlive: boolean): void;
}

/**
 * Checks periodically whether a relay responds. A relay whose machine dies closes no connection; without this check
 * that shows only at the third missed keepalive.
 */
export class HealthCheck {
  #stop: AbortController | undefined;
  #isAlive = true;

  constructor(private readonly options: HealthCheckOptions) {}

  get isAlive(): boolean {
    return this.#isAlive;
  }

  start(): void {
    if (this.#stop) return;
    const { signal } = (this.#stop = new AbortController());
    background('relay health check', () => this.#run(signal));
  }

  /** Stops checking; the relay is assumed to be alive. */
  stop(): void {
    this.#stop?.abort(new Error('not asked any more'));
    this.#stop = undefined;
    this.#set(true);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { healthCheckIntervalMs, healthCheckTimeoutMs } = this.options.times;
    let misses = 0;
    while (!signal.aborted) {
      // After a first miss it checks again immediately.
      if (misses !== 1) await pause(healthCheckIntervalMs * (0.75 + Math.random() / 4), signal);
      if (signal.aborted) return;
      const began = performance.now();
      try {
        await this.options.ask(healthCheckTimeoutMs, signal);
        misses = 0;
      } catch {
        // This process itself was stalled: the result means nothing.
        if (performance.now() - began < 2 * healthCheckTimeoutMs) misses++;
      }
      if (!signal.aborted && misses !== 1) this.#set(misses === 0);
    }
  }

  #set(isAlive: boolean): void {
    if (isAlive === this.#isAlive) return;
    this.#isAlive = isAlive;
    this.options.onChange(isAlive);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
