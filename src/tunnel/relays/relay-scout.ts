import { EventEmitter } from 'node:events';
import { findRelays, type FoundRelay } from '../../sdk/discovery/find-relays.js';
import { sleep } from '../../sdk/lease/sleep.js';
import type { RelayTimes } from '../options/relay-times.js';
import { background } from '../../util/boundary.js';

const scoutJitterShare = 0.25;

export interface ScoutOptions {
  /** Relays that the caller named. */
  relays: URL[];
  /** Search for other relays as well. */
  discovery: boolean;
  /** Also use discovered relays at loopback or private addresses. */
  allowPrivate: boolean;
  ca?: string | Buffer | undefined;
  proxy?: string | URL | false | undefined;
  times: RelayTimes;
}

/** Searches for relays periodically, and measures their latency and load. */
export class RelayScout extends EventEmitter<{ looked: [] }> {
  #found: FoundRelay[] = [];
  #isAny = false;
  #looks = 0;
  /** Delay until the next search: grows from `scoutSpacingMs` to `scoutIntervalMs`. */
  #intervalMs: number;
  #wake = new AbortController();
  readonly #stop = new AbortController();

  constructor(private readonly options: ScoutOptions) {
    super();
    this.#intervalMs = options.times.scoutSpacingMs;
  }

  /**
   * As of the last search. A discovered relay is kept as long as it responds, even when no other relay lists it any
   * more.
   */
  get found(): FoundRelay[] {
    return this.#found;
  }

  /** Whether there is a result: after the first search, or, with discovery, once a named relay has responded. */
  get isAny(): boolean {
    return this.#isAny;
  }

  /** Number of finished searches. */
  get looks(): number {
    return this.#looks;
  }

  start(): void {
    background('relay search', () => this.#run());
  }

  stop(): void {
    this.#stop.abort(new Error('the scout was stopped'));
    this.#wake.abort();
  }

  /** Something has changed: searches soon, and again at growing intervals. */
  hurry(): void {
    this.#intervalMs = this.options.times.scoutSpacingMs;
    this.#wake.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { scoutSpacingMs, scoutIntervalMs } = this.options.times;
    while (!signal.aborted) {
      await this.#look(signal);
      if (signal.aborted) return;
      this.#looks++;
      this.#isAny = true;
      this.emit('looked');
      await sleep(scoutSpacingMs, signal);
      this.#wake = new AbortController();
      if (signal.aborted) return;
      const jitter = 1 - scoutJitterShare + Math.random() * 2 * scoutJitterShare;
      await sleep(this.#intervalMs * jitter - scoutSpacingMs, this.#wake.signal);
      this.#intervalMs = Math.min(this.#intervalMs * 2, scoutIntervalMs);
    }
  }

  /** At the start named relays do not wait for discovered ones, which may be many and may not respond. */
  #begin(answered: FoundRelay[]): void {
    if (this.#isAny || answered.length === 0 || this.#stop.signal.aborted) return;
    this.#found = answered;
    this.#isAny = true;
    this.emit('looked');
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { relays, discovery, allowPrivate, ca, proxy } = this.options;
    const known = discovery ? this.#found.filter(({ named, reachable }) => !named && reachable) : [];
    try {
      this.#found = await findRelays({
        relays,
        known: known.map(({ url }) => url),
        others: discovery,
        allowPrivate,
        ca,
        proxy,
        signal,
        onFirst: (found) => this.#begin(found.filter(({ reachable }) => reachable)),
      });
    } catch (error) {
      // An error that affects all relays, such as an unusable proxy, is reported again when a named relay is tried.
      const { message: fault } = error as Error;
      this.#found = relays.map(({ origin }) => ({ url: origin, named: true, reachable: false, fault }));
    }
  }
}
