import { type KeyObject, constants, sign, verify } from 'node:crypto';

/** RFC 8446 4.2.3: the signature schemes a CertificateVerify may use here, by IANA name. */
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

interface SchemeFacts {
  readonly name: SignatureSchemeName;
  /** `asymmetricKeyType` of a fitting key. */
  readonly keyType: 'ec' | 'rsa' | 'ed25519';
  /** Curve of a fitting key, as node:crypto names it. */
  readonly curve?: string;
  /** The digest; absent when the algorithm includes its own. */
  readonly hash?: string;
}

const schemes: ReadonlyMap<number, SchemeFacts> = new Map<number, SchemeFacts>([
  [0x0403, { name: 'ecdsa_secp256r1_sha256', keyType: 'ec', curve: 'prime256v1', hash: 'sha256' }],
  [0x0503, { name: 'ecdsa_secp384r1_sha384', keyType: 'ec', curve: 'secp384r1', hash: 'sha384' }],
  [0x0603, { name: 'ecdsa_secp521r1_sha512', keyType: 'ec', curve: 'secp521r1', hash: 'sha512' }],
  [0x0804, { name: 'rsa_pss_rsae_sha256', keyType: 'rsa', hash: 'sha256' }],
  [0x0805, { name: 'rsa_pss_rsae_sha384', keyType: 'rsa', hash: 'sha384' }],
  [0x0806, { name: 'rsa_pss_rsae_sha512', keyType: 'rsa', hash: 'sha512' }],
  [0x0807, { name: 'ed25519', keyType: 'ed25519' }],
]);

/** Smallest RSA key in bits. Shorter keys are insecure, and PSS with SHA-512 does not fit into the shortest. */
const minRsaModulusLength = 2048;

/** The IANA name of a scheme, or `undefined` when it is not supported. */
export function signatureSchemeName(scheme: number): SignatureSchemeName | undefined {
  return schemes.get(scheme)?.name;
}

/**
 * The schemes a key (private or public) can sign with in TLS 1.3, most preferred first; none for an unsuitable key.
 */
export function schemesForKey(key: KeyObject): number[] {
  const fitting: number[] = [];
  for (const [scheme, facts] of schemes) if (fits(key, facts)) fitting.push(scheme);
  return fitting;
}

/**
 * Signs `content` (for TLS the CertificateVerify content, RFC 8446 4.4.3) and returns the signature in TLS form:
 * DER for ECDSA. Throws a `RangeError` when the scheme is unknown or the key does not fit it.
 */
export function signWithScheme(scheme: number, privateKey: KeyObject, content: Buffer): Buffer {
  const facts = factsFor(scheme, privateKey);
  return sign(facts.hash, content, { key: privateKey, ...padding(facts) });
}

/**
 * Whether `signature` over `content` is valid. Throws a `RangeError` when the scheme is unknown or the key does not
 * fit.
 */
export function verifyWithScheme(scheme: number, publicKey: KeyObject, content: Buffer, signature: Buffer): boolean {
  const facts = factsFor(scheme, publicKey);
  return verify(facts.hash, content, { key: publicKey, ...padding(facts) }, signature);
}

function factsFor(scheme: number, key: KeyObject): SchemeFacts {
  const facts = schemes.get(scheme);
  if (facts === undefined) throw new RangeError(`signature scheme 0x${scheme.toString(16)} is not supported`);
  if (!fits(key, facts)) throw new RangeError(`the key does not fit the signature scheme ${facts.name}`);
  return facts;
}

function fits(key: KeyObject, facts: SchemeFacts): boolean {
  if (key.asymmetricKeyType !== facts.keyType) return false;
  if (facts.keyType === 'rsa') return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= minRsaModulusLength;
  return facts.curve === undefined || key.asymmetricKeyDetails?.namedCurve === facts.curve;
}

/** RFC 8446 4.2.3: a PSS salt is as long as the digest. */
function padding(facts: SchemeFacts): { padding?: number; saltLength?: number } {
  if (facts.keyType !== 'rsa') return {};
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}
