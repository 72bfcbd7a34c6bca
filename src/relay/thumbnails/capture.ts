/**
 * A separate process for one screenshot: reads a `CaptureJob` as JSON from stdin, writes the JPEG to stdout and exits
 * with 0, or with 1 and one line on stderr. The parent process bounds its time and memory.
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

/**
 * Only now: the files of Node and this program may be readable by root alone. From here on no root privileges are
 * left.
 */
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
    // `<-loopback>`: loopback addresses use the proxy too.
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
  // A page that never finishes loading is captured as it is.
  await page.waitForLoadState('load', { timeout: pageLoadTimeoutMs }).catch(() => undefined);
  if (new URL(page.url()).origin !== new URL(url).origin) throw new Error('the page redirected to another host');
  return await page.screenshot({
    type: 'jpeg',
    quality: pictureQuality,
    timeout: pageLoadTimeoutMs,
    animations: 'disabled',
  });
}
