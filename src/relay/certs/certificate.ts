import { X509Certificate, createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import { schemesForKey } from '../../tls/codec/schemes.js';

/** The key that signs in both signing modes. */
export const signingKeyId = 'relay-cert';

/** A certificate chain with its key, in the forms that the relay needs. */
export interface Certificate {
  /** DER, leaf first. */
  chain: Buffer[];
  /** PEM, leaf first. */
  chainPem: string;
  keyPem: string;
  key: KeyObject;
  /** TLS 1.3 signature schemes that fit the key, in order of preference (RFC 8446 4.2.3). */
  schemes: number[];
  leaf: X509Certificate;
}

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** @throws Error in one line: no certificate, no key, or a key of another certificate */
export function parseCertificatePem(chainPem: string, keyPem: string): Certificate {
  const blocks = (chainPem.match(pemBlock) ?? []).map((block) => new X509Certificate(block));
  const leaf = blocks[0];
  if (!leaf) throw new Error('the certificate file holds no PEM certificate');
  const key = createPrivateKey(keyPem);
  if (!leaf.checkPrivateKey(key))
    throw new Error('the key file does not fit the first certificate of the certificate file');
  const schemes = schemesForKey(key);
  if (schemes.length === 0) throw new Error(`a ${key.asymmetricKeyType} key cannot sign a TLS 1.3 handshake`);
  return {
    chain: blocks.map((block) => block.raw),
    chainPem: blocks.map((block) => block.toString()).join(''),
    keyPem,
    key,
    schemes,
    leaf,
  };
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
