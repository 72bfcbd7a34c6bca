import { TlsAlertError } from './alerts.js';

export interface TlsRecord {
  type: number;
  header: Buffer;
  body: Buffer;
}

const headerLength = 5;
const maxPlaintext = 16_384;
const maxCiphertext = maxPlaintext + 256;

/** Cuts the bytes of a connection into records (RFC 8446 5.1). */
export class RecordReader {
  #bytes: Buffer = Buffer.alloc(0);

  get buffered(): number {
    return this.#bytes.length;
  }

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
  }

  /** @throws TlsAlertError `record_overflow`, `protocol_version` */
  next(isProtected: boolean): TlsRecord | undefined {
    const bytes = this.#bytes;
    if (bytes.length >= 2 && bytes[1] !== 3) throw new TlsAlertError('protocol_version', 'not a TLS record');
    if (bytes.length < headerLength) return undefined;
    const length = bytes.readUInt16BE(3);
    if (length > (isProtected ? maxCiphertext : maxPlaintext))
      throw new TlsAlertError('record_overflow', 'the record is too long');
    const end = headerLength + length;
    if (bytes.length < end) return undefined;
    this.#bytes = bytes.subarray(end);
    return {
      type: bytes[0] as number,
      header: bytes.subarray(0, headerLength),
      body: bytes.subarray(headerLength, end),
    };
  }
}
