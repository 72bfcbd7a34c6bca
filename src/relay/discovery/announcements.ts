import { ApiError } from '../../contract/index.js';
import {
  DescriptorError,
  checkSignature,
  checkTimes,
  parseDescriptor,
  type RelayDescriptor,
} from '../../sdk/discovery/relay-descriptor.js';
import { sourceOf } from '../../net/source-network.js';
import {
  announceBurst,
  announceRetryMs,
  announcesPerSecond,
  announcesTotalPerSecond,
  announceTotalBurst,
  maxAnnouncedVisits,
  maxFailedAnnouncements,
} from '../constants.js';
import type { Logger } from '../../util/logger.js';
import { RateLimit } from '../limiters/rate-limit.js';
import type { PeerBook } from './peer-store.js';
import type { Poller } from './poller.js';
import { refusalOf, RefusedError } from './refusals.js';
import type { Visits } from './descriptor-fetcher.js';

/** Descriptors that relays hand in themselves. */
export class Announcements {
  readonly #bySource = new RateLimit(announceBurst, announcesPerSecond);
  readonly #inAll = new RateLimit(announceTotalBurst, announcesTotalPerSecond);
  /** Origins that are being looked at; one visit answers all that announce the same URL meanwhile. */
  readonly #visiting = new Map<string, Promise<string | undefined>>();
  /** Origins that have proved nothing, and until when they are not looked at again. */
  readonly #failed = new Map<string, number>();

  constructor(
    private readonly book: PeerBook,
    private readonly poller: Poller,
    private readonly visits: Visits,
    private readonly logger: Logger,
  ) {}

  /**
   * @param ip where it comes from
   * @returns whether the descriptor counts now
   * @throws ApiError `rate_limited`; `invalid_request` for one that is not valid; `unauthorized` for one that is not signed
   */
  async take(raw: unknown, ip: string): Promise<boolean> {
    this.#bySource.take(sourceOf(ip));
    const descriptor = this.#read(raw);
    try {
      this.book.refuseSelf(descriptor);
      if (this.book.isOlder(descriptor)) throw new RefusedError('older', 'a newer one is held');
      return await this.#prove(descriptor);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      const refusal = refusalOf(error);
      this.book.refused.add(refusal);
      this.logger.debug(
        { url: descriptor.url.origin, reason: (error as Error).message, refusal },
        'announcement held back',
      );
      return false;
    }
  }

  #read(raw: unknown): RelayDescriptor {
    try {
      const descriptor = parseDescriptor(raw);
      checkTimes(descriptor);
      this.#inAll.take('all');
      checkSignature(descriptor);
      return descriptor;
    } catch (error) {
      if (!(error instanceof DescriptorError)) throw error;
      this.book.refused.add(error.fault);
      throw new ApiError(error.fault === 'signature' ? 'unauthorized' : 'invalid_request', error.message);
    }
  }

  /** @throws RefusedError, or what went wrong on the way */
  async #prove(descriptor: RelayDescriptor): Promise<boolean> {
    const { origin } = descriptor.url;
    const held = this.book.at(descriptor.url);
    if (held?.descriptor && held.address === descriptor.address && held.backoff.failures === 0) {
      // Its URL was seen to serve this address, and answers.
      this.book.believe(held, descriptor, undefined);
      return true;
    }
    const known = held?.address === descriptor.address;
    if (!known && (this.#failed.get(origin) ?? 0) > Date.now()) {
      throw new RefusedError('too_soon', 'it was looked at a moment ago');
    }
    const address = await this.#lookAt(descriptor.url, !known);
    if (address === descriptor.address) return true;
    throw new RefusedError('not_served', `${origin} serves another address`);
  }

  /** Visits the URL and believes what it serves. @returns the address that it serves */
  async #lookAt(url: URL, isStranger: boolean): Promise<string | undefined> {
    const underWay = this.#visiting.get(url.origin);
    if (underWay) return await underWay;
    if (this.#visiting.size >= maxAnnouncedVisits) {
      throw new ApiError('rate_limited', 'too many relays announce themselves', { retryAfterSeconds: 10 });
    }
    const visit = this.#visit(url, isStranger);
    this.#visiting.set(url.origin, visit);
    try {
      return await visit;
    } finally {
      this.#visiting.delete(url.origin);
    }
  }

  async #visit(url: URL, isStranger: boolean): Promise<string | undefined> {
    try {
      const { descriptor, remoteAddress } = await this.visits.visit(url, isStranger);
      const peer = this.book.at(url) ?? this.book.draft(url);
      const isNew = peer.descriptor === undefined;
      this.book.believe(peer, descriptor, remoteAddress);
      peer.backoff.reset();
      peer.dueAt = this.poller.nextVisitAt();
      this.poller.plan();
      this.#failed.delete(url.origin);
      if (isNew) this.logger.info({ url: url.origin, address: descriptor.wire.address }, 'relay known');
      return descriptor.address;
    } catch (error) {
      if (this.#failed.size >= maxFailedAnnouncements) this.#failed.delete(this.#failed.keys().next().value as string);
      this.#failed.set(url.origin, Date.now() + announceRetryMs);
      throw error;
    }
  }
}
