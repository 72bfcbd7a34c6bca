import { TlsAlertError } from '../codec/alerts.js';
import { contentType, maxCiphertextLength, maxPlaintextLength, recordHeaderLength } from '../codec/constants.js';

export interface TlsRecord {
  /** The outer content type. */
  readonly type: number;
  /** The 5 header bytes, which are the additional data of a protected record (RFC 8446 5.2). */
  readonly header: Buffer;
  readonly body: Buffer;
}

/** Chunks kept before they are joined: a peer that sends single bytes must not cost one object each. */
const maxPendingChunks = 64;

/**
 * Splits a byte stream into records, whatever the chunks. A record within one chunk is a view; only one that spans
 * chunks is copied. Errors are reported as soon as the first bytes of a header show them.
 */
export class RecordReader {
  #chunks: Buffer[] = [];
  /** Read bytes of the first chunk. */
  #offset = 0;
  #available = 0;
  #header: Buffer | undefined;
  #bodyLength = 0;
  /** Set when protected records are expected, which may be longer. */
  #maxBodyLength = maxPlaintextLength;

  /** Bytes buffered and not yet returned as records. */
  get buffered(): number {
    return this.#available + (this.#header?.length ?? 0);
  }

  /** Protected records follow: allow for their expansion. */
  expectProtected(): void {
    this.#maxBodyLength = maxCiphertextLength;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#available += chunk.length;
    if (this.#chunks.length > maxPendingChunks) {
      this.#chunks = [this.#join()];
      this.#offset = 0;
    }
  }

  /** Copies the buffered bytes, since the pushed chunks are about to be reused. */
  keepCopies(): void {
    if (this.#header !== undefined) this.#header = Buffer.from(this.#header);
    if (this.#chunks.length > 0) this.#chunks = [this.#join()];
    this.#offset = 0;
  }

  /** The next complete record, or `undefined` when more bytes are needed. Throws `TlsAlertError`. */
  next(): TlsRecord | undefined {
    if (this.#header === undefined && !this.#readHeader()) return undefined;
    if (this.#available < this.#bodyLength) return undefined;
    const header = this.#header as Buffer;
    this.#header = undefined;
    return { type: header.readUInt8(0), header, body: this.#take(this.#bodyLength) };
  }

  #readHeader(): boolean {
    if (this.#available < recordHeaderLength) {
      const first = this.#chunks[0]?.[this.#offset];
      if (first !== undefined) checkType(first);
      return false;
    }
    const header = this.#take(recordHeaderLength);
    checkType(header.readUInt8(0));
    // The minor version is ignored (RFC 8446 5.1); another major version is not TLS.
    if (header[1] !== 3) throw new TlsAlertError('protocol_version', 'a record is not of TLS');
    this.#bodyLength = header.readUInt16BE(3);
    if (this.#bodyLength > this.#maxBodyLength) {
      throw new TlsAlertError('record_overflow', `a record of ${this.#bodyLength} bytes`);
    }
    this.#header = header;
    return true;
  }

  #take(length: number): Buffer {
    const first = this.#chunks[0];
    if (first === undefined) return Buffer.alloc(0);
    this.#available -= length;
    const end = this.#offset + length;
    if (end < first.length) {
      const taken = first.subarray(this.#offset, end);
      this.#offset = end;
      return taken;
    }
    if (end === first.length) {
      const taken = first.subarray(this.#offset);
      this.#chunks.shift();
      this.#offset = 0;
      return taken;
    }
    return this.#takeAcrossChunks(length);
  }

  #takeAcrossChunks(length: number): Buffer {
    const taken = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const chunk = this.#chunks[0] as Buffer;
      const copied = chunk.copy(taken, filled, this.#offset);
      filled += copied;
      this.#offset += copied;
      if (this.#offset === chunk.length) {
        this.#chunks.shift();
        this.#offset = 0;
      }
    }
    return taken;
  }

  #join(): Buffer {
    const [first, ...rest] = this.#chunks as [Buffer, ...Buffer[]];
    return Buffer.concat([first.subarray(this.#offset), ...rest]);
  }
}

function checkType(type: number): void {
  if (type < contentType.changeCipherSpec || type > contentType.applicationData) {
    throw new TlsAlertError('unexpected_message', `no TLS record starts with byte ${type}`);
  }
}
