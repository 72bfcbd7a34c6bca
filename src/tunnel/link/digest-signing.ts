import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { ApiError } from '../../contract/errors.js';
import type { RequestBody } from '../../contract/operations.js';
import type { PortalClient } from '../../sdk/calls/client.js';
import { verifyWithScheme } from '../../tls/index.js';

type DigestAlgorithm = Extract<RequestBody<'signHandshake'>, { digest: string }>['algorithm'];

/** The relays of earlier releases name no key: it is always this one. */
export const compatKeyId = 'relay-cert';

/** By the IANA name of the signature scheme. A scheme without a digest of its own is not there. */
const algorithms: Record<string, { algorithm: DigestAlgorithm; hash: string }> = {
  ecdsa_secp256r1_sha256: { algorithm: 'ECDSA_SHA256', hash: 'sha256' },
  ecdsa_secp384r1_sha384: { algorithm: 'ECDSA_SHA384', hash: 'sha384' },
  ecdsa_secp521r1_sha512: { algorithm: 'ECDSA_SHA512', hash: 'sha512' },
  rsa_pss_rsae_sha256: { algorithm: 'RSA_PSS_SHA256', hash: 'sha256' },
  rsa_pss_rsae_sha384: { algorithm: 'RSA_PSS_SHA384', hash: 'sha384' },
  rsa_pss_rsae_sha512: { algorithm: 'RSA_PSS_SHA512', hash: 'sha512' },
};

export interface DigestRequest {
  scheme: number;
  schemeName: string;
  /** The content of CertificateVerify that is signed (RFC 8446 4.4.3). */
  content: Buffer;
  signal: AbortSignal;
  timeoutMs: number;
}

/**
 * Has a relay sign the digest of a handshake, which it cannot check.
 * @param leaf certificate, DER
 * @returns the `signature` of CertificateVerify
 * @throws what `signDigest` throws; ApiError `feature_unavailable` for a key that signs no digests, `invalid_request`
 * where the signature is not of the chain's key
 */
export async function signDigest(
  client: PortalClient,
  accessToken: string,
  leaf: Buffer,
  { scheme, schemeName, content, signal, timeoutMs }: DigestRequest,
): Promise<Buffer> {
  const known = algorithms[schemeName];
  if (!known) throw new ApiError('feature_unavailable', `the relay cannot sign by ${schemeName}`);
  const { signature } = await client.signDigest(
    accessToken,
    {
      key_id: compatKeyId,
      algorithm: known.algorithm,
      digest: createHash(known.hash).update(content).digest('base64'),
      timestamp_unix: Math.floor(Date.now() / 1000),
      nonce: randomBytes(16).toString('base64url'),
    },
    { signal, timeoutMs },
  );
  const bytes = Buffer.from(signature, 'base64');
  // The relay may have another certificate by now, and does not say so.
  if (!verifyWithScheme(scheme, new X509Certificate(leaf).publicKey, content, bytes))
    throw new ApiError('invalid_request', 'the relay signed with another key than that of its chain');
  return bytes;
}
