import { ApiError } from '../../contract/index.js';
import {
  DescriptorError,
  checkSignature,
  checkTimes,
  parseDescriptor,
  type RelayDescriptor,
} from '../../sdk/discovery/relay-descriptor.js';
import { sourceOf } from '../../net/source-network.js';
import type { Logger } from '../../util/logger.js';
import { RateLimit } from '../../http-api/rate-limit.js';
import type { PeerStore } from './peer-store.js';
import type { Poller } from './poller.js';
import { refusalOf, RefusedError } from './refusals.js';
import type { DescriptorFetcher } from './descriptor-fetcher.js';

const maxAnnouncedFetches = 4;
/** By source address. */
const announceBurst = 10;
const announcesPerSecond = 5 / 60;
/** Rate limit for all sources together: verifying takes milliseconds. */
const announceTotalBurst = 50;
const announcesTotalPerSecond = 5;
/** How long a URL that did not confirm an announcement is not fetched again. */
const announceRetryMs = 60_000;
const maxFailedAnnouncements = 1_024;

/** Descriptors that relays announce themselves. */
export class Announcements {
  readonly #bySource = new RateLimit(announceBurst, announcesPerSecond);
  readonly #inAll = new RateLimit(announceTotalBurst, announcesTotalPerSecond);
  /** Fetches under way, by origin: one fetch serves all announcements of the same URL. */
  readonly #underWay = new Map<string, Promise<string | undefined>>();
  /** Origins that failed, each with the time before which it is not fetched again. */
  readonly #failed = new Map<string, number>();

  constructor(
    private readonly peers: PeerStore,
    private readonly poller: Poller,
    private readonly fetcher: DescriptorFetcher,
    private readonly logger: Logger,
  ) {}

  /**
   * @param ip source address of the announcement
   * @returns whether the descriptor is accepted
   * @throws ApiError `rate_limited`; `invalid_request` for an invalid descriptor; `unauthorized` for a wrong
   * signature
   */
  async take(raw: unknown, ip: string): Promise<boolean> {
    this.#bySource.take(sourceOf(ip));
    const descriptor = this.#read(raw);
    try {
      this.peers.refuseSelf(descriptor);
      if (this.peers.isOlder(descriptor)) throw new RefusedError('older', 'a newer one is held');
      return await this.#prove(descriptor);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      const refusal = refusalOf(error);
      this.peers.refused.add(refusal);
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
      this.peers.refused.add(error.fault);
      throw new ApiError(error.fault === 'signature' ? 'unauthorized' : 'invalid_request', error.message);
    }
  }

  /** @throws RefusedError, or the error of the fetch */
  async #prove(descriptor: RelayDescriptor): Promise<boolean> {
    const { origin } = descriptor.url;
    const held = this.peers.at(descriptor.url);
    if (held?.descriptor && held.address === descriptor.address && held.backoff.failures === 0) {
      // Its URL is known to serve this address and answers.
      this.peers.believe(held, descriptor, undefined);
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

  /** Fetches the URL and accepts the descriptor it serves. @returns that descriptor's address */
  async #lookAt(url: URL, isStranger: boolean): Promise<string | undefined> {
    const underWay = this.#underWay.get(url.origin);
    if (underWay) return await underWay;
    if (this.#underWay.size >= maxAnnouncedFetches) {
      throw new ApiError('rate_limited', 'too many relays announce themselves', { retryAfterSeconds: 10 });
    }
    const fetched = this.#fetch(url, isStranger);
    this.#underWay.set(url.origin, fetched);
    try {
      return await fetched;
    } finally {
      this.#underWay.delete(url.origin);
    }
  }

  async #fetch(url: URL, isStranger: boolean): Promise<string | undefined> {
    try {
      const { descriptor, remoteAddress } = await this.fetcher.fetch(url, isStranger);
      const peer = this.peers.at(url) ?? this.peers.draft(url);
      const isNew = peer.descriptor === undefined;
      this.peers.believe(peer, descriptor, remoteAddress);
      peer.backoff.reset();
      peer.dueAt = this.poller.nextFetchAt();
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
