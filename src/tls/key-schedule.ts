import { createHash, createHmac } from 'node:crypto';
import type { HashName } from './constants.js';

const empty: Buffer = Buffer.alloc(0);
const prefix = 'tls13 ';

export function hmac(hash: HashName, key: Buffer, data: Buffer): Buffer {
  return createHmac(hash, key).update(data).digest();
}

export function digest(hash: HashName, data: Buffer): Buffer {
  return createHash(hash).update(data).digest();
}

/** HKDF-Expand-Label (RFC 8446 7.1). */
export function expandLabel(hash: HashName, secret: Buffer, label: string, context: Buffer, length: number): Buffer {
  const labelLength = prefix.length + label.length;
  const info = Buffer.allocUnsafe(2 + 1 + labelLength + 1 + context.length + 1);
  info.writeUInt16BE(length, 0);
  info[2] = labelLength;
  info.write(prefix + label, 3, 'latin1');
  info[3 + labelLength] = context.length;
  context.copy(info, 4 + labelLength);
  info[info.length - 1] = 1;
  const first = hmac(hash, secret, info);
  if (length <= first.length) return first.subarray(0, length);
  // HKDF-Expand beyond one block (RFC 5869 2.3): for long exporter values only.
  const blocks = [first];
  for (let have = first.length; have < length; have += first.length) {
    info[info.length - 1] = blocks.length + 1;
    blocks.push(hmac(hash, secret, Buffer.concat([blocks.at(-1) as Buffer, info])));
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** Derive-Secret over a transcript hash that is there already. */
export function deriveSecret(hash: HashName, secret: Buffer, label: string, transcriptHash: Buffer): Buffer {
  return expandLabel(hash, secret, label, transcriptHash, transcriptHash.length);
}

/** The key of a Finished or a binder, applied (RFC 8446 4.4.4). */
export function finishedMac(hash: HashName, baseKey: Buffer, transcriptHash: Buffer): Buffer {
  return hmac(hash, expandLabel(hash, baseKey, 'finished', empty, transcriptHash.length), transcriptHash);
}

/** The chain of secrets of one handshake (RFC 8446 7.1), from the early secret on. */
export class KeySchedule {
  readonly #emptyHash: Buffer;
  readonly #zeros: Buffer;
  #secret: Buffer;

  /** @param psk of the ticket that is resumed */
  constructor(
    private readonly hash: HashName,
    psk?: Buffer,
  ) {
    this.#emptyHash = digest(hash, empty);
    this.#zeros = Buffer.alloc(this.#emptyHash.length);
    this.#secret = hmac(hash, this.#zeros, psk ?? this.#zeros);
  }

  /** HMAC of a resumption PSK's binder over the truncated ClientHello (RFC 8446 4.2.11.2). */
  binder(transcriptHash: Buffer): Buffer {
    return finishedMac(this.hash, deriveSecret(this.hash, this.#secret, 'res binder', this.#emptyHash), transcriptHash);
  }

  /** Goes on to the handshake secret. */
  mixSharedSecret(sharedSecret: Buffer): void {
    this.#secret = hmac(this.hash, this.#derived(), sharedSecret);
  }

  /** Goes on to the master secret. */
  finish(): void {
    this.#secret = hmac(this.hash, this.#derived(), this.#zeros);
  }

  /** A secret of the current stage: `c hs traffic`, `s ap traffic`, `exp master`, ... */
  derive(label: string, transcriptHash: Buffer): Buffer {
    return deriveSecret(this.hash, this.#secret, label, transcriptHash);
  }

  #derived(): Buffer {
    return deriveSecret(this.hash, this.#secret, 'derived', this.#emptyHash);
  }
}

/** RFC 8446 7.5. */
export function exportKeyingMaterial(
  hash: HashName,
  exporterSecret: Buffer,
  length: number,
  label: string,
  context: Buffer,
): Buffer {
  const secret = deriveSecret(hash, exporterSecret, label, digest(hash, empty));
  return expandLabel(hash, secret, 'exporter', digest(hash, context), length);
}
