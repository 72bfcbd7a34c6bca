import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** Bytes of a buffer; no single read brings more. */
const bufferBytes = 65_536;
/** What TLS gives at once: with less room than that a buffer has had its last read (RFC 8446 5.1). */
const recordBytes = 16_384;
/** After a read of less the next one gets a small buffer, so that a connection that has fallen quiet keeps no large one. */
const shrinkBelow = 2_048;
const smallBufferBytes = 4_096;
/** Buffers kept for the next read beside the one in use. */
const maxSpareBuffers = 2;

/** What net.Socket holds of `onread`, an option of net.connect that accepted sockets are not offered. */
interface OnRead {
  handle: { useUserBuffer(buffer: Uint8Array): void };
  buffer: symbol;
  generate: symbol;
  callback: symbol;
}
type Fields = Record<symbol, unknown>;

/**
 * Finds, on this socket, what this version of Node keeps `onread` in (lib/net.js of Node 20, 22 and 24).
 * @returns undefined where anything is not as it is known, or in use already
 */
function onReadOf(socket: Duplex): OnRead | undefined {
  if (!(socket instanceof Socket)) return undefined;
  const { _handle: handle } = socket as unknown as { _handle?: Partial<OnRead['handle']> | null };
  if (typeof handle?.useUserBuffer !== 'function') return undefined;
  const symbols = Object.getOwnPropertySymbols(socket);
  const unused = (description: string) =>
    symbols.find((symbol) => symbol.description === description && (socket as unknown as Fields)[symbol] === null);
  const [buffer, generate, callback] = ['kBuffer', 'kBufferGen', 'kBufferCb'].map(unused);
  if (!buffer || !generate || !callback) return undefined;
  return { handle: handle as OnRead['handle'], buffer, generate, callback };
}

/**
 * Takes bytes that were read; the chunk is its own until it calls `release`, and the next read's from then on.
 * @param hasHeadroom the `headroomBytes` right before the chunk in its buffer are the taker's as well
 */
export type TakePooled = (chunk: Buffer, release: () => void, hasHeadroom: boolean) => void;

/** Room before a chunk, so that a frame's header can be put there without copying. */
export const headroomBytes = 4;

/** Bytes after which a direction is read into pooled buffers: for less they are not worth their making. */
const bulkAfterBytes = 262_144;
/** Nor are they for a connection that says much, but little at a time. */
export const bulkChunkBytes = 8_192;

/** Tells when one direction of a connection has become a bulk transfer. */
export class BulkDetector {
  #bytes = 0;

  /** Counts a chunk. @returns true once, at the chunk that makes it a bulk transfer */
  isBulk(length: number): boolean {
    this.#bytes += length;
    if (this.#bytes < bulkAfterBytes || length < bulkChunkBytes) return false;
    this.#bytes = -Infinity;
    return true;
  }
}

export interface Flushable {
  /** Gives out what is still being joined. */
  flush(): void;
}

/** A stream that can have what is below it read into reused buffers. */
export interface PooledReadable {
  reuse(take: TakePooled): Flushable | undefined;
}

/** Starts reused reads on whatever can have them. */
export function reuse(stream: Duplex, take: TakePooled): Flushable | undefined {
  const { reuse: own } = stream as Partial<PooledReadable>;
  return own ? own.call(stream, take) : PooledReads.start(stream, take);
}

/** A buffer, and whose it is: up to `taken` of whoever took that, then of nobody yet, from `filled` on of the socket. */
interface Slot {
  readonly buffer: Buffer<ArrayBuffer>;
  taken: number;
  filled: number;
  /** Chunks of it that were not released yet. */
  lent: number;
  /** The socket has another one now. */
  retired: boolean;
}

/**
 * Lets a flowing socket read into buffers that are used again, instead of a new one for each read, whose upkeep costs Node
 * more than the read itself (docs/decisions/pooled-reads.md). Each byte of a buffer belongs to the socket, or to whoever
 * took it; the buffer is filled again only once the socket has another one and all that was taken is released, however
 * late that is.
 */
export class PooledReads implements Flushable {
  readonly #spare: Buffer<ArrayBuffer>[] = [];
  /** TLS gives a record at a time, several in a row: they are taken together. */
  readonly #joins: boolean;
  /** Where reads begin. Joined chunks follow one another and leave no room between. */
  readonly #begin: number;
  #slot: Slot;
  #flushing = false;

  private constructor(
    private readonly socket: Socket,
    fields: OnRead,
    private readonly take: TakePooled,
  ) {
    this.#joins = socket instanceof TLSSocket;
    this.#begin = this.#joins ? 0 : headroomBytes;
    this.#slot = slotOf(this.#empty(), this.#begin);
    const first = this.#room();
    Object.assign(socket, {
      [fields.buffer]: first,
      [fields.generate]: () => this.#room(),
      [fields.callback]: (length: number, into: Uint8Array) => this.#read(length, into),
    });
    fields.handle.useUserBuffer(first);
  }

  /**
   * From here on the socket's bytes come to `take` and no longer as `data`, except those that it holds already: these come
   * first, as `data` still. After `pause` some may still come. `flush` belongs before what `end` does.
   * @returns undefined where it cannot be had: all stays as it was
   */
  static start(socket: Duplex, take: TakePooled): PooledReads | undefined {
    const fields = onReadOf(socket);
    return fields && new PooledReads(socket as Socket, fields, take);
  }

  /** Gives out what is still being joined. */
  flush(): void {
    const slot = this.#slot;
    if (slot.taken === slot.filled) return;
    const chunk = slot.buffer.subarray(slot.taken, slot.filled);
    slot.taken = slot.filled;
    slot.lent++;
    const release = () => {
      slot.lent--;
      this.#recycle(slot);
    };
    this.take(chunk, release, !this.#joins);
  }

  #read(length: number, into: Uint8Array): boolean {
    const slot = this.#slot;
    // What the stream holds from before goes first, and so this has to queue behind it.
    if (this.socket.readableLength > 0) return this.socket.push(Buffer.from(into.subarray(0, length)));
    slot.filled += length;
    if (!this.#joins || slot.buffer.length - slot.filled < recordBytes) {
      this.flush();
      this.#slot = slotOf(length < shrinkBelow ? Buffer.allocUnsafeSlow(smallBufferBytes) : this.#empty(), this.#begin);
      slot.retired = true;
      this.#recycle(slot);
    } else if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => {
        this.#flushing = false;
        this.flush();
      });
    }
    return true;
  }

  /** Where the socket puts its next bytes. */
  #room(): Buffer {
    const { buffer, filled } = this.#slot;
    return filled === 0 ? buffer : buffer.subarray(filled);
  }

  #empty(): Buffer<ArrayBuffer> {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  }

  #recycle({ buffer, retired, lent }: Slot): void {
    if (!retired || lent > 0 || buffer.length < bufferBytes || this.#spare.length >= maxSpareBuffers) return;
    this.#spare.push(buffer);
  }
}

function slotOf(buffer: Buffer<ArrayBuffer>, begin: number): Slot {
  return { buffer, taken: begin, filled: begin, lent: 0, retired: false };
}
