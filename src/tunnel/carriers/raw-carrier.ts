import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { AnswerError, NetworkError, asNetworkError } from '../../sdk/calls/errors.js';
import type { RelayTransport } from '../../sdk/transport/relay-transport.js';
import { DetachableSocket } from '../../unwrap/detachable-socket.js';
import { unwrap } from '../../unwrap/unwrap.js';
import type { Carrier, DialRequest, OpenedSession } from './carrier.js';
import { tunnelKeepAliveMs } from '../../net/tcp-keepalive.js';
import { dialRelay, readRefusal, sessionHeaders, termsOf } from './dial.js';
import { portalHeaders, reverseProtocol } from '../../protocol/headers.js';

/** How long to keep TLS after unwrapping failed while a session with TLS succeeded. */
const staysWrappedMs = 600_000;

const maxHeadBytes = 16_384;

/** A session could not be unwrapped: something between terminates TLS, or the relay does not support it. */
class StaysWrapped extends Error {}

/**
 * The raw carrier by HTTP upgrade: after a 101, bytes directly over the TLS connection to the relay. If the relay
 * supports it and all content is already encrypted, TLS is taken off (unwrapped session).
 */
export class RawCarrier implements Carrier {
  readonly name = 'raw';
  /** End of the time in which TLS is kept, by the monotonic clock. */
  #wrappedUntil: number;

  /** @param unwrap whether sessions may be unwrapped: all their content is TLS */
  constructor(
    private readonly relay: URL,
    private readonly transport: RelayTransport,
    { unwrap }: { unwrap: boolean },
  ) {
    this.#wrappedUntil = unwrap ? 0 : Infinity;
  }

  async dial(request: DialRequest): Promise<OpenedSession> {
    if (performance.now() < this.#wrappedUntil) return await this.#dialWrapped(request);
    try {
      return await this.#dialUnwrapped(request);
    } catch (error) {
      if (!(error instanceof StaysWrapped)) throw error;
      // If that fails too, unwrapping was not the cause.
      const session = await this.#dialWrapped(request);
      this.#wrappedUntil = performance.now() + staysWrappedMs;
      return session;
    }
  }

  async #dialWrapped({ accessToken, signal }: DialRequest): Promise<OpenedSession> {
    const connect = (dialSignal: AbortSignal) => this.transport.connect(this.relay, dialSignal);
    return await dialRelay(connect, this.relay, signal, async (socket) => {
      const { response, stream } = await this.#upgrade(socket, sessionHeaders(accessToken));
      socket.setKeepAlive(true, tunnelKeepAliveMs);
      return { stream, ...termsOf(response) };
    });
  }

  async #dialUnwrapped({ accessToken, signal }: DialRequest): Promise<OpenedSession> {
    let transport: DetachableSocket | undefined;
    const over = (tcp: Socket) => {
      tcp.setNoDelay(true).setKeepAlive(true, tunnelKeepAliveMs);
      return (transport = new DetachableSocket(tcp));
    };
    const connect = (dialSignal: AbortSignal) =>
      this.transport.connectOver(this.relay, reverseProtocol, over, dialSignal).catch((error: unknown) => {
        // A middlebox may reject this ALPN offer.
        const isTls =
          transport && error instanceof NetworkError && error.reason !== 'certificate' && error.reason !== 'clock';
        throw isTls ? new StaysWrapped('the handshake failed', { cause: error }) : error;
      });
    const opened = dialRelay(connect, this.relay, signal, async (socket, dialSignal) => {
      if (socket.alpnProtocol !== reverseProtocol) throw new StaysWrapped('the relay does not know how');
      const headers = { ...sessionHeaders(accessToken), [portalHeaders.unwrap]: '1' };
      const { response, stream } = await this.#upgrade(socket, headers);
      if (response.headers[portalHeaders.unwrap.toLowerCase()] !== '1' || !transport)
        return { stream, ...termsOf(response) };
      const session = await unwrap(socket, transport, 'tunnel', dialSignal).catch((cause: unknown) => {
        dialSignal.throwIfAborted();
        throw new StaysWrapped('the relay is not at the other end of TLS', { cause });
      });
      return { ...termsOf(response), stream: session, recycles: true };
    });
    return await opened.catch((error: unknown) => {
      // Or drop it silently.
      const isDropped = transport && error instanceof NetworkError && error.reason === 'timeout';
      throw isDropped ? new StaysWrapped('nothing came back in time', { cause: error }) : error;
    });
  }

  #upgrade(socket: TLSSocket, headers: Record<string, string>): Promise<{ response: IncomingMessage; stream: Duplex }> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        path: '/sdk/connect',
        createConnection: () => socket,
        maxHeaderSize: maxHeadBytes,
        setHost: false,
        headers: { Host: this.relay.host, Connection: 'Upgrade', Upgrade: reverseProtocol, ...headers },
      });
      // boundary: cannot throw.
      request.once('upgrade', (response, upgraded, head) => {
        if (response.headers.upgrade?.toLowerCase() !== reverseProtocol) {
          reject(new AnswerError('the relay switched to another protocol', response.statusCode));
          return;
        }
        if (head.length > 0) upgraded.unshift(head);
        resolve({ response, stream: upgraded });
      });
      request.once('response', (response) => {
        readRefusal(response, this.relay.host).then(reject, reject);
      });
      request.on('error', (error) => reject(asNetworkError(error, this.relay.host)));
      request.end();
    });
  }
}
