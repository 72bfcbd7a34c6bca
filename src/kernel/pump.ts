import { frameHeaderBytes, maxFrameBytes } from '../protocol/frames.js';
import { errno, type Libc, type Pipe } from './libc.js';
import type { Pipes } from './pipes.js';

/** Size of a thread's memory for copies, which has room for a frame header before the bytes of a read. */
export const scratchBytes = frameHeaderBytes + 65_536;
/** Bytes of one pump before others have their turn. */
const maxTurnBytes = 1_048_576;
/** Steps of one pump before others have their turn. */
const maxTurnSteps = 64;

/**
 * What a pump does with the bytes: `copy` passes them on, `frame` puts a header before each piece, `deframe` takes headers away and
 * stops before anything but a frame in the clear (docs/protocol.md, Unwrapped sessions).
 */
export type Codec = 'copy' | 'frame' | 'deframe';

export interface PumpOrder {
  from: number;
  to: number;
  codec: Codec;
  /** `deframe`: remaining bytes of a frame that has begun. */
  left: number;
  /** Whose pipes it takes: those of one owner are bounded together. */
  owner: number;
}

/** Why a pump has stopped. */
export interface PumpResult {
  /** `deframe`: remaining bytes of a frame that was cut short. */
  left: number;
  /** `deframe`: bytes that were read and are not of a frame in the clear. */
  unread: Uint8Array;
  /** The side that failed, with its errno. */
  fault?: { side: 'from' | 'to'; errno: number } | undefined;
}

/** What the owner of a pump adds to its bytes. All are called between two frames. */
export interface PumpHooks {
  /** `frame`: @returns what goes out for bytes that were read; undefined for one frame in the clear */
  seal?(bytes: Buffer): Buffer | undefined;
  /** @returns what goes out after the last bytes, once the source has ended */
  last?(): Buffer | undefined;
}

/** What the pumps of one thread share. */
export interface PumpTools {
  libc: Pick<Libc, 'receive' | 'send' | 'splice'>;
  /** Memory for one read, and for a frame header before it. Reads of at least a quarter of its size go through a pipe instead. */
  scratch: Buffer;
  pipes: Pipes;
}

type Step = 'again' | 'blocked' | 'stopped';
const none: Buffer = Buffer.alloc(0);

/**
 * Moves the bytes of one direction between two sockets: small pieces through the thread's memory, large ones inside the
 * kernel through a pipe. It does no more than its file descriptors allow at a time; call `run` again when one is ready.
 * Neither end of a direction is closed here.
 */
export class Pump {
  /** Bytes taken for `to` that were not reported yet. */
  moved = 0;
  /** Bytes that `to` has not taken, headers included. They come before those in the pipe. */
  #unsent = none;
  #pipe: Pipe | undefined;
  #inPipe = 0;
  #left: number;
  #ending = false;
  /** The source has hung up, or half of it: only a read tells what is left, since no event follows. */
  #hungUp = false;
  /** Much arrives at a time: it goes through a pipe. */
  #isBulk = false;
  /** Nothing more can be read before the next event. */
  #isDry = false;
  /** The pipe may have no room for more. */
  #isFull = false;
  /** Length of the last frame that has begun. */
  #frameLength = 0;
  #result: PumpResult | undefined;
  /** What the owner sends between two frames. */
  #injected = none;
  /** Bytes of the source that were read before. */
  #fed = none;
  /** What is read goes nowhere. */
  #discards = false;
  /** The source has come to its end. */
  hasEnded = false;
  /** Bytes that were read and not used: a partial frame header, or something else than a frame in the clear. */
  #unread = none;
  /** Most bytes that one call copies. */
  readonly #copyBytes: number;
  /** From this size on, bytes go through a pipe: four calls without a copy are then cheaper than two with one. */
  readonly #spliceFromBytes: number;

