import { type KeyObject, X509Certificate, createPrivateKey } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireTool } from '../support/tools.js';

const run = promisify(execFile);

const keyOptions = {
  'P-256': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  'P-384': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1'],
  'P-521': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp521r1'],
  'RSA-2048': ['-newkey', 'rsa:2048'],
  Ed25519: ['-newkey', 'ed25519'],
} as const;

export type KeyKind = keyof typeof keyOptions;
export const keyKinds = Object.keys(keyOptions) as KeyKind[];

export interface TestCertificate {
  readonly key: KeyObject;
  /** DER. */
  readonly chain: Buffer[];
  readonly pem: string;
  readonly keyPem: string;
}

/** A self-signed certificate for `a.test`, `b.test` and localhost, made by the openssl command. */
export async function makeCertificate(kind: KeyKind = 'P-256'): Promise<TestCertificate> {
  const openssl = await requireTool('openssl');
  const folder = await mkdtemp(join(tmpdir(), 'tls-test-'));
  try {
    const keyFile = join(folder, 'key.pem');
    const certificateFile = join(folder, 'certificate.pem');
    const names = 'subjectAltName=DNS:a.test,DNS:b.test,DNS:localhost';
    const output = ['-keyout', keyFile, '-out', certificateFile];
    const subject = ['-days', '2', '-subj', '/CN=a.test', '-addext', names];
    await run(openssl, ['req', '-x509', '-nodes', ...keyOptions[kind], ...output, ...subject]);
    const pem = await readFile(certificateFile, 'utf8');
    const keyPem = await readFile(keyFile, 'utf8');
    return { key: createPrivateKey(keyPem), chain: [new X509Certificate(pem).raw], pem, keyPem };
  } finally {
    await rm(folder, { recursive: true });
  }
}
