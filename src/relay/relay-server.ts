import { type HeldSocket, ListeningSockets } from '../net/listening-sockets.js';
import { Lifecycle } from '../util/lifecycle.js';
import type { Logger } from '../util/logger.js';
import type { Handlers } from './api/app.js';
import type { RelayConfig } from './config/config.js';
import { ControlPlane } from './control-plane.js';
import { DataPlane, type DataPlaneCalls } from './data-plane.js';
import type { Datagrams } from './datagrams/datagrams.js';
import type { DiscoveryReport } from './discovery/discovery.js';
import { type Foundation, layFoundation } from './foundation.js';
import type { MetricsSources } from './metrics/metrics.js';
import { type MakeOverlay, OperatorPlane } from './operator-plane.js';
import { applyCut, type Cut, onCut } from './policy-effects.js';
import type { Store } from './store/store.js';

/** Replaces parts of the relay, such as the store, for tests. */
export interface RelayParts extends Pick<DataPlaneCalls, 'loadQuic'> {
  /** By default the relay binds its ports itself. */
  sockets?: ListeningSockets;
  wrapStore?(store: Store): Store;
  /** Ends the wait for a first certificate. */
  stopping?: AbortSignal;
  wrapHandlers?(handlers: Handlers): Handlers;
  makeOverlay?: MakeOverlay;
}

/** A running relay. Created by `startRelay`. */
export class RelayServer {
  readonly #foundation: Foundation;
  readonly #data: DataPlane;
  readonly #operator: OperatorPlane;
  readonly #control: ControlPlane;

