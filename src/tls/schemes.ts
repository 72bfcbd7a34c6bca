import { type KeyObject, constants, sign, verify } from 'node:crypto';

/** SignatureScheme of TLS 1.3 (RFC 8446 4.2.3), by IANA name. */
export const signatureSchemes = {
  ecdsa_secp256r1_sha256: 0x0403,
  ecdsa_secp384r1_sha384: 0x0503,
  ecdsa_secp521r1_sha512: 0x0603,
  rsa_pss_rsae_sha256: 0x0804,
  rsa_pss_rsae_sha384: 0x0805,
  rsa_pss_rsae_sha512: 0x0806,
  ed25519: 0x0807,
} as const;

export type SignatureSchemeName = keyof typeof signatureSchemes;

const byNumber = new Map(
  Object.entries(signatureSchemes).map(([name, number]) => [number as number, name as SignatureSchemeName]),
);

export function schemeName(scheme: number): SignatureSchemeName | undefined {
  return byNumber.get(scheme);
}

/** The schemes that fit a key, in order of preference; none for keys that TLS 1.3 cannot use. */
export function schemesForKey(key: KeyObject): number[] {
  switch (key.asymmetricKeyType) {
    case 'ec': {
      const curves: Record<string, number> = {
        prime256v1: signatureSchemes.ecdsa_secp256r1_sha256,
        secp384r1: signatureSchemes.ecdsa_secp384r1_sha384,
        secp521r1: signatureSchemes.ecdsa_secp521r1_sha512,
      };
      const scheme = curves[key.asymmetricKeyDetails?.namedCurve ?? ''];
      return scheme === undefined ? [] : [scheme];
    }
    case 'rsa':
      return [
        signatureSchemes.rsa_pss_rsae_sha256,
        signatureSchemes.rsa_pss_rsae_sha384,
        signatureSchemes.rsa_pss_rsae_sha512,
      ];
    case 'ed25519':
      return [signatureSchemes.ed25519];
    default:
      return [];
  }
}

/** Signs `content` as CertificateVerify does. @throws RangeError for an unknown scheme */
export function signWithScheme(scheme: number, key: KeyObject, content: Buffer): Buffer {
  const { hash, padding } = parameters(scheme);
  return sign(hash, content, { key, ...padding });
}

export function verifyWithScheme(scheme: number, key: KeyObject, content: Buffer, signature: Buffer): boolean {
  const { hash, padding } = parameters(scheme);
  return verify(hash, content, { key, ...padding }, signature);
}

function parameters(scheme: number): { hash: string | null; padding: { padding?: number; saltLength?: number } } {
  const name = schemeName(scheme);
  if (!name) throw new RangeError(`signature scheme ${scheme} is not known`);
  if (name === 'ed25519') return { hash: null, padding: {} };
  const hash = name.slice(name.lastIndexOf('_') + 1);
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return { hash, padding: name.startsWith('rsa') ? pss : {} };
}
