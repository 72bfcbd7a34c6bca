import { sourceOf } from '../addresses.js';
import { landingPageServices, landingPageBurst, landingPagesPerSecond } from '../constants.js';
import type { Lease } from '../leases/lease.js';
import { RateLimit } from '../rate-limit.js';
import { type LandingView, type ListedService, renderLandingPage } from './page.js';

export interface LandingParts extends Pick<LandingView, 'rootHost' | 'releaseVersion' | 'exposeCommand' | 'urlOf'> {
  /** Whether the operator wants it shown, asked anew each time. */
  enabled(): boolean;
  leases(): Iterable<Lease>;
  /** Whether visitors are routed to the lease. */
  mayServe(lease: Lease): boolean;
  isAlive(lease: Lease): boolean;
}

/** What the root host shows to people: what this relay is, and which of its services want to be seen. */
export class LandingPage {
  readonly #perSource = new RateLimit(landingPageBurst, landingPagesPerSecond);

  constructor(private readonly parts: LandingParts) {}

  /**
   * @returns the page, or undefined where it is off
   * @throws ApiError `rate_limited`: each is made anew, from all leases
   */
  render(clientIp: string): string | undefined {
    if (!this.parts.enabled()) return undefined;
    this.#perSource.take(sourceOf(clientIp));
    const { services, more } = this.#listed();
    return renderLandingPage({ ...this.parts, services, more });
  }

  /** The first services by name, those online before those away. */
  #listed(): { services: ListedService[]; more: number } {
    const [online, away]: [Lease[], Lease[]] = [[], []];
    for (const lease of this.parts.leases()) {
      if (lease.metadata.hide || !this.parts.mayServe(lease)) continue;
      (this.parts.isAlive(lease) ? online : away).push(lease);
    }
    const byName = (a: Lease, b: Lease) => (a.hostname < b.hostname ? -1 : 1);
    const services = online
      .sort(byName)
      .slice(0, landingPageServices)
      .map((lease) => listed(lease, true));
    const room = landingPageServices - services.length;
    if (room > 0)
      services.push(
        ...away
          .sort(byName)
          .slice(0, room)
          .map((lease) => listed(lease, false)),
      );
    return { services, more: online.length + away.length - services.length };
  }
}

function listed({ hostname, metadata: { description, owner, tags } }: Lease, online: boolean): ListedService {
  return { hostname, online, description, owner, tags };
}

/** What a shell takes to expose a service through a relay. @param caFile where no well-known CA vouches for the relay */
export function exposeCommand(relay: string, caFile: string | undefined): string {
  const words = ['portal', 'expose', '3000', '--relay', relay, ...(caFile === undefined ? [] : ['--ca', caFile])];
  return words.map((word) => (/^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}
