import { X509Certificate, createHash } from 'node:crypto';
import { type Credentials, parseCredentials } from '../../tls/crypto/credentials.js';

/** The key that signs in both signing modes. */
export const signingKeyId = 'relay-cert';

/** A certificate chain with its key, in the forms that the relay needs. */
export interface Certificate extends Credentials {
  /** PEM, leaf first. */
  chainPem: string;
  keyPem: string;
}

/** @throws Error as `parseCredentials` */
export function parseCertificatePem(chainPem: string, keyPem: string): Certificate {
  return certificateOf(parseCredentials(chainPem, keyPem));
}

export function certificateOf(credentials: Credentials): Certificate {
  const certificates = credentials.chain.map((der) => new X509Certificate(der).toString());
  const keyPem = credentials.key.export({ format: 'pem', type: 'pkcs8' }).toString();
  return { ...credentials, chainPem: certificates.join(''), keyPem };
}

/** Whether a certificate is good for the root host and any tenant's name below it. */
export function coversTenants(certificate: Certificate, rootHost: string): boolean {
  return (
    certificate.leaf.checkHost(rootHost) !== undefined && certificate.leaf.checkHost(`tenant.${rootHost}`) !== undefined
  );
}

/**
 * Base64 of the SHA-256 of the leaf's public key: the form in which a browser is told to trust one key (RFC 7469
 * 2.4).
 */
export function keyPin({ chainPem }: Certificate): string {
  const { publicKey } = new X509Certificate(chainPem);
  return createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('base64');
}
