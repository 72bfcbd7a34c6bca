/** Protection of records, RFC 8446 5.2 and 5.3: one object for each direction. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { TlsAlertError } from '../codec/alerts.js';
import { type CipherSuite, contentType, maxPlaintextLength, recordHeaderLength } from '../codec/constants.js';
import { nextTrafficSecret, trafficKeys } from '../crypto/key-schedule.js';

const tagLength = 16;
const aeadOptions = { authTagLength: tagLength };
/** Size in bytes up to which a record is assembled in one buffer; above it copying costs more than writing pieces. */
const joinBelow = 2_048;
const typeBytes = {
  [contentType.alert]: Buffer.from([contentType.alert]),
  [contentType.handshake]: Buffer.from([contentType.handshake]),
  [contentType.applicationData]: Buffer.from([contentType.applicationData]),
};
type ProtectedType = keyof typeof typeBytes;

/** The key, the nonces and the record count of one direction under one traffic secret. */
class TrafficKey {
  /** A buffer: a KeyObject is not faster in use and costs several microseconds to create. */
  readonly key: Buffer;
  readonly #nonce: Buffer;
  readonly #ivHigh: number;
  readonly #ivLow: number;

  constructor(
    suite: CipherSuite,
    secret: Buffer,
    public sequence: number,
  ) {
    const { key, iv } = trafficKeys(suite, secret);
    this.key = key;
    this.#nonce = iv;
    this.#ivHigh = iv.readUInt32BE(4);
    this.#ivLow = iv.readUInt32BE(8);
  }

  /** The nonce for the current sequence number (RFC 8446 5.3); valid until the next call. */
  nonce(): Buffer {
    const high = Math.floor(this.sequence / 0x1_0000_0000);
    this.#nonce.writeUInt32BE((this.#ivHigh ^ high) >>> 0, 4);
    this.#nonce.writeUInt32BE((this.#ivLow ^ (this.sequence >>> 0)) >>> 0, 8);
    return this.#nonce;
  }
}

/** Where one direction is: what another object needs to go on from there. */
export interface TrafficState {
  /** Traffic secret as of RFC 8446 7.3. */
  secret: Buffer;
  /** Records under it so far. */
  sequence: number;
}

/** Protection of one direction's records with the current key. */
class KeyedRecords {
  #secret: Buffer;
  protected traffic: TrafficKey;

  constructor(
    protected readonly suite: CipherSuite,
    secret: Buffer,
    sequence = 0,
  ) {
    this.#secret = secret;
    this.traffic = new TrafficKey(suite, secret, sequence);
  }

  get state(): TrafficState {
    return { secret: this.#secret, sequence: this.traffic.sequence };
  }

  /** Switches to the next key; call it right after a KeyUpdate was sealed or opened. */
  update(): void {
    this.#secret = nextTrafficSecret(this.suite.hash, this.#secret);
    this.traffic = new TrafficKey(this.suite, this.#secret, 0);
  }
}

export class RecordSealer extends KeyedRecords {
  /** Number of records sealed with the current key. */
  get records(): number {
    return this.traffic.sequence;
  }

  /** Encrypts content of any length into records and appends their pieces to `out`, in order. */
  seal(type: ProtectedType, content: Buffer, out: Buffer[]): void {
    for (let start = 0; start < content.length; start += maxPlaintextLength) {
      this.#sealRecord(type, content.subarray(start, start + maxPlaintextLength), out);
    }
  }

  #sealRecord(type: ProtectedType, fragment: Buffer, out: Buffer[]): void {
    const length = fragment.length + 1 + tagLength;
    const header = Buffer.allocUnsafe(recordHeaderLength);
    header[0] = contentType.applicationData;
    header[1] = 3;
    header[2] = 3;
    header[3] = length >> 8;
    header[4] = length & 0xff;
    const { traffic } = this;
    // The three AEADs have different overloads and the same calls; the GCM ones serve for typing.
    const cipher = createCipheriv(this.suite.aead as 'aes-128-gcm', traffic.key, traffic.nonce(), aeadOptions);
    traffic.sequence++;
    cipher.setAAD(header);
    if (fragment.length < joinBelow) {
      const inner = Buffer.allocUnsafe(fragment.length + 1);
      fragment.copy(inner);
      inner[fragment.length] = type;
      const sealed = cipher.update(inner);
      cipher.final();
      out.push(Buffer.concat([header, sealed, cipher.getAuthTag()], recordHeaderLength + length));
    } else {
      const sealed = cipher.update(fragment);
      const sealedType = cipher.update(typeBytes[type]);
      cipher.final();
      out.push(header, sealed, Buffer.concat([sealedType, cipher.getAuthTag()], 1 + tagLength));
    }
  }
}

export class RecordOpener extends KeyedRecords {
  /**
   * The content type and content of a record, without padding; `undefined` when authentication fails, which does not
   * advance the sequence number. Throws `TlsAlertError` for an authentic but invalid record.
   */
  open(header: Buffer, body: Buffer): { type: number; content: Buffer } | undefined {
    const sealedLength = body.length - tagLength;
    if (sealedLength < 1) return undefined;
    const { traffic } = this;
    const decipher = createDecipheriv(this.suite.aead as 'aes-128-gcm', traffic.key, traffic.nonce(), aeadOptions);
    decipher.setAAD(header);
    decipher.setAuthTag(body.subarray(sealedLength));
    const inner = decipher.update(body.subarray(0, sealedLength));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    traffic.sequence++;
    return splitInner(inner);
  }
}

/** TLSInnerPlaintext: content, one type byte, zeros (RFC 8446 5.2 and 5.4). */
function splitInner(inner: Buffer): { type: number; content: Buffer } {
  if (inner.length > maxPlaintextLength + 1) throw new TlsAlertError('record_overflow', 'a record holds too much');
  let end = inner.length - 1;
  while (end >= 0 && inner[end] === 0) end--;
  if (end < 0) throw new TlsAlertError('unexpected_message', 'a record has no content type');
  return { type: inner.readUInt8(end), content: inner.subarray(0, end) };
}
