import type { PortalClient } from '../../sdk/calls/client.js';
import { NetworkError } from '../../sdk/calls/errors.js';
import { DescriptorError, parseDescriptor, type RelayDescriptor } from '../../sdk/discovery/relay-descriptor.js';

/** Descriptors younger than this are not asked for again. */
const freshMs = 30_000;

/**
 * Descriptors of the relays of a path, as the last of them lists them: the only one that the tunnel asks by itself. Whether they
 * are true is checked by the relays that are given them, and by TLS.
 */
export class RelayDirectory {
  #byUrl = new Map<string, RelayDescriptor>();
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(private readonly client: PortalClient) {}

  /** @throws NetworkError when it is not listed; what `getDiscovery` throws */
  async descriptorOf(relay: URL, signal: AbortSignal): Promise<RelayDescriptor> {
    const isFresh = performance.now() - this.#askedAt < freshMs;
    if (!isFresh || !this.#byUrl.has(relay.origin)) {
      // For all that wait: the signal of one must not end it for the others.
      this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
      await this.#asking;
      signal.throwIfAborted();
    }
    const descriptor = this.#byUrl.get(relay.origin);
    if (descriptor === undefined)
      throw new NetworkError(
        'unreachable',
        `${this.client.relay.host} does not know ${relay.host} yet: both need discovery and an overlay, and some time`,
      );
    return descriptor;
  }

  async #ask(): Promise<void> {
    const { relays } = await this.client.getDiscovery();
    const found = relays.flatMap((entry) => {
      try {
        const descriptor = parseDescriptor(entry);
        return [[descriptor.url.origin, descriptor] as const];
      } catch (error) {
        if (error instanceof DescriptorError) return [];
        throw error;
      }
    });
    // What another has signed of the same URL does not come before.
    this.#byUrl = new Map(found.reverse());
    this.#askedAt = performance.now();
  }
}
