/**
 * `npm run screenshots`: pictures of the console for the documentation, in Chromium, against the mock. They are committed; nothing checks that they
 * are new, since fonts differ.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Wallet } from 'ethers';
import { chromium, type Page } from 'playwright-core';
import { injectWallet } from '../test/support/browser-wallet.js';
import { requireTool } from '../test/support/tools.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pictures = `${root}docs/pictures/`;

interface Picture {
  name: string;
  page: string;
  /** Something that is there once the page is. */
  until: string;
  width?: number;
  height?: number;
  dark?: boolean;
  before?(page: Page): Promise<void>;
}

const all: Picture[] = [
  { name: 'overview', page: 'overview', until: 'text=The last hour' },
  { name: 'overview-dark', page: 'overview', until: 'text=The last hour', dark: true },
  {
    name: 'overlay',
    page: 'overview',
    until: 'text=Relays in the overlay',
    async before(page) {
      await page.waitForSelector('text=Not let in');
      await page.locator('h2:text-is("Relays in the overlay")').scrollIntoViewIfNeeded();
      await page.evaluate(`document.querySelector('main').scrollBy(0, 1); scrollTo(0, document.body.scrollHeight)`);
    },
  },
  { name: 'leases', page: 'leases', until: 'text=status.portal.example.com' },
  {
    name: 'lease',
    page: 'leases',
    until: 'text=status.portal.example.com',
    async before(page) {
      await page.click('text=status.portal.example.com');
      await page.waitForSelector('aside dl');
      await page.click('aside button:text-is("Ban")');
      await page.waitForSelector('dialog');
    },
  },
  {
    name: 'decisions',
    page: 'decisions',
    until: 'text=Banned addresses',
    async before(page) {
      await page.fill('input[placeholder="IPv4 or IPv6 address"]', '203.0.113.9');
      await page.click('text=Ban an address');
      await page.click('dialog button:text-is("Do it")');
      await page.waitForSelector('li:has-text("203.0.113.9")');
    },
  },
  { name: 'settings', page: 'settings', until: 'text=Who may serve' },
  { name: 'audit', page: 'audit', until: 'td:has-text("Signed in")', dark: true },
  { name: 'people', page: 'people', until: 'text=this one' },
  { name: 'leases-phone', page: 'leases', until: 'text=status.portal.example.com', width: 390, height: 720 },
];

const dev = spawn(process.execPath, [`${root}scripts/dev-web.mjs`, 'busy'], { stdio: ['ignore', 'pipe', 'inherit'] });
try {
  let url: string | undefined;
  for await (const line of createInterface({ input: dev.stdout })) {
    url = /http:\/\/127\.0\.0\.1:\d+\//.exec(line.split('Local')[1] ?? '')?.[0];
    if (url !== undefined) break;
  }
  if (url === undefined) throw new Error('the development server did not start');
  mkdirSync(pictures, { recursive: true });
  const browser = await chromium.launch({
    executablePath: await requireTool('chromium'),
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const wallet = new Wallet(`0x${'11'.repeat(32)}`);
  for (const { name, page: id, until, width = 1120, height = 720, dark = false, before } of all) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light' });
    const page = await context.newPage();
    await injectWallet(page, wallet);
    await page.goto(`${url}?page=${id}`);
    await page.click('text=Sign in with Test wallet');
    await page.click('button:text-is("Sign")');
    await page.waitForSelector(until);
    await before?.(page);
    await page.screenshot({ path: `${pictures}console-${name}.png` });
    await context.close();
    process.stdout.write(`docs/pictures/console-${name}.png\n`);
  }
  await browser.close();
} finally {
  dev.kill();
  await once(dev, 'exit');
}
