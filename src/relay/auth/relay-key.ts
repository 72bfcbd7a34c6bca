import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { SigningKey, computeAddress } from 'ethers';

/** The relay's own secp256k1 identity: it signs access tokens, and its address names it to others. */
export interface RelayKey {
  /** EIP-55 address. */
  address: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** @param privateKey 0x and 64 hex digits */
export function relayKeyFromHex(privateKey: string): RelayKey {
  const uncompressed = Buffer.from(new SigningKey(privateKey).publicKey.slice(4), 'hex');
  const point = {
    kty: 'EC',
    crv: 'secp256k1',
    x: uncompressed.subarray(0, 32).toString('base64url'),
    y: uncompressed.subarray(32).toString('base64url'),
  };
  const secret = { ...point, d: Buffer.from(privateKey.slice(2), 'hex').toString('base64url') };
  return {
    address: computeAddress(privateKey),
    privateKey: createPrivateKey({ key: secret, format: 'jwk' }),
    publicKey: createPublicKey({ key: point, format: 'jwk' }),
  };
}
