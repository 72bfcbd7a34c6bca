import { X509Certificate, createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { type Browser, chromium } from 'playwright-core';
import type { TestRelay } from './relay.js';
import { requireTool } from './tools.js';

const quiet = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
];

/** A Chromium that trusts the relay's one public key, and nothing else that it would not trust elsewhere. */
export async function startBrowser(t: TestContext, relay: TestRelay): Promise<Browser> {
  const { publicKey } = new X509Certificate(relay.certificatePem);
  const pin = createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('base64');
  const browser = await chromium.launch({
    executablePath: await requireTool('chromium'),
    args: ['--no-sandbox', '--disable-gpu', `--ignore-certificate-errors-spki-list=${pin}`, ...quiet],
  });
  t.after(() => browser.close());
  return browser;
}
