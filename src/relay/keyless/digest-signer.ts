import { constants, createHash, type KeyObject, privateEncrypt, randomBytes } from 'node:crypto';
import { p256, p384, p521 } from '@noble/curves/nist';
import { ApiError } from '../../contract/index.js';
import type { CertificateSource } from '../certs/certificate-source.js';
import { signingKeyId } from '../certs/certificate.js';

const digestSkewSeconds = 30;
const maxDigestNonces = 100_000;

export interface DigestRequest {
  key_id: string;
  /** `ECDSA_SHA256`, `RSA_PSS_SHA384`, `RSA_PKCS1V15_SHA512`, ... */
  algorithm: string;
  /** Base64. */
  digest: string;
  /** Seconds since the epoch. */
  timestamp_unix: number;
  nonce: string;
}

export interface DigestSignature {
  key_id: string;
  algorithm: string;
  signature: string;
}

type Hash = 'sha256' | 'sha384' | 'sha512';

const digestBytes: Record<Hash, number> = { sha256: 32, sha384: 48, sha512: 64 };
/** DER of DigestInfo up to the digest (RFC 8017 9.2, note 1). */
const digestInfo: Record<Hash, string> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
};
const curves: Record<string, Pick<typeof p256, 'sign'>> = { prime256v1: p256, secp384r1: p384, secp521r1: p521 };

/**
 * Signs any digest for any lease holder, as older clients need it. That makes the relay a signing oracle for its
 * certificate: off unless the operator turns it on.
 */
export class DigestSigner {
  /** Nonces seen, each with the second after which its timestamp is refused anyway. */
  readonly #nonces = new Map<string, number>();

  constructor(private readonly certificates: CertificateSource) {}

  /** @throws ApiError `invalid_request` (stale, replayed, or for another kind of key), `rate_limited` */
  sign(request: DigestRequest, nowSeconds = Math.floor(Date.now() / 1000)): DigestSignature {
    if (request.key_id !== signingKeyId) throw refused('key_id is not a key of this relay');
    const [, kind, bits] = /^(ECDSA|RSA_PSS|RSA_PKCS1V15)_SHA(256|384|512)$/.exec(request.algorithm) ?? [];
    if (!kind) throw refused('algorithm is not known');
    const hash = `sha${bits}` as Hash;
    const digest = Buffer.from(request.digest, 'base64');
    if (digest.length !== digestBytes[hash]) throw refused(`the digest must have ${digestBytes[hash]} bytes`);
    if (Math.abs(nowSeconds - request.timestamp_unix) > digestSkewSeconds)
      throw refused('timestamp_unix is too far from now');
    this.#useNonce(request.nonce, request.timestamp_unix + digestSkewSeconds, nowSeconds);
    const { key } = this.certificates.current;
    if (key.asymmetricKeyType !== (kind === 'ECDSA' ? 'ec' : 'rsa')) throw refused('algorithm does not fit the key');
    const signature =
      kind === 'ECDSA'
        ? signEcdsa(key, digest)
        : kind === 'RSA_PSS'
          ? signPss(key, hash, digest)
          : signPkcs1(key, hash, digest);
    return { key_id: signingKeyId, algorithm: request.algorithm, signature: signature.toString('base64') };
  }

  #useNonce(nonce: string, until: number, now: number): void {
    for (const [held, expiry] of this.#nonces) {
      if (expiry >= now) break;
      this.#nonces.delete(held);
    }
    if (this.#nonces.has(nonce)) throw refused('the nonce was used before');
    if (this.#nonces.size >= maxDigestNonces)
      throw new ApiError('rate_limited', 'too many signatures', { retryAfterSeconds: digestSkewSeconds });
    this.#nonces.set(nonce, until);
  }
}

const refused = (message: string) => new ApiError('invalid_request', message);

// node:crypto signs messages, not digests: what it lacks for a digest is built below from its own primitives, and for
// ECDSA from @noble/curves.

function signEcdsa(key: KeyObject, digest: Buffer): Buffer {
  const curve = curves[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (!curve) throw refused('algorithm does not fit the key');
  const scalar = Buffer.from(key.export({ format: 'jwk' }).d as string, 'base64url');
  return Buffer.from(curve.sign(digest, scalar, { prehash: false, lowS: false }).toDERRawBytes());
}

function signPkcs1(key: KeyObject, hash: Hash, digest: Buffer): Buffer {
  const info = Buffer.concat([Buffer.from(digestInfo[hash], 'hex'), digest]);
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, info);
}

/** RSASSA-PSS with MGF1 of the same hash and a salt as long as the digest (RFC 8017 8.1.1 and 9.1.1). */
function signPss(key: KeyObject, hash: Hash, digest: Buffer): Buffer {
  const modulusBits = key.asymmetricKeyDetails?.modulusLength as number;
  const encodedLength = Math.ceil((modulusBits - 1) / 8);
  const salt = randomBytes(digest.length);
  const verifier = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
  const padding = Buffer.alloc(encodedLength - digest.length - salt.length - 2);
  const block = Buffer.concat([padding, Buffer.from([1]), salt]);
  const mask = mgf1(hash, verifier, block.length);
  for (let i = 0; i < block.length; i++) block[i] = (block[i] as number) ^ (mask[i] as number);
  block[0] = (block[0] as number) & (0xff >> (8 * encodedLength - (modulusBits - 1)));
  const encoded = Buffer.concat([block, verifier, Buffer.from([0xbc])]);
  const padded = Buffer.concat([Buffer.alloc(Math.ceil(modulusBits / 8) - encodedLength), encoded]);
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, padded);
}

function mgf1(hash: Hash, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let counter = 0; blocks.length * digestBytes[hash] < length; counter++) {
    const suffix = Buffer.alloc(4);
    suffix.writeUInt32BE(counter);
    blocks.push(createHash(hash).update(seed).update(suffix).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}
