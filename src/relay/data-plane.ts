import type { AddressInfo, Socket } from 'node:net';
import { RedirectListener } from './ingress/redirect-listener.js';
import { identityKey } from '../contract/lease-identity.js';
import { type AddressList, addressList } from '../net/address-list.js';
import { portOf } from '../net/listen.js';
import { hopPort, peerApiPort } from '../protocol/hop-header.js';
import { loadQuic, type QuicPackage } from '../streams/quic/quic-package.js';
import { KernelEngine } from '../kernel/kernel-engine.js';
import { guard } from '../util/boundary.js';
import { Datagrams } from './datagrams/datagrams.js';
import { QuicListener, type QuicListenerOptions } from './datagrams/quic-listener.js';
import type { Foundation } from './foundation.js';
import { Entry } from './ingress/entry.js';
import { OfflinePage } from './ingress/offline-page.js';
import { OverlayListener } from './ingress/overlay-listener.js';
import { PublicConnections } from './ingress/public-connections.js';
import { PublicListener, type PublicListenerOptions } from './ingress/public-listener.js';
import { Routing } from './ingress/routing.js';
import { TcpPort } from './ingress/tcp-port.js';
import { HopArrivals } from './ingress/hop-arrivals.js';
import { NextHops } from './ingress/next-hops.js';
import type { OverlayPort, OverlayRoutes } from './overlay/overlay.js';
import { VisitorForwarder, type VisitorForwarderOptions } from './ingress/visitor-forwarder.js';
import { Bindings } from './keyless/bindings.js';
import { NodeListener } from './nodes/node-listener.js';
import { OtherNodes } from './nodes/other-nodes.js';
import { OwnPresence } from './nodes/own-presence.js';
import { LeasePorts } from './ports/lease-ports.js';
import { PortAllocator, type PortAllocatorOptions } from './ports/port-allocator.js';
import { SessionRegistry } from './reverse/session-registry.js';
import type { PortProtocol } from './store/store.js';

/** Most connections that one relay has to this one in the overlay, of each kind: all visitors that it passes on. */
const maxConnectionsPerPeer = 10_000;

/** What the data plane needs from the control plane. */
export interface DataPlaneCalls
  extends
    Pick<PublicListenerOptions, 'toApi'>,
    Pick<QuicListenerOptions, 'admit'>,
    Pick<VisitorForwarderOptions, 'sign'> {
  /** The overlay of relays, if this relay has one. */
  overlay(): OverlayRoutes | undefined;
  /** By default the optional package, if it is installed. */
  loadQuic?: (() => Promise<QuicPackage>) | undefined;
}

/** The data plane: public ports, reverse sessions, and what connects them. */
export class DataPlane {
  readonly sessions: SessionRegistry;
  readonly bindings: Bindings;
  readonly datagrams: Datagrams;
  readonly connections: PublicConnections;
  readonly routing: Routing;
  readonly ports: LeasePorts;
  readonly publicListener: PublicListener;
  /** What listens at this relay's address in the overlay. */
  readonly overlayPorts: readonly OverlayPort[];
  readonly quic: QuicListener;
  readonly isBalancer: AddressList;
  /** Undefined where this is the only node. */
  readonly nodes: OtherNodes | undefined;
  readonly #presence = new OwnPresence();
  readonly #nodeListener: NodeListener | undefined;
  /** Undefined with `--data-plane node`, and where it is not available. */
  readonly #kernel: KernelEngine | undefined;
  /** Undefined but with `--data-plane entry`, where that is available. */
  readonly #entry: Entry | undefined;
  readonly #redirects: RedirectListener | undefined;
  readonly #foundation: Foundation;
  #address: AddressInfo | undefined;

