import { type KeyObject, X509Certificate, createPrivateKey } from 'node:crypto';
import { schemesForKey } from '../codec/schemes.js';

/** A certificate chain with its key, as a handshake needs them. */
export interface Credentials {
  /** DER, leaf first. */
  readonly chain: Buffer[];
  readonly key: KeyObject;
  /** TLS 1.3 signature schemes that fit the key, in order of preference (RFC 8446 4.2.3). */
  readonly schemes: number[];
  readonly leaf: X509Certificate;
}

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** @throws Error in one line: no certificate, no key, a key of another certificate, or one that TLS 1.3 cannot use */
export function parseCredentials(chainPem: string, keyPem: string): Credentials {
  const blocks = (chainPem.match(pemBlock) ?? []).map((block) => new X509Certificate(block));
  const leaf = blocks[0];
  if (!leaf) throw new Error('the certificate file holds no PEM certificate');
  const key = createPrivateKey(keyPem);
  if (!leaf.checkPrivateKey(key))
    throw new Error('the key file does not fit the first certificate of the certificate file');
  const schemes = schemesForKey(key);
  if (schemes.length === 0) throw new Error(`a ${key.asymmetricKeyType} key cannot sign a TLS 1.3 handshake`);
  return { chain: blocks.map((block) => block.raw), key, schemes, leaf };
}
