import {
  type CipherGCM,
  type CipherGCMTypes,
  type DecipherGCM,
  type KeyObject,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
} from 'node:crypto';
import { type CipherSuite, contentType } from './constants.js';
import { expandLabel } from './key-schedule.js';

const empty = Buffer.alloc(0);
const tagLength = 16;
const aeadOptions = { authTagLength: tagLength };
/** Plaintexts up to this are copied behind their type byte, so that one update does; larger ones are not copied. */
const joinBelow = 2_048;

/** Protects the records of one direction (RFC 8446 5.2 and 5.3). */
export class RecordCipher {
  #secret: Buffer;
  #key!: KeyObject;
  #nonce!: Buffer;
  #ivHigh = 0;
  #ivLow = 0;
  #sequence = 0;

  constructor(
    private readonly suite: CipherSuite,
    secret: Buffer,
  ) {
    this.#secret = secret;
    this.#useSecret();
  }

  /** Records so far under the current key. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The next generation of keys (RFC 8446 7.2). */
  update(): void {
    const { hash, hashLength } = this.suite;
    this.#secret = expandLabel(hash, this.#secret, 'traffic upd', empty, hashLength);
    this.#useSecret();
  }

  /** Appends one protected record to `out`: at most 16,384 bytes of `data`. */
  seal(type: number, data: Buffer, out: Buffer[]): void {
    const length = data.length + 1 + tagLength;
    const header = Buffer.allocUnsafe(5);
    header[0] = contentType.application_data;
    header[1] = 3;
    header[2] = 3;
    header[3] = length >> 8;
    header[4] = length & 0xff;
    const cipher = createCipheriv(
      this.suite.aead as CipherGCMTypes,
      this.#key,
      this.#nextNonce(),
      aeadOptions,
    ) as CipherGCM;
    cipher.setAAD(header);
    if (data.length < joinBelow) {
      const inner = Buffer.allocUnsafe(data.length + 1);
      data.copy(inner);
      inner[data.length] = type;
      const sealed = cipher.update(inner);
      cipher.final();
      out.push(Buffer.concat([header, sealed, cipher.getAuthTag()]));
    } else {
      const sealed = cipher.update(data);
      const last = cipher.update(Buffer.from([type]));
      cipher.final();
      out.push(header, sealed, Buffer.concat([last, cipher.getAuthTag()]));
    }
  }

  /** @returns the inner plaintext with its type and padding, or undefined where the record is not authentic */
  open(header: Buffer, body: Buffer): Buffer | undefined {
    if (body.length < tagLength + 1) return undefined;
    const end = body.length - tagLength;
    const decipher = createDecipheriv(
      this.suite.aead as CipherGCMTypes,
      this.#key,
      this.#nextNonce(),
      aeadOptions,
    ) as DecipherGCM;
    decipher.setAAD(header);
    decipher.setAuthTag(body.subarray(end));
    const plain = decipher.update(body.subarray(0, end));
    try {
      decipher.final();
    } catch {
      // The next record is still the one with this number: undecryptable early data does not count (RFC 8446 4.2.10).
      this.#sequence--;
      return undefined;
    }
    return plain;
  }

  #useSecret(): void {
    const { hash, keyLength } = this.suite;
    this.#key = createSecretKey(expandLabel(hash, this.#secret, 'key', empty, keyLength));
    const iv = expandLabel(hash, this.#secret, 'iv', empty, 12);
    this.#nonce = Buffer.from(iv);
    this.#ivHigh = iv.readUInt32BE(4);
    this.#ivLow = iv.readUInt32BE(8);
    this.#sequence = 0;
  }

  /** The IV with the sequence number in its last 8 bytes, one buffer used again: createCipheriv copies it. */
  #nextNonce(): Buffer {
    const sequence = this.#sequence++;
    this.#nonce.writeUInt32BE((this.#ivHigh ^ Math.floor(sequence / 0x1_0000_0000)) >>> 0, 4);
    this.#nonce.writeUInt32BE((this.#ivLow ^ sequence) >>> 0, 8);
    return this.#nonce;
  }
}