  constructor(
    private readonly tools: PumpTools,
    readonly order: PumpOrder,
    private readonly hooks: PumpHooks = {},
  ) {
    this.#left = this.#frameLength = order.left;
    this.#copyBytes = tools.scratch.length - frameHeaderBytes;
    this.#spliceFromBytes = this.#copyBytes / 4;
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

  /** Bytes that come before all others. Call this before `run`. */
  sendFirst(bytes: Buffer): void {
    this.#unsent = bytes;
  }

  /** `frame`: bytes that go out between two frames, as soon as it is possible. */
  inject(bytes: Buffer): void {
    this.#injected = this.#injected.length === 0 ? bytes : Buffer.concat([this.#injected, bytes]);
  }

  /** `deframe`: bytes of the source that were read before, at most `scratchBytes`. Call this before `run`. */
  feed(bytes: Buffer): void {
    this.#fed = bytes;
  }

  /** From here on, what is read goes nowhere. */
  discard(): void {
    this.#discards = true;
    this.#unsent = none;
    this.#returnPipe();
  }

  /** Waits until `to` takes more. */
  get isBlocked(): boolean {
    return this.#unsent.length > 0 || this.#inPipe > 0;
  }

  /** An event said that a side has hung up. */
  hangUp(): void {
    this.#hungUp = true;
  }

  /** @returns true when there is more to do without waiting */
  run(turnBytes = maxTurnBytes): boolean {
    this.#isDry = false;
    const until = this.moved + turnBytes;
    for (let steps = 0; steps < maxTurnSteps && this.moved < until; steps++) {
      if (this.#result) return false;
      if (this.#step() !== 'again') return false;
    }
    return true;
  }

  #step(): Step {
    if (this.#unsent.length > 0) return this.#send(this.#unsent);
    if (this.#inPipe > 0 && !this.#fillsUp()) return this.#drain();
    if (this.#injected.length > 0) return this.#sendInjected();
    if (this.#ending) return this.#stop();
    if (this.#fed.length > 0) return this.#takeFed();
    if (this.#isDry) return 'blocked';
    if (!this.#isBulk || this.#discards) return this.#copy();
    this.#pipe ??= this.tools.pipes.take(this.order.owner);
    if (!this.#pipe) return this.#copy();
    return this.order.codec === 'deframe' && this.#left === 0 ? this.#readHeader() : this.#fill(this.#pipe);
  }

  /** Several pieces are taken before they are written together. A frame that is made has its length before its bytes. */
  #fillsUp(): boolean {
    const mayFill = this.order.codec !== 'frame' && this.#isBulk && !this.#ending && !this.#isDry && !this.#isFull;
    return mayFill && this.#pipe !== undefined && this.#inPipe < this.#pipe.bytes / 2;
  }

  #stop(side?: 'from' | 'to', error = 0): Step {
    this.#returnPipe();
    this.#result ??= { left: this.#left, unread: this.#unread, fault: side && { side, errno: error } };
    return 'stopped';
  }

  #sendInjected(): Step {
    this.#unsent = this.#injected;
    this.#injected = none;
    return 'again';
  }

  // Through memory

  #takeFed(): Step {
    const { scratch } = this.tools;
    const end = this.#fed.copy(scratch);
    this.#fed = none;
    const bytes = this.#deframed(scratch, 0, end);
    return bytes.length > 0 ? this.#send(bytes) : 'again';
  }

  #copy(): Step {
    const { scratch, libc } = this.tools;
    const kept = this.#unread.length;
    // A partial frame header is at most 3 bytes: it goes before what is read, into the room for a header.
    const begin = frameHeaderBytes - kept;
    this.#unread.copy(scratch, begin);
    const count = libc.receive(this.order.from, scratch.subarray(frameHeaderBytes));
    if (count === -errno.EAGAIN) return 'blocked';
    if (count < 0) return this.#stop('from', -count);
    if (count === 0) return this.#end();
    // A short read has emptied the socket, and more bytes are a new event.
    this.#isDry = count < this.#copyBytes && !this.#hungUp;
    const end = frameHeaderBytes + count;
    const bytes = this.#encoded(scratch, begin, end);
    const isSealed = bytes.buffer !== scratch.buffer;
    const isLarge = (this.order.codec !== 'deframe' || this.#frameLength >= this.#spliceFromBytes) && !isSealed;
    this.#isBulk = isLarge && count === this.#copyBytes;
    return bytes.length > 0 ? this.#send(bytes) : 'again';
  }

  /** @param begin of what is to be decoded: before what was read, where a partial frame header was kept */
  #encoded(scratch: Buffer, begin: number, end: number): Buffer {
    const { codec } = this.order;
    if (codec === 'deframe') return this.#deframed(scratch, begin, end);
    const length = end - frameHeaderBytes;
    this.moved += length;
    if (codec === 'copy') return scratch.subarray(frameHeaderBytes, end);
    const sealed = this.hooks.seal?.(scratch.subarray(frameHeaderBytes, end));
    if (sealed) return sealed;
    scratch.writeUInt32BE(length, 0);
    return scratch.subarray(0, end);
  }

  /** Moves the contents of frames together. What is no frame in the clear stays unread, and ends the pump. */
  #deframed(scratch: Buffer, begin: number, end: number): Buffer {
    let [at, filled] = [begin, begin];
    while (at < end) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, end - at);
        if (filled !== at) scratch.copyWithin(filled, at, at + taken);
        filled += taken;
        at += taken;
        this.#left -= taken;
        continue;
      }
      if (!this.#beginFrame(scratch.subarray(at, end))) break;
      at += frameHeaderBytes;
    }
    this.#unread = at < end ? Buffer.from(scratch.subarray(at, end)) : none;
    this.moved += filled - begin;
    return scratch.subarray(begin, filled);
  }

  /** @returns false when the bytes are a partial header, or, which ends the pump, no frame in the clear */
  #beginFrame(bytes: Buffer): boolean {
    const isFrame = bytes[0] === 0;
    if (isFrame && bytes.length < frameHeaderBytes) return false;
    const length = isFrame ? bytes.readUInt32BE(0) : 0;
    if (length === 0 || length > maxFrameBytes) {
      this.#ending = true;
      return false;
    }
    this.#left = this.#frameLength = length;
    return true;
  }

  /** The end of the source is left for whoever takes the direction back. */
  #end(): Step {
    this.#ending = this.hasEnded = true;
    const last = this.hooks.last?.();
    if (last) this.inject(last);
    return 'again';
  }

