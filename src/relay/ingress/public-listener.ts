import { type Server, type Socket, createServer } from 'node:net';
import type { ClientHello } from '../../tls/codec/messages.js';
import { guard } from '../../util/boundary.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import { readClientHello, refuse } from './read-client-hello.js';
import type { OutcomeObserver } from './connection-outcome.js';
import type { OfflinePage } from './offline-page.js';
import type { Routing } from './routing.js';
import type { VisitorForwarder } from './visitor-forwarder.js';
import { type PublicConnections, type Visitor, publicTcpOptions } from './public-connections.js';

/** ALPN of the challenge `tls-alpn-01` (RFC 8737). */
const acmeProtocol = 'acme-tls/1';
const tls13 = 0x0304;
/** Public connections whose ClientHello is still awaited, by source address and in all. */
export const maxHelloWaitsPerSource = 256;

export interface PublicListenerOptions {
  /** Names that are routed to the API: the root host and those added by the operator. */
  apiHosts: ReadonlySet<string>;
  routing: Pick<Routing, 'leaseAt'>;
  /**
   * Takes over a connection to the API, starting at its ClientHello.
   * @param onReverseSession called when it becomes a reverse session: its lease's limits apply then, not its source's
   */
  toApi(socket: Socket, visitor: Visitor, hello: ClientHello, onReverseSession: () => void): void;
  onOutcome?: OutcomeObserver | undefined;
  /** A visitor of a tenant speaks TLS 1.2 at most, which tunnels do not. */
  onOldTls?: (() => void) | undefined;
  /** Present when visitors of names that nobody serves get a page. */
  offlinePage?: OfflinePage | undefined;
}

/** The public port: routes each TLS connection by the name in its ClientHello, and never answers a tenant's handshake. */
export class PublicListener {
  readonly #server: Server;
  /** Connections whose ClientHello is awaited, by source. */
  readonly #awaited = new ConcurrencyLimiter(maxHelloWaitsPerSource);

  constructor(
    private readonly options: PublicListenerOptions,
    private readonly connections: PublicConnections,
    private readonly forwarder: VisitorForwarder,
  ) {
    this.#server = createServer(
      publicTcpOptions,
      guard(
        'public connection',
        (socket: Socket) => this.serve(socket),
        (socket) => socket.destroy(),
      ),
    );
    // For example EMFILE, which is temporary.
    this.#server.on('error', () => {});
  }

  get server(): Server {
    return this.#server;
  }

  /** Stops listening. Settles when its connections are closed too, which their owner does. */
  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Serves a connection, from its first byte on. */
  async serve(socket: Socket): Promise<void> {
    const visitor = await this.connections.admit(socket);
    if (!visitor) return;
    const hello = await this.#hello(socket, visitor.source);
    if (hello === 'too many') return;
    if (!hello) return this.options.onOutcome?.('no_client_hello');
    const hostname = hello.serverName?.toLowerCase();
    if (hostname !== undefined && this.options.apiHosts.has(hostname)) {
      this.options.onOutcome?.('api');
      return this.options.toApi(socket, visitor, hello, visitor.uncount);
    }
    const lease = hostname === undefined ? undefined : this.options.routing.leaseAt(hostname);
    if (!lease) {
      this.options.onOutcome?.('unknown_name');
      return this.#dismiss(socket, visitor, hostname, 'unrecognized_name');
    }
    if (!hello.supportedVersions.includes(tls13)) this.options.onOldTls?.();
    // Whoever passes this challenge gets a certificate for the name.
    if (!lease.ownCertificate && hello.alpn?.includes(acmeProtocol)) {
      this.options.onOutcome?.('acme_refused');
      return refuse(socket, 'no_application_protocol');
    }
    const arrival = { socket, addresses: visitor.addresses, clientHello: hello.raw };
    const joined = await this.forwarder.forward(arrival, lease);
    if (joined || socket.destroyed) return;
    this.#dismiss(socket, visitor, lease.ownCertificate ? undefined : hostname, 'internal_error');
  }

  /** Nobody serves the name: a page says so, where there is one and the relay may speak for the name. */
  #dismiss(socket: Socket, visitor: Visitor, hostname: string | undefined, alert: Parameters<typeof refuse>[1]): void {
    const { offlinePage } = this.options;
    const isShown =
      hostname !== undefined && offlinePage?.covers(hostname) && offlinePage.serve(socket, visitor.source);
    if (!isShown) refuse(socket, alert);
  }

  /** Reads the ClientHello, unless too many are awaited already. */
  async #hello(socket: Socket, source: string): Promise<ClientHello | 'too many' | undefined> {
    if (!this.#awaited.add(source)) return this.connections.refusePending(socket);
    try {
      return await this.connections.awaiting(socket, source, () => readClientHello(socket));
    } finally {
      this.#awaited.remove(source);
    }
  }
}
