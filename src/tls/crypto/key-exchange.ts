import { createECDH, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { TlsAlertError } from '../codec/alerts.js';
import { namedGroup } from '../codec/constants.js';
import { encapsulate, mlKemKeyBytes } from './ml-kem.js';

export interface KeyAgreement {
  /** The server's key share, RFC 8446 4.2.8. */
  readonly publicShare: Buffer;
  readonly sharedSecret: Buffer;
}

/**
 * Most preferred first. The hybrid group also holds against those who record now and break X25519 later; X25519 with JWK costs
 * less than P-256 with ECDH objects (about 70 us against 95).
 */
export const defaultGroups: readonly number[] = [
  namedGroup.x25519MlKem768,
  namedGroup.x25519,
  namedGroup.secp256r1,
  namedGroup.secp384r1,
];

/** Whether a handshake with this group also holds against a quantum computer. */
export function isQuantumSafe(group: number): boolean {
  return group === namedGroup.x25519MlKem768;
}

/**
 * Answers a client's key share with a fresh one (RFC 8446 7.4.2). `group` is one of `defaultGroups`. Throws
 * `illegal_parameter` for a share that is not a point of the group or gives an all-zero secret.
 */
export function agreeOnKey(group: number, peerShare: Buffer): KeyAgreement {
  switch (group) {
    case namedGroup.x25519:
      return agreeOnX25519(peerShare);
    case namedGroup.secp256r1:
      return agreeOnCurve('prime256v1', 'P-256', 65, peerShare);
    case namedGroup.secp384r1:
      return agreeOnCurve('secp384r1', 'P-384', 97, peerShare);
    case namedGroup.x25519MlKem768:
      return agreeOnHybrid(peerShare);
    default:
      throw new RangeError(`group ${group} is not supported`);
  }
}

/** Keys are imported and exported as JWK: with DER that would cost several times the arithmetic. */
function agreeOnX25519(peerShare: Buffer): KeyAgreement {
  if (peerShare.length !== 32) throw badShare('X25519');
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const exported = publicKey.export({ format: 'jwk' }).x as string;
  const peer = { kty: 'OKP', crv: 'X25519', x: peerShare.toString('base64url') };
  try {
    // OpenSSL refuses an all-zero result, as RFC 8446 7.4.2 asks.
    const sharedSecret = diffieHellman({ privateKey, publicKey: createPublicKey({ key: peer, format: 'jwk' }) });
    return { publicShare: Buffer.from(exported, 'base64url'), sharedSecret };
  } catch (cause) {
    throw badShare('X25519', cause);
  }
}

function agreeOnCurve(curve: string, group: string, length: number, peerShare: Buffer): KeyAgreement {
  // RFC 8446 4.2.8.2: the uncompressed form only.
  if (peerShare.length !== length || peerShare[0] !== 4) throw badShare(group);
  const ecdh = createECDH(curve);
  const publicShare = ecdh.generateKeys();
  try {
    return { publicShare, sharedSecret: ecdh.computeSecret(peerShare) };
  } catch (cause) {
    throw badShare(group, cause);
  }
}

/** Both parts are ML-KEM first, X25519 second (draft-ietf-tls-ecdhe-mlkem 4). */
function agreeOnHybrid(peerShare: Buffer): KeyAgreement {
  if (peerShare.length !== mlKemKeyBytes + 32) throw badShare('X25519MLKEM768');
  let kem: { ciphertext: Buffer; sharedKey: Buffer };
  try {
    kem = encapsulate(peerShare.subarray(0, mlKemKeyBytes));
  } catch (cause) {
    throw badShare('X25519MLKEM768', cause);
  }
  const classic = agreeOnX25519(peerShare.subarray(mlKemKeyBytes));
  return {
    publicShare: Buffer.concat([kem.ciphertext, classic.publicShare]),
    sharedSecret: Buffer.concat([kem.sharedKey, classic.sharedSecret]),
  };
}

function badShare(group: string, cause?: unknown): TlsAlertError {
  return new TlsAlertError('illegal_parameter', `the ${group} key share is not valid`, { cause });
}
