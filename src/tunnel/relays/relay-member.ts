import { EventEmitter } from 'node:events';
import type { SecureContext } from 'node:tls';
import { ApiError } from '../../contract/errors.js';
import { describeBlock } from '../../net/port-block.js';
import type { TlsDialOptions } from '../../sdk/transport/dial-tls.js';
import { assertHops, maxPathConnections, PathError } from '../paths/path-hop.js';
import type { RelayPath } from '../paths/relay-path.js';
import { publicAddressesOnly } from '../../sdk/transport/address-rule.js';
import { createPortalClient, type PortalClient } from '../../sdk/calls/client.js';
import type { Identity } from '../../sdk/identity/identity.js';
import type { Registration } from '../../sdk/lease/lease-keeper.js';
import type { LeaseCall } from '../../sdk/lease/retry-policy.js';
import { RelayTransport } from '../../sdk/transport/relay-transport.js';
import { AutoCarrier } from '../carriers/auto-carrier.js';
import type { Carrier } from '../carriers/carrier.js';
import type { RelayTimes } from '../options/relay-times.js';
import { AutoDatagramCarrier } from '../carriers/auto-datagram-carrier.js';
import { type DatagramCarrier, WebSocketDatagramCarrier } from '../carriers/datagram-carrier.js';
import type { OwnCertificates } from '../certificates/own-certificate.js';
import type { ExposeOptions } from '../options/expose-options.js';
import { HealthCheck } from './health-check.js';
import { QuicDatagramCarrier } from '../carriers/quic-datagram-carrier.js';
import { CompatCarrier } from '../carriers/compat-carrier.js';
import { RawCarrier } from '../carriers/raw-carrier.js';
import { compatWarning } from '../link/compat.js';
import type { CertificateLife } from '../link/keyless.js';
import { RelayLink, type LinkServices } from '../link/relay-link.js';
import type { InterceptionError } from '../link/self-probe.js';
import type { RelayEvents, RelaySetEvents, TunnelStatus } from './tunnel-events.js';
import { openProbeConnection } from '../link/probe-connection.js';
import { WebSocketCarrier } from '../carriers/websocket-carrier.js';

export const closeGraceMs = 10_000;

export interface MemberOptions extends Pick<
  ExposeOptions,
  | 'ca'
  | 'proxy'
  | 'carrier'
  | 'unwrap'
  | 'udpCarrier'
  | 'metadata'
  | 'ttl'
  | 'sessionWait'
  | 'tcpPort'
  | 'udpPort'
  | 'group'
  | 'probe'
  | 'banMitm'
> {
  identity: Identity;
  name: string;
  services: LinkServices;
  certificates?: OwnCertificates | undefined;
  /** Default grace for live connections when the relay is left, in milliseconds. */
  closeGraceMs: number;
  /** The relays behind this one, where it is the entry of a path. */
  path?: RelayPath | undefined;
  /** TLS context of `ca`, created once for all connections of all members: it costs memory and time. */
  secureContext?: SecureContext | undefined;
  times: RelayTimes;
}

export interface MemberEvents extends RelayEvents {
  /** It serves now, or no longer. */
  changed: [];
  /** Everything is closed; with the fatal error, if there was one. */
  gone: [error: Error | undefined];
}

/** One relay that a tunnel uses, with everything that is open between the two. */
export class RelayMember extends EventEmitter<MemberEvents> {
  /** Settles when the lease is released; live connections may continue. */
  readonly released: Promise<void>;
  /** Settles when everything is closed. */
  readonly gone: Promise<Error | undefined>;
  readonly #options: MemberOptions;
  readonly #relay: URL;
  readonly #transport: RelayTransport;
  readonly #client: PortalClient;
  readonly #link: RelayLink;
  readonly #healthCheck: HealthCheck;
  readonly #leaving = new AbortController();
  #graceMs: number;
  #isWatched = false;
  #hurry: (() => void) | undefined;
  #release!: () => void;
  #interception: InterceptionError | undefined;
  #refusedBy: string | undefined;
  #isServing = false;
  #isUp = false;
  #hasServed = false;
  #since = performance.now();

