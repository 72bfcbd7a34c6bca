import type { Duplex } from 'node:stream';
import type { RelayTransport } from '../sdk/relay-transport.js';
import { WebSocketStream, maxWebSocketMessageBytes } from '../streams/websocket-stream.js';
import type { Carrier, DialRequest } from './carrier.js';
import { dialRelay } from './dial.js';
import { openWebSocket } from './open-websocket.js';

/** The WebSocket carrier: the same bytes as binary messages, for proxies that pass nothing else. */
export class WebSocketCarrier implements Carrier {
  readonly name = 'websocket';

  constructor(
    private readonly relay: URL,
    private readonly transport: RelayTransport,
  ) {}

  async dial({ accessToken, signal }: DialRequest): Promise<Duplex> {
    const request = {
      relay: this.relay,
      accessToken,
      protocol: 'portal.reverse',
      maxMessageBytes: maxWebSocketMessageBytes,
    };
    return await dialRelay(this.relay, this.transport, signal, async (socket) =>
      new WebSocketStream(await openWebSocket(socket, request)).on('error', () => undefined),
    );
  }
}
