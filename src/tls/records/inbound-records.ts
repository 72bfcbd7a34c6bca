import { TlsAlertError } from '../codec/alerts.js';
import {
  contentType,
  maxChangeCipherSpecs,
  maxEmptyRecordsInRow,
  maxSkippedEarlyDataBytes,
  recordHeaderLength,
} from '../codec/constants.js';
import { type RecordOpener } from './record-protection.js';
import { RecordReader, type TlsRecord } from './record-reader.js';

export interface Content {
  readonly type: number;
  readonly content: Buffer;
}

/**
 * Decrypts a client's records: returns alerts, handshake fragments and application data in order, and skips records
 * without content (change_cipher_spec, refused early data, empty records), each up to a limit.
 */
export class InboundRecords {
  readonly #reader = new RecordReader();
  #opener: RecordOpener | undefined;
  /** change_cipher_spec is allowed from the first ClientHello to Finished (RFC 8446 5). */
  #inHandshake = false;
  #changeCipherSpecs = 0;
  #earlyDataLeft = 0;
  #emptyRecords = 0;

  push(chunk: Buffer): void {
    this.#reader.push(chunk);
  }

  /** The pushed buffer is about to be reused; decrypted content never points into it. */
  keepCopies(): void {
    this.#reader.keepCopies();
  }

  /** The next content, or `undefined` when more bytes are needed. Throws `TlsAlertError`. */
  next(): Content | undefined {
    for (let record = this.#reader.next(); record !== undefined; record = this.#reader.next()) {
      const content = this.#open(record);
      if (content === undefined) continue;
      if (content.content.length > 0) {
        this.#emptyRecords = 0;
        return content;
      }
      this.#countEmpty(content.type);
    }
    return undefined;
  }

  /** A ClientHello was read: refused early data may follow, in records up to the size of protected ones. */
  afterHello(offersEarlyData: boolean): void {
    this.#inHandshake = true;
    this.#earlyDataLeft = offersEarlyData ? maxSkippedEarlyDataBytes : 0;
    this.#reader.expectProtected();
  }

  /** From now on records are protected: by the handshake keys, and after Finished by the application keys. */
  protect(opener: RecordOpener): void {
    this.#opener = opener;
  }

  /** The client's Finished was read: the exceptions of the handshake end. */
  afterFinished(): void {
    this.#inHandshake = false;
    this.#earlyDataLeft = 0;
  }

  #open(record: TlsRecord): Content | undefined {
    const { type, header, body } = record;
    if (type === contentType.changeCipherSpec) {
      this.#countChangeCipherSpec(body);
      return undefined;
    }
    if (this.#opener === undefined) return this.#openPlaintext(type, body);
    // A client that could not read the server's flight sends an unprotected alert.
    if (type === contentType.alert && this.#inHandshake) return { type, content: body };
    if (type !== contentType.applicationData) {
      throw new TlsAlertError('unexpected_message', 'an unprotected record where protection is due');
    }
    const content = this.#opener.open(header, body);
    if (content === undefined) {
      if (this.#skipEarlyData(body)) return undefined;
      throw new TlsAlertError('bad_record_mac', 'a record does not authenticate');
    }
    // Early data comes first (RFC 8446 4.2.10): after one decrypted record, no record may fail to decrypt.
    this.#earlyDataLeft = 0;
    return content;
  }

  #openPlaintext(type: number, body: Buffer): Content | undefined {
    if (type !== contentType.applicationData) return { type, content: body };
    if (this.#skipEarlyData(body)) return undefined;
    throw new TlsAlertError('unexpected_message', 'application data before the handshake');
  }

  #skipEarlyData(body: Buffer): boolean {
    this.#earlyDataLeft -= recordHeaderLength + body.length;
    return this.#earlyDataLeft >= 0;
  }

  #countChangeCipherSpec(body: Buffer): void {
    if (body.length !== 1 || body[0] !== 1) {
      throw new TlsAlertError('unexpected_message', 'a change_cipher_spec that is not the dummy of TLS 1.3');
    }
    if (!this.#inHandshake || ++this.#changeCipherSpecs > maxChangeCipherSpecs) {
      throw new TlsAlertError('unexpected_message', 'change_cipher_spec comes out of place or too often');
    }
  }

  /** RFC 8446 5.1: only application data may be empty. */
  #countEmpty(type: number): void {
    if (type !== contentType.applicationData) throw new TlsAlertError('unexpected_message', 'an empty record');
    if (++this.#emptyRecords > maxEmptyRecordsInRow) {
      throw new TlsAlertError('unexpected_message', 'too many empty records');
    }
  }
}
