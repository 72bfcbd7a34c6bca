import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

type Callback = (error?: Error | null) => void;

function ignore(): void {}

/**
 * A TCP connection for TLS to run over that can be taken back afterwards: Node's TLS never releases a socket that it
 * was given directly.
 */
export class DetachableSocket extends Duplex {
  readonly #socket: Socket;
  #detached = false;

  constructor(socket: Socket) {
    super({ allowHalfOpen: true });
    // TLS on top reports it itself, unless it is closed.
    this.on('error', ignore);
    this.#socket = socket;
    // boundary: push() does not throw, and its readers have their own boundaries.
    socket.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose);
    socket.pause();
  }

  /** From here on no more bytes go to TLS: they stay for the caller that takes the connection back. */
  hold(): void {
    this.#socket.off('data', this.#onData).off('end', this.#onEnd);
    this.#socket.pause();
  }

  /** The connection without TLS, paused. Destroying this stream no longer affects it. */
  detach(): Socket {
    this.hold();
    this.#detached = true;
    this.#socket.off('error', this.#onError).off('close', this.#onClose);
    return this.#socket;
  }

  override _read(): void {
    if (this.#socket.listenerCount('data') > 0) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    if (this.#detached) done();
    else this.#socket.write(chunk, done);
  }

  override _writev(writes: { chunk: Buffer }[], done: Callback): void {
    this._write(Buffer.concat(writes.map(({ chunk }) => chunk)), 'utf8', done);
  }

  override _final(done: Callback): void {
    if (this.#detached) done();
    else this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: Callback): void {
    if (!this.#detached) this.#socket.destroy();
    done(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (!this.push(chunk)) this.#socket.pause();
  };
  readonly #onEnd = (): void => void this.push(null);
  readonly #onError = (error: Error): void => void this.destroy(error);
  readonly #onClose = (): void => {
    // Received bytes may still be read after both directions have ended.
    if (!this.#socket.readableEnded || !this.writableFinished) this.destroy();
  };
}
