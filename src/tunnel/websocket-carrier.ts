import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { AnswerError, asNetworkError } from '../sdk/errors.js';
import type { RelayTransport } from '../sdk/relay-transport.js';
import { WebSocketStream, maxWebSocketMessageBytes } from '../streams/websocket-stream.js';
import type { Carrier, DialRequest } from './carrier.js';
import { tcpKeepAliveMs } from './constants.js';
import { dialRelay, readRefusal, sessionHeaders } from './dial.js';

const protocol = 'portal.reverse';

/** The WebSocket carrier: the same bytes as binary messages, for proxies that pass nothing else. */
export class WebSocketCarrier implements Carrier {
  readonly name = 'websocket';

  constructor(
    private readonly relay: URL,
    private readonly transport: RelayTransport,
  ) {}

  async dial({ accessToken, signal }: DialRequest): Promise<Duplex> {
    return await dialRelay(this.relay, this.transport, signal, (socket) => this.#open(socket, accessToken));
  }

  #open(socket: TLSSocket, accessToken: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const opening = new WebSocket(new URL('/sdk/connect', this.relay), [protocol], {
        createConnection: () => socket,
        headers: sessionHeaders(accessToken),
        maxPayload: maxWebSocketMessageBytes,
        perMessageDeflate: false,
        followRedirects: false,
      });
      opening.on('error', (error) => reject(asNetworkError(error, this.relay.host)));
      opening.once('unexpected-response', (_request, response) => {
        readRefusal(response).then(reject, reject);
      });
      opening.once('open', () => {
        if (opening.protocol !== protocol) {
          reject(new AnswerError('the relay chose another subprotocol', 101));
          return;
        }
        socket.setKeepAlive(true, tcpKeepAliveMs);
        resolve(new WebSocketStream(opening).on('error', () => undefined));
      });
    });
  }
}
