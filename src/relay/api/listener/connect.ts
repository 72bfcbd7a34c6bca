import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { WebSocketServer } from 'ws';
import { ApiError } from '../../../contract/index.js';
import { type ReverseSessionOptions, keepaliveIntervalMs } from '../../reverse/reverse-session.js';
import type { Datagrams } from '../../datagrams/datagrams.js';
import type { Logger } from '../../../util/logger.js';
import type { Admission, ConnectRequest, ReverseAdmission } from '../../reverse/admission.js';
import { WebSocketDatagrams } from '../../../streams/websocket-datagrams.js';
import { maxFrameBytes } from '../../../protocol/datagram-frame.js';
import { WebSocketStream, maxWebSocketMessageBytes } from '../../../streams/websocket-stream.js';
import type { DetachableSocket } from '../../../unwrap/detachable-socket.js';
import { unwrap } from '../../../unwrap/unwrap.js';
import type { AnswerObserver } from '../app.js';
import type { ClientAddresses } from '../middleware/client-address.js';
import { asApiError } from '../middleware/errors.js';
import { refuseWith } from './raw-responses.js';
import type { RequestHead } from './request-head.js';
import type { PeerConnections } from '../../ingress/peer-connections.js';
import { peerProtocol, portalHeaders, reverseProtocol } from '../../../protocol/headers.js';

/** Idle timeout of a carrier: its tunnel answers each ping of `keepaliveIntervalMs`. */
const datagramCarrierSilenceMs = 45_000;
/** Deadline from the response to the tunnel's first unwrapped byte. */
const unwrapTimeoutMs = 10_000;

