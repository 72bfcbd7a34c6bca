import { Duplex } from 'node:stream';
import { guard } from '../util/boundary.js';
import {
  type Flushable,
  type PooledReadable,
  PooledReads,
  type RoomyChunk,
  type TakePooled,
  headroom,
  headroomBytes,
  reuse,
} from '../net/pooled-reads.js';

/** Bytes of a frame's header: the length of what follows. */
export const frameHeaderBytes = headroomBytes;
/** Bytes that one frame may carry. */
export const maxFrameBytes = 1 << 20;
/** Instead of a length: nothing more comes in this direction; or the connection broke, and so does the other direction. */
const endMark = 0;
const cutMark = 0xffff_ffff;
/** As the end, and the session will take no further connection. */
const lastMark = 0xffff_fffe;
/** Up to here pieces are joined, which costs less than writing each. */
const joinedBytes = 8_192;
/** How long the other side may take to finish a connection that is over for us. */
const settleTimeoutMs = 5_000;
/** How long it may take to close the session. */
const closeTimeoutMs = 2_000;

/**
 * What a session that has frames in the clear is told of a chunk: whole frames, to be sealed or to go as they are. Any
 * other chunk is none of a connection's bytes.
 */
export const frameKind = Symbol('frame kind');
export type FrameChunk = Buffer & { [frameKind]?: 'sealed' | 'clear' };
/** Content of a frame that is sealed in one record, its header beside it (RFC 8446 5.1). */
const sealedFrameBytes = 16_384 - frameHeaderBytes;

/** A session that seals what is written to it, but for frames that may go in the clear. */
export interface ClearFrames {
  /** Bytes of a connection's frames, headers included, that are sealed first. */
  readonly clearAfterBytes: number;
  /** Its keys have been used for long. */
  readonly isWorn: boolean;
}

type Callback = (error?: Error | null) => void;

/**
 * One connection inside a session that outlives it: each direction is a row of frames, closed by an end, or by a cut where
 * the connection broke (docs/protocol.md). As a stream it behaves as a socket would; `onOver` tells when the session is
 * free for the next connection, or that it is not to be had any more: then it is destroyed.
 */
export class FramedChannel extends Duplex implements PooledReadable {
  readonly #session: Duplex;
  readonly #onOver: (isFree: boolean) => void;
  /** Of a header, as far as it came. */
  #header = Buffer.alloc(0);
  /** Bytes of the frame that are still to come. */
  #left = 0;
  #received: 'open' | 'closed' = 'open';
  #sent: 'open' | 'closed' = 'open';
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  /** The session is not wanted again, by one of the two. */
  #last = false;
  #reads: Flushable | undefined;
  /** Takes what of this chunk was read into a buffer that is used again. */
  #give: ((content: Buffer) => void) | undefined;
  /** Of frames that came together: small ones go on together, since each push costs a write further on. */
  #arrived: Buffer[] = [];
  /** Bytes of frames to seal before any goes in the clear; none where the session seals all by itself, or nothing. */
  #toSeal: number | undefined;

