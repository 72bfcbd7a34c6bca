/** The key schedule of RFC 8446 7 as plain functions over secrets. */
import { createHash, createHmac } from 'node:crypto';
import { type CipherSuite, type HashName } from '../codec/constants.js';

const empty = Buffer.alloc(0);
const counterOne = Buffer.from([1]);

interface HashFacts {
  readonly zeros: Buffer;
  readonly emptyHash: Buffer;
  /** Derive-Secret(Early Secret, "derived", "") where no pre-shared key is used. */
  readonly derivedWithoutPsk: Buffer;
}

const hashFacts: Readonly<Record<HashName, HashFacts>> = { sha256: factsOf('sha256'), sha384: factsOf('sha384') };

function factsOf(hash: HashName): HashFacts {
  const emptyHash = createHash(hash).digest();
  const zeros = Buffer.alloc(emptyHash.length);
  const derivedWithoutPsk = deriveSecret(hash, hkdfExtract(hash, zeros, zeros), 'derived', emptyHash);
  return { zeros, emptyHash, derivedWithoutPsk };
}

/** HKDF-Extract, RFC 5869 2.2. */
export function hkdfExtract(hash: HashName, salt: Buffer, inputKey: Buffer): Buffer {
  return createHmac(hash, salt).update(inputKey).digest();
}

/** HKDF-Expand-Label, RFC 8446 7.1; `length` in bytes. */
export function hkdfExpandLabel(
  hash: HashName,
  secret: Buffer,
  label: string,
  context: Buffer,
  length: number,
): Buffer {
  const fullLabel = `tls13 ${label}`;
  const info = Buffer.allocUnsafe(4 + fullLabel.length + context.length);
  info.writeUInt16BE(length, 0);
  info.writeUInt8(fullLabel.length, 2);
  info.write(fullLabel, 3, 'latin1');
  info.writeUInt8(context.length, 3 + fullLabel.length);
  context.copy(info, 4 + fullLabel.length);
  let block = createHmac(hash, secret).update(info).update(counterOne).digest();
  if (length <= block.length) return block.subarray(0, length);
  const blocks = [block];
  for (let counter = 2; blocks.length * block.length < length; counter++) {
    block = createHmac(hash, secret)
      .update(block)
      .update(info)
      .update(Buffer.from([counter]))
      .digest();
    blocks.push(block);
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** Derive-Secret, RFC 8446 7.1, given the hash of the messages. */
export function deriveSecret(hash: HashName, secret: Buffer, label: string, transcriptHash: Buffer): Buffer {
  return hkdfExpandLabel(hash, secret, label, transcriptHash, transcriptHash.length);
}

export interface HandshakeSecrets {
  readonly client: Buffer;
  readonly server: Buffer;
  readonly master: Buffer;
}

/** The handshake traffic secrets and the master secret, from the transcript up to ServerHello. */
export function handshakeSecrets(
  hash: HashName,
  psk: Buffer | undefined,
  sharedSecret: Buffer,
  helloHash: Buffer,
): HandshakeSecrets {
  const { zeros, emptyHash, derivedWithoutPsk } = hashFacts[hash];
  const derived =
    psk === undefined ? derivedWithoutPsk : deriveSecret(hash, hkdfExtract(hash, zeros, psk), 'derived', emptyHash);
  const handshakeSecret = hkdfExtract(hash, derived, sharedSecret);
  return {
    client: deriveSecret(hash, handshakeSecret, 'c hs traffic', helloHash),
    server: deriveSecret(hash, handshakeSecret, 's hs traffic', helloHash),
    master: hkdfExtract(hash, deriveSecret(hash, handshakeSecret, 'derived', emptyHash), zeros),
  };
}

export interface ApplicationSecrets {
  readonly client: Buffer;
  readonly server: Buffer;
  readonly exporter: Buffer;
}

/** The application traffic secrets and the exporter secret, from the transcript up to the server's Finished. */
export function applicationSecrets(hash: HashName, master: Buffer, serverFinishedHash: Buffer): ApplicationSecrets {
  return {
    client: deriveSecret(hash, master, 'c ap traffic', serverFinishedHash),
    server: deriveSecret(hash, master, 's ap traffic', serverFinishedHash),
    exporter: deriveSecret(hash, master, 'exp master', serverFinishedHash),
  };
}

/** The resumption master secret, from the transcript up to the client's Finished. */
export function resumptionSecret(hash: HashName, master: Buffer, clientFinishedHash: Buffer): Buffer {
  return deriveSecret(hash, master, 'res master', clientFinishedHash);
}

/** The pre-shared key of one ticket, RFC 8446 4.6.1. */
export function ticketPsk(hash: HashName, resumption: Buffer, nonce: Buffer): Buffer {
  return hkdfExpandLabel(hash, resumption, 'resumption', nonce, resumption.length);
}

/** `verify_data` of a Finished, RFC 8446 4.4.4, under the sender's traffic secret. */
export function finishedMac(hash: HashName, trafficSecret: Buffer, transcriptHash: Buffer): Buffer {
  const finishedKey = hkdfExpandLabel(hash, trafficSecret, 'finished', empty, trafficSecret.length);
  return createHmac(hash, finishedKey).update(transcriptHash).digest();
}

/** The binder of a resumption PSK, RFC 8446 4.2.11.2, over the transcript up to the binders. */
export function resumptionBinder(hash: HashName, psk: Buffer, partialHash: Buffer): Buffer {
  const { zeros, emptyHash } = hashFacts[hash];
  const binderKey = deriveSecret(hash, hkdfExtract(hash, zeros, psk), 'res binder', emptyHash);
  return finishedMac(hash, binderKey, partialHash);
}

/** Record key and IV of a traffic secret, RFC 8446 7.3. */
export function trafficKeys(suite: CipherSuite, secret: Buffer): { key: Buffer; iv: Buffer } {
  return {
    key: hkdfExpandLabel(suite.hash, secret, 'key', empty, suite.keyLength),
    iv: hkdfExpandLabel(suite.hash, secret, 'iv', empty, 12),
  };
}

/** The next traffic secret after a KeyUpdate, RFC 8446 7.2. */
export function nextTrafficSecret(hash: HashName, secret: Buffer): Buffer {
  return hkdfExpandLabel(hash, secret, 'traffic upd', empty, secret.length);
}

/** RFC 8446 7.5; an absent context is the same as an empty one. */
export function exportKeyingMaterial(
  hash: HashName,
  exporterSecret: Buffer,
  label: string,
  context: Buffer,
  length: number,
): Buffer {
  const secret = deriveSecret(hash, exporterSecret, label, hashFacts[hash].emptyHash);
  return hkdfExpandLabel(hash, secret, 'exporter', createHash(hash).update(context).digest(), length);
}
