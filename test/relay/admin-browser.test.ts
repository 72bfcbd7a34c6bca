import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { type Challenge, adminOf, auditLines, leasePath } from '../support/admin.js';
import { freshWallet } from '../support/by-hand.js';
import { openBrowser } from '../support/trusting-browser.js';
import { sharedRelay } from '../support/relay.js';
import { openTunnel, startHttpService, temporaryDirectory } from '../support/tunnel.js';

// A tenant's page and the relay are one site to a browser: SameSite cookies travel, and cookies can be set for the other.
// What a tenant could try against an operator who looks at its page, in a real browser.

const operator = freshWallet();
const victim = { name: 'victim', address: freshWallet().address };
const banPath = `/admin${leasePath(victim, 'ban')}`;

const relay = sharedRelay({ adminWallets: [operator.address] });

/** Runs a script in the page; it finds what it is given in `args`. */
async function inPage<T>(page: Page, script: string, args: object): Promise<T> {
  return await page.evaluate(`(async (args) => { ${script} })(${JSON.stringify(args)})`);
}

/** Logs in as an operator's page would: by what the browser itself sends. */
async function logIn(page: Page): Promise<void> {
  await page.goto(`${relay.url}/healthz`);
  const post = (path: string, body: object) =>
    inPage<{ status: number; body: { data: Challenge } }>(
      page,
      `const headers = { 'content-type': 'application/json' };
       const response = await fetch(args.path, { method: 'POST', headers, body: JSON.stringify(args.body) });
       return { status: response.status, body: await response.json() };`,
      { path, body },
    );
  const challenge = await post('/admin/auth/challenge', { address: operator.address });
  const { challenge_id, siwe_message } = challenge.body.data;
  const siwe_signature = await operator.signMessage(siwe_message);
  const answer = await post('/admin/auth/login', { challenge_id, siwe_message, siwe_signature });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

/** What `/admin/auth/status` says to the browser. */
async function isLoggedIn(page: Page): Promise<boolean> {
  const response = await page.goto(`${relay.url}/admin/auth/status`);
  return ((await response?.json()) as { data: { authenticated: boolean } }).data.authenticated;
}

async function isBanned(): Promise<boolean> {
  const { identities } = await (await adminOf(relay, operator)).snapshot();
  return identities.some(({ name }: { name: string }) => name === victim.name);
}

test('a tenant’s page cannot use an admin’s browser session by fetch, form, frame, script or cookie', async (t) => {
  const seen: (string | undefined)[] = [];
  const service = await startHttpService(t, (request, response) => {
    seen.push(request.headers.cookie);
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>x</title><p>an innocent page</p>');
  });
  const tunnel = await openTunnel(t, relay, service.port, { name: 'x' });
  const context: BrowserContext = await openBrowser(join(temporaryDirectory(t), 'profile'), relay.certificatePem);
  try {
    const operatorPage = await context.newPage();
    await logIn(operatorPage);
    assert.equal(await isLoggedIn(operatorPage), true);
    const refusals = () => auditLines(relay.config.stateDir).filter(({ result }) => result === 'refused');

    const page = await context.newPage();
    await page.goto(`${tunnel.url}/admin/anything`);
    assert.deepEqual(new Set(seen), new Set([undefined]), 'the cookie is not sent to tenants');

    await t.test('a cross-origin fetch without preflight is refused although it carries the cookie', async () => {
      const before = refusals().length;
      const outcome = await inPage(
        page,
        `return await fetch(args.url, { method: 'POST', mode: 'no-cors', credentials: 'include' }).then(() => 'sent', () => 'failed');`,
        { url: relay.url + banPath },
      );
      assert.equal(outcome, 'failed', 'not even that it was answered is told');
      const added = refusals().slice(before);
      assert.deepEqual(
        added.map(({ action, wallet, reason }) => [action, wallet, reason]),
        [['banLease', operator.address, 'the request comes from a page that is not of this relay']],
        'the session’s cookie came along: nothing but the page’s origin spoke against it',
      );
      assert.equal(await isBanned(), false);
    });

    await t.test('a cross-origin fetch that reads the response, or deletes, is blocked', async () => {
      for (const [method, path] of [
        ['GET', '/admin/snapshot'],
        ['GET', '/admin/auth/status'],
        ['POST', banPath],
        ['DELETE', banPath],
      ] as const) {
        const outcome = await inPage(
          page,
          `return await fetch(args.url, { method: args.method, credentials: 'include' }).then(() => 'read', () => 'failed');`,
          { url: relay.url + path, method },
        );
        assert.equal(outcome, 'failed', `${method} ${path}`);
      }
      assert.equal(await isBanned(), false);
    });

    await t.test('cross-origin forms are refused, also with no-referrer', async () => {
      for (const policy of ['', 'no-referrer']) {
        await page.goto(tunnel.url);
        const answered = page.waitForResponse((response) => response.url().endsWith('/ban'));
        await inPage(
          page,
          `const meta = document.createElement('meta');
           meta.name = 'referrer';
           meta.content = args.policy;
           if (args.policy) document.head.append(meta);
           const form = document.createElement('form');
           form.method = 'post';
           form.action = args.url;
           document.body.append(form);
           form.submit();`,
          { url: relay.url + banPath, policy },
        );
        const response = await answered;
        const headers = await response.request().allHeaders();
        assert.match(headers['cookie'] ?? '', /portal_admin=/, 'the cookie came along');
        assert.equal(headers['origin'], policy ? 'null' : tunnel.url);
        assert.equal(response.status(), 401);
        await page.waitForURL(/\/ban$/);
      }
      assert.equal(await isBanned(), false);
    });

    await t.test('/admin cannot be framed or loaded as a script', async () => {
      await page.goto(tunnel.url);
      await inPage(
        page,
        `const frame = document.createElement('iframe');
         frame.src = args.url;
         const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
         document.body.append(frame);
         await loaded;`,
        { url: `${relay.url}/admin/auth/status` },
      );
      const [, framed] = page.frames();
      assert.match(framed?.url() ?? '', /^chrome-error:/);
      const outcome = await inPage(
        page,
        `return await new Promise((resolve) => {
           const script = document.createElement('script');
           script.src = args.url;
           script.onload = () => resolve('loaded');
           script.onerror = () => resolve('failed');
           document.head.append(script);
         });`,
        { url: `${relay.url}/admin/snapshot` },
      );
      assert.equal(outcome, 'failed');
    });

    await t.test('cookies set by a tenant’s page neither log the admin out nor log in', async () => {
      await page.goto(tunnel.url);
      await inPage(
        page,
        `for (let i = 0; i < 40; i++) {
           const value = String(i).padEnd(43, 'x');
           for (const path of ['/admin', '/admin/auth', '/admin/auth/status', '/admin/snapshot/' + i])
             document.cookie = 'portal_admin=' + value + '; Domain=' + args.domain + '; Path=' + path + '; Secure';
         }`,
        { domain: relay.rootHost },
      );
      const sent = (await context.cookies(`${relay.url}/admin/auth/status`)).filter(
        ({ name }) => name === 'portal_admin',
      );
      assert.ok(sent.length >= 4, 'they are sent beside the true one');
      assert.equal(await isLoggedIn(operatorPage), true);
    });
  } finally {
    await context.close();
  }
});
