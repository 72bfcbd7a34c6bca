import { frameHeaderBytes, maxFrameBytes } from '../protocol/frames.js';
import { errno, type Libc } from './libc.js';

/** Capacity of a pump's pipe in bytes, and so the largest frame that it makes. */
export const pipeBytes = 262_144;
/** Bytes in the pipe at which they are written before more are read. */
const fullBytes = 131_072;
/** Steps of one pump before others have their turn. */
const maxSteps = 64;

/**
 * What a pump does with the bytes: `frame` puts a header before each piece, `deframe` takes headers away and stops before
 * anything but a frame in the clear (docs/protocol.md, Unwrapped sessions).
 */
export type Codec = 'frame' | 'deframe';

export interface PumpOrder {
  from: number;
  to: number;
  pipe: { read: number; write: number };
  codec: Codec;
  /** `deframe`: remaining bytes of a frame that has begun. */
  left: number;
}

/** Why a pump has stopped. */
export interface PumpResult {
  /** `deframe`: remaining bytes of a frame that was cut short. */
  left: number;
  /** `deframe`: bytes that were read and are not of a frame in the clear; at most 4. */
  unread: Uint8Array;
  /** The side that failed, with its errno. */
  fault?: { side: 'from' | 'to'; errno: number } | undefined;
}

type Step = 'again' | 'blocked' | 'stopped';
const none = Buffer.alloc(0);

/**
 * Moves the bytes of one direction between two sockets through a pipe, inside the kernel. It does no more than its
 * file descriptors allow at a time; call `run` again when one is ready. Neither end of a direction is closed here.
 */
export class Pump {
  /** Bytes that have reached `to` and were not reported yet. */
  moved = 0;
  #inPipe = 0;
  /** The part of a frame's header that `to` has not taken. */
  #header: Buffer | undefined;
  #left: number;
  #ending = false;
  /** Nothing more can be read before the next event. */
  #dry = false;
  #result: PumpResult | undefined;
  /** The header of the next frame, and how much of it has been read. */
  readonly #next = Buffer.alloc(frameHeaderBytes);
  #nextFilled = 0;

  constructor(
    private readonly libc: Pick<Libc, 'receive' | 'send' | 'splice'>,
    readonly order: PumpOrder,
  ) {
    this.#left = order.left;
  }

  /** Set once the pump has stopped. */
  get result(): PumpResult | undefined {
    return this.#result;
  }

  /** Takes no more bytes, and stops when those that it has taken are with `to`. */
  end(): void {
    this.#ending = true;
  }

  /** Stops at once. Bytes that it has taken are lost. */
  drop(): void {
    this.#stop();
  }

  /** @returns true when there is more to do without waiting */
  run(): boolean {
    this.#dry = false;
    for (let steps = 0; steps < maxSteps; steps++) {
      if (this.#result) return false;
      const step = this.#wantsMore() ? this.#read() : this.#inPipe > 0 ? this.#write() : this.#idle();
      if (step !== 'again') return false;
    }
    return true;
  }

  /** Several frames are read before they are written together. The header of a frame that is made needs its whole length. */
  #wantsMore(): boolean {
    if (this.#ending || this.#dry) return false;
    return this.order.codec === 'deframe' ? this.#inPipe < fullBytes : this.#inPipe === 0;
  }

  #idle(): Step {
    return this.#ending ? this.#stop() : 'blocked';
  }

  #stop(side?: 'from' | 'to', error = 0): Step {
    const unread = this.#nextFilled > 0 ? Buffer.from(this.#next.subarray(0, this.#nextFilled)) : none;
    this.#result ??= { left: this.#left, unread, fault: side && { side, errno: error } };
    return 'stopped';
  }

  #read(): Step {
    const { order, libc } = this;
    let most = pipeBytes;
    if (order.codec === 'deframe') {
      if (this.#left === 0) return this.#readHeader();
      most = Math.min(most, this.#left);
    }
    const count = libc.splice(order.from, order.pipe.write, most);
    // With bytes in the pipe, it may be the pipe that has no room.
    if (count === -errno.EAGAIN) return this.#inPipe > 0 ? this.#write() : 'blocked';
    if (count < 0) return this.#stop('from', -count);
    if (count === 0) return this.#end();
    this.#inPipe += count;
    if (order.codec === 'deframe') this.#left -= count;
    else this.#beginFrame(count);
    return 'again';
  }

  /** The end of the source, or something else than a frame in the clear: left for whoever takes the direction back. */
  #end(): Step {
    this.#ending = true;
    return 'again';
  }

  #readHeader(): Step {
    const next = this.#next;
    const count = this.libc.receive(this.order.from, next.subarray(this.#nextFilled));
    if (count === -errno.EAGAIN) {
      this.#dry = true;
      return 'again';
    }
    if (count < 0) return this.#stop('from', -count);
    this.#nextFilled += count;
    if (count === 0 || next[0] !== 0) return this.#end();
    if (this.#nextFilled < next.length) return 'again';
    const length = next.readUInt32BE(0);
    if (length === 0 || length > maxFrameBytes) return this.#end();
    this.#nextFilled = 0;
    this.#left = length;
    return 'again';
  }

  #beginFrame(length: number): void {
    const header = Buffer.allocUnsafe(frameHeaderBytes);
    header.writeUInt32BE(length);
    this.#header = header;
  }

  #write(): Step {
    const { order, libc } = this;
    if (this.#header) {
      const sent = libc.send(order.to, this.#header, true);
      if (sent === -errno.EAGAIN) return 'blocked';
      if (sent < 0) return this.#stop('to', -sent);
      this.#header = sent < this.#header.length ? this.#header.subarray(sent) : undefined;
      return 'again';
    }
    const count = libc.splice(order.pipe.read, order.to, this.#inPipe);
    if (count === -errno.EAGAIN) return 'blocked';
    if (count <= 0) return this.#stop('to', count < 0 ? -count : errno.EPIPE);
    this.#inPipe -= count;
    this.moved += count;
    return 'again';
  }
}
