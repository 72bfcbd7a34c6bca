import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { FramedChannel } from '../../streams/framed-channel.js';
import type { Quietable } from '../../streams/websocket-stream.js';
import { repeat } from '../../util/boundary.js';
import { marker } from '../../protocol/session-opening.js';

export const keepaliveIntervalMs = 15_000;

export interface ReverseSessionOptions {
  /** The tunnel sent `X-Portal-Binding: 1`: 16 bytes follow `0x02`. */
  binding: boolean;
  /** The tunnel sent `X-Portal-Proxy: 2`: a PROXY protocol v2 header comes before the visitor's bytes. */
  proxy: boolean;
  /** The tunnel sent `X-Portal-Recycle: 1`: connections come in frames, one after the other. */
  recycle: boolean;
  /** The tunnel sent `X-Portal-Unwrap: 1`, and its lease lets it: TLS may be taken off the connection. */
  unwrap: boolean;
}

const keepalive = Buffer.from([marker.keepalive]);

/**
 * A connection that a tunnel opened and that waits to be claimed. While it waits the relay sends a keepalive byte now
 * and then; a tunnel has nothing to say yet, so that its bytes, its end or its silence on the wire end the session.
 * Emits `gone` once, when it ended unclaimed, or `recycled` when the connection that it was claimed for is over and its stream
 * can wait again, as a session of its own.
 */
export class ReverseSession extends EventEmitter<{ gone: []; recycled: [] }> {
  readonly #keepalive: NodeJS.Timeout;
  #waiting = true;

  constructor(
    readonly stream: Duplex,
    readonly options: ReverseSessionOptions,
    /** Address of the tunnel, as it counted when the session was opened. */
    readonly from: string,
  ) {
    super();
    stream.on('error', this.#drop);
    stream.on('close', this.#drop);
    stream.on('end', this.#drop);
    // boundary: it ends this session, and cannot throw.
    stream.on('data', this.#drop);
    (stream as Partial<Quietable>).quiet = true;
    // Read on, or the other end's going away would go unnoticed.
    stream.resume();
    const keepAlive = () => {
      // The last one has not left yet: nobody is reading at the other end.
      if (stream.writableLength > 0) this.#drop();
      else stream.write(keepalive);
    };
    this.#keepalive = repeat('session keepalive', keepAlive, keepaliveIntervalMs);
  }

  /**
   * Takes the session out of waiting.
   * @param opening what the tunnel is told of the connection (docs/protocol.md)
   * @returns the connection's bytes from here on, paused and unread
   */
  claim(opening: Buffer): Duplex {
    this.#settle();
    this.stream.pause();
    // The visitor's first bytes come at once, and go out with it.
    this.stream.cork();
    this.stream.write(opening);
    setImmediate(() => this.stream.uncork());
    if (!this.options.recycle) return this.stream;
    return new FramedChannel(this.stream, (isFree) => {
      if (isFree) this.emit('recycled');
    });
  }

  close(): void {
    this.#drop();
  }

  /** Ends it whether it waits or not, and the connection that it was claimed for. */
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
