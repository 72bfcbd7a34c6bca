/**
 * A process of its own, for one picture: reads a `CaptureJob` as JSON from its input, writes the picture, as JPEG, to its
 * output, and exits with 0; else with 1, and why in one line of its error output. Whoever started it bounds its time and memory.
 */
import { text } from 'node:stream/consumers';
import { chromium } from 'playwright-core';
import { browserArguments } from './browser-arguments.js';
import { type CaptureJob, userVariable } from './capture-job.js';
import { pageLoadTimeoutMs, pictureQuality, pictureScale, viewport } from './limits.js';

becomeUser(process.env[userVariable]);
const job = JSON.parse(await text(process.stdin)) as CaptureJob;
try {
  process.stdout.write(await picture(job), () => process.exit(0));
} catch (error) {
  process.stderr.write(`${(error as Error).message.split('\n')[0]}\n`, () => process.exit(1));
}

/** Not before: where root keeps this program, and Node, others may not read. From here on nothing is root's. */
function becomeUser(id: string | undefined): void {
  if (id === undefined) return;
  const user = Number(id);
  process.setgroups?.([user]);
  process.setgid?.(user);
  process.setuid?.(user);
}

async function picture({ chromium: executablePath, url, proxy, trustedKey }: CaptureJob): Promise<Buffer> {
  const browser = await chromium.launch({
    executablePath,
    chromiumSandbox: true,
    // `<-loopback>`: addresses of this machine are not reached past the proxy either.
    proxy: { server: `http://${proxy}`, bypass: '<-loopback>' },
    args: browserArguments(trustedKey),
  });
  const context = await browser.newContext({
    viewport,
    deviceScaleFactor: pictureScale,
    acceptDownloads: false,
    serviceWorkers: 'block',
  });
  const page = await context.newPage();
  context.on('page', (popup) => void popup.close().catch(() => undefined));
  const response = await page.goto(url, { waitUntil: 'commit', timeout: pageLoadTimeoutMs });
  if (!response?.ok()) throw new Error(`the page answered ${response?.status() ?? 'nothing'}`);
  // A page that never finishes loading is shown as far as it got.
  await page.waitForLoadState('load', { timeout: pageLoadTimeoutMs }).catch(() => undefined);
  if (new URL(page.url()).origin !== new URL(url).origin) throw new Error('the page redirected to another host');
  return await page.screenshot({
    type: 'jpeg',
    quality: pictureQuality,
    timeout: pageLoadTimeoutMs,
    animations: 'disabled',
  });
}
