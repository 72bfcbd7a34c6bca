import { frameHeaderBytes, maxFrameBytes } from '../protocol/frames.js';
import { errno, type Libc } from './libc.js';

/** Capacity of a pump's pipe in bytes, and so the largest frame that it makes. */
export const pipeBytes = 262_144;
/** Steps of one pump before others have their turn. */
const maxSteps = 32;

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
  /** The side that failed, with its errno. */
  fault?: { side: 'from' | 'to'; errno: number } | undefined;
}

type Step = 'again' | 'blocked' | 'stopped';

/**
 * Moves the bytes of one direction between two sockets through a pipe, inside the kernel. It does no more than its
 * descriptors allow at a time; call `run` again when one is ready. Neither end of a direction is closed here.
 */
export class Pump {
  /** Bytes that have reached `to` and were not reported yet. */
  moved = 0;
  #inPipe = 0;
  /** The part of a frame's header that `to` has not taken. */
  #header: Buffer | undefined;
  #left: number;
  #ending = false;
  #result: PumpResult | undefined;
  readonly #peeked = Buffer.alloc(frameHeaderBytes);

  constructor(
    private readonly libc: Pick<Libc, 'peek' | 'receive' | 'send' | 'splice'>,
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
    for (let steps = 0; steps < maxSteps; steps++) {
      if (this.#result) return false;
      const step = this.#inPipe > 0 ? this.#write() : this.#ending ? this.#stop() : this.#read();
      if (step !== 'again') return false;
    }
    return true;
  }

  #stop(side?: 'from' | 'to', error = 0): Step {
    this.#result ??= { left: this.#left, fault: side && { side, errno: error } };
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
    if (count === -errno.EAGAIN) return 'blocked';
    if (count < 0) return this.#stop('from', -count);
    // The end is left for whoever takes the direction back.
    if (count === 0) return this.#stop();
    this.#inPipe = count;
    if (order.codec === 'deframe') this.#left -= count;
    else this.#beginFrame(count);
    return 'again';
  }

  /** Consumes the header of a frame in the clear, and nothing else. */
  #readHeader(): Step {
    const { order, libc } = this;
    const header = this.#peeked;
    const count = libc.peek(order.from, header);
    if (count === -errno.EAGAIN) return 'blocked';
    if (count < 0) return this.#stop('from', -count);
    if (count === 0 || header[0] !== 0) return this.#stop();
    if (count < header.length) return 'blocked';
    const length = header.readUInt32BE(0);
    if (length === 0 || length > maxFrameBytes) return this.#stop();
    const taken = libc.receive(order.from, header);
    if (taken !== header.length) return this.#stop('from', errno.ECONNRESET);
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
