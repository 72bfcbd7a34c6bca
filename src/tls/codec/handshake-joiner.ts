import { TlsAlertError } from './alerts.js';
import { handshakeHeaderLength } from './constants.js';

/**
 * Reassembles handshake messages from record fragments: several messages in one record, or one over many (RFC 8446
 * 5.1).
 */
export class HandshakeJoiner {
  readonly #header = Buffer.alloc(handshakeHeaderLength);
  #headerFilled = 0;
  #message: Buffer | undefined;
  #messageFilled = 0;

  /** Whether a message is incomplete. */
  get incomplete(): boolean {
    return this.#headerFilled > 0;
  }

  /**
   * Consumes the next message, or a part of it, from the start of `fragment`, and returns the rest. `maxLength`
   * returns the size limit for a message type, header included, and throws for an unexpected type. Throws
   * `TlsAlertError` at the header, before anything of a refused message is buffered.
   */
  take(fragment: Buffer, maxLength: (type: number) => number): { message?: Buffer; rest: Buffer } {
    let rest = fragment;
    if (this.#message === undefined) {
      const copied = rest.copy(this.#header, this.#headerFilled);
      this.#headerFilled += copied;
      rest = rest.subarray(copied);
      const limit = this.#headerFilled > 0 ? maxLength(this.#header.readUInt8(0)) : 0;
      if (this.#headerFilled < handshakeHeaderLength) return { rest };
      const length = handshakeHeaderLength + this.#header.readUIntBE(1, 3);
      if (length > limit) throw new TlsAlertError('decode_error', `a handshake message of ${length} bytes`);
      this.#message = Buffer.allocUnsafe(length);
      this.#messageFilled = this.#header.copy(this.#message);
    }
    const message = this.#message;
    const copied = rest.copy(message, this.#messageFilled);
    this.#messageFilled += copied;
    rest = rest.subarray(copied);
    if (this.#messageFilled < message.length) return { rest };
    this.#message = undefined;
    this.#headerFilled = 0;
    return { message, rest };
  }
}
