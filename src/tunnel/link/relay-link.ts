import { EventEmitter, once, setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import { ApiError } from '../../contract/errors.js';
import type { PortalClient } from '../../sdk/calls/client.js';
import { withDeadline } from '../../sdk/calls/deadline.js';
import type { Identity } from '../../sdk/identity/identity.js';
import {
  LeaseKeeper,
  type LeaseKeeperOptions,
  type Metadata,
  type Registration,
} from '../../sdk/lease/lease-keeper.js';
import { retryDecision, type LeaseCall } from '../../sdk/lease/retry-policy.js';
import { plaintextAlertRecord, type SignRequest, TicketKeys } from '../../tls/index.js';
import type { Carrier } from '../carriers/carrier.js';
import type { ClaimedSession } from './read-opening.js';
import type { DatagramCarrier } from '../carriers/datagram-carrier.js';
import { DatagramLink } from '../carriers/datagram-link.js';
import { type CertificateLife, Keyless, lifeOf, type RelayCertificate } from './keyless.js';
import { assertCompat, compatStatement } from './compat.js';
import { unseal } from './unseal.js';
import type { LocalService } from '../services/local-service.js';
import { type ProbeReport, type ProbeTimes, SelfProbe } from './self-probe.js';
import type { Endpoint } from '../../protocol/proxy-protocol.js';
import { SessionPool } from './session-pool.js';
import { acceptVisitor, acmeProtocol, signLocally } from './tenant-connection.js';
import type { OwnCertificate, OwnCertificates } from '../certificates/own-certificate.js';
import type { UdpService } from '../services/udp/udp-service.js';
import { type Way, Ways } from './ways.js';
import type { ProbeConnection } from './probe-connection.js';

/**
 * Most concurrent connections; past it no sessions are opened, so connections wait at the relay. Each takes two
 * sockets.
 */
const maxLiveConnections = 1_000;
/** In a group: how long no connections are taken after one whose service did not respond. */
const unavailablePauseMs = 5_000;
/** Deadline for the renewal that confirms a mismatch; past it the mismatch is dropped. */
const probeConfirmTimeoutMs = 30_000;

export interface RelayLinkOptions {
  client: PortalClient;
  carrier: Carrier;
  /** For relays of earlier releases; without it they are refused. */
  compatCarrier?: Carrier | undefined;
  /** @see KeylessOptions */
  presentedChain?: ((signal: AbortSignal) => Promise<Buffer[]>) | undefined;
  /** @param offers whether the relay offers a carrier */
  datagramCarrier(offers: (carrier: string) => boolean): DatagramCarrier;
  identity: Identity;
  name: string;
  metadata?: Metadata | undefined;
  ttl?: number | undefined;
  sessionWait?: number | undefined;
  portNumbers?: LeaseKeeperOptions['portNumbers'];
  /** Name of the group of tunnels that share the lease. */
  group?: string | undefined;
  /** Present when TLS ends with certificates of the tunnel's own. */
  certificates?: OwnCertificates | undefined;
  /** As for `LeaseKeeper`: the relay is the entry of a path. */
  hop?: LeaseKeeperOptions['hop'];
  /** Opens what visitors send first, where the entry of a path has sealed it. */
  helloKey?: Buffer | undefined;
  /** Checked before each registration, besides what the service needs. */
  prepare?: LeaseKeeperOptions['prepare'] | undefined;
  /** The service for each kind of traffic; at least one. */
  services: LinkServices;
  /** Settings of the self-probe; absent for none. */
  probe?: (ProbeTimes & { connect(url: URL, signal: AbortSignal): Promise<ProbeConnection> }) | undefined;
}

export interface LinkServices {
  /** Service for connections to the public name, whose TLS is terminated here. */
  https?: LocalService;
  /** Service for connections to the public TCP port. */
  tcp?: LocalService;
  /** Service for datagrams of the public UDP port. */
  udp?: UdpService;
}

/** The result of one public connection. */
export interface ConnectionReport {
  hostname: string;
  /** Whether it came by the public name or the public TCP port. */
  transport: 'https' | 'tcp';
  /** The client's address as reported by the relay; absent if unknown. */
  visitor?: Endpoint | undefined;
  /** Whether the TLS session was resumed, without a signature; undefined when the handshake failed. */
  resumed?: boolean;
  /** Bytes from the client, and to it. */
  received: number;
  sent: number;
  durationMs: number;
  /** The service did not respond, and the client was told so. */
  unavailable?: true;
  /** The client's address is not allowed, and the client was told so. */
  refused?: true;
  /** The error, if it did not end regularly. */
  error?: Error;
}

export interface RelayLinkEvents {
  registered: [registration: Registration];
  /** The first session of a registration is open: the tunnel is online. */
  online: [registration: Registration];
  lost: [registration: Registration, error: Error];
  waiting: [call: LeaseCall, error: Error, delayMs: number];
  /** The relay has turned off a kind of port: the lease continues without it. */
  without: [protocol: 'tcp' | 'udp', error: Error];
  connection: [report: ConnectionReport];
  /** How long the relay took to answer a call, in milliseconds. */
  latency: [ms: number];
  probe: [report: ProbeReport];
}

/** A service's connection to one relay: its lease, its reverse sessions and the public connections in them. */
export class RelayLink extends EventEmitter<RelayLinkEvents> {
  readonly #options: RelayLinkOptions;
  readonly #keeper: LeaseKeeper;
  readonly #keyless: Keyless;
  readonly #datagramCarrier: DatagramCarrier;
  readonly #tickets = new TicketKeys();
  /** Aborted to end the lease and the opening of sessions. */
  readonly #leave = new AbortController();
  /** Aborted to end live connections. */
  readonly #cut = new AbortController();
  readonly #live = new Set<Promise<void>>();
  readonly #probe: SelfProbe<Registration> | undefined;
  #pool: SessionPool | undefined;
  #datagrams: DatagramLink | undefined;

  constructor(options: RelayLinkOptions) {
    super();
    this.#options = options;
    // One listener per connection.
    setMaxListeners(0, this.#cut.signal);
    const { client, identity, name, metadata, ttl, portNumbers = {}, group, services, probe } = options;
    this.#keyless = new Keyless(client, {
      isNeeded: services.https !== undefined && options.certificates === undefined,
      presentedChain: options.presentedChain,
    });
    this.#datagramCarrier = options.datagramCarrier((carrier) => this.#keyless.offers(carrier));
    this.#keeper = new LeaseKeeper({
      client,
      identity,
      name,
      metadata,
      ttl,
      sessionWait: options.sessionWait,
      portNumbers,
      udpCount: services.udp?.target.count,
      group,
      ownCertificate: options.certificates !== undefined,
      ports: { tcp: services.tcp !== undefined, udp: services.udp !== undefined },
      isEnough: ({ tcp, udp }) => services.https !== undefined || tcp || udp,
      hop: options.hop,
      prepare: async (signal) => {
        await options.prepare?.(signal);
        await this.#keyless.refresh(this.#carrierName, signal);
        if (this.#keyless.isCompat) assertCompat(options);
      },
      signInStatement: () => (this.#keyless.isCompat ? compatStatement : undefined),
    });
    if (probe !== undefined && services.https !== undefined) {
      this.#probe = new SelfProbe<Registration>({
        ...probe,
        isShared: group !== undefined,
        target: () => (this.#live.size < maxLiveConnections ? this.#keeper.current : undefined),
        confirm: (registration, signal) => this.#confirm(registration, signal),
        report: (report) => this.emit('probe', report),
      });
    }
    this.#keeper.on('registered', (registration) => {
      this.emit('registered', registration);
      this.#open(registration);
    });
    this.#keeper.on('renewed', () => {
      // A failed refresh is harmless: the current chain remains in use until the next renewal.
      this.#keyless.refresh(this.#carrierName, this.#leave.signal).catch(() => undefined);
    });
    this.#keeper.on('latency', (ms) => this.emit('latency', ms));
    this.#keeper.on('lost', (registration, error) => {
      this.#close();
      this.emit('lost', registration, error);
    });
    this.#keeper.on('without', (protocol, error) => this.emit('without', protocol, error));
    this.#keeper.on('waiting', (call, error, delayMs) => this.emit('waiting', call, error, delayMs));
  }

  /** Life of the certificate that visitors see; undefined while there is none. */
  get certificateLife(): CertificateLife | undefined {
    const { current } = this.#keeper;
    const own = current && this.#ownCertificate(current);
    if (!own) return this.#keyless.life;
    return own.current && lifeOf(own.current.leaf);
  }

  /** Whether the relay is of an earlier release. */
  get isCompat(): boolean {
    return this.#keyless.isCompat;
  }

  get liveConnections(): number {
    return this.#live.size;
  }

  /**
   * Serves until `leave`.
   * @throws the fatal error; live connections continue until they end or are `cut`
   */
  async run(): Promise<void> {
    const { services, group } = this.#options;
    const upstreams = [services.https, services.tcp].flatMap((service) => service?.upstreams ?? []);
    // Visitors are better served by the other tunnels of the group meanwhile.
    const pause = () => this.#pool?.pause(unavailablePauseMs);
    if (group !== undefined) for (const upstream of upstreams) upstream.setMaxListeners(0).on('missed', pause);
    try {
      await this.#keeper.run(this.#leave.signal);
    } finally {
      for (const upstream of upstreams) upstream.off('missed', pause);
      this.#probe?.stop();
      this.#close();
    }
  }

  /** Unregisters the lease and closes idle sessions. Live connections continue. */
  async leave(): Promise<void> {
    this.#leave.abort(new Error('the tunnel closes'));
    this.#probe?.stop();
    // Unregister first, so that the relay stops routing before the sessions are closed.
    await this.#keeper.unregister();
    this.#close();
  }

  /** Settles when no connection is left. */
  async drained(): Promise<void> {
    while (this.#live.size > 0) await Promise.all(this.#live);
  }

  /** Ends live connections at once. */
  destroyConnections(): void {
    this.#cut.abort(new Error('the tunnel closes'));
  }

  /** The carrier that the relay must offer. */
  get #carrierName(): string {
    return this.#takesConnections ? this.#options.carrier.name : this.#datagramCarrier.name;
  }

  get #takesConnections(): boolean {
    const { https, tcp } = this.#options.services;
    return https !== undefined || tcp !== undefined;
  }

  /** Opens the ways of a registration; it is online once all are open. */
  #open(registration: Registration): void {
    this.#close();
    const { udp } = this.#options.services;
    const wanted: Way[] = [];
    if (this.#takesConnections) wanted.push('sessions');
    if (udp && registration.udpAddress !== undefined) wanted.push('datagrams');
    const ways = new Ways(wanted, {
      onOpened: () => this.#keeper.accepted(registration),
      onOnline: () => this.#online(registration),
      onRefused: (error) => this.#keeper.refused(registration, 'connect', error),
      // Connecting is refused before approval and after a ban: a renewal tells which.
      onRejected: () => this.#keeper.renewNow(),
      onWaiting: (error, delayMs) => this.emit('waiting', 'connect', error, delayMs),
    });
    if (wanted.includes('sessions')) this.#openSessions(registration, ways);
    if (udp && wanted.includes('datagrams')) this.#openDatagrams(registration, udp, ways);
  }

  /** With a certificate of its own the tunnel is online once it has that: to get it, the name must be routed. */
  #online(registration: Registration): void {
    const own = this.#ownCertificate(registration);
    if (!own) {
      this.emit('online', registration);
      return;
    }
    // boundary: cannot throw.
    const whenThere = () => {
      if (this.#keeper.current === registration) this.emit('online', registration);
    };
    if (own.current) whenThere();
    else own.once('changed', whenThere);
    this.#options.certificates?.serve(registration.hostname);
  }

  #ownCertificate({ hostname }: Registration): OwnCertificate | undefined {
    return this.#options.services.https && this.#options.certificates?.at(hostname);
  }

  #openSessions(registration: Registration, ways: Ways): void {
    const { carrier: usual, compatCarrier = usual } = this.#options;
    const carrier = this.#keyless.isCompat ? compatCarrier : usual;
    this.#pool = new SessionPool({
      ...ways.listeners('sessions'),
      dial: (signal) => carrier.dial({ accessToken: registration.accessToken, signal }),
      onClaim: (claim) => {
        const served = this.#serve(claim, registration).finally(() => {
          this.#live.delete(served);
          if (this.#live.size === maxLiveConnections - 1) this.#pool?.fill();
        });
        this.#live.add(served);
      },
      hasRoom: () => this.#live.size < maxLiveConnections,
    });
    this.#pool.start();
  }

  #openDatagrams(registration: Registration, udp: UdpService, ways: Ways): void {
    const carrier = this.#datagramCarrier;
    const publicPort = Number(new URL(registration.url).port) || 443;
    const request = (signal: AbortSignal) => ({
      // An upgrade attempt may outlive its token.
      get accessToken() {
        return registration.accessToken;
      },
      publicPort,
      signal,
    });
    this.#datagrams = new DatagramLink({
      ...ways.listeners('datagrams'),
      dial: (signal) => carrier.dial(request(signal)),
      improve: carrier.improve && ((channel, signal) => carrier.improve!(channel, request(signal))),
      serve: (channel) => udp.serve(channel),
    });
    this.#datagrams.start();
  }

  #close(): void {
    this.#pool?.stop();
    this.#datagrams?.stop();
  }

  async #serve(claim: ClaimedSession, registration: Registration): Promise<void> {
    const startedAt = performance.now();
    const report: ConnectionReport = {
      hostname: registration.hostname,
      transport: claim.kind === 'rawTcp' ? 'tcp' : 'https',
      visitor: claim.addresses?.source,
      received: 0,
      sent: 0,
      durationMs: 0,
    };
    // An error before the caller has added its own listener; the caller then finds the stream closed.
    claim.stream.on('error', () => undefined);
    const cut = () => claim.stream.destroy();
    this.#cut.signal.addEventListener('abort', cut, { once: true });
    let isVisitor = true;
    try {
      this.#cut.signal.throwIfAborted();
      if (claim.kind === 'rawTcp') await this.#serveTcp(claim, report);
      else isVisitor = await this.#serveTls(claim, registration, report);
    } catch (error) {
      report.error = error as Error;
      claim.stream.destroy();
    } finally {
      this.#cut.signal.removeEventListener('abort', cut);
    }
    if (!isVisitor) return;
    report.durationMs = performance.now() - startedAt;
    this.emit('connection', report);
  }

  async #serveTcp({ stream, addresses }: ClaimedSession, report: ConnectionReport): Promise<void> {
    const { tcp } = this.#options.services;
    if (tcp === undefined) throw new Error('the relay sent a visitor of a TCP port, and none was asked for');
    Object.assign(report, await tcp.serve(stream, { addresses }, this.#cut.signal));
  }

  /** @returns false when the connection was a probe */
  async #serveTls(
    { stream: session, addresses, signing, binding }: ClaimedSession,
    registration: Registration,
    report: ConnectionReport,
  ): Promise<boolean> {
    const { https } = this.#options.services;
    if (https === undefined) {
      report.error = new Error('a visitor of the public name, where nothing is served');
      await dismiss(session, plaintextAlertRecord('unrecognized_name'));
      return true;
    }
    const own = this.#ownCertificate(registration);
    const credentials = own?.current;
    const certificate = own ? credentials : this.#keyless.certificate;
    /** For sessions that started during a probe. */
    let exporter: string | undefined;
    let visitor: Duplex | undefined;
    try {
      if (this.#options.helloKey) await unseal(session, this.#options.helloKey);
      const accepted = await acceptVisitor(session, {
        hostname: registration.hostname,
        certificate,
        challenge: own?.challenge,
        // With a certificate that tenants share, h2 would let browsers send one tenant's requests to another.
        alpn: own && https.takesRequests ? ['h2', 'http/1.1'] : ['http/1.1'],
        tickets: this.#tickets,
        sign: (request) =>
          credentials
            ? signLocally(credentials, request)
            : this.#sign(registration, this.#keyless.certificate, request, { binding, signing }),
        onKeys: (keys) => (exporter = this.#probe?.witness(keys)),
      });
      visitor = accepted;
      if (this.#probe?.isOwn(exporter) === true || accepted.alpnProtocol === acmeProtocol) {
        await dismiss(accepted);
        return false;
      }
      // A man in the middle connects during the probe; that must not count as traffic.
      if (exporter === undefined) this.#probe?.onVisitor();
      report.resumed = accepted.resumed;
      Object.assign(
        report,
        await https.serve(
          accepted,
          { addresses, hostname: registration.hostname, protocol: accepted.alpnProtocol },
          this.#cut.signal,
        ),
      );
    } catch (error) {
      report.error = error as Error;
      (visitor ?? session).destroy();
    }
    return this.#probe?.isOwn(exporter) !== true;
  }

  /**
   * A relay that renews the lease confirms that no other tunnel has the name. A relay that refuses loses the tunnel,
   * so it cannot refuse just to disturb the probe.
   */
  async #confirm(registration: Registration, signal: AbortSignal): Promise<void> {
    const expired = () => new Error('the relay does not renew the lease meanwhile');
    await withDeadline(probeConfirmTimeoutMs, signal, expired, async (confirmSignal) => {
      if (this.#keeper.current !== registration) throw new Error('the lease was lost meanwhile');
      const askedAt = performance.now();
      this.#keeper.renewNow();
      // A renewal already in progress would confirm an earlier state.
      do await once(this.#keeper, 'renewed', { signal: confirmSignal });
      while (registration.grantedAtTick < askedAt);
      if (this.#keeper.current !== registration) throw new Error('the lease was lost meanwhile');
    });
  }

  async #sign(
    registration: Registration,
    certificate: RelayCertificate,
    request: SignRequest,
    { binding, signing }: Pick<ClaimedSession, 'binding' | 'signing'>,
  ): Promise<Buffer> {
    try {
      if (signing) return await signing.sign(request, request.signal);
      return await this.#keyless.sign(registration.accessToken, certificate, { ...request, binding });
    } catch (error) {
      if (error instanceof ApiError) {
        // The chain may have changed. This handshake has failed: its binding is spent.
        if (error.code === 'invalid_request') {
          this.#keyless.refreshAfterRefusal(this.#carrierName, this.#leave.signal).catch(() => undefined);
        } else if (retryDecision(error, 'sign', true).do !== 'wait') {
          this.#keeper.refused(registration, 'sign', error);
        }
      }
      throw error;
    }
  }
}

/** Closes a public connection, after a last message if there is one. */
async function dismiss(visitor: Duplex, lastWords?: Buffer): Promise<void> {
  visitor.on('error', () => undefined).resume();
  const closed = new Promise((resolve) => visitor.once('close', resolve));
  visitor.end(lastWords, () => visitor.destroy());
  await closed;
}
