import { X509Certificate, webcrypto } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { writePrivateFile } from '../store/state-dir.js';
import { type Certificate, coversTenants, parseCertificatePem } from './certificate.js';

const dayMs = 86_400_000;
const caLifetimeMs = 3_650 * dayMs;
const leafLifetimeMs = 90 * dayMs;
const leafRenewalMs = 30 * dayMs;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** NameConstraints: permittedSubtrees [0] of one dNSName [2], `localhost` and all below it. */
const localhostOnly = Buffer.concat([Buffer.from('300fa00d300b8209', 'hex'), Buffer.from('localhost', 'latin1')]);

export const developmentCaFile = (stateDir: string) => join(stateDir, 'development-ca.pem');

/**
 * A certificate for a root host under `localhost`, from a CA that is created once in the state directory. The CA is
 * constrained to `localhost` names (RFC 5280 4.2.1.10), so trusting it affects no other site.
 */
export async function developmentCertificate(stateDir: string, rootHost: string): Promise<Certificate> {
  const files = {
    ca: developmentCaFile(stateDir),
    caKey: join(stateDir, 'development-ca-key.pem'),
    leaf: join(stateDir, 'development-cert.pem'),
    leafKey: join(stateDir, 'development-key.pem'),
  };
  x509.cryptoProvider.set(webcrypto);
  if (!existsSync(files.ca) || !existsSync(files.caKey)) {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const ca = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=Portal development CA',
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + caLifetimeMs),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        new x509.Extension('2.5.29.30', true, localhostOnly),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    writePrivateFile(files.caKey, await exportKey(keys.privateKey));
    writePrivateFile(files.ca, `${ca.toString('pem')}\n`);
  }
  const kept = readLeaf(files.leaf, files.leafKey, files.ca);
  if (kept && coversTenants(kept, rootHost) && Date.parse(kept.leaf.validTo) - Date.now() > leafRenewalMs) return kept;

  const ca = new x509.X509Certificate(readFileSync(files.ca, 'utf8'));
  const caKey = await importKey(readFileSync(files.caKey, 'utf8'));
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const leaf = await x509.X509CertificateGenerator.create({
    subject: `CN=${rootHost}`,
    issuer: ca.subject,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + leafLifetimeMs),
    publicKey: keys.publicKey,
    signingKey: caKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: rootHost },
        { type: 'dns', value: `*.${rootHost}` },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  writePrivateFile(files.leafKey, await exportKey(keys.privateKey));
  writePrivateFile(files.leaf, `${leaf.toString('pem')}\n`);
  return parseCertificatePem(readFileSync(files.leaf, 'utf8'), readFileSync(files.leafKey, 'utf8'));
}

function readLeaf(leafFile: string, keyFile: string, caFile: string): Certificate | undefined {
  if (!existsSync(leafFile) || !existsSync(keyFile)) return undefined;
  const kept = parseCertificatePem(readFileSync(leafFile, 'utf8'), readFileSync(keyFile, 'utf8'));
  const ca = new X509Certificate(readFileSync(caFile));
  return kept.leaf.verify(ca.publicKey) ? kept : undefined;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY') + '\n';
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return await webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), algorithm, false, ['sign']);
}
