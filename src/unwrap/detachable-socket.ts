import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

type Callback = (error?: Error | null) => void;

function ignore(): void {}

/**
 * A TCP connection for TLS to run over, which can be had back when TLS has done its part: Node's TLS does not release
 * a socket that it was given itself.
 */
export class DetachableSocket extends Duplex {
  readonly #socket: Socket;
  #detached = false;

  constructor(socket: Socket) {
    super({ allowHalfOpen: true });
    // TLS on top tells of it by itself, unless it is gone.
    this.on('error', ignore);
    this.#socket = socket;
    // boundary: push() does not throw, and its readers have boundaries of their own.
    socket.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose);
    socket.pause();
  }

  /** From here on TLS is given nothing more of what comes: it stays for whoever takes the connection back. */
  hold(): void {
    this.#socket.off('data', this.#onData).off('end', this.#onEnd);
    this.#socket.pause();
  }

  /** The connection without TLS, paused. What is destroyed from here on leaves it alone. */
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
    // What has come may still be read when both directions have ended.
    if (!this.#socket.readableEnded || !this.writableFinished) this.destroy();
  };
}
