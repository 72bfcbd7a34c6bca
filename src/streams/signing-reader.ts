import { frameHeaderBytes, maxSigningBytes } from '../protocol/frames.js';

/** First allocation for a message; it grows with the bytes that arrive, since the length is the sender's word. */
const firstBytes = 4_096;

/** Reads the length and the content of one signing message (docs/protocol.md, Signing inside a session). */
export class SigningReader {
  readonly #header = Buffer.alloc(frameHeaderBytes);
  #headerFilled = 0;
  #length = 0;
  #content = Buffer.alloc(0);
  #filled = 0;

  /** The message, once it is complete. */
  get message(): Buffer | undefined {
    return this.#headerFilled === frameHeaderBytes && this.#filled === this.#length ? this.#content : undefined;
  }

  /** @returns how many of the bytes belong to the message. @throws Error when it is too large */
  push(bytes: Buffer): number {
    const headerTaken = bytes.copy(this.#header, this.#headerFilled);
    this.#headerFilled += headerTaken;
    if (headerTaken > 0 && this.#headerFilled === frameHeaderBytes) this.#begin(this.#header.readUInt32BE(0));
    const content = bytes.subarray(headerTaken, headerTaken + this.#length - this.#filled);
    if (this.#headerFilled === frameHeaderBytes) this.#append(content);
    return headerTaken + content.length;
  }

  #begin(length: number): void {
    if (length > maxSigningBytes) throw new Error(`a signing message of ${length} bytes is too large`);
    this.#length = length;
    this.#content = Buffer.allocUnsafe(Math.min(length, firstBytes));
  }

  #append(bytes: Buffer): void {
    const filled = this.#filled + bytes.length;
    if (filled > this.#content.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#length, Math.max(filled, 2 * this.#content.length)));
      this.#content.copy(grown, 0, 0, this.#filled);
      this.#content = grown;
    }
    bytes.copy(this.#content, this.#filled);
    this.#filled = filled;
  }
}
