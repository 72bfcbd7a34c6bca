import { Backoff } from '../../sdk/lease/backoff.js';
import { maxDescriptorLifetimeMs } from '../../sdk/discovery/relay-descriptor.js';
import {
  DescriptorError,
  checkSignature,
  checkTimes,
  parseDescriptor,
  type RelayDescriptor,
} from '../../sdk/discovery/relay-descriptor.js';
import { nanoOfMs } from '../../sdk/discovery/unix-nano.js';
import { sourceOf } from '../../net/source-network.js';
import { RefusalCounts, RefusedError } from './refusals.js';

/** Verified relays; bootstraps are not counted. */
export const maxPeers = 256;
/** Verified relays behind one public address. */
export const maxPeersPerSource = 8;
/** Candidate URLs, in total and from the relays at one address. */
export const maxCandidates = 256;
export const maxCandidatesPerTeller = 32;
/** After this many invalid signatures the rest of a listing is ignored. */
export const maxForgedDescriptors = 8;
/** Entries of a listing that are verified before the event loop gets other work. */
const listedBetweenTurns = 32;
/** Addresses whose newest descriptor is remembered, to detect replays. */
const maxRememberedIssues = 4_096;

/** Another relay, or a candidate URL. */
export interface Peer {
  readonly url: URL;
  /** Named by the operator: never forgotten. */
  readonly isBootstrap: boolean;
  /** The relay that listed it, by `tellerOf`; absent for bootstraps and for relays that announced themselves. */
  readonly toldBy?: string;
  readonly backoff: Backoff;
  /** The descriptor that it serves, valid until it expires. */
  descriptor?: RelayDescriptor | undefined;
  /** Its last known address, kept after its descriptor expires. Absent for a candidate. */
  address?: string;
  /** The source (for limits) of the address where it was reached. */
  source?: string | undefined;
  /** When it is to be fetched next, in milliseconds since the epoch. */
  dueAt: number;
  /** When it last answered, or was first listed. */
  seenAt: number;
}

export interface PeerStoreOptions {
  self: { url: URL; address: string };
  bootstraps: URL[];
  backoff: { firstMs: number; longestMs: number };
  /** How long a relay may be silent before it is forgotten. */
  forgetAfterMs: number;
  /** Whether the limit of relays behind one address applies: it does for public addresses. */
  isCrowdable(ip: string): boolean;
}

/**
 * The known relays, by URL. A listing only provides candidates: a relay is accepted only by what its own URL serves.
 * So no relay can speak for another, and the listings of others can only use up their bounded share of the table.
 */
export class PeerStore {
  readonly refused = new RefusalCounts();
  readonly #peers = new Map<string, Peer>();
  /** The newest descriptor of each address, kept as long as an older one could still be valid. */
  readonly #newest = new Map<string, { issuedAtNano: bigint; until: number }>();
  readonly #options: PeerStoreOptions;

  constructor(options: PeerStoreOptions, now = Date.now()) {
    this.#options = options;
    for (const url of options.bootstraps) {
      if (url.origin !== options.self.url.origin) this.#add({ url, isBootstrap: true }, now);
    }
  }

  at(url: URL): Peer | undefined {
    return this.#peers.get(url.origin);
  }

