import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { announceTo, visitRelay, type RelayVisit, type VisitOptions } from '../../sdk/discovery/fetch-descriptor.js';
import type { WireDescriptor } from '../../sdk/discovery/relay-descriptor.js';
import { isPublicAddress } from '../../net/public-address.js';
import { sourceOf } from '../../net/source-network.js';
import { strangerVisitBurst, strangerVisitsPerSecond, visitTimeoutMs } from '../constants.js';
import { RateLimit } from '../limiters/rate-limit.js';

export interface VisitRules {
  /** Visit loopback, private and other special addresses too: for tests and closed networks. */
  allowPrivate: boolean;
  /** PEM certificates trusted beside the well-known ones. */
  ca?: string;
  timeoutMs?: number;
}

/**
 * How this relay reaches others: directly, over verified TLS, where the rules let it go. A name is looked up once a visit, and the
 * connection goes to what was found. Lookups that hang keep to a part of the thread pool (libuv), and visits are few.
 */
export class Visits {
  readonly #strangers = new RateLimit(strangerVisitBurst, strangerVisitsPerSecond);
  readonly #rules: VisitRules;
  /** Once for all visits: reading that many certificates takes a while. */
  readonly #secureContext: SecureContext;

  /** @param signal ends visits under way */
  constructor(
    rules: VisitRules,
    private readonly signal: AbortSignal,
  ) {
    this.#rules = rules;
    const { ca } = rules;
    this.#secureContext = createSecureContext(ca === undefined ? {} : { ca: [...rootCertificates, ca] });
  }

  /** @param isStranger whether the URL has never answered as a relay @throws as `visitRelay` */
  async visit(url: URL, isStranger: boolean): Promise<RelayVisit> {
    return await visitRelay(
      url,
      this.#options((ip) => this.mayVisit(ip, isStranger)),
    );
  }

  /** @throws as `announceTo` */
  async announce(url: URL, descriptor: WireDescriptor): Promise<boolean> {
    return await announceTo(
      url,
      descriptor,
      this.#options((ip) => this.mayVisit(ip, false)),
    );
  }

  mayVisit(ip: string, isStranger: boolean, now = performance.now()): boolean {
    if (!isPublicAddress(ip)) return this.#rules.allowPrivate;
    return !isStranger || this.#strangers.tryTake(sourceOf(ip), now);
  }

  #options(addresses: (ip: string) => boolean): VisitOptions {
    const { timeoutMs = visitTimeoutMs } = this.#rules;
    // A proxy would look names up by itself.
    return { secureContext: this.#secureContext, proxy: false, addresses, timeoutMs, signal: this.signal };
  }
}
