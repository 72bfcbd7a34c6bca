import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { readPrivateFile, writePrivateFile } from '../../sdk/identity/private-file.js';
import { overlayAddress } from '../../sdk/discovery/relay-descriptor.js';

/** A private key of X25519 in DER (RFC 8410 7), without its last 32 bytes. */
const pkcs8Prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
const keyBytes = 32;
const maxFileBytes = 128;

/** The relay's WireGuard key, independent of its identity. */
export interface OverlayKey {
  /** Holds the private key in base64, as `wg` reads it; mode 0600. */
  readonly file: string;
  /** Base64 of 32 bytes. */
  readonly publicKey: string;
  /** The IPv4 address that goes with it. */
  readonly address: string;
}

/**
 * Loads the key, or creates one.
 * @throws Error in one line when the file is readable by others, or holds no key
 */
export async function loadOverlayKey(file: string): Promise<OverlayKey> {
  await writePrivateFile(file, `${clamped(randomBytes(keyBytes)).toString('base64')}\n`, 'keep');
  const text = await readPrivateFile(file, maxFileBytes).catch((cause: Error) => {
    throw new Error(`${file}: ${cause.message}`, { cause });
  });
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== keyBytes) throw new Error(`${file} holds no WireGuard key: remove it, and a new one is made`);
  const publicKey = publicKeyOf(key);
  return { file, publicKey, address: overlayAddress(publicKey) };
}

/** Base64 of the public key. */
export function publicKeyOf(privateKey: Buffer): string {
  const der = Buffer.concat([pkcs8Prefix, privateKey]);
  const { x } = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({ format: 'jwk' });
  return Buffer.from(x as string, 'base64url').toString('base64');
}

/** As X25519 has its scalars (RFC 7748 5). */
function clamped(key: Buffer): Buffer {
  key.writeUInt8(key.readUInt8(0) & 248, 0);
  key.writeUInt8((key.readUInt8(31) & 127) | 64, 31);
  return key;
}
