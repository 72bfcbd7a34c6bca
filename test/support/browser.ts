import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type BrowserContext, type Page, chromium } from 'playwright-core';
import { requireTool } from './tools.js';

export interface WatchedPage {
  page: Page;
  /** What went wrong in it: exceptions, and whatever the console calls an error. */
  faults: string[];
  /** Every URL that it asked for. */
  requests: string[];
}

/**
 * A Chromium with a profile of its own, ended with the test. Any certificate will do for it, and no name leads off this machine:
 * what a page wants from elsewhere fails.
 */
export async function startBrowser(t: TestContext): Promise<BrowserContext> {
  const profile = mkdtempSync(join(tmpdir(), 'portal-chromium-'));
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: await requireTool('chromium'),
    ignoreHTTPSErrors: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.localhost',
      ...quiet,
    ],
  });
  t.after(async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  });
  return context;
}

export async function openPage(context: BrowserContext): Promise<WatchedPage> {
  const page = await context.newPage();
  const watched: WatchedPage = { page, faults: [], requests: [] };
  page.on('pageerror', (error) => watched.faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') watched.faults.push(message.text());
  });
  page.on('request', (request) => watched.requests.push(request.url()));
  return watched;
}
