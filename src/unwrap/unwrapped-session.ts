import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { guard } from '../util/boundary.js';
import { writeGathered } from '../net/gathered-write.js';
import {
  type Borrower,
  type Lendable,
  type LentReads,
  type LentWrites,
  type StoppedReads,
  fileDescriptorOf,
  stopReading,
} from '../net/lending.js';
import { WriteTags } from '../net/write-tags.js';
import { frameHeaderBytes, maxFrameBytes } from '../protocol/frames.js';
import type { ClearFrames, FrameKind } from '../streams/framed-channel.js';
import { type Flushable, type PooledReadable, PooledReads, type TakePooled } from '../net/pooled-reads.js';
import { contentType, recordHeaderLength } from '../tls/codec/constants.js';
import type { RecordOpener, RecordSealer } from '../tls/records/record-protection.js';
import { openerOf, openRecord, recordLength, sealerOf, type SessionKeys, wornAfterRecords } from './session-records.js';

/** The first byte of a frame in the clear, whose length is 1 MiB at most. */
const clearFrame = 0x00;

type Callback = (error?: Error | null) => void;

/**
 * How many bytes of a connection's frames each side encrypts, and requires to be encrypted, before any are in the
 * clear.
 */
export interface SealedFirst {
  send: number;
  receive: number;
}

/**
 * A reverse session without TLS around it (docs/protocol.md, Unwrapped sessions). As a stream it carries the same bytes
 * as the TLS connection would. On the wire all is encrypted in TLS 1.3 records with its own keys, except frames of the
 * visitor's TLS, which its two ends have already encrypted.
 */
export class UnwrappedSession extends Duplex implements ClearFrames, PooledReadable, Lendable {
  readonly canLend = true;
  readonly #socket: Socket;
  readonly #sealer: RecordSealer;
  readonly #opener: RecordOpener;
  readonly #first: SealedFirst;
  /** For writes that are frames. */
  readonly #kinds = new WriteTags<FrameKind>();
  /** Partial header of a frame or of a record. */
  #header = Buffer.alloc(0);
  /** A partial record, and how many of its bytes have arrived. */
  #record: Buffer | undefined;
  #filled = 0;
  /** Remaining bytes of a frame in the clear. */
  #clearLeft = 0;
  /** Bytes of frames that arrived encrypted since the last record that held anything else. */
  #sealedFrames = 0;
  /** Set by the first large connection, and kept for all that follow. */
  #reads: PooledReads | undefined;
  /** Receives the bytes of the current connection until this direction ends. */
  #taker: TakePooled | undefined;
  /** Lends a part of the read buffer. Call the result when the bytes are no longer needed. */
  #lend: (() => () => void) | undefined;
  /** Who reads, or writes, the socket in place of this session. */
  #reader: Borrower | undefined;
  #writer: Borrower | undefined;
  #stopped: StoppedReads | undefined;
  /** A write that waits for the writer. */
  #held: (() => void) | undefined;

