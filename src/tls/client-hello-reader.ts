import { TlsAlertError } from './alerts.js';
import { contentType, handshakeType } from './constants.js';
import { type ClientHello, parseClientHello } from './messages.js';

/**
 * Finds the ClientHello at the beginning of a connection without consuming it, over any fragmentation into segments and
 * records (RFC 8446 5.1).
 */
export class ClientHelloReader {
  #bytes: Buffer = Buffer.alloc(0);
  /** Where the first record begins that is not whole yet. */
  #at = 0;
  #message: Buffer = Buffer.alloc(0);

  /** @param limit bytes at most, record headers included, until the message is whole */
  constructor(private readonly limit: number) {}

  /**
   * @returns the message once it is whole
   * @throws TlsAlertError for what cannot become one, as soon as that shows; `decode_error` past the limit
   */
  push(chunk: Buffer): ClientHello | undefined {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    for (let record = this.#nextRecord(); record; record = this.#nextRecord()) {
      this.#message = this.#message.length === 0 ? record : Buffer.concat([this.#message, record]);
      if (this.#message[0] !== handshakeType.client_hello)
        throw new TlsAlertError('unexpected_message', 'not a ClientHello');
      const length = this.#message.length < 4 ? Infinity : 4 + this.#message.readUIntBE(1, 3);
      if (length !== Infinity && length > this.limit)
        throw new TlsAlertError('decode_error', `a ClientHello of ${length} bytes`);
      if (this.#message.length >= length) return parseClientHello(this.#message.subarray(0, length));
    }
    if (this.#bytes.length >= this.limit)
      throw new TlsAlertError('decode_error', `no ClientHello within ${this.limit} bytes`);
    return undefined;
  }

  /** Every byte so far, to be replayed. */
  buffered(): Buffer {
    return this.#bytes;
  }

  /** The content of the next record, when it is there whole. */
  #nextRecord(): Buffer | undefined {
    const header = this.#bytes.subarray(this.#at, this.#at + 5);
    if (header.length > 0 && header[0] !== contentType.handshake)
      throw new TlsAlertError('unexpected_message', 'not a handshake record');
    if (header.length > 1 && header[1] !== 3) throw new TlsAlertError('protocol_version', 'not a TLS record');
    if (header.length < 5) return undefined;
    const length = header.readUInt16BE(3);
    if (length === 0) throw new TlsAlertError('unexpected_message', 'an empty handshake record');
    if (length > 16_384) throw new TlsAlertError('record_overflow', 'the record is too long');
    if (this.#bytes.length < this.#at + 5 + length) return undefined;
    const content = this.#bytes.subarray(this.#at + 5, this.#at + 5 + length);
    this.#at += 5 + length;
    return content;
  }
}
