import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireTool } from './tools.js';

export interface TestCertificate {
  certFile: string;
  keyFile: string;
  certPem: string;
  remove(): Promise<void>;
}

/** A self-signed certificate, by default for a host and the names below it, made by openssl in a directory of its own. */
export async function certificateFiles(
  host: string,
  kind: 'ec' | 'rsa' = 'ec',
  hosts: string[] = [host, `*.${host}`],
): Promise<TestCertificate> {
  const openssl = await requireTool('openssl');
  const dir = mkdtempSync(join(tmpdir(), 'portal-cert-'));
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const key = kind === 'ec' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', 'rsa:2048'];
  const names = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=${hosts.map((each) => `DNS:${each}`).join()}`];
  await promisify(execFile)(openssl, [
    'req',
    '-x509',
    '-nodes',
    '-days',
    '30',
    ...key,
    ...names,
    '-keyout',
    keyFile,
    '-out',
    certFile,
  ]);
  return {
    certFile,
    keyFile,
    certPem: readFileSync(certFile, 'utf8'),
    remove: async () => rmSync(dir, { recursive: true, force: true }),
  };
}