  constructor(socket: Socket, { send, receive }: SessionKeys, first: SealedFirst) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#sealer = sealerOf(send);
    this.#opener = openerOf(receive);
    this.#first = first;
    socket.on(
      'data',
      guard(
        'unwrapped data',
        (chunk: Buffer) => this.#take(chunk),
        () => this.destroy(new Error('a record could not be handled')),
      ),
    );
    socket.on('end', () => {
      this.#reads?.flush();
      if (this.#isAmidUnit()) this.destroy(new Error('the session ended amid a record'));
      else this.push(null);
    });
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', this.#onClose);
    if (socket.destroyed) process.nextTick(this.#onClose);
  }

  /** Received bytes may still be read after both directions have ended. */
  readonly #onClose = (): void => {
    if (!this.#socket.readableEnded || !this.writableFinished) this.destroy();
  };

  /** @see ClearFrames */
  get clearAfterBytes(): number {
    return this.#first.send;
  }

  get isWorn(): boolean {
    return this.#sealer.records > wornAfterRecords;
  }

  /**
   * Gives the connection to another owner, between two connections of visitors.
   * @param duplicate makes a second file descriptor of the socket, or throws
   * @returns that descriptor and where both directions are; this session is destroyed then, without an end to the other side.
   *   undefined when bytes are under way
   */
  detach(duplicate: (fd: number) => number): { fd: number; keys: SessionKeys } | undefined {
    const isQuiet = !this.#isAmidUnit() && this.readableLength === 0 && this.writableLength === 0;
    if (!isQuiet || this.destroyed || this.writableEnded || this.#reader || this.#writer) return undefined;
    if (this.#socket.writableLength > 0) return undefined;
    const stopped = stopReading(this.#socket);
    if (!stopped) {
      this.#readOn();
      return undefined;
    }
    try {
      const fd = duplicate(stopped.fd);
      const keys = { send: this.#sealer.state, receive: this.#opener.state };
      this.destroy();
      return { fd, keys };
    } catch (error) {
      stopped.restart();
      this.#readOn();
      throw error;
    }
  }

  /** Unlike TLS, the session is used afterwards: its buffer shrinks with the next read, which is small. */
  reuse(take: TakePooled): Flushable | undefined {
    this.#reads ??= PooledReads.start(this.#socket, (chunk, release) => {
      let lent = 1;
      const done = () => {
        if (--lent === 0) release();
      };
      this.#lend = () => {
        lent++;
        return done;
      };
      this.#take(chunk);
      this.#lend = undefined;
      done();
    });
    const reads = this.#reads;
    if (!reads) return undefined;
    this.#taker = take;
    return { flush: () => reads.flush() };
  }

  override pause(): this {
    if (this.#taker) this.#socket.pause();
    return super.pause();
  }

  override resume(): this {
    if (this.#reads && !this.#reader) this.#socket.resume();
    return super.resume();
  }

  override _read(): void {
    if (!this.#reader) this.#socket.resume();
  }

  /** @see Lendable */
  lendReads(borrower: Borrower): LentReads | undefined {
    const isQuiet = this.#header.length === 0 && this.#record === undefined && this.readableLength === 0;
    // Frames in the clear may follow at any time only where none has to be encrypted first.
    if (!isQuiet || this.destroyed || this.#first.receive > 0) return undefined;
    const stopped = stopReading(this.#socket);
    if (stopped) {
      this.#reader = borrower;
      this.#stopped = stopped;
      return { fd: stopped.fd, left: this.#clearLeft };
    }
    this.#readOn();
    return undefined;
  }

  returnReads(left: number, unread: Buffer): void {
    this.#reader = undefined;
    this.#clearLeft = left;
    if (unread.length > 0 && !this.destroyed) this.#take(unread);
    this.#readOn();
    this.#stopped?.restart();
    this.#stopped = undefined;
  }

  /** Only with pooled reads the socket is paused together with this stream; else this stream's buffer takes some first. */
  #readOn(): void {
    if (!this.#reads || !this.isPaused()) this.#socket.resume();
  }

  lendWrites(borrower: Borrower): LentWrites | undefined {
    const isQuiet = this.writableLength === 0 && this.#socket.writableLength === 0;
    const fd = isQuiet && !this.writableEnded && !this.destroyed ? fileDescriptorOf(this.#socket) : undefined;
    if (fd === undefined) return undefined;
    this.#writer = borrower;
    return { fd, framed: true };
  }

  returnWrites(): void {
    this.#writer = undefined;
    const held = this.#held;
    this.#held = undefined;
    if (!this.destroyed) held?.();
  }

  lose(error: Error): void {
    this.destroy(error);
  }

  /** @returns whether the write waits: it must not come between the parts of a frame that the writer has begun */
  #hold(write: () => void): boolean {
    if (!this.#writer) return false;
    this.#held = write;
    this.#writer.recall();
    return true;
  }

  override write(chunk: unknown, encoding?: BufferEncoding | Callback, done?: Callback): boolean {
    if (!this.writableEnded && !this.destroyed) this.#kinds.made();
    return super.write(chunk, encoding as BufferEncoding, done);
  }

  /** @see ClearFrames */
  writeFrames(bytes: Buffer, kind: FrameKind, done?: Callback): boolean {
    if (!this.writableEnded && !this.destroyed) this.#kinds.made(kind);
    return super.write(bytes, done);
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: Callback): void {
    if (this.#hold(() => this._write(chunk, encoding, done))) return;
    const pieces: Buffer[] = [];
    this.#seal(chunk, pieces);
    writeGathered(this.#socket, pieces, done);
  }

  override _writev(writes: { chunk: Buffer }[], done: Callback): void {
    if (this.#hold(() => this._writev(writes, done))) return;
    const pieces: Buffer[] = [];
    for (const { chunk } of writes) this.#seal(chunk, pieces);
    writeGathered(this.#socket, pieces, done);
  }

  override _final(done: Callback): void {
    if (this.#hold(() => this._final(done))) return;
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: Callback): void {
    this.#reader?.drop();
    this.#writer?.drop();
    this.#socket.destroy();
    done(error);
  }

  // Output

  /** Appends to the next write. */
  #seal(chunk: Buffer, pieces: Buffer[]): void {
    const kind = this.#kinds.take();
    if (kind === 'clear') pieces.push(chunk);
    else this.#sealer.seal(kind === 'sealed' ? contentType.applicationData : contentType.handshake, chunk, pieces);
  }

  // Input

  #isAmidUnit(): boolean {
    return this.#header.length > 0 || this.#record !== undefined || this.#clearLeft > 0;
  }

  #take(chunk: Buffer): void {
    /** Start of the frames in the clear that are not delivered yet: they are delivered together. */
    let clearFrom = -1;
    const give = (to: number) => {
      if (clearFrom >= 0 && to > clearFrom) this.#give(chunk.subarray(clearFrom, to));
      clearFrom = -1;
    };
    let at = 0;
    while (at < chunk.length && !this.destroyed) {
      if (this.#clearLeft > 0) {
        if (clearFrom < 0) clearFrom = at;
        const taken = Math.min(this.#clearLeft, chunk.length - at);
        this.#clearLeft -= taken;
        at += taken;
      } else if (this.#record) {
        give(at);
        at += this.#fill(this.#record, chunk.subarray(at));
      } else {
        const wanted = (this.#header[0] ?? chunk[at]) === clearFrame ? frameHeaderBytes : recordHeaderLength;
        const missing = wanted - this.#header.length;
        if (chunk.length - at < missing) {
          give(at);
          this.#header = Buffer.concat([this.#header, chunk.subarray(at)]);
          return;
        }
        const end = at + missing;
        const isSplit = this.#header.length > 0;
        const header = isSplit ? Buffer.concat([this.#header, chunk.subarray(at, end)]) : chunk.subarray(at, end);
        this.#header = Buffer.alloc(0);
        if (header[0] !== clearFrame) give(at);
        if (!this.#begin(header)) return;
        if (header[0] === clearFrame) {
          if (isSplit) this.#give(header);
          else if (clearFrom < 0) clearFrom = at;
        }
        at = end;
      }
    }
    give(at);
  }

  /** @returns whether the header is allowed here */
  #begin(header: Buffer): boolean {
    if (header[0] === clearFrame) {
      const length = header.readUInt32BE(0);
      if (length === 0 || length > maxFrameBytes) return this.#fail(`a frame of ${length} bytes in the clear`);
      if (this.#sealedFrames < this.#first.receive) return this.#fail('a frame in the clear that must be sealed');
      this.#clearLeft = length;
      return true;
    }
    try {
      this.#record = Buffer.allocUnsafe(recordLength(header));
    } catch (error) {
      return this.#fail((error as Error).message);
    }
    this.#filled = header.copy(this.#record);
    return true;
  }

  /** @returns how many of the bytes belong to the record */
  #fill(record: Buffer, bytes: Buffer): number {
    const taken = bytes.copy(record, this.#filled);
    this.#filled += taken;
    if (this.#filled < record.length) return taken;
    this.#record = undefined;
    this.#open(record);
    return taken;
  }

  #open(record: Buffer): void {
    let opened: ReturnType<typeof openRecord>;
    try {
      opened = openRecord(this.#opener, record);
    } catch (error) {
      return void this.#fail((error as Error).message);
    }
    const { content, isFrames } = opened;
    if (isFrames) this.#sealedFrames += content.length;
    else {
      this.#sealedFrames = 0;
      // The connection ends, at least in this direction.
      this.#taker = undefined;
    }
    this.#give(content, true);
  }

  /** @param isOwn the bytes are in a buffer that is not reused */
  #give(bytes: Buffer, isOwn = this.#lend === undefined): void {
    if (bytes.length === 0) return;
    // Earlier bytes in this stream come first.
    if (this.#taker && this.readableLength === 0) this.#taker(bytes, isOwn ? ignore : this.#lend!(), false);
    else if (!this.push(isOwn ? bytes : Buffer.from(bytes))) this.#socket.pause();
  }

  #fail(message: string): false {
    this.destroy(new Error(message));
    return false;
  }
}

function ignore(): void {}
