import { once } from 'node:events';
import { type IncomingMessage, type RequestListener, ServerResponse, createServer } from 'node:http';
import type { ListenOptions, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket, createSecureContext, createServer as createTlsServer } from 'node:tls';
import { ApiError } from '../../../contract/index.js';
import { normalizeIp } from '../../../net/ip-address.js';
import type { ListeningSockets } from '../../../net/listening-sockets.js';
import { guard, repeat } from '../../../util/boundary.js';
import { DetachableSocket } from '../../../unwrap/detachable-socket.js';
import { reverseProtocol } from '../../../protocol/headers.js';
import type { Certificate } from '../../certs/certificate.js';
import { maxRequestHeadBytes, requestHeadTimeoutMs } from './request-head.js';
import { relayKeepAliveMs } from '../../../net/tcp-keepalive.js';
import { sourceOf } from '../../../net/source-network.js';
import { ConcurrencyLimiter } from '../../../util/concurrency-limiter.js';
import type { ClientAddresses } from '../middleware/client-address.js';
import type { ConnectEndpoint, Wrapped } from './connect.js';
import { closeSoon, refuseWith } from './raw-responses.js';
import { peekRequest } from './request-head.js';

const requestTimeoutMs = 30_000;
/** How long a peer may take to read a response, whose unread rest is held in memory. */
const responseTimeoutMs = 20_000;
/** A connection without requests is kept for this long: tunnels ask for signatures now and then, and each new one is a handshake. */
const keepAliveTimeoutMs = 60_000;
/** How often the two deadlines above are checked. */
const requestCheckIntervalMs = 2_000;
const tlsHandshakeTimeoutMs = 10_000;
/** How long calls may take to be answered once another process takes over: new ones wait for it meanwhile. */
const releaseTimeoutMs = 1_000;
/** A tunnel needs a few to register, sign and open sessions, however low the limit of connections. */
export const minApiConnectionsPerSource = 16;
const maxApiConnections = 100_000;

const connectPath = /^\/sdk\/connect(?:\?|$)/;

/** Facts about a connection that was accepted elsewhere. */
export interface AcceptedConnection {
  /** The client's address, where the connection comes from a balancer. */
  passedOnFor?: string | undefined;
  /** ALPN protocols of its ClientHello. */
  alpn?: readonly string[] | undefined;
  /** Called when the connection has become a reverse session. */
  onReverseSession(): void;
}

/**
 * The HTTPS listener of the API: TLS by the relay's own certificate, HTTP/1.1 only, and the switch to raw bytes for
 * reverse sessions. Connections to the root host that arrive on the public port join by `accept`.
 */
export class ApiListener {
  readonly #http;
  readonly #tls;
  /** TCP connections, from before their handshake on. */
  readonly #open = new Set<Socket>();
  /** Connections to the API's own port that are not reverse sessions, or not yet. */
  readonly #bySource: ConcurrencyLimiter;
  /** The last response not done yet of each connection that HTTP serves. */
  readonly #answering = new Map<Duplex, ServerResponse>();
  /** Responses written to the connection that the peer has not read, and since when. */
  readonly #unread = new WeakMap<ServerResponse, number>();
  #sweeper: NodeJS.Timeout | undefined;
  #isReleased = false;
  /** Keyed by the connection's addresses and ports, since TLS wraps each socket in another. */
  readonly #arrivals = new Map<string, AcceptedConnection>();
  /** Connections that may be unwrapped (TLS taken off). */
  readonly #wrapped = new WeakMap<Duplex, Wrapped & { arrival: AcceptedConnection }>();
  /** TCP connections of these. */
  readonly #wrappedSockets = new WeakSet<Socket>();
  #unwrappable: SecureContext;

