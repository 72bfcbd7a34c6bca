import { createCipheriv, createHash } from 'node:crypto';

/** Odd, so that no read, record or buffer size divides it: a piece lost or doubled never falls on a repetition. */
const periodBytes = 8 * 1024 * 1024 + 4_099;
const pieceBytes = 65_536;

/** What travels in the bench: the same bytes in every process, none compressible, and their hash known beforehand. */
export class Content {
  readonly #bytes: Buffer;
  readonly #hashes = new Map<number, string>();

  constructor() {
    const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16, 2));
    this.#bytes = cipher.update(Buffer.alloc(periodBytes));
  }

  /** The first `length` bytes, in pieces that must not be changed. */
  *pieces(length: number): Generator<Buffer> {
    for (let sent = 0; sent < length;) {
      const start = sent % periodBytes;
      const end = Math.min(start + Math.min(pieceBytes, length - sent), periodBytes);
      yield this.#bytes.subarray(start, end);
      sent += end - start;
    }
  }

  /** SHA-256 of the first `length` bytes, hexadecimal. */
  hash(length: number): string {
    let known = this.#hashes.get(length);
    if (known === undefined) {
      const hash = createHash('sha256');
      for (const piece of this.pieces(length)) hash.update(piece);
      known = hash.digest('hex');
      this.#hashes.set(length, known);
    }
    return known;
  }
}
