import { createECDH, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { TlsAlertError } from './alerts.js';
import { namedGroup } from './constants.js';

export interface KeyExchange {
  /** Our key_share. */
  share: Buffer;
  sharedSecret: Buffer;
}

/** SubjectPublicKeyInfo of an X25519 key up to the key (RFC 8410 4). */
const x25519Prefix = Buffer.from('302a300506032b656e032100', 'hex');

/**
 * (EC)DHE with a fresh key (RFC 8446 7.4.2 and 4.2.8.2).
 * @throws TlsAlertError `illegal_parameter` for a share that is no point of its group, or would give a zero secret
 */
export function exchangeKeys(group: number, peerShare: Buffer): KeyExchange {
  try {
    return group === namedGroup.x25519 ? x25519(peerShare) : secp256r1(peerShare);
  } catch (cause) {
    throw new TlsAlertError('illegal_parameter', 'the key share is not valid', { cause });
  }
}

function x25519(peerShare: Buffer): KeyExchange {
  if (peerShare.length !== 32) throw new RangeError('an X25519 share has 32 bytes');
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const peer = createPublicKey({ key: Buffer.concat([x25519Prefix, peerShare]), format: 'der', type: 'spki' });
  const share = publicKey.export({ format: 'der', type: 'spki' }).subarray(x25519Prefix.length);
  // OpenSSL refuses an all-zero result.
  return { share, sharedSecret: diffieHellman({ privateKey, publicKey: peer }) };
}

function secp256r1(peerShare: Buffer): KeyExchange {
  if (peerShare.length !== 65 || peerShare[0] !== 4) throw new RangeError('a P-256 share is an uncompressed point');
  const own = createECDH('prime256v1');
  return { share: own.generateKeys(), sharedSecret: own.computeSecret(peerShare) };
}