  #send(bytes: Buffer): Step {
    if (this.#discards) return 'again';
    const sent = this.tools.libc.send(this.order.to, bytes, this.#inPipe > 0);
    if (sent < 0 && sent !== -errno.EAGAIN) return this.#stop('to', -sent);
    const rest = bytes.subarray(Math.max(sent, 0));
    // Others use the memory before this rest is sent.
    this.#unsent = rest.length === 0 ? none : bytes === this.#unsent ? rest : Buffer.from(rest);
    return rest.length === 0 ? 'again' : 'blocked';
  }

  // Through a pipe

  /** Reads no more than the header, so that the frame itself can stay in the kernel. */
  #readHeader(): Step {
    const { scratch, libc } = this.tools;
    const kept = this.#unread.copy(scratch);
    const count = libc.receive(this.order.from, scratch.subarray(kept, frameHeaderBytes));
    if (count === -errno.EAGAIN) return this.#wait();
    if (count < 0) return this.#stop('from', -count);
    if (count === 0) return this.#end();
    const bytes = scratch.subarray(0, kept + count);
    this.#unread = this.#beginFrame(bytes) ? none : Buffer.from(bytes);
    if (this.#left > 0) this.#isBulk = this.#left >= this.#spliceFromBytes;
    return 'again';
  }

  #fill(pipe: Pipe): Step {
    const { order } = this;
    const isDeframed = order.codec === 'deframe';
    const count = this.tools.libc.splice(order.from, pipe.write, isDeframed ? this.#left : pipe.bytes);
    if (count === -errno.EAGAIN && this.#inPipe > 0) {
      this.#isFull = true;
      return 'again';
    }
    if (count === -errno.EAGAIN) return this.#wait();
    if (count < 0) return this.#stop('from', -count);
    if (count === 0) return this.#end();
    this.#inPipe += count;
    this.moved += count;
    if (isDeframed) this.#left -= count;
    else this.#isBulk = count >= this.#spliceFromBytes;
    if (order.codec === 'frame') {
      this.#unsent = Buffer.allocUnsafe(frameHeaderBytes);
      this.#unsent.writeUInt32BE(count);
    }
    return 'again';
  }

  /** The source is empty: what is in the pipe goes out, and the pump waits. */
  #wait(): Step {
    this.#isDry = true;
    if (this.#inPipe === 0) this.#returnPipe();
    return 'again';
  }

  #drain(): Step {
    const pipe = this.#pipe!;
    const count = this.tools.libc.splice(pipe.read, this.order.to, this.#inPipe);
    if (count === -errno.EAGAIN) return 'blocked';
    if (count <= 0) return this.#stop('to', count < 0 ? -count : errno.EPIPE);
    this.#inPipe -= count;
    if (this.#inPipe > 0) return 'again';
    this.#isFull = false;
    if (!this.#isBulk || this.#isDry) this.#returnPipe();
    return 'again';
  }

  /** Others may need it. */
  #returnPipe(): void {
    if (this.#pipe) this.tools.pipes.give(this.order.owner, this.#pipe, this.#inPipe);
    this.#pipe = undefined;
    this.#inPipe = 0;
  }
}