const streamProtocol = 'portal.reverse';
const datagramProtocol = 'portal.datagram';
const bindingProtocol = 'portal.binding.1';
const tokenProtocol = 'portal.token.';
const switchedInPlace = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive';
const switchedProtocols = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${reverseProtocol}`;
const recycles = `${portalHeaders.recycle}: 1`;
const unwraps = `${portalHeaders.unwrap}: 1`;
const signs = `${portalHeaders.sign}: 1`;

/** The connection of a request, if it can be unwrapped. */
export interface Wrapped {
  tls: TLSSocket;
  transport: DetachableSocket;
}

/** Who takes over what is no reverse session. */
export interface ConnectOthers {
  datagrams: Datagrams;
  peers: PeerConnections;
}

/** `GET /sdk/connect`: from an HTTP request to a reverse session in its lease's queue. */
export class ConnectEndpoint {
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxWebSocketMessageBytes,
    // Select only this subprotocol: one of the others carries a browser's token.
    handleProtocols: () => streamProtocol,
  });
  readonly #datagramWebSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    handleProtocols: () => datagramProtocol,
  });
  readonly #peerWebSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxWebSocketMessageBytes,
    handleProtocols: () => peerProtocol,
  });

  /** WebSocket requests that are being switched. */
  readonly #admitted = new WeakMap<IncomingMessage, ReverseSessionOptions>();

  constructor(
    private readonly admission: ReverseAdmission,
    private readonly others: ConnectOthers,
    private readonly addresses: ClientAddresses,
    private readonly logger: Logger,
    private readonly onAnswer?: AnswerObserver,
  ) {
    this.#webSockets.on('headers', (headers, request) => {
      headers.push(...agreed(this.#admitted.get(request)));
    });
    // Not a valid WebSocket handshake (RFC 6455 4.2.1).
    for (const server of [this.#webSockets, this.#datagramWebSockets, this.#peerWebSockets]) {
      server.on('wsClientError', (error, socket) =>
        this.#refuse(socket, new ApiError('invalid_request', error.message)),
      );
    }
  }

  /**
   * The raw carrier: a plain GET, the first request of its connection. @returns whether it has become a reverse
   * session
   */
  async plain(socket: Socket, head: RequestHead, wrapped?: Wrapped): Promise<boolean> {
    const header = (name: string) => head.headers.get(name.toLowerCase());
    const clientIp = this.addresses.of(socket, header('x-forwarded-for'));
    const request = { httpVersion: head.version, clientIp, header };
    return await this.#open(socket, request, head.rest, switchedInPlace, wrapped);
  }

  /** `Upgrade: portal-reverse`, the raw carrier once more, or `websocket`. @returns as `plain`, for every carrier */
  async upgrade(socket: Duplex, message: IncomingMessage, rest: Buffer, wrapped?: Wrapped): Promise<boolean> {
    const header = (name: string) => message.headers[name.toLowerCase()] as string | undefined;
    const clientIp = this.addresses.of(message.socket, header('x-forwarded-for'));
    const request = { httpVersion: message.httpVersion, clientIp, header };
    const isWebSocket = header('upgrade')?.toLowerCase() === 'websocket';
    if (isWebSocket) return await this.#openWebSocket(socket, message, request, rest);
    return await this.#open(socket, request, rest, switchedProtocols, wrapped);
  }

  #refuse(socket: Duplex, thrown: unknown): void {
    const error = asApiError(thrown, this.logger);
    this.onAnswer?.('openReverseSession', error.code);
    refuseWith(socket, error);
  }

  async #openWebSocket(
    socket: Duplex,
    message: IncomingMessage,
    request: ConnectRequest,
    rest: Buffer,
  ): Promise<boolean> {
    let isOpen = false;
    try {
      const offered = (request.header('sec-websocket-protocol') ?? '').split(',').map((protocol) => protocol.trim());
      if (offered.includes(datagramProtocol)) {
        return await this.#openDatagrams(socket, message, withSubprotocols(request, offered), rest);
      }
      if (offered.includes(peerProtocol)) {
        return await this.#openPeer(socket, message, withSubprotocols(request, offered), rest);
      }
      if (!offered.includes(streamProtocol))
        throw new ApiError('invalid_request', `the subprotocol ${streamProtocol} must be offered`);
      const admission = await this.admission.admit(withSubprotocols(request, offered));
      if (socket.destroyed) return false;
      this.#admitted.set(message, admission.options);
      takeOver(() =>
        this.#webSockets.handleUpgrade(message, socket, rest, (opened) => {
          this.#enter(admission, new WebSocketStream(opened, socket));
          isOpen = true;
        }),
      );
    } catch (error) {
      this.#refuse(socket, error);
    }
    return isOpen;
  }

  /** @throws ApiError as `ReverseAdmission.admitDatagrams` */
  async #openDatagrams(
    socket: Duplex,
    message: IncomingMessage,
    request: ConnectRequest,
    rest: Buffer,
  ): Promise<boolean> {
    const sessions = await this.admission.admitDatagrams(request);
    let isOpen = false;
    if (socket.destroyed) return false;
    this.#datagramWebSockets.handleUpgrade(message, socket, rest, (opened) => {
      const times = { pingMs: keepaliveIntervalMs, silenceMs: datagramCarrierSilenceMs };
      this.others.datagrams.attach(sessions, new WebSocketDatagrams(opened, socket, times), request.clientIp);
      isOpen = true;
    });
    return isOpen;
  }

  /** @throws ApiError as `ReverseAdmission.admitPeer` and `PeerConnections.open` */
  async #openPeer(socket: Duplex, message: IncomingMessage, request: ConnectRequest, rest: Buffer): Promise<boolean> {
    const { sessions, relay } = await this.admission.admitPeer(request);
    const peer = await this.others.peers.open(sessions, relay);
    let isOpen = false;
    // The opening that fails leaves the other side behind.
    const leave = () => void (isOpen || peer.socket.destroy());
    socket.once('close', leave);
    if (socket.destroyed) {
      leave();
      return false;
    }
    this.#peerWebSockets.handleUpgrade(message, socket, rest, (opened) => {
      isOpen = true;
      peer.splice(new WebSocketStream(opened, socket), request.clientIp);
    });
    return isOpen;
  }

  async #open(
    socket: Duplex,
    request: ConnectRequest,
    rest: Buffer,
    answer: string,
    wrapped: Wrapped | undefined,
  ): Promise<boolean> {
    const upgrade = request.header('upgrade')?.toLowerCase();
    try {
      if (upgrade !== undefined && upgrade !== reverseProtocol)
        throw new ApiError('invalid_request', `Upgrade must be ${reverseProtocol} or websocket`);
      if (rest.length > 0)
        throw new ApiError('invalid_request', 'nothing may follow the request before it is answered');
      const admission = await this.admission.admit(request);
      if (socket.destroyed) return false;
      const { unwrap } = admission.options;
      const head = [answer, ...agreed(admission.options), ...(unwrap && wrapped ? [unwraps] : []), '\r\n'];
      if (unwrap && wrapped) return await this.#openUnwrapped(admission, wrapped, head.join('\r\n'));
      takeOver(() => socket.write(head.join('\r\n')));
      this.#enter(admission, socket);
      return true;
    } catch (error) {
      this.#refuse(socket, error);
      return false;
    }
  }

  /** What the tunnel sends once it has the answer comes without TLS. */
  async #openUnwrapped(admission: Admission, { tls, transport }: Wrapped, answer: string): Promise<boolean> {
    // It is ready only after the greeting, so its place in the queue is reserved.
    const release = admission.sessions.queue.hold(admission.member);
    try {
      transport.hold();
      await written(tls, answer);
      const stream = tls.destroyed
        ? undefined
        : await unwrap(tls, transport, 'relay', AbortSignal.timeout(unwrapTimeoutMs)).catch(() => undefined);
      if (stream) this.#enter(admission, stream);
      return stream !== undefined;
    } finally {
      release();
    }
  }

  #enter(admission: Admission, stream: Duplex): void {
    this.admission.enter(admission, stream);
    this.onAnswer?.('openReverseSession', 'ok');
    const { lease, ready } = admission.sessions;
    this.logger.debug({ hostname: lease.hostname, ready }, 'reverse session ready');
  }
}

/**
 * Settles when TCP has accepted the response or the connection is closed. Nothing is read meanwhile, so its end would
 * go unnoticed.
 */
async function written(tls: TLSSocket, answer: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const deadline = setTimeout(() => tls.destroy(), unwrapTimeoutMs);
    const settle = () => {
      clearTimeout(deadline);
      resolve();
    };
    tls.once('close', settle);
    takeOver(() => tls.write(answer, settle));
  });
}

/** The response headers of what the relay will do as requested. */
function agreed(options: ReverseSessionOptions | undefined): string[] {
  return [...(options?.recycle ? [recycles] : []), ...(options?.sign ? [signs] : [])];
}

/** @throws ApiError `hijack_failed` when the connection can no longer be switched */
function takeOver(switchOver: () => void): void {
  try {
    switchOver();
  } catch (cause) {
    throw new ApiError('hijack_failed', 'the connection could not be taken over', { cause });
  }
}

/**
 * A browser cannot set headers, so it sends the same values as subprotocols. Headers take precedence.
 * @throws ApiError `invalid_request` when token header and subprotocol differ
 */
function withSubprotocols(request: ConnectRequest, offered: string[]): ConnectRequest {
  const token = offered.find((protocol) => protocol.startsWith(tokenProtocol))?.slice(tokenProtocol.length);
  const inHeader = request.header(portalHeaders.accessToken);
  if (token && inHeader && token !== inHeader) {
    throw new ApiError('invalid_request', 'header and subprotocol carry different access tokens');
  }
  const said = new Map<string, string | undefined>([
    [portalHeaders.accessToken, token],
    [portalHeaders.binding, offered.includes(bindingProtocol) ? '1' : undefined],
  ]);
  return { ...request, header: (name) => request.header(name) ?? said.get(name) };
}
