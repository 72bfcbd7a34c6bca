/** Writes the presentation language of RFC 8446 3 into one growing buffer. Every method returns the writer. */
export class Writer {
  #bytes: Buffer;
  #length = 0;

  /** `capacity` is an initial estimate in bytes. */
  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  uint8(value: number): this {
    const start = this.#grow(1);
    this.#bytes.writeUInt8(value, start);
    return this;
  }

  uint16(value: number): this {
    const start = this.#grow(2);
    this.#bytes.writeUInt16BE(value, start);
    return this;
  }

  uint32(value: number): this {
    const start = this.#grow(4);
    this.#bytes.writeUInt32BE(value, start);
    return this;
  }

  bytes(value: Buffer): this {
    const start = this.#grow(value.length);
    value.copy(this.#bytes, start);
    return this;
  }

  /**
   * A vector with a length field of `lengthBytes` bytes and the content written by `write`. Throws if it is too long.
   */
  vector(lengthBytes: 1 | 2 | 3, write: (writer: this) => void): this {
    const start = this.#grow(lengthBytes);
    write(this);
    const length = this.#length - start - lengthBytes;
    this.#bytes.writeUIntBE(length, start, lengthBytes);
    return this;
  }

  /** The written bytes, as a view. Do not use the writer afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Reserves space and returns its offset. May replace `#bytes`, so call it before using that. */
  #grow(length: number): number {
    const start = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    return start;
  }
}
