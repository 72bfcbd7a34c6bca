import { sourceOf } from '../../net/source-network.js';
import { RateLimit } from '../../http-api/rate-limit.js';
import { Directory, type DirectoryParts } from './directory.js';
import { exposeCommand } from './expose-command.js';
import { type LandingQuery, type LandingView, renderLandingPage } from './page.js';

/** By source address. */
const landingPageBurst = 60;
const landingPagesPerSecond = 5;

export interface LandingParts
  extends DirectoryParts, Pick<LandingView, 'rootHost' | 'releaseVersion' | 'relayWords' | 'urlOf'> {
  /** Whether the operator wants the page shown; read for each request. */
  enabled(): boolean;
  offers(): LandingView['offers'];
  load(): LandingView['load'];
  /** Whether there is a picture of a service. It is taken soon, where there is none. */
  hasPicture(hostname: string): boolean;
}

/** The landing page of the root host: what this relay is, and its listed services. */
export class LandingPage {
  readonly #perSource = new RateLimit(landingPageBurst, landingPagesPerSecond);
  readonly #directory: Directory;

  constructor(private readonly parts: LandingParts) {
    this.#directory = new Directory(parts);
  }

  /**
   * @returns the page, or undefined where it is off
   * @throws ApiError `rate_limited`: each page is built anew
   */
  render(clientIp: string, query: LandingQuery): string | undefined {
    const { parts } = this;
    if (!parts.enabled()) return undefined;
    this.#perSource.take(sourceOf(clientIp));
    const { entries, ...counts } = this.#directory.find(query);
    return renderLandingPage({
      rootHost: parts.rootHost,
      releaseVersion: parts.releaseVersion,
      relayWords: parts.relayWords,
      urlOf: parts.urlOf,
      command: exposeCommand(query, parts.relayWords),
      offers: parts.offers(),
      load: parts.load(),
      query,
      counts,
      services: entries.map(({ lease: { hostname, metadata }, online }) => ({
        hostname,
        online,
        hasPicture: online && parts.hasPicture(hostname),
        description: metadata.description,
        owner: metadata.owner,
        tags: metadata.tags,
      })),
    });
  }
}