  constructor(foundation: Foundation, { toApi, admit, sign, overlay, loadQuic: load = loadQuic }: DataPlaneCalls) {
    const { config, logger, policy, leases, activity, metrics, draining, rootHost, certificates, sockets } = foundation;
    this.#foundation = foundation;
    const hops = new NextHops(overlay);
    const { cluster } = foundation;
    this.bindings = new Bindings(cluster?.shared, async (binding, lease) =>
      this.sessions.peek(lease)?.takeBinding(binding),
    );
    this.nodes =
      cluster &&
      new OtherNodes({
        shared: cluster.shared,
        identity: cluster.identity,
        onPresence: (name) => this.sessions.applyLimit(name),
      });
    this.sessions = new SessionRegistry(
      (lease) => {
        const bps = policy.bps(identityKey(lease.identity));
        // The limit holds over all nodes that have tunnels of the lease.
        return bps && Math.ceil(bps / (1 + (this.nodes?.count(lease.hostname) ?? 0)));
      },
      ({ hop, hostname }) =>
        (hop?.forwards !== undefined && hops.reaches(hop.forwards)) || (this.nodes?.count(hostname) ?? 0) > 0,
      (hostname, isPresent) => this.#presence.set(hostname, isPresent),
      config.dataPlane === 'entry'
        ? {
            open: (lease, onIdle) => this.#entry?.open(lease, onIdle),
            duplicate: (fd) => this.#entry!.duplicate(fd),
            sign: (lease, tunnelIp, signing) => this.#entry!.sign(lease, tunnelIp, signing),
            maxConnections: (lease) => forwarder.maxConnections(lease),
          }
        : undefined,
    );
    this.datagrams = new Datagrams(logger, draining.signal);
    this.isBalancer = addressList(config.proxyProtocolFrom);
    const onOutcome = activity.connection;
    this.connections = new PublicConnections({
      maxConnectionsPerSource: config.maxConnectionsPerSource,
      isBalancer: this.isBalancer,
      onOutcome,
    });
    this.#kernel =
      config.dataPlane !== 'node'
        ? KernelEngine.load(config.dataWorkers, (error, pumps) =>
            logger.error({ err: error, connections: pumps }, 'a data worker failed: its connections were ended'),
          )
        : undefined;
    this.routing = new Routing(leases, policy, draining.signal);
    const forwarder = new VisitorForwarder(
      {
        unboundSessions: config.digestSigning,
        maxConnectionsPerLease: config.maxConnectionsPerLease,
        passVisitorAddress: config.passVisitorAddress,
        onOutcome,
        sign,
        kernel: this.#kernel,
        nodes: this.nodes,
      },
      this.sessions,
      this.bindings,
      hops,
      logger,
    );
    const { host } = config;
    this.ports = new LeasePorts(
      this.#allocator('tcp', 1, ({ first: port }, hostname) =>
        TcpPort.bind({ host, port, sockets, lease: () => this.routing.leaseAt(hostname) }, this.connections, forwarder),
      ),
      this.#allocator('udp', config.maxUdpPortsPerLease, (block, hostname) =>
        this.datagrams.bind(host, block, hostname),
      ),
    );
    const apiHosts = new Set([rootHost, ...config.apiHosts]);
    this.#redirects =
      config.httpPort === undefined
        ? undefined
        : new RedirectListener(
            { rootHost, apiHosts, publicPort: () => Number(config.portalUrl.port) || undefined },
            this.connections,
          );
    this.publicListener = new PublicListener(
      {
        apiHosts,
        routing: this.routing,
        toApi,
        onOutcome,
        onOldTls: metrics?.oldTls,
        offlinePage: config.offlinePage ? new OfflinePage(rootHost, () => certificates.current) : undefined,
      },
      this.connections,
      forwarder,
    );
    this.#entry =
      config.dataPlane === 'entry'
        ? Entry.load({
            maxConnectionsPerSource: config.maxConnectionsPerSource,
            balancers: config.proxyProtocolFrom,
            connections: this.connections,
            bindings: this.bindings,
            sockets,
            logger,
            isAlone: !cluster,
            onOutcome,
            sign,
            maxConnections: (lease) => forwarder.maxConnections(lease),
            serve: guard(
              'public connection',
              (socket: Socket) => this.publicListener.serve(socket),
              (socket) => socket.destroy(),
            ),
            onReady: () => this.sessions.lend(),
          })
        : undefined;
    this.overlayPorts = this.#overlayPorts(forwarder, apiHosts, toApi);
    this.#nodeListener =
      cluster &&
      new NodeListener({
        ...cluster.address,
        identity: cluster.identity,
        presence: this.#presence,
        routing: this.routing,
        forwarder,
      });
    this.quic = new QuicListener({
      host,
      load,
      certificate: () => certificates.current,
      admit,
      datagrams: this.datagrams,
      logger,
    });
  }

  /** Where other relays pass on visitors, and where their tunnels reach the API. */
  #overlayPorts(
    forwarder: VisitorForwarder,
    apiHosts: ReadonlySet<string>,
    toApi: DataPlaneCalls['toApi'],
  ): OverlayPort[] {
    const onOutcome = this.#foundation.activity.connection;
    const limits = { maxConnectionsPerSource: maxConnectionsPerPeer, isBalancer: addressList([]), onOutcome };
    const { routing } = this;
    // Besides the API only paths, so that a tunnel can visit its own name without showing its address.
    const leaseAt = (hostname: string) => {
      const lease = routing.leaseAt(hostname);
      return lease?.hop ? lease : undefined;
    };
    const [visitors, calls] = [new PublicConnections(limits), new PublicConnections(limits)];
    const arrivals = new HopArrivals({ routing, onOutcome }, visitors, forwarder);
    const api = new PublicListener({ apiHosts, routing: { leaseAt }, toApi, onOutcome }, calls, forwarder);
    return [
      new OverlayListener({ port: hopPort, connections: visitors, serve: (socket) => arrivals.serve(socket) }),
      new OverlayListener({ port: peerApiPort, connections: calls, serve: (socket) => api.serve(socket) }),
    ];
  }

  /** The port of the public listener, once it listens. */
  get publicPort(): number {
    return this.publicAddress.port;
  }

  /** Where the public listener listens, once it does. */
  get publicAddress(): AddressInfo {
    return this.#address!;
  }

  /** The port that leads to https, once it listens; undefined for none. */
  get redirectPort(): number | undefined {
    return this.#redirects && portOf(this.#redirects.server);
  }

  /** Listens. @throws the system's error when a public port cannot be bound */
  async start(): Promise<void> {
    const { lifecycle, config, sockets } = this.#foundation;
    if (this.#kernel) lifecycle.onStop(() => this.#kernel?.stop(), { lasts: true });
    this.datagrams.start();
    lifecycle.onStop(() => this.datagrams.stop());
    if (this.#entry) lifecycle.onStop(() => this.#entry?.stop(), { lasts: true });
    const { server } = this.publicListener;
    await sockets.listen(server, { host: config.host, port: config.sniPort });
    this.#address = server.address() as AddressInfo;
    this.#entry?.attach(server);
    const stopListener = async (listener: Pick<PublicListener, 'stop'>) => {
      // Stopping a listener waits for its connections, so these are ended first.
      this.connections.close();
      await listener.stop();
    };
    const stopPublic = async () => {
      // Nobody is to arrive after the connections are ended.
      await this.#entry?.returnListener();
      await stopListener(this.publicListener);
    };
    lifecycle.onStop(stopPublic, { lasts: true });
    const redirects = this.#redirects;
    if (redirects) {
      await sockets.listen(redirects.server, { host: config.host, port: config.httpPort });
      lifecycle.onStop(() => stopListener(redirects), { lasts: true });
    }
    const [nodes, nodeListener] = [this.nodes, this.#nodeListener];
    if (nodes && nodeListener) {
      await nodeListener.start();
      lifecycle.onStop(() => nodeListener.stop(), { lasts: true });
      lifecycle.onStop((handsOver) => handsOver && nodeListener.release());
      nodes.start();
      lifecycle.onStop(() => nodes.stop(), { lasts: true });
    }
    // Datagrams are of one node.
    if (config.portRange && !this.nodes) await this.quic.start(this.publicPort);
    lifecycle.onStop(() => this.quic.stop());
  }

  /** The listening sockets are this thread's again, to be handed over. */
  async returnListeners(): Promise<void> {
    await this.#entry?.returnListener();
  }

  /** Accepts no connection any more; those that are there go on. */
  stopAccepting(): void {
    this.publicListener.server.close();
    this.#redirects?.server.close();
  }

  /** Ends every session and connection, which stopping listeners wait for. */
  destroyConnections(): void {
    this.sessions.close();
    this.bindings.close();
    this.datagrams.stop();
    this.connections.close();
  }

  #allocator(protocol: PortProtocol, maxPerLease: number, bind: PortAllocatorOptions['bind']): PortAllocator {
    const { config, policy, store, logger, onStoreFault, cluster } = this.#foundation;
    return new PortAllocator({
      protocol,
      range: protocol === 'udp' && cluster ? undefined : config.portRange,
      maxPerLease,
      settings: () => (protocol === 'tcp' ? policy.settings.tcpPort : policy.settings.udp),
      bind,
      store,
      onBlocked: ({ first: port, count }, hostname, error) =>
        logger.warn(
          { protocol, port, count, hostname, err: error },
          'the ports of a lease cannot be bound: trying again',
        ),
      onFault: onStoreFault,
    });
  }
}
