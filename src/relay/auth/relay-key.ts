import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { SigningKey, computeAddress } from 'ethers';
import { writePrivateFile } from '../state-dir.js';

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

/** The identity kept in a file of its own (0600), made at first need. @throws Error in one line when it is damaged */
export function loadRelayKey(file: string): RelayKey {
  if (!existsSync(file)) {
    const privateKey = `0x${randomBytes(32).toString('hex')}`;
    writePrivateFile(
      file,
      `${JSON.stringify({ address: computeAddress(privateKey), private_key: privateKey }, null, 2)}\n`,
    );
  }
  const { private_key: privateKey } = JSON.parse(readFileSync(file, 'utf8')) as { private_key?: unknown };
  if (typeof privateKey !== 'string' || !/^0x[0-9a-f]{64}$/i.test(privateKey))
    throw new Error(`${file} holds no private_key`);
  return relayKeyFromHex(privateKey);
}
