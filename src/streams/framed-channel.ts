import { Duplex } from 'node:stream';
import { guard } from '../util/boundary.js';
import { FrameError, FrameReader } from './frame-reader.js';
import { type GatherTarget, joinSmall, writeGathered } from '../net/gathered-write.js';
import { type Flushable, type PooledReadable, PooledReads, type TakePooled, reuse } from '../net/pooled-reads.js';
import { type Borrower, type Lendable, type LentReads, type LentWrites, lendable } from '../net/lending.js';
import { WriteTags } from '../net/write-tags.js';
import {
  type FrameMark,
  frameHeader,
  frameHeaderBytes,
  frameMark,
  maxFrameBytes,
  signingHeader,
} from '../protocol/frames.js';

/** Deadline for the peer to finish a connection that has ended on this side. */
const settleTimeoutMs = 5_000;
/** Deadline for the peer to close the session. */
const closeTimeoutMs = 2_000;
/** Largest frame content that fits into one record together with its header (RFC 8446 5.1). */
const sealedFrameBytes = 16_384 - frameHeaderBytes;

/** A session that seals what is written to it, except for clear frames. */
export interface ClearFrames extends Duplex {
  /** Bytes of a connection's frames, including headers, that are sealed first. */
  readonly clearAfterBytes: number;
  /** Whether its keys are near their usage limit. */
  readonly isWorn: boolean;
  /**
   * Writes complete frames or, in the clear, parts of one. Other writes are not part of a connection.
   * @param kind `sealed` is encrypted here, `clear` is sent as it is
   */
  writeFrames(bytes: Buffer, kind: FrameKind, done?: Callback): boolean;
}
export type FrameKind = 'sealed' | 'clear';

type Callback = (error?: Error | null) => void;

/**
 * One connection inside a reusable session: each direction is a sequence of frames, terminated by an end mark, or by
 * a cut mark if the connection failed (docs/protocol.md). As a stream it behaves like a socket. `onOver` reports
 * whether the session is free for the next connection; otherwise it is destroyed.
 */
export class FramedChannel extends Duplex implements PooledReadable, Lendable {
  readonly #session: Duplex;
  readonly #onOver: (isFree: boolean) => void;
  readonly #frames: FrameReader;
  #received: 'open' | 'closed' = 'open';
  #sent: 'open' | 'closed' = 'open';
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  /** One side does not want to reuse the session. */
  #last = false;
  #reads: Flushable | undefined;
  /** Releases the parts of a pooled chunk. */
  #give: ((content: Buffer) => void) | undefined;
  /** Contents of frames that arrived together: small ones are pushed together, since each push costs a write. */
  #arrived: Buffer[] = [];
  /** The session, if it supports clear frames. */
  readonly #clearFrames: ClearFrames | undefined;
  /** The write tags: which writes are clear frames. */
  readonly #clear: GatherTarget;
  /** Remaining bytes of frames to seal before any is sent in the clear. */
  #toSeal: number;
  /** Reads the session in place of this channel. */
  #borrower: Borrower | undefined;
  /** Writes whose buffer has room for the frame header directly before them. */
  readonly #inPlace = new WriteTags<true>();

