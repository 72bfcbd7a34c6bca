import { sourceOf } from '../../net/source-network.js';
import type { Lease } from '../leases/lease.js';
import { RateLimit } from '../limiters/rate-limit.js';
import { type LandingView, type ListedService, renderLandingPage } from './page.js';

/** Most services listed on the page; the others are only counted. */
const landingPageServices = 200;
/** By source address. */
const landingPageBurst = 60;
const landingPagesPerSecond = 5;

export interface LandingParts extends Pick<LandingView, 'rootHost' | 'releaseVersion' | 'exposeCommand' | 'urlOf'> {
  /** Whether the operator wants the page shown; read for each request. */
  enabled(): boolean;
  leases(): Iterable<Lease>;
  /** Whether visitors are routed to the lease. */
  mayServe(lease: Lease): boolean;
  isAlive(lease: Lease): boolean;
}

/** The landing page of the root host: what this relay is, and its listed services. */
export class LandingPage {
  readonly #perSource = new RateLimit(landingPageBurst, landingPagesPerSecond);

  constructor(private readonly parts: LandingParts) {}

  /**
   * @returns the page, or undefined where it is off
   * @throws ApiError `rate_limited`: each page is built anew from all leases
   */
  render(clientIp: string): string | undefined {
    if (!this.parts.enabled()) return undefined;
    this.#perSource.take(sourceOf(clientIp));
    const { services, more } = this.#listed();
    return renderLandingPage({ ...this.parts, services, more });
  }

  /** The first services by name, online ones before offline ones. */
  #listed(): { services: ListedService[]; more: number } {
    const [online, away] = [new FirstByName(landingPageServices), new FirstByName(landingPageServices)];
    for (const lease of this.parts.leases()) {
      if (lease.metadata.hide || !this.parts.mayServe(lease)) continue;
      (this.parts.isAlive(lease) ? online : away).add(lease);
    }
    const services = online.take().map((lease) => listed(lease, true));
    services.push(
      ...away
        .take()
        .slice(0, landingPageServices - services.length)
        .map((lease) => listed(lease, false)),
    );
    return { services, more: online.count + away.count - services.length };
  }
}

/** The first few of many leases, without a full sort. */
class FirstByName {
  count = 0;
  #held: Lease[] = [];
  /** Names after this one are not among the first. */
  #last: string | undefined;

  constructor(private readonly limit: number) {}

  add(lease: Lease): void {
    this.count++;
    if (this.#last !== undefined && lease.hostname > this.#last) return;
    this.#held.push(lease);
    if (this.#held.length < 2 * this.limit) return;
    this.#held = this.take();
    this.#last = this.#held.at(-1)?.hostname;
  }

  take(): Lease[] {
    return this.#held.sort((a, b) => (a.hostname < b.hostname ? -1 : 1)).slice(0, this.limit);
  }
}

function listed({ hostname, metadata: { description, owner, tags } }: Lease, online: boolean): ListedService {
  return { hostname, online, description, owner, tags };
}

/**
 * The shell command that exposes a service through a relay. @param caFile set when the relay's certificate is not
 * from a well-known CA
 */
export function exposeCommand(relay: string, caFile: string | undefined): string {
  const words = ['portal', 'expose', '3000', '--relay', relay, ...(caFile === undefined ? [] : ['--ca', caFile])];
  return words.map((word) => (/^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}