  constructor(session: Duplex, onOver: (isFree: boolean) => void) {
    super({ allowHalfOpen: true });
    this.#session = session;
    this.#onOver = onOver;
    this.#toSeal = (session as Partial<ClearFrames>).clearAfterBytes;
    session.on('data', this.#onData).on('end', this.#onLost).on('close', this.#onLost).on('error', this.#onLost);
    if (session.destroyed || session.readableEnded) process.nextTick(this.#onLost);
  }

  override _read(): void {
    if (!this.#over) this.#session.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    this.#send([chunk], done);
  }

  override _writev(writes: { chunk: Buffer }[], done: Callback): void {
    this.#send(
      writes.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: Callback): void {
    const isLast = this.#isSpent || (this.#session as Partial<ClearFrames>).isWorn === true;
    this.#close(isLast ? lastMark : endMark, done);
    if (this.#received === 'closed') this.#free(Buffer.alloc(0));
  }

  /** A session of TLS read so is not freed again: it would go on to hold a large buffer, and was worth its handshake. */
  reuse(take: TakePooled): Flushable | undefined {
    this.#reads = reuse(this.#session, (chunk, release) => {
      let lent = 1;
      const done = () => {
        if (--lent === 0) release();
      };
      this.#give = (content) => {
        lent++;
        take(content, done);
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

  override _destroy(error: Error | null, done: Callback): void {
    if (!this.#over) {
      if (this.#sent === 'open') this.#close(cutMark);
      if (this.#received === 'closed') this.#free(Buffer.alloc(0));
      else {
        // What still comes is for nobody, but its end must be seen.
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
      this.#parse(chunk);
      this.#pushArrived();
    },
    () => this.#fail(new Error('a frame could not be handled')),
  );

  #pushArrived(): void {
    const arrived = this.#arrived;
    if (arrived.length === 0) return;
    this.#arrived = [];
    for (const content of joinSmall(arrived)) {
      // What this stream holds from before goes first.
      if (this.#give && this.readableLength === 0) this.#give(content);
      else if (!this.push(this.#give ? Buffer.from(content) : content) && !this.#over) this.#session.pause();
    }
  }

  #parse(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.#over;) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#left -= taken;
        const content = taken === chunk.length ? chunk : chunk.subarray(at, at + taken);
        at += taken;
        if (!this.destroyed) this.#arrived.push(content);
        continue;
      }
      if (this.#received === 'closed') {
        // The next connection's first bytes cannot come before both directions of this one are closed.
        this.#fail(new Error('bytes after the end of a connection'));
        return;
      }
      const header = this.#takeHeader(chunk, at);
      at += header.taken;
      if (header.value === undefined) return;
      if (header.value === endMark || header.value >= lastMark) {
        this.#closed(header.value, chunk.subarray(at));
        if (this.#over) return;
      } else if (header.value > maxFrameBytes) this.#fail(new Error(`a frame of ${header.value} bytes`));
      else this.#left = header.value;
    }
  }

  #takeHeader(chunk: Buffer, at: number): { taken: number; value?: number } {
    if (this.#header.length === 0 && chunk.length - at >= frameHeaderBytes) {
      return { taken: frameHeaderBytes, value: chunk.readUInt32BE(at) };
    }
    const taken = Math.min(frameHeaderBytes - this.#header.length, chunk.length - at);
    const header = Buffer.concat([this.#header, chunk.subarray(at, at + taken)]);
    const isWhole = header.length === frameHeaderBytes;
    this.#header = isWhole ? Buffer.alloc(0) : header;
    return { taken, value: isWhole ? header.readUInt32BE(0) : undefined };
  }

  /** The other side has closed its direction; `rest` came after. */
  #closed(mark: number, rest: Buffer): void {
    this.#pushArrived();
    this.#received = 'closed';
    if (mark === lastMark) this.#last = true;
    if (mark !== cutMark) {
      if (!this.destroyed) this.push(null);
    } else {
      if (this.#sent === 'open') this.#close(cutMark);
      this.destroy(Object.assign(new Error('the other side cut the connection'), { code: 'ECONNRESET' }));
    }
    if (this.#sent === 'closed') this.#free(rest);
  }

  // Output

  #send(chunks: Buffer[], done: Callback): void {
    const length = chunks.reduce((sum, { length }) => sum + length, 0);
    const session = this.#session;
    if (length > maxFrameBytes) {
      const all = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
      this.#send([all.subarray(0, maxFrameBytes)], (error) => {
        if (error) done(error);
        else this.#send([all.subarray(maxFrameBytes)], done);
      });
      return;
    }
    if (length === 0) return done();
    if (this.#toSeal) {
      this.#sendSealed(chunks, length, this.#toSeal, done);
      return;
    }
    if (chunks.some((chunk) => (chunk as RoomyChunk)[headroom])) {
      this.#sendRoomy(chunks, done);
      return;
    }
    const header = Buffer.allocUnsafe(frameHeaderBytes);
    header.writeUInt32BE(length);
    if (length <= joinedBytes) {
      session.write(this.#clear(Buffer.concat([header, ...chunks], frameHeaderBytes + length)), done);
      return;
    }
    session.cork();
    session.write(this.#clear(header));
    for (let index = 0; index < chunks.length - 1; index++) session.write(this.#clear(chunks[index] as Buffer));
    session.write(this.#clear(chunks.at(-1) as Buffer), done);
    session.uncork();
  }

  /** As much as a record holds; the rest after it. */
  #sendSealed(chunks: Buffer[], length: number, toSeal: number, done: Callback): void {
    const all = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
    const content = all.subarray(0, sealedFrameBytes);
    const frame: FrameChunk = Buffer.allocUnsafe(frameHeaderBytes + content.length);
    frame.writeUInt32BE(content.length);
    content.copy(frame, frameHeaderBytes);
    frame[frameKind] = 'sealed';
    this.#toSeal = Math.max(0, toSeal - frame.length);
    if (content.length === length) this.#session.write(frame, done);
    else {
      this.#session.write(frame);
      this.#send([all.subarray(content.length)], done);
    }
  }

  #clear(chunk: FrameChunk): FrameChunk {
    if (this.#toSeal !== undefined) chunk[frameKind] = 'clear';
    return chunk;
  }

  /** A frame for each chunk: what lies in one piece is encrypted where it lies. */
  #sendRoomy([chunk, ...rest]: RoomyChunk[], done: Callback): void {
    const next: Callback = (error) => {
      if (error || rest.length === 0) done(error);
      else this.#sendRoomy(rest, done);
    };
    if (!chunk?.[headroom]) return this.#send(chunk ? [chunk] : [], next);
    const frame = Buffer.from(chunk.buffer, chunk.byteOffset - frameHeaderBytes, frameHeaderBytes + chunk.length);
    frame.writeUInt32BE(chunk.length);
    this.#session.write(this.#clear(frame), next);
  }

  #close(mark: number, done: Callback = () => undefined): void {
    this.#sent = 'closed';
    const bytes = Buffer.allocUnsafe(frameHeaderBytes);
    bytes.writeUInt32BE(mark);
    if (this.#session.writable) this.#session.write(bytes, done);
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
    // The last bytes may be among those that are still being joined, and all is well then.
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

/** The same bytes in as few pieces as can be had without copying a large one. */
function joinSmall(pieces: Buffer[]): Buffer[] {
  if (pieces.length === 1) return pieces;
  const joined: Buffer[] = [];
  let small: Buffer[] = [];
  let length = 0;
  const join = () => {
    if (length > 0) joined.push(small.length === 1 ? (small[0] as Buffer) : Buffer.concat(small, length));
    small = [];
    length = 0;
  };
  for (const piece of pieces) {
    if (length + piece.length > joinedBytes) join();
    small.push(piece);
    length += piece.length;
  }
  join();
  return joined;
}

/** What was written still goes out. */
function closeGently(session: Duplex): void {
  const timer = setTimeout(() => session.destroy(), closeTimeoutMs);
  session.once('close', () => clearTimeout(timer));
  session.on('error', () => undefined);
  session.resume();
  session.end();
}
