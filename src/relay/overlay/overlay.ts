import { createHash } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { Backoff } from '../../sdk/lease/backoff.js';
import type { FetchedDescriptor } from '../../sdk/discovery/fetch-descriptor.js';
import type { RelayDescriptor } from '../../sdk/discovery/relay-descriptor.js';
import { background, repeat } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';
import type { OverlayPlace } from '../discovery/overlay-place.js';
import { Firewall } from './firewall.js';
import { type OverlayKey, loadOverlayKey } from './overlay-key.js';
import { askPeer, OverlayService, type OverlayServiceOptions } from './overlay-service.js';
import { KnownPeers } from './known-peers.js';
import { planPeers, type RefusedPeer, type WantedPeer } from './peer-plan.js';
import { findPrograms, type Programs } from './programs.js';
import { type InterfacePeer, type PeerCounts, WireguardInterface } from './wireguard-interface.js';

/** How often peers are compared with what is believed. */
const syncIntervalMs = 1_000;
/** How often the name of an endpoint is looked up again. */
const lookupIntervalMs = 60_000;
/** The same after it has failed, and for a peer that could not be set up. */
const lookupRetryMs = 10_000;
/** Lookups of names at once: one that hangs holds a thread. */
const maxLookups = 2;
/** How often it is looked whether the firewall's rules are still there. */
const firewallCheckMs = 10_000;
/** How long what was asked of WireGuard is used again: each question starts a program. */
const viewLifetimeMs = 1_000;
/** Wait after the interface was lost, or could not be made. */
const restartBackoff = { firstMs: 2_000, longestMs: 60_000 };

export interface OverlaySettings {
  /** UDP. */
  wireguardPort: number;
}

export interface OverlayOptions extends OverlaySettings, OverlayServiceOptions {
  stateDir: string;
  /** What discovery believes now. */
  believed(): RelayDescriptor[];
  /** What listens there, besides the service that peers ask. Each is started and stopped as often as the interface comes and goes. */
  ports: readonly OverlayPort[];
  /** Whether an endpoint may have this address: neither private, where that is not allowed, nor banned. */
  mayReach(ip: string): boolean;
  logger: Logger;
}

/** The way to a peer. */
export interface OverlayRoute {
  /** This relay's address in the overlay, and the peer's. */
  readonly own: string;
  readonly peer: string;
  readonly publicKey: string;
}

/** What paths of relays need of the overlay. */
export interface OverlayRoutes {
  /** Whether this relay has a place in it now. */
  readonly isUp: boolean;
  /** @param relay its signing address, in lower case @returns undefined for a relay that is no peer now */
  routeTo(relay: string): OverlayRoute | undefined;
}

/** A relay that is to be a peer, as its operator sees it. */
export interface PeerView {
  /** Its signing address, in lower case. */
  readonly relay: string;
  /** In the overlay. */
  readonly address: string;
  /** Host and port of its WireGuard. */
  readonly host: string;
  readonly fault: string | undefined;
  /** Absent while it is not set up. */
  readonly counts: PeerCounts | undefined;
}

export interface OverlayView {
  readonly peers: readonly PeerView[];
  /** Relays that are no peers, and why. */
  readonly refused: readonly RefusedPeer[];
}

