import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import { SigningKey } from 'ethers/crypto';
import { computeAddress } from 'ethers/transaction';

export interface KeyPair {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** The relay's secp256k1 identity and the keys derived from it. */
export interface RelayKey {
  /** EIP-55 address that identifies the relay to others. */
  address: string;
  /** The identity's public key (secp256k1), which verified access tokens before release 0.2. */
  publicKey: KeyObject;
  /** Ed25519 key that signs access tokens. */
  tokenKey: KeyPair;
  /** MAC key of sign-in challenges, where the relay has several nodes. */
  challengeKey: Buffer;
}

/** Separates the derived key from any other use of the identity (RFC 5869 3.2). */
const tokenKeyInfo = 'portal-relay access tokens Ed25519';
const challengeKeyInfo = 'portal-relay sign-in challenges HMAC';
/** PKCS #8 prefix of a 32-byte Ed25519 private key (RFC 8410 7). */
const ed25519Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** @param privateKey 0x and 64 hex digits */
export function relayKeyFromHex(privateKey: string): RelayKey {
  const uncompressed = Buffer.from(new SigningKey(privateKey).publicKey.slice(4), 'hex');
  const point = {
    kty: 'EC',
    crv: 'secp256k1',
    x: uncompressed.subarray(0, 32).toString('base64url'),
    y: uncompressed.subarray(32).toString('base64url'),
  };
  const identity = Buffer.from(privateKey.slice(2), 'hex');
  return {
    address: computeAddress(privateKey),
    publicKey: createPublicKey({ key: point, format: 'jwk' }),
    tokenKey: deriveTokenKey(identity),
    challengeKey: derive(identity, challengeKeyInfo),
  };
}

/** HKDF-SHA256 of the identity's private key (RFC 5869): 32 bytes. */
function derive(identity: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', identity, Buffer.alloc(0), info, 32));
}

function deriveTokenKey(identity: Buffer): KeyPair {
  const der = Buffer.concat([ed25519Prefix, derive(identity, tokenKeyInfo)]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}