  /** How relays are connected to. @param isTrusted as for the constructor */
  static dialing({ ca, secureContext, proxy }: TlsDialOptions, isTrusted: boolean): TlsDialOptions {
    const addresses = isTrusted ? undefined : publicAddressesOnly;
    return { ca: secureContext ? undefined : ca, secureContext, proxy, addresses };
  }

  /** @param isTrusted whether the caller named it; if not, only public addresses are allowed */
  constructor(relay: URL, isTrusted: boolean, options: MemberOptions) {
    super();
    this.#options = options;
    this.#relay = relay;
    this.#graceMs = options.closeGraceMs;
    const {
      ca,
      secureContext,
      proxy,
      identity,
      name,
      metadata,
      ttl,
      group,
      services,
      certificates,
      probe = true,
    } = options;
    const { path } = options;
    const dialing = path?.dialing ?? RelayMember.dialing({ ca, secureContext, proxy }, isTrusted);
    const { addresses } = dialing;
    this.#transport = new RelayTransport(path ? { ...dialing, maxConnections: maxPathConnections } : dialing);
    const client = createPortalClient({ relay, fetch: this.#transport.fetch });
    this.#client = client;
    this.#link = new RelayLink({
      client,
      carrier: path
        ? path.carrier((last, transport) => this.#carrier(last, transport))
        : this.#carrier(relay, this.#transport),
      ...(path
        ? {}
        : {
            compatCarrier: new CompatCarrier(relay, this.#transport),
            presentedChain: (signal) => this.#transport.presentedChain(relay, signal),
          }),
      hop: path && ((signal) => path.hop(signal)),
      helloKey: path?.helloKey,
      prepare: path && ((signal) => assertHops(client, signal)),
      datagramCarrier: (offers) =>
        this.#datagramCarrier(new QuicDatagramCarrier(relay, { ca, proxy, addresses }), offers),
      identity,
      name,
      metadata,
      ttl,
      sessionWait: options.sessionWait,
      portNumbers: { tcp: options.tcpPort, udp: options.udpPort },
      group,
      certificates,
      services,
      probe:
        probe === false
          ? undefined
          : { ...(probe === true ? {} : probe), connect: (url, signal) => openProbeConnection(url, dialing, signal) },
    });
    this.#healthCheck = new HealthCheck({
      times: options.times,
      ask: (timeoutMs, signal) => client.getHealth({ timeoutMs, signal }),
      onChange: (isAlive) => {
        if (!isAlive) {
          const way = path ? ' through the other relays of the path' : '';
          this.#status({ state: 'relay_silent', message: `${relay.host} no longer answers${way}` });
          // What has lost its lease there learns of it now.
          path?.renewNow();
        }
        this.#look();
      },
    });
    this.released = new Promise((resolve) => (this.#release = resolve));
    this.#report();
    if (path) this.#reportPath(path);
    this.gone = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#run());
  }

  get url(): string {
    return this.#relay.origin;
  }

  /** Whether visitors are served. */
  get isUp(): boolean {
    return this.#isUp;
  }

  get hasServed(): boolean {
    return this.#hasServed;
  }

  /** Time of the last change between serving and not, by `performance.now()`. */
  get since(): number {
    return this.#since;
  }

  /** Of a path, the relay that has refused the tunnel, once this is gone. */
  get refusedBy(): string | undefined {
    return this.#refusedBy;
  }

  /** Of a path, the first relay from the last to the entry that does not answer. */
  async silentRelay(signal: AbortSignal): Promise<URL | undefined> {
    return await this.#options.path?.silent((timeoutMs) => this.#client.getHealth({ timeoutMs, signal }), signal);
  }

  /** @see RelayLink.certificateLife */
  get certificateLife(): CertificateLife | undefined {
    return this.#link.certificateLife;
  }

  get liveConnections(): number {
    return this.#link.liveConnections;
  }

  /** Whether to run health checks. */
  set isWatched(isWatched: boolean) {
    this.#isWatched = isWatched;
    this.#look();
  }

  /**
   * Releases the lease, lets live connections finish, and closes. Another call can shorten the grace.
   * @param graceMs milliseconds; `closeGraceMs` by default
   */
  leave(graceMs = this.#graceMs): void {
    this.#graceMs = Math.min(this.#graceMs, graceMs);
    this.#leaving.abort();
    this.#look();
    if (graceMs <= 0) this.#hurry?.();
  }

  async #run(): Promise<Error | undefined> {
    let error: Error | undefined;
    const left = this.#leaveWhenAsked();
    try {
      if (!this.#leaving.signal.aborted) {
        this.#status({ state: 'connecting', message: `connecting to ${this.#relay.host}` });
        await Promise.all([this.#link.run(), this.#options.path?.run(this.#leaving.signal)]);
      }
    } catch (thrown) {
      error = thrown as Error;
      if (error instanceof PathError) this.#refusedBy = error.relay.origin;
    }
    this.leave();
    await left;
    await this.#transport.close();
    this.#isServing = false;
    this.#look();
    error = this.#interception ?? error;
    this.emit('gone', error);
    return error;
  }

  /** Waits for `leave()`, then releases the lease and waits for live connections, at most for the grace. */
  async #leaveWhenAsked(): Promise<void> {
    const { signal } = this.#leaving;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    const hurried = new Promise<void>((resolve) => (this.#hurry = resolve));
    const left = this.#link.leave().then(this.#release);
    if (this.#graceMs > 0) await Promise.race([left, hurried]);
    const timer = setTimeout(() => this.#hurry?.(), this.#graceMs);
    await Promise.race([this.#link.drained(), hurried]);
    clearTimeout(timer);
    this.#link.destroyConnections();
    await this.#link.drained();
    this.#release();
    // Live connections come by the last of them.
    await this.#options.path?.leave();
  }

  #carrier(relay: URL, transport: RelayTransport): Carrier {
    const { carrier, services, unwrap = true } = this.#options;
    const raw = new RawCarrier(relay, transport, { unwrap: unwrap && services.tcp === undefined });
    const webSocket = new WebSocketCarrier(relay, transport);
    if (carrier === 'raw') return raw;
    if (carrier === 'ws') return webSocket;
    return new AutoCarrier(raw, webSocket, (reason) => {
      this.#status({
        state: 'carrier_changed',
        message: `falling back to WebSocket: ${reason.message}`,
        error: reason,
      });
    });
  }

  #datagramCarrier(quic: DatagramCarrier, offers: (carrier: string) => boolean): DatagramCarrier {
    const webSocket = new WebSocketDatagramCarrier(this.#relay, this.#transport);
    const { udpCarrier, times } = this.#options;
    if (udpCarrier === 'quic') return quic;
    if (udpCarrier === 'ws') return webSocket;
    const isOffered = () => offers(quic.name);
    const onChange = (message: string, error?: Error) => this.#status({ state: 'carrier_changed', message, error });
    return new AutoDatagramCarrier(webSocket, quic, isOffered, onChange, times);
  }

  #report(): void {
    const link = this.#link;
    link.on('registered', ({ hostname }) => this.#status({ state: 'registered', message: `registered ${hostname}` }));
    link.on('online', (registration) => {
      const urls = urlsOf(registration, this.#options.services);
      this.#isServing = true;
      this.#look();
      const ready = { url: urls[0] as string, urls, hostname: registration.hostname, relay: this.url };
      if (link.isCompat) this.#status({ state: 'compat', message: compatWarning });
      this.emit('ready', link.isCompat ? { ...ready, compat: compatWarning } : ready);
    });
    link.on('lost', ({ hostname }, error) => {
      this.#isServing = false;
      this.#look();
      this.#status({ state: 'lease_lost', message: `the lease on ${hostname} is lost: ${error.message}`, error });
    });
    link.on('without', (protocol, error) =>
      this.#status({
        state: 'port_lost',
        message: `continuing without a ${protocol.toUpperCase()} port: ${error.message}`,
        error,
      }),
    );
    link.on('waiting', (call, error, retryInMs) => {
      // Without a renewal the lease lasts for a while; without sessions no visitor is served.
      if (call === 'connect') this.#isServing = false;
      this.#look();
      this.#status(waitingStatus(call, error, retryInMs));
    });
    link.on('connection', (report) => this.emit('connection', report));
    link.on('latency', (ms) => this.emit('latency', { relay: this.url, ms }));
    link.on('probe', (report) => {
      this.emit('probe', report);
      if (this.#options.banMitm !== true || report.result !== 'mismatch') return;
      // No grace for live connections: they are intercepted.
      this.#interception = report.error;
      link.destroyConnections();
      this.leave();
    });
  }

  #reportPath(path: RelayPath): void {
    const tell = (relay: URL, status: TunnelStatus) => this.emit('status', { ...status, relay: relay.origin });
    path.on('registered', (relay) => tell(relay, { state: 'registered', message: `a hop at ${relay.host}` }));
    path.on('lost', (relay, error) =>
      tell(relay, { state: 'lease_lost', message: `the hop at ${relay.host} is lost: ${error.message}`, error }),
    );
    path.on('waiting', (relay, call, error, retryInMs) => tell(relay, waitingStatus(call, error, retryInMs)));
  }

  #look(): void {
    if (this.#isWatched && this.#isServing && !this.#leaving.signal.aborted) this.#healthCheck.start();
    else this.#healthCheck.stop();
    const isUp = this.#isServing && this.#healthCheck.isAlive && !this.#leaving.signal.aborted;
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    this.#hasServed ||= isUp;
    this.#since = performance.now();
    this.emit('changed');
  }

  #status(status: TunnelStatus): void {
    this.emit('status', { ...status, relay: this.url });
  }
}

/** Passes on what a member tells, but for its visitors' connections. */
export function tellOf(member: RelayMember, to: EventEmitter<RelaySetEvents>): void {
  member.on('status', (status) => to.emit('status', status));
  member.on('ready', (ready) => to.emit('ready', ready));
  member.on('probe', (report) => to.emit('probe', report));
  member.on('latency', (latency) => to.emit('latency', latency));
}

/** The public addresses that were asked for. */
function urlsOf({ url, tcpAddress, udpAddress, udpCount }: Registration, services: LinkServices): string[] {
  return [
    ...(services.https ? [url] : []),
    ...(tcpAddress === undefined ? [] : [`tcp://${tcpAddress}`]),
    ...(udpAddress === undefined ? [] : [`udp://${withPorts(udpAddress, udpCount)}`]),
  ];
}

/** `host:20017`, or `host:20017-20019`. */
function withPorts(address: string, count: number): string {
  const at = address.lastIndexOf(':') + 1;
  return address.slice(0, at) + describeBlock({ first: Number(address.slice(at)), count });
}

function waitingStatus(call: LeaseCall, error: Error, retryInMs: number): TunnelStatus {
  const when = `again in ${(retryInMs / 1000).toFixed(1)} s`;
  if (call === 'connect' && error instanceof ApiError && error.code === 'lease_rejected') {
    return {
      state: 'awaiting_approval',
      message: `the relay's operator has yet to approve this name; asking ${when}`,
      error,
      retryInMs,
    };
  }
  return { state: 'retrying', message: `${error.message}; trying ${when}`, error, retryInMs };
}

/** Of the certificates of members that serve. */
export function firstToEnd(members: readonly RelayMember[]): CertificateLife | undefined {
  const lives = members.flatMap(({ isUp, certificateLife }) => (isUp && certificateLife ? [certificateLife] : []));
  return lives.sort((a, b) => a.until - b.until)[0];
}