  /**
   * @param onSigning receives the peer's signing message; by default a signing message is an error. It is called within
   *   the boundary of the session's data: what it throws ends the session.
   */
  constructor(session: Duplex, onOver: (isFree: boolean) => void, onSigning?: (message: Buffer) => void) {
    super({ allowHalfOpen: true });
    this.#session = session;
    this.#onOver = onOver;
    this.#frames = new FrameReader(
      {
        content: (bytes) => void (this.destroyed || this.#arrived.push(bytes)),
        signing: (message) => void (this.destroyed || onSigning?.(message)),
        mark: (mark, rest) => this.#closed(mark, rest),
      },
      onSigning !== undefined,
    );
    this.#clearFrames = 'writeFrames' in session ? (session as ClearFrames) : undefined;
    const clearFrames = this.#clearFrames;
    this.#clear = clearFrames
      ? {
          write: (bytes, done) => clearFrames.writeFrames(bytes, 'clear', done),
          cork: () => session.cork(),
          uncork: () => session.uncork(),
        }
      : session;
    this.#toSeal = this.#clearFrames?.clearAfterBytes ?? 0;
    session.on('data', this.#onData).on('end', this.#onLost).on('close', this.#onLost).on('error', this.#onLost);
    if (session.destroyed || session.readableEnded) process.nextTick(this.#onLost);
  }

  override _read(): void {
    if (!this.#over) this.#session.resume();
  }

  override write(chunk: unknown, encoding?: BufferEncoding | Callback, done?: Callback): boolean {
    if (!this.writableEnded && !this.destroyed) this.#inPlace.made();
    return super.write(chunk, encoding as BufferEncoding, done);
  }

  /** Writes a chunk whose buffer has `frameHeaderBytes` of headroom that may be overwritten. */
  writeInPlace(chunk: Buffer, done?: Callback): boolean {
    if (!this.writableEnded && !this.destroyed) this.#inPlace.made(true);
    return super.write(chunk, done);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    if (this.#inPlace.take() === true) this.#sendInPlace(chunk, done);
    else this.#send([chunk], done);
  }

  override _writev(writes: { chunk: Buffer }[], done: Callback): void {
    const chunks: { chunk: Buffer; inPlace: boolean }[] = [];
    for (const { chunk } of writes) chunks.push({ chunk, inPlace: this.#inPlace.take() === true });
    if (chunks.some(({ inPlace }) => inPlace)) this.#sendEach(chunks, 0, done);
    else {
      this.#send(
        chunks.map(({ chunk }) => chunk),
        done,
      );
    }
  }

  /** Sends the signing message of this direction, unless the direction has ended. */
  sendSigning(message: Buffer): void {
    if (this.#over || this.#sent === 'closed') return;
    this.#session.write(Buffer.concat([frameHeader(signingHeader), frameHeader(message.length), message]));
    // It is sealed like an opening, after which an unwrapped session counts sealed bytes anew.
    this.#toSeal = this.#clearFrames?.clearAfterBytes ?? 0;
  }

  override _final(done: Callback): void {
    const isLast = this.#isSpent || this.#clearFrames?.isWorn === true;
    this.#close(isLast ? frameMark.last : frameMark.end, done);
    if (this.#received === 'closed') this.#free(Buffer.alloc(0));
  }

  /** A TLS session with pooled reads is not reused: it would keep a large buffer, and has repaid its handshake. */
  reuse(take: TakePooled): Flushable | undefined {
    this.#reads = reuse(this.#session, (chunk, release) => {
      let lent = 1;
      const done = () => {
        if (--lent === 0) release();
      };
      this.#give = (content) => {
        lent++;
        take(content, done, false);
      };
      this.#onData(chunk);
      this.#give = undefined;
      done();
    });
    return this.#reads;
  }

  get #isSpent(): boolean {
    return this.#reads instanceof PooledReads;
  }

  override pause(): this {
    if (this.#reads && !this.#over) this.#session.pause();
    return super.pause();
  }

  override resume(): this {
    if (this.#reads && !this.#over) this.#session.resume();
    return super.resume();
  }

  get canLend(): boolean {
    return this.#clearFrames !== undefined;
  }

  /** @see Lendable */
  lendReads(borrower: Borrower): LentReads | undefined {
    const isQuiet = this.#frames.isQuiet && this.#arrived.length === 0;
    if (!isQuiet || this.#over || this.destroyed || this.#received === 'closed' || this.readableLength > 0)
      return undefined;
    const lent = this.#clearFrames && lendable(this.#session)?.lendReads(borrower);
    if (lent) this.#borrower = borrower;
    return lent;
  }

  returnReads(left: number, unread: Buffer): void {
    this.#borrower = undefined;
    this.#frames.left = left;
    lendable(this.#session)?.returnReads(left, unread);
  }

  lendWrites(borrower: Borrower): LentWrites | undefined {
    const isQuiet = this.#toSeal === 0 && this.writableLength === 0;
    if (!isQuiet || this.#over || this.destroyed || this.#sent === 'closed') return undefined;
    return this.#clearFrames && lendable(this.#session)?.lendWrites(borrower);
  }

  returnWrites(): void {
    lendable(this.#session)?.returnWrites();
  }

  lose(error: Error): void {
    this.#session.destroy(error);
  }

  override _destroy(error: Error | null, done: Callback): void {
    this.#borrower?.drop();
    if (!this.#over) {
      if (this.#sent === 'open') this.#close(frameMark.cut);
      if (this.#received === 'closed') this.#free(Buffer.alloc(0));
      else {
        // Further data is discarded, but its end must be seen.
        this.#timer = setTimeout(this.#onLost, settleTimeoutMs);
        this.#session.resume();
      }
    }
    done(error);
  }

  // Input

  readonly #onData = guard(
    'frame data',
    (chunk: Buffer): void => {
      if (this.#over) return;
      try {
        this.#frames.push(chunk);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        this.#fail(error);
      }
      this.#pushArrived();
    },
    () => this.#fail(new Error('a frame could not be handled')),
  );

  #pushArrived(): void {
    const arrived = this.#arrived;
    if (arrived.length === 0) return;
    this.#arrived = [];
    for (const content of joinSmall(arrived)) {
      // Earlier bytes in this stream come first.
      if (this.#give && this.readableLength === 0) this.#give(content);
      else if (!this.push(this.#give ? Buffer.from(content) : content) && !this.#over) this.#session.pause();
    }
  }

  /** The peer has closed its direction; `rest` are the bytes after that. */
  #closed(mark: FrameMark, rest: Buffer): void {
    this.#pushArrived();
    this.#received = 'closed';
    if (mark === frameMark.last) this.#last = true;
    if (mark !== frameMark.cut) {
      if (!this.destroyed) this.push(null);
    } else {
      if (this.#sent === 'open') this.#close(frameMark.cut);
      this.destroy(Object.assign(new Error('the peer reset the connection'), { code: 'ECONNRESET' }));
    }
    if (this.#sent === 'closed') this.#free(rest);
    // The next connection cannot begin before both directions of this one are closed.
    else if (rest.length > 0) this.#fail(new Error('bytes after the end of a connection'));
  }

  // Output

  #send(chunks: Buffer[], done: Callback): void {
    const length = chunks.reduce((sum, { length }) => sum + length, 0);
    if (length > maxFrameBytes) {
      const all = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
      this.#send([all.subarray(0, maxFrameBytes)], (error) => {
        if (error) done(error);
        else this.#send([all.subarray(maxFrameBytes)], done);
      });
      return;
    }
    if (length === 0) return done();
    if (this.#toSeal > 0) {
      this.#sendSealed(chunks, length, done);
      return;
    }
    writeGathered(this.#clear, [frameHeader(length), ...chunks], done);
  }

  /** As much as fits into one record; the rest follows. */
  #sendSealed(chunks: Buffer[], length: number, done: Callback): void {
    const all = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
    const content = all.subarray(0, sealedFrameBytes);
    const frame = Buffer.concat([frameHeader(content.length), content]);
    const isAll = content.length === length;
    this.#toSeal = Math.max(0, this.#toSeal - frame.length);
    this.#clearFrames?.writeFrames(frame, 'sealed', isAll ? done : undefined);
    if (!isAll) this.#send([all.subarray(content.length)], done);
  }

  /** Writes the header into the headroom before the chunk, so that both are encrypted in place. */
  #sendInPlace(chunk: Buffer, done: Callback): void {
    if (this.#toSeal > 0 || chunk.length > maxFrameBytes) return this.#send([chunk], done);
    const frame = Buffer.from(chunk.buffer, chunk.byteOffset - frameHeaderBytes, frameHeaderBytes + chunk.length);
    frame.writeUInt32BE(chunk.length);
    this.#clear.write(frame, done);
  }

  /** One frame per chunk. */
  #sendEach(chunks: readonly { chunk: Buffer; inPlace: boolean }[], at: number, done: Callback): void {
    const next = chunks[at];
    if (!next) return done();
    const sent: Callback = (error) => {
      if (error) done(error);
      else this.#sendEach(chunks, at + 1, done);
    };
    if (next.inPlace) this.#sendInPlace(next.chunk, sent);
    else this.#send([next.chunk], sent);
  }

  #close(mark: FrameMark, done: Callback = () => undefined): void {
    this.#sent = 'closed';
    if (this.#session.writable) this.#session.write(frameHeader(mark), done);
    else done();
  }

  // Ends

  /** Both directions are closed. */
  #free(rest: Buffer): void {
    if (this.#over) return;
    this.#settle();
    if (this.#last || this.#isSpent) {
      closeGently(this.#session);
      this.#onOver(false);
      return;
    }
    this.#session.pause();
    if (rest.length > 0) this.#session.unshift(rest);
    this.#onOver(true);
  }

  readonly #onLost = (): void => {
    // The last bytes may be among those still being joined, which is a regular end.
    this.#reads?.flush();
    this.#fail(this.#session.errored ?? new Error('the session was lost'));
  };

  #fail(error: Error): void {
    if (this.#over) return;
    this.#settle();
    this.#session.on('error', () => undefined);
    this.#session.destroy();
    this.destroy(Object.assign(error, { code: (error as NodeJS.ErrnoException).code ?? 'ECONNRESET' }));
    this.#onOver(false);
  }

  #settle(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    const session = this.#session;
    session.off('data', this.#onData).off('end', this.#onLost).off('close', this.#onLost).off('error', this.#onLost);
  }
}

/** Pending writes are still sent. */
function closeGently(session: Duplex): void {
  const timer = setTimeout(() => session.destroy(), closeTimeoutMs);
  session.once('close', () => clearTimeout(timer));
  session.on('error', () => undefined);
  session.resume();
  session.end();
}
