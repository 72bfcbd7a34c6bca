import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { maxFrameBytes } from '../protocol/datagram-frame.js';
import { guard, repeat } from '../util/boundary.js';
import type { DatagramChannel, DatagramChannelEvents } from './datagram-channel.js';
import { DatagramQueue } from './datagram-queue.js';

/** Most bytes in the socket's write buffer; past it datagrams wait here. */
const maxInFlightBytes = 65_536;
const unsupportedData = 1003;

export interface ChannelTimes {
  /** A ping is sent at this interval, in milliseconds; a peer that misses two is gone. Absent: the peer pings. */
  pingMs?: number;
  /** Idle timeout in milliseconds. */
  silenceMs: number;
}

/** The carrier that works everywhere: a WebSocket with one datagram per binary message. */
export class WebSocketDatagrams extends EventEmitter<DatagramChannelEvents> implements DatagramChannel {
  readonly maxBytes = maxFrameBytes;
  /** It accepts every UDP datagram. */
  readonly oversized = 0;
  readonly #socket: WebSocket;
  readonly #connection: Duplex;
  readonly #waiting = new DatagramQueue();
  #inFlightBytes = 0;
  #corked = false;
  #heardAt = performance.now();
  readonly #watch: NodeJS.Timeout;
  readonly #ping: NodeJS.Timeout | undefined;

  /**
   * @param socket open, with `maxFrameBytes` as its message limit
   * @param the underlying connection
   */
  constructor(socket: WebSocket, connection: Duplex, { pingMs, silenceMs }: ChannelTimes) {
    super();
    this.#socket = socket;
    this.#connection = connection;
    socket.binaryType = 'nodebuffer';
    const onMessage = (data: RawData, isBinary: boolean) => {
      this.#heard();
      if (isBinary) this.emit('datagram', data as Buffer);
      else socket.close(unsupportedData);
    };
    socket.on(
      'message',
      guard('websocket datagram', onMessage, () => socket.terminate()),
    );
    socket.on('ping', () => this.#heard()).on('pong', () => this.#heard());
    let failure: Error | undefined;
    socket.on('error', (error) => (failure = error));
    socket.once('close', () => {
      clearInterval(this.#watch);
      clearInterval(this.#ping);
      this.#waiting.clear();
      this.emit('closed', failure);
    });
    const check = () => {
      if (performance.now() - this.#heardAt <= silenceMs) return;
      failure ??= new Error('the datagram carrier fell silent');
      socket.terminate();
    };
    this.#watch = repeat('datagram carrier check', check, silenceMs / 4);
    if (pingMs !== undefined) this.#ping = repeat('datagram carrier ping', () => socket.ping(), pingMs);
  }

  get dropped(): number {
    return this.#waiting.dropped;
  }

  send(datagram: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#inFlightBytes < maxInFlightBytes) this.#write(datagram);
    else this.#waiting.add(datagram);
  }

  close(): void {
    this.#socket.terminate();
  }

  #heard(): void {
    this.#heardAt = performance.now();
  }

  #write(datagram: Buffer): void {
    // Datagrams of one turn of the event loop leave in one TLS record.
    if (!this.#corked) {
      this.#corked = true;
      this.#connection.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#connection.uncork();
      });
    }
    const { length } = datagram;
    this.#inFlightBytes += length;
    this.#socket.send(datagram, { binary: true }, () => {
      this.#inFlightBytes -= length;
      while (this.#inFlightBytes < maxInFlightBytes) {
        const next = this.#waiting.take();
        if (!next) break;
        this.#write(next);
      }
    });
  }
}
