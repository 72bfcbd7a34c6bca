import { X509Certificate, createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import type { TestRelay } from './relay.js';
import { requireTool } from './tools.js';

/**
 * A Chromium that trusts one certificate. It takes no CA by option; it is told the one public key that it may trust here, and
 * nothing else.
 */
export async function openBrowser(profileDir: string, certificatePem: string | Buffer): Promise<BrowserContext> {
  return await chromium.launchPersistentContext(profileDir, await launchOptions(certificatePem));
}

/** The same with as many contexts as a test makes, ended with the test. */
export async function startBrowser(t: TestContext, relay: TestRelay): Promise<Browser> {
  const browser = await chromium.launch(await launchOptions(relay.certificatePem));
  t.after(() => browser.close());
  return browser;
}

async function launchOptions(certificatePem: string | Buffer) {
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
  return {
    executablePath: await requireTool('chromium'),
    args: ['--no-sandbox', '--disable-gpu', `--ignore-certificate-errors-spki-list=${pin}`, ...quiet],
  };
}
