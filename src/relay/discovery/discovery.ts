import type { FetchedDescriptor } from '../../sdk/discovery/fetch-descriptor.js';
import type { SuccessData } from '../../contract/index.js';
import { discoveryVersion, type RelayDescriptor, type WireDescriptor } from '../../sdk/discovery/relay-descriptor.js';
import { isPublicAddress } from '../../net/public-address.js';
import { sourceOf } from '../../net/source-network.js';
import { pollIntervalMs, fetchSpacingMs } from './poller.js';
import type { Logger } from '../../util/logger.js';
import { RateLimit } from '../../http-api/rate-limit.js';
import { Announcements } from './announcements.js';
import { OwnDescriptor } from './own-descriptor.js';
import { type Peer, PeerStore } from './peer-store.js';
import type { OverlayPlace } from './overlay-place.js';
import { Poller, type PollTimes } from './poller.js';
import { type Refusal, refusalOf } from './refusals.js';
import { type Load, TrafficMeter } from './traffic-meter.js';
import { DescriptorFetcher, type DescriptorFetchRules } from './descriptor-fetcher.js';

const descriptorLifetimeMs = 300_000;
/** First and longest wait for a relay that does not answer. */
const fetchBackoff = { firstMs: 5_000, longestMs: 300_000 };
/** How often this relay announces itself to its bootstraps. */
const announceIntervalMs = 110_000;
/** How long a relay may be silent before it is forgotten. */
const forgetPeerAfterMs = 3_600_000;
/** By source address. */
const listingBurst = 60;
const listingsPerSecond = 2;

export interface DiscoveryTimes extends PollTimes {
  backoff: { firstMs: number; longestMs: number };
  announceIntervalMs: number;
  forgetAfterMs: number;
  descriptorLifetimeMs: number;
}

export interface DiscoverySettings extends DescriptorFetchRules {
  /** Bootstrap relays: fetched first, and told about this relay. */
  bootstraps: URL[];
  times?: Partial<DiscoveryTimes>;
}

export interface DiscoveryOptions extends DiscoverySettings {
  portalUrl: URL;
  /** This relay's identity; the key is 0x and 64 hex digits. */
  identity: { address: string; privateKey: string };
  load: () => Load;
  /** What this relay can currently offer. */
  ports: () => { udp: boolean; tcp: boolean };
  /** This relay's place in the overlay. */
  overlay?: OverlayPlace | undefined;
  logger: Logger;
}

/** Counts of known relays and of refusals, for monitoring. */
export interface DiscoveryReport {
  /** URLs of the other relays that are currently accepted. */
  believed: string[];
  /** All stored URLs: accepted, silent, and not fetched yet. */
  held: number;
  refused: Partial<Record<Refusal, number>>;
}

/** Finds other relays. Everything is in memory: a restart begins with the bootstraps again. */
export class Discovery {
  readonly #ended = new AbortController();
  readonly #peers: PeerStore;
  readonly #fetcher: DescriptorFetcher;
  readonly #poller: Poller;
  readonly #announcements: Announcements;
  readonly #meter: TrafficMeter;
  readonly #own: OwnDescriptor;
  readonly #listings = new RateLimit(listingBurst, listingsPerSecond);
  readonly #times: DiscoveryTimes;
  readonly #logger: Logger;
  /** When each bootstrap last accepted this relay's descriptor. */
  readonly #announcedAt = new WeakMap<Peer, number>();

  constructor(options: DiscoveryOptions) {
    const { identity, portalUrl, logger } = options;
    this.#logger = logger;
    this.#times = { ...defaultTimes, ...options.times };
    this.#meter = new TrafficMeter(options.load);
    const { descriptorLifetimeMs: lifetimeMs } = this.#times;
    this.#own = new OwnDescriptor({ portalUrl, ...identity, lifetimeMs }, () => {
      const { connections, bps } = this.#meter.read();
      const { udp, tcp } = options.ports();
      const place = options.overlay?.facts;
      const overlay = { supports_overlay: place !== undefined, ...place };
      return { ...overlay, supports_udp: udp, supports_tcp: tcp, active_connections: connections, tcp_bps: bps };
    });
    this.#peers = new PeerStore({
      self: { url: portalUrl, address: identity.address },
      bootstraps: options.bootstraps,
      backoff: this.#times.backoff,
      forgetAfterMs: this.#times.forgetAfterMs,
      isCrowdable: isPublicAddress,
    });
    this.#fetcher = new DescriptorFetcher(options, this.#ended.signal);
    this.#poller = new Poller({
      peers: this.#peers,
      fetcher: this.#fetcher,
      overlay: options.overlay,
      times: this.#times,
      logger,
      signal: this.#ended.signal,
      onFetched: (peer, fetched) => this.#announceTo(peer, fetched),
    });
    this.#announcements = new Announcements(this.#peers, this.#poller, this.#fetcher, logger);
  }

  start(): void {
    this.#meter.start();
    this.#poller.plan();
  }

  stop(): void {
    this.#ended.abort();
    this.#poller.stop();
    this.#meter.stop();
  }

  /**
   * This relay's descriptor, then the accepted ones of others.
   * @param ip who asks
   * @throws ApiError `rate_limited`
   */
  list(ip: string): SuccessData<'getDiscovery'> {
    this.#listings.take(sourceOf(ip));
    return {
      protocol_version: discoveryVersion,
      generated_at: new Date().toISOString(),
      relays: [this.#own.current(), ...this.believed().map(({ wire }) => wire)],
    };
  }

  /** The valid descriptors of other relays. */
  believed(): RelayDescriptor[] {
    return this.#peers.believed().map(({ descriptor }) => descriptor);
  }

  /** Whether this relay may connect to the address of another. */
  mayReach(ip: string): boolean {
    return this.#fetcher.mayFetch(ip, false);
  }

  /** As `Announcements.take`. */
  async announce(raw: unknown, ip: string): Promise<boolean> {
    return await this.#announcements.take(raw, ip);
  }

  report(): DiscoveryReport {
    return {
      believed: this.#peers.believed().map(({ url }) => url.origin),
      held: this.#peers.all().length,
      refused: this.#peers.refused.all(),
    };
  }

  /** Announces this relay to a bootstrap, periodically and whenever the bootstrap does not list it. */
  async #announceTo(peer: Peer, fetched: FetchedDescriptor): Promise<void> {
    if (!peer.isBootstrap) return;
    const own = this.#own.current();
    const isListed = fetched.others.some((entry) => (entry as WireDescriptor | null)?.address === own.address);
    const isRecent = Date.now() - (this.#announcedAt.get(peer) ?? -Infinity) < this.#times.announceIntervalMs;
    if (isListed && isRecent) return;
    try {
      const accepted = await this.#fetcher.announce(peer.url, own);
      if (accepted) this.#announcedAt.set(peer, Date.now());
      this.#logger.debug({ url: peer.url.origin, accepted }, 'announced to a bootstrap');
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      refusalOf(error);
      this.#logger.warn(
        { url: peer.url.origin, reason: (error as Error).message },
        'a bootstrap refused the announcement',
      );
    }
  }
}

const defaultTimes: DiscoveryTimes = {
  pollIntervalMs,
  fetchSpacingMs,
  backoff: fetchBackoff,
  announceIntervalMs,
  forgetAfterMs: forgetPeerAfterMs,
  descriptorLifetimeMs,
};