  /** @internal */
  constructor(foundation: Foundation, { wrapHandlers = same, loadQuic, makeOverlay }: RelayParts) {
    this.#foundation = foundation;
    this.#data = new DataPlane(foundation, {
      toApi: (socket, { passedOn }, { alpn }, onReverseSession) =>
        this.#control.api.accept(socket, { passedOnFor: passedOn?.source.address, alpn, onReverseSession }),
      admit: (accessToken, clientIp) => this.#control.admission.admitToken(accessToken, clientIp),
      sign: (message, session) => this.#control.sessionSigner.answer(message, session),
      overlay: () => this.#operator.overlay,
      loadQuic,
    });
    this.#operator = new OperatorPlane(foundation, this.#data, makeOverlay);
    this.#control = new ControlPlane(foundation, this.#data, this.#operator, wrapHandlers);
    foundation.activity.start({
      sessions: this.#data.sessions,
      leases: () => this.#control.leases.size,
      publicConnections: () => this.#data.connections.open,
      datagrams: this.#data.datagrams,
    });
    foundation.lifecycle.onStop(() => foundation.activity.stop());
    foundation.metrics?.watch({
      releaseVersion: foundation.releaseVersion,
      sessions: this.#data.sessions,
      leases: () => this.#control.leases.size,
      unwrittenLeases: () => this.#control.leases.unwritten,
      certificateExpiry: () => Date.parse(foundation.certificates.current.leaf.validTo) / 1000,
      publicConnections: () => this.#data.connections.open,
      datagrams: this.#data.datagrams,
      discovery: this.discovery,
      nodes: nodesOf(foundation, this.#data),
      overlay: this.#operator.overlay,
    });
  }

  get apiPort(): number {
    return this.#control.apiPort;
  }

  get publicPort(): number {
    return this.#data.publicPort;
  }

  /** Port of the metrics on 127.0.0.1; undefined when they are off. */
  get metricsPort(): number | undefined {
    return this.#operator.metricsPort;
  }

  /** The port that leads to https; undefined for none. */
  get redirectPort(): number | undefined {
    return this.#data.redirectPort;
  }

  /** The relay's Ethereum address. */
  get address(): string {
    return this.#foundation.key.address;
  }

  /** PEM file of the development CA, if one is in use. */
  get developmentCaFile(): string | undefined {
    return this.#foundation.caFile;
  }

  /** How many other nodes of the relay this one is connected to. */
  get otherNodes(): number {
    return this.#data.nodes?.connected ?? 0;
  }

  /** How many other nodes say that they have tunnels for a hostname. */
  nodesServing(hostname: string): number {
    return this.#data.nodes?.count(hostname) ?? 0;
  }

  /** Connections served now, and all bytes that have passed since the start, both ways: of sessions of this node. */
  get load(): { connections: number; bytes: number } {
    return this.#data.sessions.load();
  }

  /** Visitors that wait for a session. */
  get waiting(): number {
    return this.#data.sessions.all().reduce((count, { waiting }) => count + waiting, 0);
  }

  /** Counters of datagrams. */
  get datagrams(): Pick<Datagrams, 'totals' | 'flows' | 'countersOf'> {
    return this.#data.datagrams;
  }

  /** Counts of known relays and refusals, when discovery is on. */
  get discovery(): (() => DiscoveryReport) | undefined {
    const { discovery } = this.#operator;
    return discovery && (() => discovery.report());
  }

  /** @internal Starts the planes in order; `stop` undoes it in reverse. */
  async start(): Promise<void> {
    const { lifecycle, logger, config, rootHost } = this.#foundation;
    await this.#control.restore();
    // The public port leads to the API, too.
    await this.#operator.startOverlay();
    await this.#data.start();
    await this.#control.start();
    // Stopping a listener waits for its connections.
    lifecycle.onStop(() => this.#data.destroyConnections(), { lasts: true });
    await this.#operator.start();
    await this.#control.join();
    logger.info(
      {
        url: config.portalUrl.origin,
        rootHost,
        apiPort: this.apiPort,
        publicPort: this.publicPort,
        redirectPort: this.redirectPort,
        metricsPort: this.metricsPort,
        address: this.address,
        developmentCa: this.developmentCaFile,
      },
      'relay started',
    );
  }

  /**
   * Stops accepting new work: connections, registrations and reverse sessions are refused and idle sessions closed,
   * so that tunnels reconnect elsewhere. Settles when no connection is left, or when the signal is aborted.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#foundation.draining.abort();
    await this.#data.sessions.drain(signal);
  }

  /**
   * Gives up what another process takes over: the state directory, the overlay, and the listening sockets, which are given to
   * it first. Live connections and reverse sessions go on: `drain` and `stop` end them.
   * @param give hands a listening socket to that process
   */
  async handOver(give: (socket: HeldSocket) => Promise<void>): Promise<void> {
    const { lifecycle, sockets } = this.#foundation;
    await this.#data.returnListeners();
    for (const socket of sockets.held) await give(socket);
    this.#data.stopAccepting();
    await lifecycle.release();
  }

  /** Called with each decision that ends connections, which a process before this one may still serve. */
  onCut(listener: (cut: Cut) => void): void {
    onCut(this.#foundation.policy, listener);
  }

  /** Ends connections as another process has decided. */
  cut(cut: Cut): void {
    applyCut(this.#data.sessions, cut);
  }

  /** Stops listening, ends every connection, and closes the store. */
  async stop(): Promise<void> {
    await this.#foundation.lifecycle.stop();
  }
}

/**
 * Starts a relay: store, certificate, the API listener and the public one.
 * @throws Error in one line when the state directory, the certificate or a port cannot be used
 */
export async function startRelay(config: RelayConfig, logger: Logger, parts: RelayParts = {}): Promise<RelayServer> {
  const lifecycle = new Lifecycle((error) => logger.error({ err: error }, 'a part of the relay could not be stopped'));
  try {
    const { wrapStore = same, stopping = new AbortController().signal, sockets = new ListeningSockets() } = parts;
    const foundation = await layFoundation(config, logger, lifecycle, wrapStore, stopping, sockets);
    const relay = new RelayServer(foundation, parts);
    await relay.start();
    await sockets.closeUnused();
    return relay;
  } catch (error) {
    // Errors of stopping are logged; the error of the start is thrown.
    await lifecycle.stop().catch(() => undefined);
    throw error;
  }
}

/** What is told of the other nodes, if there can be any. */
function nodesOf({ cluster }: Foundation, { nodes }: DataPlane): MetricsSources['nodes'] {
  if (!cluster || !nodes) return undefined;
  return {
    get connected() {
      return nodes.connected;
    },
    get isStoreUp() {
      return cluster.shared.isUp;
    },
  };
}

const same = <Part>(part: Part): Part => part;
