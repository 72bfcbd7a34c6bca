import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { guard } from '../util/boundary.js';

/** Size limit of a message, in both directions. */
export const maxWebSocketMessageBytes = 1 << 20;
const maxSentMessageBytes = 1 << 16;
/** Deadline of the closing handshake (RFC 6455 7.1.1). */
const closeTimeoutMs = 2_000;
const nothing = Buffer.alloc(0);
const unsupportedData = 1003;
/** Bytes accepted while no data is expected: room for control frames. */
const maxIdleBytes = 4_096;

/** A stream that can be told to expect no data for a while, and then buffers almost nothing. */
export interface Quietable {
  quiet: boolean;
}

/**
 * A byte stream over an open WebSocket: binary messages whose boundaries mean nothing. An empty message ends its
 * direction only. Backpressure works both ways. If the WebSocket closes before both directions ended, the stream
 * fails with ERR_STREAM_PREMATURE_CLOSE.
 */
export class WebSocketStream extends Duplex implements Quietable {
  readonly #socket: WebSocket;
  readonly #connection: Duplex;
  #ended = false;
  #quiet = false;
  /** Bytes of the incomplete message. */
  #partialBytes = 0;

  /** @param the underlying connection */
  constructor(socket: WebSocket, connection: Duplex) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#connection = connection;
    socket.binaryType = 'nodebuffer';
    socket.on('message', this.#onMessage);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onError);
  }

  /** Messages are buffered until complete: an unfinished one of 1 MiB would be held while the session waits. */
  set quiet(isQuiet: boolean) {
    if (isQuiet === this.#quiet) return;
    this.#quiet = isQuiet;
    this.#partialBytes = 0;
    const change = isQuiet ? 'on' : 'off';
    this.#connection[change]('data', this.#onBytes);
    this.#socket[change]('ping', this.#onControl)[change]('pong', this.#onControl);
  }

  get quiet(): boolean {
    return this.#quiet;
  }

  readonly #onBytes = (chunk: Buffer): void => {
    this.#partialBytes += chunk.length;
    if (this.#partialBytes > maxIdleBytes) this.destroy(new Error('bytes before the session was claimed'));
  };

  readonly #onControl = (): void => {
    this.#partialBytes = 0;
  };

  readonly #onMessage = guard(
    'websocket message',
    (data: RawData, isBinary: boolean): void => {
      if (!isBinary || this.#ended) {
        this.#socket.close(unsupportedData);
        this.destroy(new Error(isBinary ? 'a message after the end' : 'a text message'));
        return;
      }
      const bytes = data as Buffer;
      if (bytes.length === 0) {
        this.#ended = true;
        this.push(null);
      } else if (!this.push(bytes)) this.#socket.pause();
    },
    () => this.destroy(),
  );

  readonly #onClose = (): void => {
    // Both directions have ended; unread data can still be read.
    if (this.#ended && this.writableFinished) return;
    this.destroy(Object.assign(new Error('the WebSocket was cut'), { code: 'ERR_STREAM_PREMATURE_CLOSE' }));
  };

  readonly #onError = (error: Error): void => {
    this.destroy(error);
  };

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let at = 0;
    for (; at + maxSentMessageBytes < chunk.length; at += maxSentMessageBytes) {
      this.#socket.send(chunk.subarray(at, at + maxSentMessageBytes), { binary: true });
    }
    this.#socket.send(at === 0 ? chunk : chunk.subarray(at), { binary: true }, (error) => done(error));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.send(nothing, { binary: true }, (error) => done(error));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const socket = this.#socket;
    this.quiet = false;
    socket.off('message', this.#onMessage).off('close', this.#onClose).off('error', this.#onError);
    socket.on('error', () => undefined);
    if (socket.readyState === socket.CLOSED) return done(error);
    if (error || !this.readableEnded || !this.writableFinished) socket.terminate();
    else {
      const timer = setTimeout(() => socket.terminate(), closeTimeoutMs);
      socket.once('close', () => clearTimeout(timer));
      socket.resume();
      socket.close(1000);
    }
    done(error);
  }
}
