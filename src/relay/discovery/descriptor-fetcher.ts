import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import {
  announceTo,
  fetchDescriptor,
  type FetchedDescriptor,
  type FetchDescriptorOptions,
} from '../../sdk/discovery/fetch-descriptor.js';
import type { WireDescriptor } from '../../sdk/discovery/relay-descriptor.js';
import { isPublicAddress } from '../../net/public-address.js';
import { sourceOf } from '../../net/source-network.js';
import { RateLimit } from '../../http-api/rate-limit.js';

/** Deadline from the DNS lookup to the last byte. */
const fetchTimeoutMs = 10_000;
/**
 * Rate limit for fetches from URLs that never answered, by resolved address: a relay must not be usable as a port
 * scanner.
 */
const strangerFetchBurst = 10;
const strangerFetchesPerSecond = 0.2;

export interface DescriptorFetchRules {
  /** Also connect to loopback, private and other special addresses: for tests and closed networks. */
  allowPrivate: boolean;
  /** PEM certificates trusted in addition to the well-known ones. */
  ca?: string | undefined;
  timeoutMs?: number | undefined;
}

/**
 * How this relay fetches from others: directly, over verified TLS, to allowed addresses only. A name is resolved once
 * per fetch, and the connection goes to that address. Hanging lookups occupy only a part of libuv's thread pool,
 * since fetches are few.
 */
export class DescriptorFetcher {
  readonly #strangers = new RateLimit(strangerFetchBurst, strangerFetchesPerSecond);
  readonly #rules: DescriptorFetchRules;
  /** Created once for all fetches: parsing that many certificates takes a while. */
  readonly #secureContext: SecureContext;

  /** @param signal aborts fetches under way */
  constructor(
    rules: DescriptorFetchRules,
    private readonly signal: AbortSignal,
  ) {
    this.#rules = rules;
    const { ca } = rules;
    this.#secureContext = createSecureContext(ca === undefined ? {} : { ca: [...rootCertificates, ca] });
  }

  /** @param isStranger whether the URL has never answered as a relay @throws as `fetchDescriptor` */
  async fetch(url: URL, isStranger: boolean): Promise<FetchedDescriptor> {
    return await fetchDescriptor(
      url,
      this.#options((ip) => this.mayFetch(ip, isStranger)),
    );
  }

  /** @throws as `announceTo` */
  async announce(url: URL, descriptor: WireDescriptor): Promise<boolean> {
    return await announceTo(
      url,
      descriptor,
      this.#options((ip) => this.mayFetch(ip, false)),
    );
  }

  mayFetch(ip: string, isStranger: boolean, now = performance.now()): boolean {
    if (!isPublicAddress(ip)) return this.#rules.allowPrivate;
    return !isStranger || this.#strangers.tryTake(sourceOf(ip), now);
  }

  #options(addresses: (ip: string) => boolean): FetchDescriptorOptions {
    const { timeoutMs = fetchTimeoutMs } = this.#rules;
    // A proxy would resolve names itself.
    return { secureContext: this.#secureContext, proxy: false, addresses, timeoutMs, signal: this.signal };
  }
}
