import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** Size of a buffer in bytes, and so the most that one read returns. */
const bufferBytes = 65_536;
/** Most bytes that TLS delivers at once (RFC 8446 5.1). A buffer with less free space is full. */
const recordBytes = 16_384;
/** After a smaller read the next read gets a small buffer, so that an idle connection holds no large one. */
const shrinkBelow = 2_048;
const smallBufferBytes = 4_096;
/** Buffers that wait for a read, of all sockets together: 8 MiB. With fewer, a busy process makes and collects them all the time. */
const maxSpareBuffers = 128;
const spareBuffers: Buffer<ArrayBuffer>[] = [];

/** The internal state of `onread` in net.Socket, an option of net.connect that accepted sockets do not have. */
interface OnRead {
  handle: { useUserBuffer(buffer: Uint8Array): void };
  buffer: symbol;
  generate: symbol;
  callback: symbol;
}
type Fields = Record<symbol, unknown>;

/**
 * Finds, on this socket, what this version of Node keeps `onread` in (lib/net.js of Node 20, 22 and 24).
 * @returns undefined when the internals look different or are already in use
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
 * Receives the bytes of a read. It owns the chunk until it calls `release`; after that the buffer is reused.
 * @param hasHeadroom the receiver also owns the `headroomBytes` before the chunk in its buffer
 */
export type TakePooled = (chunk: Buffer, release: () => void, hasHeadroom: boolean) => void;

/** Room before a chunk, so that a frame's header can be put there without copying. */
export const headroomBytes = 4;

/** Bytes after which a direction uses pooled buffers: for fewer they cost more than they save. */
const bulkAfterBytes = 262_144;
/** The same for the size of one chunk: many small chunks do not gain from pooled buffers. */
export const bulkChunkBytes = 8_192;

/** Detects when one direction of a connection becomes a bulk transfer. */
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
  /** Delivers the chunks that are still being joined. */
  flush(): void;
}

/** A stream whose underlying socket can use pooled reads. */
export interface PooledReadable {
  reuse(take: TakePooled): Flushable | undefined;
}

/** Starts pooled reads on the socket below, where that is supported. */
export function reuse(stream: Duplex, take: TakePooled): Flushable | undefined {
  const { reuse: own } = stream as Partial<PooledReadable>;
  return own ? own.call(stream, take) : PooledReads.start(stream, take);
}

/**
 * A buffer and the owner of its parts: up to `taken` the receivers, up to `filled` nobody yet, after that the socket.
 */
interface Slot {
  readonly buffer: Buffer<ArrayBuffer>;
  taken: number;
  filled: number;
  /** Number of its chunks not yet released. */
  lent: number;
  /** The socket uses another buffer now. */
  retired: boolean;
}

/**
 * Lets a flowing socket read into buffers that are used again, instead of a new one for each read, whose upkeep costs Node
 * more than the read itself (docs/decisions/pooled-reads.md). Each byte of a buffer belongs to the socket, or to whoever
 * took it; the buffer is filled again only once the socket has another one and all that was taken is released, however
 * late that is.
 */
export class PooledReads implements Flushable {
  /** TLS gives a record at a time, several in a row: they are taken together. */
  readonly #joins: boolean;
  /** Offset where reads begin. Joined chunks are adjacent, without headroom between them. */
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
   * From here on the socket's bytes come to `take` and no longer as `data`, except those that it holds already: these
   * come first, as `data` still. After `pause` some may still come. `flush` belongs before what `end` does.
   * @returns undefined when that is not supported; nothing has changed then
   */
  static start(socket: Duplex, take: TakePooled): PooledReads | undefined {
    const fields = onReadOf(socket);
    return fields && new PooledReads(socket as Socket, fields, take);
  }

  /** Delivers the chunks that are still being joined. */
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
    // The stream still holds earlier bytes, so these must queue behind them.
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

  /** The memory for the socket's next read. */
  #room(): Buffer {
    const { buffer, filled } = this.#slot;
    return filled === 0 ? buffer : buffer.subarray(filled);
  }

  #empty(): Buffer<ArrayBuffer> {
    return spareBuffers.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  }

  #recycle({ buffer, retired, lent }: Slot): void {
    if (!retired || lent > 0 || buffer.length < bufferBytes || spareBuffers.length >= maxSpareBuffers) return;
    spareBuffers.push(buffer);
  }
}

function slotOf(buffer: Buffer<ArrayBuffer>, begin: number): Slot {
  return { buffer, taken: begin, filled: begin, lent: 0, retired: false };
}
