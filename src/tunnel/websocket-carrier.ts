import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { AnswerError, asNetworkError } from '../sdk/errors.js';
import type { RelayTransport } from '../sdk/relay-transport.js';
import { WebSocketStream, maxWebSocketMessageBytes } from '../streams/websocket-stream.js';
import type { Carrier, DialRequest, OpenedSession } from './carrier.js';
import { tcpKeepAliveMs } from './constants.js';
import { dialRelay, readRefusal, recycles, sessionHeaders } from './dial.js';

const protocol = 'portal.reverse';

/** The WebSocket carrier: the same bytes as binary messages, for proxies that pass nothing else. */
export class WebSocketCarrier implements Carrier {
  readonly name = 'websocket';

  constructor(
    private readonly relay: URL,
    private readonly transport: RelayTransport,
  ) {}

  async dial({ accessToken, signal }: DialRequest): Promise<OpenedSession> {
    return await dialRelay(this.relay, this.transport, signal, (socket) => this.#open(socket, accessToken));
  }

  #open(socket: TLSSocket, accessToken: string): Promise<OpenedSession> {
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
      let isRecycled = false;
      opening.once('upgrade', (response) => (isRecycled = recycles(response)));
      opening.once('open', () => {
        if (opening.protocol !== protocol) {
          reject(new AnswerError('the relay chose another subprotocol', 101));
          return;
        }
        socket.setKeepAlive(true, tcpKeepAliveMs);
        resolve({ stream: new WebSocketStream(opening).on('error', () => undefined), recycles: isRecycled });
      });
    });
  }
}
