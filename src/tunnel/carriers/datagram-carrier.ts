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

/** One way to carry datagrams between this tunnel and a relay. */
export interface DatagramCarrier {
  /** As the relay lists it in `transports`. */
  readonly name: string;
  /** @throws ApiError when the relay refuses; NetworkError; AnswerError; the signal's reason when aborted */
  dial(request: DatagramDialRequest): Promise<DatagramChannel>;
  /**
   * While a channel from `dial` serves: opens a better one as soon as there is one to be had. The relay closes the other then.
   * @throws Error soon after the channel was closed, when there is no better one; the signal's reason when aborted
   */
  improve?(channel: DatagramChannel, request: DatagramDialRequest): Promise<DatagramChannel>;
}

/** Datagrams as messages of a WebSocket: for every tunnel, whatever lies in between. */
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
