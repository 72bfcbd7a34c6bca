import { createECDH, createPrivateKey, createPublicKey, hkdfSync, type KeyObject, webcrypto } from 'node:crypto';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import * as x509 from '@peculiar/x509';

/** Separates the derived key from any other use of the identity (RFC 5869 3.2). */
const nodeKeyInfo = 'portal-relay nodes P-256';
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;

/** What the nodes of a relay know each other by: a key that only who has the relay's identity can derive. */
export interface NodeIdentity {
  /** PEM. */
  key: string;
  /** Self-signed, PEM. Its dates and names are not looked at. */
  cert: string;
  /** Both, for connections to other nodes: made once, since that takes longer than a handshake. */
  context: SecureContext;
  /** Whether the other side of a handshake has proven the same key (RFC 8446 4.4.3). */
  isOwn(socket: TLSSocket): boolean;
}

/** @param privateKey the relay's, 0x and 64 hex digits */
export async function nodeIdentity(privateKey: string): Promise<NodeIdentity> {
  const key = deriveKey(Buffer.from(privateKey.slice(2), 'hex'));
  const publicKey = createPublicKey(key);
  x509.cryptoProvider.set(webcrypto);
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const keys = {
    privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
  };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Portal relay node',
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + 3_650 * dayMs),
    keys,
    signingAlgorithm: algorithm,
  });
  const pem = { key: key.export({ type: 'pkcs8', format: 'pem' }) as string, cert: certificate.toString('pem') };
  return {
    ...pem,
    context: createSecureContext({ ...pem, minVersion: 'TLSv1.3' }),
    isOwn(socket) {
      const peer = socket.getPeerX509Certificate();
      return peer?.publicKey.export({ type: 'spki', format: 'der' }).equals(spki) === true;
    },
  };
}

/** HKDF-SHA256 of the identity's private key (RFC 5869), as a scalar of P-256: 48 bytes, so that it is uniform (FIPS 186-5 A.2.1). */
function deriveKey(identity: Buffer): KeyObject {
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const wide = Buffer.from(hkdfSync('sha256', identity, Buffer.alloc(0), nodeKeyInfo, 48));
  const scalar = (BigInt(`0x${wide.toString('hex')}`) % (order - 1n)) + 1n;
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(scalar.toString(16).padStart(64, '0'), 'hex');
  const point = curve.getPublicKey();
  const encode = (bytes: Buffer) => bytes.toString('base64url');
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: encode(Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex')),
    x: encode(point.subarray(1, 33)),
    y: encode(point.subarray(33)),
  };
  return createPrivateKey({ key: jwk, format: 'jwk' });
}
