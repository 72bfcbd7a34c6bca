import { X509Certificate, createHash } from 'node:crypto';
import { type BrowserContext, chromium } from 'playwright-core';
import { requireTool } from './tools.js';

/**
 * A Chromium that trusts one certificate. It takes no CA by option; it is told the one public key that it may trust here, and
 * nothing else.
 */
export async function openBrowser(profileDir: string, certificatePem: string | Buffer): Promise<BrowserContext> {
  const executablePath = await requireTool('chromium');
  const { publicKey } = new X509Certificate(certificatePem);
  const pin = createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('base64');
  const quiet = [
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--disable-quic',
  ];
  return await chromium.launchPersistentContext(profileDir, {
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', `--ignore-certificate-errors-spki-list=${pin}`, ...quiet],
  });
}
