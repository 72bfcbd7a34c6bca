import type { FetchedDescriptor } from '../../sdk/discovery/fetch-descriptor.js';

/** A relay's place in the mesh of relays, as discovery sees it. */
export interface OverlayPlace {
  /** What the descriptor says of it; undefined while there is none. */
  readonly facts: { wireguard_public_key: string; wireguard_port: number } | undefined;
  /**
   * Asks another relay there.
   * @param relay its signing address, in lower case
   * @returns undefined when it is not reached there: it is to be asked in public
   */
  ask(url: URL, relay: string, signal: AbortSignal): Promise<FetchedDescriptor | undefined>;
}
