import type { RelayVisit } from '../../sdk/discovery/fetch-descriptor.js';
import { guard } from '../../util/boundary.js';
import { maxDoubtfulVisits, maxVisits, pollJitterShare } from '../constants.js';
import type { Logger } from '../../util/logger.js';
import type { Peer, PeerBook } from './peer-store.js';
import { refusalOf } from './refusals.js';
import type { Visits } from './descriptor-fetcher.js';

export interface PollTimes {
  pollIntervalMs: number;
  visitSpacingMs: number;
}

export interface PollerOptions {
  book: PeerBook;
  visits: Visits;
  times: PollTimes;
  logger: Logger;
  signal: AbortSignal;
  /** After a relay was visited and is believed. */
  onVisited(peer: Peer, visit: RelayVisit): Promise<void>;
}

/** Visits relays when they are due: one after the other, a few at a time, those that do not answer ever more rarely. */
export class Poller {
  readonly #running = new Set<Peer>();
  readonly #options: PollerOptions;
  #timer: NodeJS.Timeout | undefined;
  #lastStartAt = -Infinity;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** Sets the clock for the next visit; also for when somebody else has changed the book. */
  plan(): void {
    clearTimeout(this.#timer);
    const { book, times, signal } = this.#options;
    if (signal.aborted || this.#running.size >= maxVisits) return;
    const peer = book.next((other) => this.#mayVisit(other));
    if (!peer) return;
    const waitMs = Math.max(peer.dueAt - Date.now(), this.#lastStartAt + times.visitSpacingMs - performance.now(), 0);
    const visitDue = () => {
      // The first may be another by now, or not be due any more.
      const due = book.next((other) => this.#mayVisit(other));
      if (due && due.dueAt <= Date.now()) this.#visitGuarded(due);
    };
    const visitAndPlan = () => {
      visitDue();
      this.plan();
    };
    this.#timer = setTimeout(
      guard('discovery plan', visitAndPlan, () => this.plan()),
      waitMs,
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** A moment from now that is as good as another for the next visit. */
  nextVisitAt(now = Date.now()): number {
    return now + this.#options.times.pollIntervalMs * (1 + pollJitterShare * (2 * Math.random() - 1));
  }

  /** Those that may never answer take a part of the visits only: else they would keep it from all that do, until these expire. */
  #mayVisit(peer: Peer): boolean {
    if (this.#running.has(peer)) return false;
    return !isDoubtful(peer) || [...this.#running].filter(isDoubtful).length < maxDoubtfulVisits;
  }

  readonly #visitGuarded = guard('discovery visit', (peer: Peer) => this.#visit(peer));

  async #visit(peer: Peer): Promise<void> {
    const { book, visits, logger, signal } = this.#options;
    this.#running.add(peer);
    this.#lastStartAt = performance.now();
    try {
      const isNew = peer.descriptor === undefined;
      const visit = await visits.visit(peer.url, peer.address === undefined && !peer.isBootstrap);
      book.believe(peer, visit.descriptor, visit.remoteAddress);
      if (isNew) logger.info({ url: peer.url.origin, address: visit.descriptor.wire.address }, 'relay known');
      peer.backoff.reset();
      peer.dueAt = this.nextVisitAt();
      await book.hear(peer, visit.others, signal);
      await this.#options.onVisited(peer, visit);
    } catch (error) {
      if (!signal.aborted) this.#failed(peer, error);
    } finally {
      this.#running.delete(peer);
      this.plan();
    }
  }

  #failed(peer: Peer, error: unknown): void {
    const { book, logger } = this.#options;
    peer.dueAt = Date.now() + peer.backoff.next();
    const reason = (error as Error).message;
    try {
      book.refused.add(refusalOf(error));
    } catch {
      logger.error({ err: error, url: peer.url.origin }, 'a visit failed by a fault of this program');
      return;
    }
    const level = peer.backoff.failures === 1 && (peer.isBootstrap || peer.descriptor) ? 'warn' : 'debug';
    logger[level]({ url: peer.url.origin, reason }, 'relay not visited');
  }
}

/** Whether it has yet to answer, or did not the last time. Bootstraps are few, and the operator's choice. */
function isDoubtful({ isBootstrap, address, backoff }: Peer): boolean {
  return !isBootstrap && (address === undefined || backoff.failures > 0);
}
