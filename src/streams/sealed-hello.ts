import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

// The visitor's first bytes on a path, which have the name in them, on their way past the relays behind the entry
// (docs/protocol.md, Paths).

/** Of AES-256-GCM. */
export const helloKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const lengthBytes = 2;
/** Most bytes that are sealed: a ClientHello is shorter. */
const maxSealedBytes = 32_768;
const cipher = 'aes-256-gcm';

/** The bytes were not sealed with this key. */
export class SealedHelloError extends Error {
  override readonly name = 'SealedHelloError';
}

/** Two bytes of length, nonce, ciphertext and tag; then what is too long for it, as it is. */
export function sealHello(key: Buffer, bytes: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, key, nonce);
  const head = bytes.subarray(0, maxSealedBytes);
  const sealed = [nonce, sealing.update(head), sealing.final(), sealing.getAuthTag()];
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt16BE(nonceBytes + head.length + tagBytes);
  return Buffer.concat([length, ...sealed, bytes.subarray(maxSealedBytes)]);
}

/**
 * @returns undefined while more bytes are needed; `hello`, what was sealed, and `length`, how many of the bytes that were
 * @throws SealedHelloError
 */
export function openHello(key: Buffer, bytes: Buffer): { hello: Buffer; length: number } | undefined {
  if (bytes.length < lengthBytes) return undefined;
  const length = bytes.readUInt16BE(0);
  if (length < nonceBytes + tagBytes || length > nonceBytes + maxSealedBytes + tagBytes)
    throw new SealedHelloError('the first bytes of a visitor are not sealed');
  const end = lengthBytes + length;
  if (bytes.length < end) return undefined;
  const opening = createDecipheriv(cipher, key, bytes.subarray(lengthBytes, lengthBytes + nonceBytes));
  opening.setAuthTag(bytes.subarray(end - tagBytes, end));
  const head = opening.update(bytes.subarray(lengthBytes + nonceBytes, end - tagBytes));
  try {
    return { hello: Buffer.concat([head, opening.final()]), length: end };
  } catch (cause) {
    throw new SealedHelloError('the first bytes of a visitor were sealed with another key, or changed', { cause });
  }
}
