import { isDeepStrictEqual } from 'node:util';
import { findRelays, type FoundRelay } from '../../tunnel/index.js';
import { background, repeat } from '../../util/boundary.js';

/** How often relays are asked about themselves, beside when they are new. */
const askIntervalMs = 600_000;
/** New relays are asked about together. */
const askDelayMs = 500;
/** Relays that are known at once. */
const maxRelays = 512;

/** A relay that a service uses, and how it is reached. */
export interface UsedRelay {
  url: string;
  /** It stands in the configuration. */
  isNamed: boolean;
  ca: string | Uint8Array | undefined;
}

/** What relays say of themselves: asked when a service begins to use one, and now and then. */
export class RelayBook {
  readonly #known = new Map<string, FoundRelay>();
  #used: UsedRelay[] = [];
  #delay: NodeJS.Timeout | undefined;
  #interval: NodeJS.Timeout | undefined;
  readonly #ending = new AbortController();

  /** @param onChange something else is known of relays now */
  constructor(private readonly onChange: () => void) {}

  find(url: string): FoundRelay | undefined {
    return this.#known.get(url);
  }

  /** These are in use now. */
  use(used: UsedRelay[]): void {
    if (this.#ending.signal.aborted || isDeepStrictEqual(used, this.#used)) return;
    this.#used = used.slice(0, maxRelays);
    const urls = new Set(this.#used.map(({ url }) => url));
    for (const url of this.#known.keys()) if (!urls.has(url)) this.#known.delete(url);
    const unknown = this.#used.filter(({ url }) => !this.#known.has(url));
    this.#interval ??= repeat('agent relay check', () => this.#ask(this.#used), askIntervalMs);
    if (unknown.length === 0) return;
    // boundary: cannot throw.
    this.#delay ??= setTimeout(() => {
      this.#delay = undefined;
      background('agent relay check', () => this.#ask(this.#used.filter(({ url }) => !this.#known.has(url))));
    }, askDelayMs);
  }

  stop(): void {
    clearTimeout(this.#delay);
    clearInterval(this.#interval);
    this.#ending.abort();
  }

  async #ask(relays: UsedRelay[]): Promise<void> {
    const { signal } = this.#ending;
    for (const ca of new Set(relays.map((each) => each.ca))) {
      const some = relays.filter((each) => each.ca === ca);
      const urls = (isNamed: boolean) => some.filter((each) => each.isNamed === isNamed).map(({ url }) => url);
      const [named, heard] = [urls(true), urls(false)];
      // Those that were not named must not lead to private addresses, so they are asked as such; a search needs one that is.
      if (named.length === 0) continue;
      const found = await findRelays({ relays: named, known: heard, others: false, ca, signal }).catch(() => []);
      for (const relay of found) this.#known.set(relay.url, relay);
    }
    if (!signal.aborted) this.onChange();
  }
}
