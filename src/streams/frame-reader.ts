import { type FrameMark, frameHeaderBytes, isFrameMark, maxFrameBytes, signingHeader } from '../protocol/frames.js';
import { SigningReader } from './signing-reader.js';

/** What the bytes of one direction of a connection hold. */
export interface FrameSink {
  /** A part of a frame. */
  content(bytes: Buffer): void;
  signing(message: Buffer): void;
  /** The direction is closed. @param rest the bytes after the mark, which are not read */
  mark(mark: FrameMark, rest: Buffer): void;
}

/** Bytes that are no frames. */
export class FrameError extends Error {}

const none: Buffer = Buffer.alloc(0);

/** Reads the frames of one direction of a connection (docs/protocol.md), up to its mark. */
export class FrameReader {
  /** Remaining bytes of the frame that has begun. */
  left = 0;
  /** Partial frame header. */
  #header = none;
  /** A signing message that is being received. */
  #signing: SigningReader | undefined;
  /** Each direction has at most one signing message. */
  #maySign: boolean;
  #isClosed = false;

  constructor(
    private readonly sink: FrameSink,
    maySign: boolean,
  ) {
    this.#maySign = maySign;
  }

  /** Nothing has begun but a frame, of which `left` bytes remain. */
  get isQuiet(): boolean {
    return this.#header.length === 0 && !this.#signing;
  }

  /** @throws FrameError */
  push(chunk: Buffer): void {
    if (this.#isClosed && chunk.length > 0) throw new FrameError('bytes after the end of a connection');
    for (let at = 0; at < chunk.length;) {
      if (this.left > 0) {
        const taken = Math.min(this.left, chunk.length - at);
        this.left -= taken;
        const content = taken === chunk.length ? chunk : chunk.subarray(at, at + taken);
        at += taken;
        this.sink.content(content);
      } else if (this.#signing) at += this.#readSigning(this.#signing, chunk.subarray(at));
      else {
        const header = this.#takeHeader(chunk, at);
        at += header.taken;
        if (header.value === undefined) return;
        if (isFrameMark(header.value)) {
          this.#isClosed = true;
          return this.sink.mark(header.value, chunk.subarray(at));
        }
        this.#begin(header.value);
      }
    }
  }

  #begin(header: number): void {
    if (header === signingHeader) {
      if (!this.#maySign) throw new FrameError('an unexpected signing message');
      this.#maySign = false;
      this.#signing = new SigningReader();
    } else if (header > maxFrameBytes) throw new FrameError(`a frame of ${header} bytes is too large`);
    else this.left = header;
  }

  /** @returns how many of the bytes belong to the message */
  #readSigning(reader: SigningReader, bytes: Buffer): number {
    const taken = pushed(reader, bytes);
    const { message } = reader;
    if (message) {
      this.#signing = undefined;
      this.sink.signing(message);
    }
    return taken;
  }

  #takeHeader(chunk: Buffer, at: number): { taken: number; value: number | undefined } {
    if (this.#header.length === 0 && chunk.length - at >= frameHeaderBytes) {
      return { taken: frameHeaderBytes, value: chunk.readUInt32BE(at) };
    }
    const taken = Math.min(frameHeaderBytes - this.#header.length, chunk.length - at);
    const header = Buffer.concat([this.#header, chunk.subarray(at, at + taken)]);
    const isWhole = header.length === frameHeaderBytes;
    this.#header = isWhole ? none : header;
    return { taken, value: isWhole ? header.readUInt32BE(0) : undefined };
  }
}

function pushed(reader: SigningReader, bytes: Buffer): number {
  try {
    return reader.push(bytes);
  } catch (cause) {
    throw new FrameError((cause as Error).message, { cause });
  }
}