/** This relay's place in the overlay, as its other parts see it. */
export interface OverlayPart extends OverlayRoutes, OverlayPlace {
  /** How many peers there are. */
  readonly size: number;
  /** Asked often, it answers with what it found shortly before. */
  view(): Promise<OverlayView>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A peer of the interface. */
interface Peer {
  readonly wanted: WantedPeer;
  /** Absent until its name was resolved, and while the interface refuses it. */
  installed: InterfacePeer | undefined;
  /** Of its endpoint. */
  ip: string | undefined;
  lookupAt: number;
  isBusy: boolean;
  /** What keeps it from being reached, or moved. */
  fault?: string | undefined;
  /** The fault that was logged last. */
  told?: string;
}

/** What is up while the relay is a part of the overlay. */
interface Link {
  readonly tunnel: WireguardInterface;
  readonly firewall: Firewall;
  readonly ports: readonly OverlayPort[];
}

/** Something that listens at this relay's address in the overlay. */
export interface OverlayPort {
  /** TCP. */
  readonly port: number;
  /** @throws the system's error */
  start(address: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * This relay's place in the encrypted mesh of relays: an interface of WireGuard whose peers are the relays that discovery believes
 * and that have an overlay, too.
 */
export class Overlay implements OverlayPart {
  readonly #options: OverlayOptions;
  /** By relay. */
  readonly #peers = new Map<string, Peer>();
  readonly #known: KnownPeers;
  readonly #refused = new Map<string, string>();
  readonly #backoff = new Backoff(restartBackoff);
  #programs: Programs | undefined;
  #key: OverlayKey | undefined;
  #link: Link | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #lookups = 0;
  #firewallCheckAt = 0;
  #view: { validUntil: number; value: Promise<OverlayView> } | undefined;
  #isStopped = false;
  /** Why there is no overlay, as it was logged last. */
  #told: string | undefined;
  /** Changes of the interface run one after the other. */
  #changes: Promise<void> = Promise.resolve();

  constructor(options: OverlayOptions) {
    this.#options = options;
    this.#known = new KnownPeers(join(options.stateDir, 'overlay-peers'));
  }

  /** What the relay's descriptor says; undefined while it has no place in the overlay. */
  get facts(): { wireguard_public_key: string; wireguard_port: number } | undefined {
    if (!this.#link || !this.#key) return undefined;
    return { wireguard_public_key: this.#key.publicKey, wireguard_port: this.#options.wireguardPort };
  }

  get isUp(): boolean {
    return this.#link !== undefined;
  }

  routeTo(relay: string): OverlayRoute | undefined {
    const installed = this.#peers.get(relay)?.installed;
    if (!this.#link || !this.#key || !installed) return undefined;
    return { own: this.#key.address, peer: installed.address, publicKey: installed.publicKey };
  }

  get size(): number {
    return this.#link ? [...this.#peers.values()].filter(({ installed }) => installed).length : 0;
  }

  async view(): Promise<OverlayView> {
    const now = performance.now();
    if (this.#view === undefined || this.#view.validUntil < now)
      this.#view = { validUntil: now + viewLifetimeMs, value: this.#look() };
    return await this.#view.value;
  }

  async #look(): Promise<OverlayView> {
    // A fault of the interface is found, and mended, where its peers are set up.
    const counts = await this.#link?.tunnel.counts().catch(() => undefined);
    return {
      peers: [...this.#peers.values()].map(({ wanted, installed, fault }) => ({
        relay: wanted.relay,
        address: wanted.address,
        host: hostAndPort(wanted.host, wanted.port),
        fault,
        counts: installed && counts?.get(installed.publicKey),
      })),
      refused: Array.from(this.#refused, ([relay, reason]) => ({ relay, reason })),
    };
  }

  /** Takes its place. Says in one line what keeps it from that, and goes on without an overlay. */
  async start(): Promise<void> {
    const { logger, stateDir } = this.#options;
    try {
      if (process.platform !== 'linux') throw new Error('it needs Linux');
      this.#programs = await findPrograms();
      this.#key = await loadOverlayKey(join(stateDir, 'wireguard.key'));
      await this.#known.load();
    } catch (error) {
      logger.error(`there is no overlay: ${(error as Error).message}`);
      return;
    }
    try {
      await this.#up(this.#programs, this.#key);
    } catch (error) {
      this.#missed(error as Error);
    }
    this.#timer = repeat('overlay peers', () => this.#sync(), syncIntervalMs);
  }

  /** Leaves no trace on the machine. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#restart);
    await this.#changes;
    const link = this.#link;
    this.#link = undefined;
    if (link) await this.#down(link);
  }

  /**
   * Asks a peer in the overlay, as `DescriptorFetcher.fetch` does in public.
   * @returns undefined when the relay is no peer, or does not answer so: it is to be asked in public
   */
  async ask(url: URL, relay: string, signal: AbortSignal): Promise<FetchedDescriptor | undefined> {
    const route = this.routeTo(relay);
    if (route === undefined) return undefined;
    try {
      const fetched = await askPeer(url, route, signal);
      return fetched.descriptor.address === relay ? fetched : undefined;
    } catch (error) {
      signal.throwIfAborted();
      this.#options.logger.debug({ url: url.origin, reason: (error as Error).message }, 'not reached in the overlay');
      return undefined;
    }
  }

  async #up(programs: Programs, key: OverlayKey): Promise<void> {
    const { wireguardPort: port, logger } = this.#options;
    const name = interfaceName(key.publicKey);
    const ports = [new OverlayService(this.#options), ...this.#options.ports];
    const firewall = new Firewall(programs, { name, address: key.address, ports: ports.map((each) => each.port) });
    await firewall.raise();
    let tunnel: WireguardInterface | undefined;
    try {
      tunnel = await WireguardInterface.create({ programs, name, key, port });
      for (const each of ports) await each.start(key.address);
    } catch (error) {
      for (const each of ports) await each.stop();
      await tunnel?.remove();
      await firewall.lower().catch(() => undefined);
      throw error;
    }
    const link = { tunnel, firewall, ports };
    this.#link = link;
    const engine = tunnel.isOfKernel ? 'kernel' : 'wireguard-go';
    logger.info({ interface: name, address: key.address, port, engine }, 'overlay up');
  }

  async #down(link: Link): Promise<void> {
    for (const each of link.ports) await each.stop();
    await link.tunnel.remove();
    await link.firewall
      .lower()
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'the rules of the overlay stay'));
  }

  #lost(link: Link): void {
    this.#options.logger.error('the interface of the overlay is gone: making it anew');
    this.#link = undefined;
    for (const peer of this.#peers.values()) Object.assign(peer, { installed: undefined, lookupAt: 0 });
    this.#change(() => this.#down(link));
    this.#planRestart();
  }

  async #keepFirewall({ firewall }: Link): Promise<void> {
    if (this.#isStopped || (await firewall.isUp())) return;
    this.#options.logger.warn("the overlay's rules of nftables are gone: putting them back");
    await firewall.raise();
  }

  /** What another program has taken may be free later. Told once for each reason. */
  #missed({ message }: Error): void {
    if (message !== this.#told) this.#options.logger.error(`there is no overlay: ${message}; trying again`);
    this.#told = message;
    this.#planRestart();
  }

  #planRestart(): void {
    if (this.#isStopped) return;
    // boundary: cannot throw.
    this.#restart = setTimeout(() => this.#change(() => this.#revive()), this.#backoff.next());
  }

  async #revive(): Promise<void> {
    if (this.#isStopped || !this.#programs || !this.#key) return;
    try {
      await this.#up(this.#programs, this.#key);
      this.#backoff.reset();
      this.#told = undefined;
    } catch (error) {
      this.#missed(error as Error);
    }
  }

  /** Makes peers of the relays that are to be, and drops others. */
  #sync(): void {
    const link = this.#link;
    if (!link || !this.#key) return;
    if (!link.tunnel.isThere) return this.#lost(link);
    if (this.#firewallCheckAt < performance.now()) {
      this.#firewallCheckAt = performance.now() + firewallCheckMs;
      this.#change(() => this.#keepFirewall(link));
    }
    const { wanted, refused } = planPeers(this.#options.believed(), this.#key, this.#known.all);
    this.#remember(wanted);
    this.#tellRefused(refused);
    const byRelay = new Map(wanted.map((peer) => [peer.relay, peer]));
    for (const [relay, peer] of this.#peers) {
      const now = byRelay.get(relay);
      const mayStay = peer.ip === undefined || this.#options.mayReach(peer.ip);
      if (now && isSame(now, peer.wanted) && mayStay) continue;
      this.#peers.delete(relay);
      this.#change(() => this.#uninstall(peer));
    }
    for (const each of wanted) {
      if (!this.#peers.has(each.relay))
        this.#peers.set(each.relay, { wanted: each, installed: undefined, ip: undefined, lookupAt: 0, isBusy: false });
    }
    const now = performance.now();
    for (const peer of this.#peers.values()) {
      if (peer.isBusy || peer.lookupAt > now || this.#lookups >= maxLookups) continue;
      this.#resolve(peer);
    }
  }

  #remember(wanted: readonly WantedPeer[]): void {
    this.#known.remember(wanted, ({ relay, publicKey }) => this.#peers.get(relay)?.wanted.publicKey === publicKey);
    this.#change(() => this.#known.save());
  }

  #tellRefused(refused: { relay: string; reason: string }[]): void {
    const told = new Map(this.#refused);
    this.#refused.clear();
    for (const { relay, reason } of refused) {
      this.#refused.set(relay, reason);
      if (told.get(relay) !== reason) this.#options.logger.warn({ relay, reason }, 'a relay is no peer of the overlay');
    }
  }

  /** Looks up where a peer is, and installs it there. */
  #resolve(peer: Peer): void {
    peer.isBusy = true;
    this.#lookups++;
    background('overlay lookup', async () => {
      try {
        const ip = await endpointAddress(peer.wanted.host, this.#options.mayReach, peer.ip);
        this.#change(() => this.#install(peer, ip));
        peer.lookupAt = performance.now() + lookupIntervalMs;
      } catch (error) {
        this.#unresolved(peer, error as Error);
        peer.lookupAt = performance.now() + lookupRetryMs;
      } finally {
        this.#lookups--;
        peer.isBusy = false;
      }
    });
  }

  /** The last good address stays. */
  #unresolved(peer: Peer, error: Error): void {
    this.#tellFault(peer, error, 'the endpoint of a peer is not found');
  }

  /** Each fault of a peer once. */
  #tellFault(peer: Peer, { message: reason }: Error, what: string): void {
    const { relay, host, address } = peer.wanted;
    const isNew = peer.told !== reason;
    peer.told = reason;
    peer.fault = reason;
    this.#options.logger[isNew ? 'warn' : 'debug']({ relay, host, address, reason }, what);
  }

  async #install(peer: Peer, ip: string): Promise<void> {
    const { wanted, installed } = peer;
    const link = this.#link;
    if (this.#isStopped || !link || this.#peers.get(wanted.relay) !== peer) return;
    peer.fault = undefined;
    const { publicKey, address, port, relay } = wanted;
    const next = { publicKey, address, endpoint: hostAndPort(ip, port) };
    if (installed?.endpoint === next.endpoint) return;
    try {
      if (installed) await link.tunnel.moveEndpoint(next);
      else await link.tunnel.addPeer(next);
      peer.installed = next;
      peer.ip = ip;
      this.#options.logger.info({ relay, address, endpoint: next.endpoint }, 'peer of the overlay');
    } catch (error) {
      peer.lookupAt = performance.now() + lookupRetryMs;
      this.#tellFault(peer, error as Error, 'a peer cannot be set up');
    }
  }

  async #uninstall({ wanted, installed }: Peer): Promise<void> {
    const link = this.#link;
    if (this.#isStopped || !link || !installed) return;
    await link.tunnel.removePeer(installed);
    this.#options.logger.info({ relay: wanted.relay }, 'no peer of the overlay any more');
  }

  /** After the changes before it; a fault ends only this one. */
  #change(run: () => Promise<void>): void {
    this.#changes = this.#changes
      .then(run)
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'the overlay could not be changed'));
  }
}

function isSame(one: WantedPeer, other: WantedPeer): boolean {
  return one.publicKey === other.publicKey && one.host === other.host && one.port === other.port;
}

function hostAndPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** At most 15 characters (IFNAMSIZ). */
function interfaceName(publicKey: string): string {
  return `portal${createHash('sha256').update(publicKey).digest('hex').slice(0, 8)}`;
}

/**
 * @param current stays, as long as it is one of the name's
 * @throws Error when the name has no address that may be reached
 */
async function endpointAddress(
  host: string,
  mayReach: (ip: string) => boolean,
  current: string | undefined,
): Promise<string> {
  const name = host.replace(/^\[(.*)\]$/, '$1');
  const found = isIP(name) === 0 ? await lookup(name, { all: true }) : [{ address: name }];
  const allowed = found.map(({ address }) => address).filter(mayReach);
  if (allowed.length === 0) throw new Error('it has no address that this relay may reach');
  return current !== undefined && allowed.includes(current) ? current : allowed[0]!;
}
