import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { FramedChannel } from '../../streams/framed-channel.js';
import type { Quietable } from '../../streams/websocket-stream.js';
import { repeat } from '../../util/boundary.js';
import { marker } from '../../protocol/session-opening.js';
import { UnwrappedSession } from '../../unwrap/unwrapped-session.js';

export const keepaliveIntervalMs = 15_000;

export interface ReverseSessionOptions {
  /** The tunnel sent `X-Portal-Binding: 1`: 16 bytes follow `0x02`. */
  binding: boolean;
  /** The tunnel sent `X-Portal-Proxy: 2`: a PROXY protocol v2 header comes before the visitor's bytes. */
  proxy: boolean;
  /** The tunnel sent `X-Portal-Recycle: 1`: the session serves several connections in turn, in frames. */
  recycle: boolean;
  /** The tunnel sent `X-Portal-Unwrap: 1`, and its lease lets it: the session may be unwrapped (TLS taken off). */
  unwrap: boolean;
  /** The tunnel sent `X-Portal-Sign: 1`: it requests signatures inside the session. */
  sign: boolean;
}

const keepalive = Buffer.from([marker.keepalive]);

/**
 * A connection opened by a tunnel that waits to be claimed. While it waits, the relay sends periodic keepalive bytes;
 * the tunnel must send nothing, so any byte, an end or a TCP timeout ends the session. Emits `gone` once if it ends
 * unclaimed, or `recycled` when its claimed connection is over and the stream can wait again as a new session.
 */
export class ReverseSession extends EventEmitter<{ gone: []; recycled: [] }> {
  readonly #keepalive: NodeJS.Timeout;
  #waiting = true;

  constructor(
    readonly stream: Duplex,
    readonly options: ReverseSessionOptions,
    /** The tunnel's client address when the session was opened. */
    readonly from: string,
    /** The tunnel, of those that share the lease. */
    readonly member?: string,
    /** Takes up a stream that continues this session, after `detach`. */
    readonly reopen: (stream: Duplex) => void = (stream) => stream.destroy(),
  ) {
    super();
    stream.on('error', this.#drop);
    stream.on('close', this.#drop);
    stream.on('end', this.#drop);
    // boundary: it ends this session, and cannot throw.
    stream.on('data', this.#drop);
    (stream as Partial<Quietable>).quiet = true;
    // Keep reading, or the end of the connection would go unnoticed.
    stream.resume();
    const keepAlive = () => {
      // The last keepalive is still buffered: the peer is not reading.
      if (stream.writableLength > 0) this.#drop();
      else stream.write(keepalive);
    };
    this.#keepalive = repeat('session keepalive', keepAlive, keepaliveIntervalMs);
  }

  /**
   * Claims the session.
   * @param opening the opening that is sent to the tunnel (docs/protocol.md)
   * @param sign answers the tunnel's signing message
   * @returns the stream of the connection, paused
   */
  claim(opening: Buffer, sign?: (message: Buffer) => Buffer): Duplex {
    this.#settle();
    this.stream.pause();
    // Corked so that the first bytes of the connection go out with the opening.
    this.stream.cork();
    this.stream.write(opening);
    setImmediate(() => this.stream.uncork());
    if (!this.options.recycle) return this.stream;
    const onOver = (isFree: boolean) => void (isFree && this.emit('recycled'));
    const onSigning = sign && this.options.sign ? (message: Buffer) => channel.sendSigning(sign(message)) : undefined;
    const channel = new FramedChannel(this.stream, onOver, onSigning);
    return channel;
  }

  /**
   * Gives the connection to another owner while it waits.
   * @param duplicate makes a second file descriptor, or throws
   * @returns undefined when that is not possible now
   */
  detach(duplicate: (fd: number) => number): ReturnType<UnwrappedSession['detach']> {
    if (!this.#waiting || !(this.stream instanceof UnwrappedSession)) return undefined;
    const detached = this.stream.detach(duplicate);
    if (detached) this.#settle();
    return detached;
  }

  close(): void {
    this.#drop();
  }

  /** Destroys the session in any state, with its claimed connection. */
  destroy(): void {
    this.#drop();
    this.stream.destroy();
  }

  readonly #drop = (): void => {
    if (!this.#waiting) return;
    this.#settle();
    this.stream.on('error', () => {});
    this.stream.destroy();
    this.emit('gone');
  };

  #settle(): void {
    this.#waiting = false;
    clearInterval(this.#keepalive);
    (this.stream as Partial<Quietable>).quiet = false;
    for (const event of ['error', 'close', 'end', 'data']) this.stream.off(event, this.#drop);
  }
}
