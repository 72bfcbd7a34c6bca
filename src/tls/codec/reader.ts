import { TlsAlertError } from './alerts.js';

/**
 * Reads the presentation language of RFC 8446 3 from a buffer, without copying. Every method throws `TlsAlertError`
 * `decode_error` when there are too few bytes.
 */
export class Reader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  uint24(): number {
    return this.#bytes.readUIntBE(this.#advance(3), 3);
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  bytes(length: number): Buffer {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** `opaque x<min..max>` with a length of one byte; the next methods for two and three. */
  vector8(min = 0, max = 0xff): Buffer {
    return this.#vector(this.uint8(), min, max);
  }

  vector16(min = 0, max = 0xffff): Buffer {
    return this.#vector(this.uint16(), min, max);
  }

  vector24(min = 0, max = 0xffffff): Buffer {
    return this.#vector(this.uint24(), min, max);
  }

  /** Throws unless all bytes were read. */
  end(what: string): void {
    if (this.remaining > 0) throw new TlsAlertError('decode_error', `${what} has trailing bytes`);
  }

  #vector(length: number, min: number, max: number): Buffer {
    if (length < min || length > max)
      throw new TlsAlertError('decode_error', `a vector of ${length} bytes is not allowed`);
    return this.bytes(length);
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) throw new TlsAlertError('decode_error', 'the message is too short');
    this.#offset = start + length;
    return start;
  }
}
