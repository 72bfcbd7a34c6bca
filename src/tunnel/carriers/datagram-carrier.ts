import type { RelayTransport } from '../../sdk/transport/relay-transport.js';
import { WebSocketDatagrams } from '../../streams/websocket-datagrams.js';
import type { DatagramChannel } from '../../streams/datagram-channel.js';
import { maxFrameBytes } from '../../protocol/datagram-frame.js';
import type { DialRequest } from './carrier.js';
import { sessionSilenceMs } from './carrier.js';
import { dialRelay } from './dial.js';
import { openWebSocket } from './open-websocket.js';

export interface DatagramDialRequest extends DialRequest {
  /** The relay's public port. */
  publicPort: number;
}

/** A way to carry datagrams between this tunnel and a relay. */
export interface DatagramCarrier {
  /** Its name in the relay's `transports`. */
  readonly name: string;
  /** @throws ApiError when the relay refuses; NetworkError; AnswerError; the signal's reason when aborted */
  dial(request: DatagramDialRequest): Promise<DatagramChannel>;
  /**
   * While a channel from `dial` is in use: opens a better one as soon as possible. The relay then closes the other.
   * @throws Error soon after the channel was closed, if there is no better one; the signal's reason when aborted
   */
  improve?(channel: DatagramChannel, request: DatagramDialRequest): Promise<DatagramChannel>;
}

/** Datagrams as WebSocket messages: works for every tunnel, whatever the network between. */
export class WebSocketDatagramCarrier implements DatagramCarrier {
  readonly name = 'datagram-websocket';

  constructor(
    private readonly relay: URL,
    private readonly transport: RelayTransport,
  ) {}

  async dial({ accessToken, signal }: DatagramDialRequest): Promise<DatagramChannel> {
    const request = {
      relay: this.relay,
      accessToken,
      protocol: 'portal.datagram',
      maxMessageBytes: maxFrameBytes,
    };
    const connect = (dialSignal: AbortSignal) => this.transport.connect(this.relay, dialSignal);
    return await dialRelay(connect, this.relay, signal, async (socket) => {
      const { webSocket } = await openWebSocket(socket, request);
      return new WebSocketDatagrams(webSocket, socket, { silenceMs: sessionSilenceMs });
    });
  }
}