  constructor(
    app: RequestListener,
    certificate: Certificate,
    private readonly connect: ConnectEndpoint,
    private readonly addresses: ClientAddresses,
    maxConnectionsPerSource: number,
  ) {
    this.#bySource = new ConcurrencyLimiter(maxConnectionsPerSource);
    const limits = {
      maxHeaderSize: maxRequestHeadBytes,
      headersTimeout: requestHeadTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: requestCheckIntervalMs,
      // Node would answer a missing Host itself, without an envelope; nothing here depends on Host.
      requireHostHeader: false,
    };
    this.#http = createServer(limits);
    const answer = guard(
      'api request',
      (request: IncomingMessage, response: ServerResponse) => this.#answer(app, request, response),
      ({ socket }) => socket.destroy(),
    );
    this.#http.on('request', answer);
    // An expectation may be ignored (RFC 9110 10.1.1); Node's own refusal would be no envelope.
    this.#http.on('checkExpectation', answer);
    this.#http.on(
      'upgrade',
      guard(
        'api upgrade',
        (request: IncomingMessage, socket: Duplex, rest: Buffer) => this.#upgrade(app, request, socket, rest),
        (_request, socket) => socket.destroy(),
      ),
    );
    this.#http.on(
      'connect',
      guard(
        'api CONNECT request',
        (request: IncomingMessage, socket: Duplex) =>
          this.#refuseAfterAnswers(request, socket, new ApiError('invalid_request', 'CONNECT is not supported')),
        (_request, socket) => socket.destroy(),
      ),
    );
    this.#http.on(
      'clientError',
      guard(
        'api client error',
        (error: NodeJS.ErrnoException, socket: Duplex) => {
          // Nothing may be written between the parts of an unfinished response.
          if (socket.writable && !this.#answering.has(socket)) refuseWith(socket, malformed(error));
          else socket.destroy();
        },
        (_error, socket) => socket.destroy(),
      ),
    );
    this.#unwrappable = unwrappableContext(certificate);
    this.#tls = createTlsServer({
      ...secureContext(certificate),
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: tlsHandshakeTimeoutMs,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: relayKeepAliveMs,
    });
    // A client that leaves in the middle of its handshake goes unnoticed on half-open sockets until the handshake's deadline.
    this.#tls.on(
      'connection',
      guard(
        'api connection',
        (socket: Socket) => this.#admit(socket),
        (socket) => socket.destroy(),
      ),
    );
    this.#tls.on('secureConnection', this.#serveGuarded);
    // For example EMFILE, which is temporary.
    this.#tls.on('error', () => {});
    this.#tls.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  get server() {
    return this.#tls;
  }

  /** Listens, and keeps deadlines from now on. @throws the system's error when the port cannot be bound */
  async start(sockets: ListeningSockets, options: ListenOptions): Promise<void> {
    // This server never listens itself, but Node enforces its deadlines only after `listening`.
    this.#http.emit('listening');
    this.#sweeper = repeat('response sweep', () => this.#sweep(performance.now()), requestCheckIntervalMs);
    await sockets.listen(this.#tls, options);
  }

  /** Uses another certificate for new handshakes. */
  setCertificate(certificate: Certificate): void {
    this.#tls.setSecureContext(secureContext(certificate));
    this.#unwrappable = unwrappableContext(certificate);
  }

  /** Serves a connection accepted elsewhere, from its ClientHello on. */
  accept(socket: Socket, arrival: AcceptedConnection): void {
    if (arrival.alpn?.includes(reverseProtocol)) return this.#acceptUnwrappable(socket, arrival);
    const ends = endsOf(socket);
    this.#arrivals.set(ends, arrival);
    socket.once('close', () => this.#arrivals.delete(ends));
    this.#tls.emit('connection', socket);
  }

  /**
   * Stops listening, and answers what was asked, for a bounded time; what is open then and no reverse session is closed.
   * Those stay.
   */
  async release(): Promise<void> {
    this.#tls.close();
    this.#isReleased = true;
    this.#http.closeIdleConnections();
    const enough = new AbortController();
    const deadline = setTimeout(() => enough.abort(), releaseTimeoutMs);
    const answers = [...this.#answering.values()].map((answer) => once(answer, 'close', { signal: enough.signal }));
    await Promise.allSettled(answers);
    clearTimeout(deadline);
    this.#http.closeAllConnections();
  }

  /** Stops listening and closes all connections, reverse sessions included. */
  async stop(): Promise<void> {
    clearInterval(this.#sweeper);
    const closed = new Promise((resolve) => this.#tls.close(resolve));
    this.#http.close();
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  #admit(socket: Socket): boolean {
    const hasRoom = this.#open.size < maxApiConnections && this.#count(socket);
    if (!hasRoom) socket.destroy();
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return hasRoom;
  }

  /** Counts a connection to the API's own port by its source; others were counted where they came in. */
  #count(socket: Socket): boolean {
    const ends = endsOf(socket);
    const ip = normalizeIp(socket.remoteAddress);
    if (this.#wrappedSockets.has(socket) || this.#arrivals.has(ends) || this.addresses.isProxy(ip)) return true;
    const source = sourceOf(ip);
    if (!this.#bySource.add(source)) return false;
    let isCounted = true;
    const uncount = () => {
      if (isCounted) this.#bySource.remove(source);
      isCounted = false;
    };
    // From then on the lease's limits apply.
    this.#arrivals.set(ends, { onReverseSession: uncount });
    socket.once('close', () => {
      uncount();
      this.#arrivals.delete(ends);
    });
    return true;
  }

  /** Closes connections whose peer does not read its response, since the unread rest is held in memory. */
  #sweep(now: number): void {
    for (const [socket, response] of this.#answering) {
      if (!response.writableEnded) continue;
      const since = this.#unread.get(response);
      if (since === undefined) this.#unread.set(response, now);
      else if (now - since > responseTimeoutMs) socket.destroy();
    }
  }

  /** TLS that is not tied to its socket, which costs more and is only for sessions. */
  #acceptUnwrappable(socket: Socket, arrival: AcceptedConnection): void {
    this.#wrappedSockets.add(socket);
    if (!this.#admit(socket)) return;
    const transport = new DetachableSocket(socket);
    const tls = new TLSSocket(transport, {
      isServer: true,
      secureContext: this.#unwrappable,
      ALPNProtocols: [reverseProtocol],
    });
    const deadline = setTimeout(() => tls.destroy(), tlsHandshakeTimeoutMs);
    tls.once('close', () => clearTimeout(deadline));
    tls.on('error', () => tls.destroy());
    // Behind the handshake Node makes an `error` of what is wrong with TLS only on sockets that a tls.Server has made.
    tls.on('_tlsError', () => tls.destroy());
    tls.once('secure', () => {
      clearTimeout(deadline);
      this.#wrapped.set(tls, { tls, transport, arrival });
      this.addresses.note(tls, arrival.passedOnFor ?? normalizeIp(socket.remoteAddress));
      this.#serveGuarded(tls);
    });
  }

  readonly #serveGuarded = guard(
    'api connection',
    (socket: TLSSocket) => this.#serve(socket),
    (socket) => socket.destroy(),
  );

  async #serve(socket: TLSSocket): Promise<void> {
    socket.on('error', () => socket.destroy());
    // A connection with something between TLS and TCP has no known addresses, so every connection is recorded.
    const passedOnFor = this.#wrapped.has(socket) ? undefined : this.#arrivals.get(endsOf(socket))?.passedOnFor;
    if (passedOnFor !== undefined) this.addresses.note(socket, passedOnFor);
    const found = await peekRequest(socket);
    if (found === 'gone') socket.destroy();
    else if (found === 'http2') refuseWith(socket, new ApiError('http11_only', 'only HTTP/1.1 is supported'));
    else if (found === 'other') {
      this.#http.emit('connection', socket);
      process.nextTick(() => socket.resume());
    } else if (await this.connect.plain(socket, found, this.#wrapped.get(socket))) this.#becameSession(socket);
  }

  #becameSession(socket: Socket): void {
    const wrapped = this.#wrapped.get(socket);
    if (wrapped) return wrapped.arrival.onReverseSession();
    const ends = endsOf(socket);
    this.#arrivals.get(ends)?.onReverseSession();
    this.#arrivals.delete(ends);
  }

  #answer(app: RequestListener, request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (this.#isReleased) response.setHeader('Connection', 'close');
    this.#answering.set(socket, response);
    // Refused before its body arrived: Node would otherwise read the body until the request's deadline, whatever its
    // size.
    response.once('finish', () => {
      if (!request.complete) closeSoon(socket);
    });
    response.once('close', () => {
      if (this.#answering.get(socket) === response) this.#answering.delete(socket);
    });
    app(request, response);
  }

  /** Refuses an upgrade after the responses before it: responses go out in the order of their requests. */
  #refuseAfterAnswers(_request: IncomingMessage, socket: Duplex, error: ApiError): void {
    const earlier = this.#answering.get(socket);
    if (earlier) earlier.once('close', () => refuseWith(socket, error));
    else refuseWith(socket, error);
  }

  async #upgrade(app: RequestListener, request: IncomingMessage, socket: Duplex, rest: Buffer): Promise<void> {
    // A connection cannot be switched while a response to an earlier request is still to be written to it.
    if (this.#answering.has(socket)) {
      const early = new ApiError('invalid_request', 'an upgrade must wait for the answers to the requests before it');
      return this.#refuseAfterAnswers(request, socket, early);
    }
    if (request.method === 'GET' && connectPath.test(request.url ?? '')) {
      const isSession = await this.connect.upgrade(socket, request, rest, this.#wrapped.get(socket));
      if (isSession) this.#becameSession(request.socket);
      return;
    }
    // RFC 9110 7.8: a server may ignore Upgrade. Node has parsed the request but let go of the connection, so the
    // answer is its last.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once('finish', () => closeSoon(socket));
    app(request, response);
  }
}

/** The addresses and ports of both ends identify an open connection. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(' ');
}

function secureContext(certificate: Certificate) {
  return { cert: certificate.chainPem, key: certificate.keyPem };
}

/** For a client that offers `reverseProtocol`, which implies TLS 1.3. */
function unwrappableContext(certificate: Certificate): SecureContext {
  return createSecureContext({ ...secureContext(certificate), minVersion: 'TLSv1.3' });
}

function malformed(error: NodeJS.ErrnoException): ApiError {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    return new ApiError('invalid_request', `the request head is longer than ${maxRequestHeadBytes} bytes`, {
      status: 413,
    });
  }
  return new ApiError('invalid_request', 'the request is not HTTP/1.1, or did not arrive in time');
}
