import type { RelayTransport } from '../../sdk/transport/relay-transport.js';
import { WebSocketStream, maxWebSocketMessageBytes } from '../../streams/websocket-stream.js';
import type { Carrier, DialRequest, OpenedSession } from './carrier.js';
import { dialRelay } from './dial.js';
import { openWebSocket } from './open-websocket.js';

/** The WebSocket carrier: the same bytes as binary messages, for proxies that allow nothing else. */
export class WebSocketCarrier implements Carrier {
  readonly name = 'websocket';

  constructor(
    private readonly relay: URL,
    private readonly transport: RelayTransport,
  ) {}

  async dial({ accessToken, signal }: DialRequest): Promise<OpenedSession> {
    const request = {
      relay: this.relay,
      accessToken,
      protocol: 'portal.reverse',
      maxMessageBytes: maxWebSocketMessageBytes,
    };
    const connect = (dialSignal: AbortSignal) => this.transport.connect(this.relay, dialSignal);
    return await dialRelay(connect, this.relay, signal, async (socket) => {
      const { webSocket, terms } = await openWebSocket(socket, request);
      return { stream: new WebSocketStream(webSocket, socket).on('error', () => undefined), ...terms };
    });
  }
}
