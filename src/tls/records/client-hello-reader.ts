import { TlsAlertError } from '../codec/alerts.js';
import { contentType, handshakeType, maxClientHelloBytes } from '../codec/constants.js';
import { HandshakeJoiner } from '../codec/handshake-joiner.js';
import { type ClientHello, parseClientHello } from '../codec/messages.js';
import { RecordReader } from './record-reader.js';

/**
 * Reads a ClientHello from the start of a connection and keeps every byte, for a router that sends nothing itself and
 * later replays them. Any fragmentation over chunks and records is accepted.
 */
export class ClientHelloReader {
  readonly #maxBytes: number;
  readonly #records = new RecordReader();
  readonly #joiner = new HandshakeJoiner();
  readonly #replay = new GrowingBuffer();
  #hello: ClientHello | undefined;

  /** `maxBytes` bounds the records of the ClientHello, headers included. */
  constructor(maxBytes: number = maxClientHelloBytes) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Adds bytes of the connection. Returns the ClientHello once it is complete, also in later calls. Throws
   * `TlsAlertError` as soon as the bytes cannot become a ClientHello within the limit.
   */
  push(chunk: Buffer): ClientHello | undefined {
    if (this.#replay.length === 0 && chunk.length > 0 && chunk[0] !== contentType.handshake) {
      throw new TlsAlertError('unexpected_message', 'the connection does not start with a TLS handshake');
    }
    this.#replay.append(chunk);
    if (this.#hello !== undefined) return this.#hello;
    this.#records.push(chunk);
    for (let record = this.#records.next(); record !== undefined; record = this.#records.next()) {
      if (record.type !== contentType.handshake) {
        throw new TlsAlertError('unexpected_message', 'the connection does not start with a ClientHello');
      }
      // RFC 8446 5.1 forbids empty fragments.
      if (record.body.length === 0) throw new TlsAlertError('unexpected_message', 'an empty handshake record');
      const { message } = this.#joiner.take(record.body, (type) => this.#maxMessageLength(type));
      this.#checkLimit(this.#replay.length - this.#records.buffered);
      if (message !== undefined) return (this.#hello = parseClientHello(message));
    }
    this.#checkLimit(this.#replay.length);
    return undefined;
  }

  /** All bytes pushed so far, including those after the ClientHello. */
  buffered(): Buffer {
    return this.#replay.contents();
  }

  #maxMessageLength(type: number): number {
    if (type !== handshakeType.clientHello) {
      throw new TlsAlertError('unexpected_message', 'the connection does not start with a ClientHello');
    }
    return this.#maxBytes;
  }

  #checkLimit(used: number): void {
    if (used > this.#maxBytes) throw new TlsAlertError('decode_error', 'the ClientHello is too long');
  }
}

/** Collects bytes at amortised cost; the first chunk, usually the only one, is not copied. */
class GrowingBuffer {
  #bytes: Buffer = Buffer.alloc(0);
  length = 0;

  append(chunk: Buffer): void {
    const needed = this.length + chunk.length;
    if (this.length === 0) {
      this.#bytes = chunk;
    } else {
      if (needed > this.#bytes.length) {
        const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
        this.#bytes.copy(grown, 0, 0, this.length);
        this.#bytes = grown;
      }
      chunk.copy(this.#bytes, this.length);
    }
    this.length = needed;
  }

  contents(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }
}
