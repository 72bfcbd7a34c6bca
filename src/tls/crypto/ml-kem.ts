import * as crypto from 'node:crypto';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';

/** Of an encapsulation key (FIPS 203, ML-KEM-768). */
export const mlKemKeyBytes = 1_184;

export interface Encapsulated {
  /** 1,088 bytes. */
  ciphertext: Buffer;
  /** 32 bytes. */
  sharedKey: Buffer;
}

/** What Node has from version 24.7 on, where its OpenSSL knows ML-KEM. */
type NodeEncapsulate = (key: crypto.KeyObject) => { ciphertext: Buffer; sharedKey: Buffer };
const native = (crypto as { encapsulate?: NodeEncapsulate }).encapsulate;

/** SubjectPublicKeyInfo of id-alg-ml-kem-768 (RFC 9935), before the key. */
const keyPrefix = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex');

/** ML-KEM-768 by node:crypto, or by a package about six times as slow. */
export const encapsulate: (key: Buffer) => Encapsulated =
  native !== undefined && knowsMlKem(native) ? (key) => byNode(native, key) : byPackage;

/** @throws when the key is not one (FIPS 203, 7.2) */
export function byPackage(key: Buffer): Encapsulated {
  const { cipherText, sharedSecret } = ml_kem768.encapsulate(key);
  return { ciphertext: Buffer.from(cipherText), sharedKey: Buffer.from(sharedSecret) };
}

function byNode(encapsulateWith: NodeEncapsulate, key: Buffer): Encapsulated {
  const spki = Buffer.concat([keyPrefix, key]);
  return encapsulateWith(crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' }));
}

function knowsMlKem(encapsulateWith: NodeEncapsulate): boolean {
  try {
    byNode(encapsulateWith, Buffer.from(ml_kem768.keygen(new Uint8Array(64)).publicKey));
    return true;
  } catch {
    return false;
  }
}
