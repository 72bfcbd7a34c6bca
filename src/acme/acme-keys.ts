import { createHash, KeyObject, webcrypto, type X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { type Credentials, parseCredentials } from '../tls/index.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const hourMs = 3_600_000;
/** id-pe-acmeIdentifier (RFC 8737 3). */
const acmeIdentifier = '1.3.6.1.5.5.7.1.31';
const authorityKeyIdentifier = '2.5.29.35';

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function pemOf(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** A new account's key, PEM. */
export async function generateAccountKey(): Promise<string> {
  return pemOf((await generateKeys()).privateKey);
}

/** A new key, PEM, and the request for its certificate, DER. */
export async function certificateRequest(names: readonly string[]): Promise<{ keyPem: string; csr: Buffer }> {
  const keys = await generateKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      keys,
      signingAlgorithm: algorithm,
      extensions: [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
    },
    webcrypto,
  );
  return { keyPem: pemOf(keys.privateKey), csr: Buffer.from(request.rawData) };
}

/** The certificate that answers the challenge `tls-alpn-01` (RFC 8737 3). */
export async function challengeCredentials(hostname: string, keyAuthorization: string): Promise<Credentials> {
  const keys = await generateKeys();
  const digest = createHash('sha256').update(keyAuthorization).digest();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=ACME challenge',
      notBefore: new Date(Date.now() - hourMs),
      notAfter: new Date(Date.now() + 24 * hourMs),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: hostname }]),
        // An OCTET STRING of 32 bytes.
        new x509.Extension(acmeIdentifier, true, Buffer.concat([Buffer.from([0x04, 0x20]), digest])),
      ],
    },
    webcrypto,
  );
  return parseCredentials(certificate.toString('pem'), pemOf(keys.privateKey));
}

/**
 * How the CA names the certificate in its renewal information (RFC 9773 4.1).
 * @returns undefined for a certificate without the identifier of its CA's key
 */
export function renewalId(leaf: X509Certificate): string | undefined {
  const certificate = new x509.X509Certificate(leaf.raw);
  const extension = certificate.getExtension<x509.AuthorityKeyIdentifierExtension>(authorityKeyIdentifier);
  if (extension?.keyId === undefined) return undefined;
  const serial = Buffer.from(certificate.serialNumber, 'hex');
  // The bytes of a DER INTEGER: a leading zero where the first bit is set.
  const integer = serial.length > 0 && serial[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), serial]) : serial;
  return `${Buffer.from(extension.keyId, 'hex').toString('base64url')}.${integer.toString('base64url')}`;
}
