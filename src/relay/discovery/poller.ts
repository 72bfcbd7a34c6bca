import type { FetchedDescriptor } from '../../sdk/discovery/fetch-descriptor.js';
import { guard } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';
import type { OverlayPlace } from './overlay-place.js';
import type { Peer, PeerStore } from './peer-store.js';
import { refusalOf } from './refusals.js';
import type { DescriptorFetcher } from './descriptor-fetcher.js';

/** How often the descriptor of a known relay is fetched, give or take `pollJitterShare`. */
export const pollIntervalMs = 60_000;
const pollJitterShare = 0.25;
/** Smallest interval between two fetches. */
export const fetchSpacingMs = 500;
/** Most scheduled fetches under way at once; fetches for announcements are not counted. */
const maxFetches = 4;
/** Most of these to relays that never answered or failed the last time. */
export const maxDoubtfulFetches = 2;

export interface PollTimes {
  pollIntervalMs: number;
  fetchSpacingMs: number;
}

export interface PollerOptions {
  peers: PeerStore;
  fetcher: DescriptorFetcher;
  /** Where peers are asked first. */
  overlay?: Pick<OverlayPlace, 'ask'> | undefined;
  times: PollTimes;
  logger: Logger;
  signal: AbortSignal;
  /** Called after a descriptor was fetched and accepted. */
  onFetched(peer: Peer, fetched: FetchedDescriptor): Promise<void>;
}

/**
 * Fetches the descriptors of relays when they are due, a few at a time, with exponential backoff for those that do
 * not answer.
 */
export class Poller {
  readonly #running = new Set<Peer>();
  readonly #options: PollerOptions;
  #timer: NodeJS.Timeout | undefined;
  #lastStartAt = -Infinity;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** Sets the timer for the next fetch. Call it again after the peer store was changed. */
  plan(): void {
    clearTimeout(this.#timer);
    const { peers, times, signal } = this.#options;
    if (signal.aborted || this.#running.size >= maxFetches) return;
    const peer = peers.next((other) => this.#mayFetch(other));
    if (!peer) return;
    const waitMs = Math.max(peer.dueAt - Date.now(), this.#lastStartAt + times.fetchSpacingMs - performance.now(), 0);
    const fetchDue = () => {
      // Another relay may be first by now, or none may be due.
      const due = peers.next((other) => this.#mayFetch(other));
      if (due && due.dueAt <= Date.now()) this.#fetchGuarded(due);
    };
    const fetchAndPlan = () => {
      fetchDue();
      this.plan();
    };
    this.#timer = setTimeout(
      guard('discovery plan', fetchAndPlan, () => this.plan()),
      waitMs,
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** A random time for the next fetch. */
  nextFetchAt(now = Date.now()): number {
    return now + this.#options.times.pollIntervalMs * (1 + pollJitterShare * (2 * Math.random() - 1));
  }

  /**
   * Relays that may never answer get only a part of the fetches: otherwise they would delay the others until those
   * expire.
   */
  #mayFetch(peer: Peer): boolean {
    if (this.#running.has(peer)) return false;
    return !isDoubtful(peer) || [...this.#running].filter(isDoubtful).length < maxDoubtfulFetches;
  }

  readonly #fetchGuarded = guard('descriptor fetch', (peer: Peer) => this.#fetch(peer));

  async #fetch(peer: Peer): Promise<void> {
    const { peers, fetcher, overlay, logger, signal } = this.#options;
    this.#running.add(peer);
    this.#lastStartAt = performance.now();
    try {
      const isNew = peer.descriptor === undefined;
      const fetched =
        (peer.address && (await overlay?.ask(peer.url, peer.address, signal))) ||
        (await fetcher.fetch(peer.url, peer.address === undefined && !peer.isBootstrap));
      peers.believe(peer, fetched.descriptor, fetched.remoteAddress);
      if (isNew) logger.info({ url: peer.url.origin, address: fetched.descriptor.wire.address }, 'relay known');
      peer.backoff.reset();
      peer.dueAt = this.nextFetchAt();
      await peers.hear(peer, fetched.others, signal);
      await this.#options.onFetched(peer, fetched);
    } catch (error) {
      if (!signal.aborted) this.#failed(peer, error);
    } finally {
      this.#running.delete(peer);
      this.plan();
    }
  }

  #failed(peer: Peer, error: unknown): void {
    const { peers, logger } = this.#options;
    peer.dueAt = Date.now() + peer.backoff.next();
    const reason = (error as Error).message;
    try {
      peers.refused.add(refusalOf(error));
    } catch {
      logger.error({ err: error, url: peer.url.origin }, 'fetching a descriptor failed by a fault of this program');
      return;
    }
    const level = peer.backoff.failures === 1 && (peer.isBootstrap || peer.descriptor) ? 'warn' : 'debug';
    logger[level]({ url: peer.url.origin, reason }, 'the descriptor of a relay could not be fetched');
  }
}

/**
 * Whether it never answered or failed the last time. Bootstraps are exempt: they are few and chosen by the operator.
 */
function isDoubtful({ isBootstrap, address, backoff }: Peer): boolean {
  return !isBootstrap && (address === undefined || backoff.failures > 0);
}