  all(): Peer[] {
    return [...this.#peers.values()];
  }

  /** The relays whose descriptor is valid now. */
  believed(now = Date.now()): (Peer & { descriptor: RelayDescriptor })[] {
    this.#sweep(now);
    return this.all().filter((peer): peer is Peer & { descriptor: RelayDescriptor } => peer.descriptor !== undefined);
  }

  /** Whether the address has signed a newer descriptor. */
  isOlder({ address, issuedAtNano }: RelayDescriptor): boolean {
    return issuedAtNano < (this.#newest.get(address)?.issuedAtNano ?? issuedAtNano);
  }

  /** @throws RefusedError for a descriptor that claims to be this relay */
  refuseSelf(descriptor: RelayDescriptor): void {
    if (this.#isSelf(descriptor)) throw new RefusedError('self', 'it is this relay');
  }

  /** An entry for a relay that announced itself; stored once it is accepted. */
  draft(url: URL, now = Date.now()): Peer {
    return { url, isBootstrap: false, backoff: new Backoff(this.#options.backoff), dueAt: now, seenAt: now };
  }

  /**
   * Accepts the descriptor that a relay's own URL serves.
   * @param ip where it was reached; undefined when it announced itself
   * @throws RefusedError `self`, `older`, `no_room`
   */
  believe(peer: Peer, descriptor: RelayDescriptor, ip: string | undefined, now = Date.now()): void {
    this.refuseSelf(descriptor);
    if (this.isOlder(descriptor)) throw new RefusedError('older', 'the same address has signed a newer descriptor');
    const source = ip === undefined ? peer.source : this.#options.isCrowdable(ip) ? sourceOf(ip) : undefined;
    if (!peer.isBootstrap) this.#needRoom(peer, source);
    for (const other of this.#peers.values()) {
      // The relay has moved: its former URL is no longer valid.
      if (other !== peer && other.address === descriptor.address) other.descriptor = undefined;
    }
    peer.descriptor = descriptor;
    peer.address = descriptor.address;
    peer.source = source;
    peer.seenAt = now;
    this.#peers.set(peer.url.origin, peer);
    this.#remember(descriptor, now);
  }

  /**
   * Processes a relay's listing. New URLs become candidates; a silent relay with a newer descriptor is fetched at
   * once. Verifying takes milliseconds each, so the loop yields in between.
   */
  async hear(teller: Peer, listed: unknown[], signal: AbortSignal): Promise<void> {
    let forged = 0;
    let room = this.#candidateRoom(tellerOf(teller));
    for (const [at, raw] of listed.entries()) {
      if (at % listedBetweenTurns === 0) await turn();
      if (signal.aborted || forged >= maxForgedDescriptors) return;
      try {
        const descriptor = parseDescriptor(raw);
        if (this.#isSelf(descriptor)) continue;
        const held = this.at(descriptor.url);
        if (held && !isDeadAndBack(held, descriptor)) continue;
        checkTimes(descriptor);
        if (!held && room <= 0) {
          this.refused.add('no_room');
          continue;
        }
        await turn();
        checkSignature(descriptor);
        this.#notice(teller, descriptor);
        room = this.#candidateRoom(tellerOf(teller));
      } catch (error) {
        if (!(error instanceof DescriptorError)) throw error;
        if (error.fault === 'signature') forged++;
        this.refused.add(error.fault);
      }
    }
  }

  /** The next relay to fetch, of those that `isFree` accepts. */
  next(isFree: (peer: Peer) => boolean, now = Date.now()): Peer | undefined {
    this.#sweep(now);
    let first: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (isFree(peer) && (!first || peer.dueAt < first.dueAt)) first = peer;
    }
    return first;
  }

  #isSelf({ url, address }: RelayDescriptor): boolean {
    const { self } = this.#options;
    return url.origin === self.url.origin || address === self.address.toLowerCase();
  }

  #notice(teller: Peer, descriptor: RelayDescriptor, now = Date.now()): void {
    const held = this.at(descriptor.url);
    if (held) {
      // Once per descriptor: the newest one seen counts, accepted or not.
      if (isDeadAndBack(held, descriptor) && !this.#isKnown(descriptor)) {
        this.#remember(descriptor, now);
        held.dueAt = now;
      }
      return;
    }
    if (this.#candidateRoom(tellerOf(teller)) <= 0) return this.refused.add('no_room');
    this.#add({ url: descriptor.url, isBootstrap: false, toldBy: tellerOf(teller) }, now);
  }

  #isKnown({ address, issuedAtNano }: RelayDescriptor): boolean {
    return issuedAtNano <= (this.#newest.get(address)?.issuedAtNano ?? -1n);
  }

  #add(peer: Pick<Peer, 'url' | 'isBootstrap' | 'toldBy'>, now: number): void {
    this.#peers.set(peer.url.origin, { ...this.draft(peer.url, now), ...peer });
  }

  #candidateRoom(toldBy: string): number {
    const candidates = this.all().filter((peer) => peer.address === undefined && !peer.isBootstrap);
    const ofTeller = candidates.filter((peer) => peer.toldBy === toldBy).length;
    return Math.min(maxCandidates - candidates.length, maxCandidatesPerTeller - ofTeller);
  }

  #needRoom(peer: Peer, source: string | undefined): void {
    const others = this.all().filter((other) => other !== peer && other.address !== undefined && !other.isBootstrap);
    const nearby = source === undefined ? 0 : others.filter((other) => other.source === source).length;
    if (others.length >= maxPeers || nearby >= maxPeersPerSource) {
      throw new RefusedError('no_room', 'too many relays are known');
    }
  }

  #remember({ address, issuedAtNano }: RelayDescriptor, now: number): void {
    this.#newest.delete(address);
    if (this.#newest.size >= maxRememberedIssues) this.#newest.delete(this.#newest.keys().next().value as string);
    const issuedAt = Math.max(now, Number(issuedAtNano / 1_000_000n));
    this.#newest.set(address, { issuedAtNano, until: issuedAt + maxDescriptorLifetimeMs });
  }

  #sweep(now: number): void {
    for (const [address, { until }] of this.#newest) if (until <= now) this.#newest.delete(address);
    for (const [origin, peer] of this.#peers) {
      if (peer.descriptor && peer.descriptor.expiresAtNano <= nanoOfMs(now)) peer.descriptor = undefined;
      const isSilent = now - peer.seenAt > this.#options.forgetAfterMs;
      if (isSilent && !peer.isBootstrap && !peer.descriptor) this.#peers.delete(origin);
    }
  }
}

/**
 * Relays behind one public address count as one teller: otherwise a single host with several relays could fill the
 * table.
 */
function tellerOf({ source, url }: Peer): string {
  return source ?? url.origin;
}

/** Yields to other work of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Whether another relay has seen a recent descriptor of a relay that does not answer here. */
function isDeadAndBack(peer: Peer, descriptor: RelayDescriptor): boolean {
  return peer.backoff.failures > 0 && peer.address === descriptor.address;
}
