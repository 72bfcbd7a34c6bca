import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { Wallet } from 'ethers';
import type { Page } from 'playwright-core';
import { startAgent } from '../support/agent.js';
import { sharedRelay } from '../support/relay.js';
import { startBrowser } from '../support/trusting-browser.js';
import { listening, send, startHttpService } from '../support/tunnel.js';
import { until } from '../support/until.js';

// The agent's dashboard in a browser.

const relay = sharedRelay();
const wallet = new Wallet(`0x${'33'.repeat(32)}`);

interface Opened {
  page: Page;
  /** What the page's policy has kept back, and what it has thrown. */
  faults: string[];
}

async function openPage(t: TestContext, prepare: (page: Page) => Promise<void> = async () => {}): Promise<Opened> {
  const browser = await startBrowser(t, relay);
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`${message.text()} ${message.location().url}`);
  });
  page.setDefaultTimeout(20_000);
  await prepare(page);
  return { page, faults };
}

async function linkOf(client: Awaited<ReturnType<typeof startAgent>>['client']): Promise<string> {
  return (await client.POST('/v1/agent/auth/links')).data!.data.url;
}

test('services are seen, inspected, added, changed and removed in a browser', async (t) => {
  const bodies: string[] = [];
  const service = await startHttpService(t, (request, response) => {
    void text(request).then((body) => bodies.push(body));
    response.setHeader('Content-Type', 'application/json');
    // What a tenant's visitor or service says is text.
    response.end('{"html":"<img src=x onerror=alert(1)>","token":"abc"}');
  });
  const target = `http://127.0.0.1:${service.port}`;
  const { agent, client, config } = await startAgent(
    t,
    relay,
    `[services.shop]\ntarget = "${target}"\ninspect = true\n`,
  );
  await agent.start();
  await until(() => agent.tunnel('shop').state === 'running');
  const { page, faults } = await openPage(t);
  await page.goto(await linkOf(client));
  await page.getByRole('heading', { name: 'shop' }).waitFor();
  assert.equal(page.url().includes('code='), false, 'the code does not stay in the address');
  await send(relay, 'shop.portal.localhost', '/orders?token=abc&x=<b>', '{"cups":2}', { method: 'POST' });
  await page.getByRole('button', { name: 'POST /orders?token=•••&x=<b>' }).click();
  await page.getByText('"html": "<img src=x onerror=alert(1)>"').waitFor();
  await page.getByText('"token": "•••"').waitFor();
  await page.getByLabel('Show secrets').check();
  await page.getByText('"token": "abc"').waitFor();
  await page.getByRole('button', { name: 'Edit and send' }).click();
  await page.getByLabel('Body').fill('{"cups":3}');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText('Sent again.').waitFor();
  await until(() => bodies.includes('{"cups":3}'));
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Export HAR' }).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'shop.har');

  await page.getByRole('button', { name: 'Forget all' }).click();
  await page.getByText('No requests yet.').waitFor();

  await page.getByRole('tab', { name: 'Relays' }).click();
  await page.getByRole('cell', { name: relay.url }).waitFor();
  await page.getByRole('img', { name: /QR code of https:\/\/shop/ }).waitFor();
  await page.getByRole('tab', { name: 'Log' }).click();
  await page.getByText('serving at https://shop.portal.localhost').waitFor();
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByRole('row', { name: `target ${target} its table` }).waitFor();
  await page.getByRole('tab', { name: 'Change' }).click();
  await page.getByLabel('Description, for listings').fill('Best in town');
  await page.getByRole('button', { name: 'Change', exact: true }).click();
  await page.getByText('Changed.').waitFor();
  assert.match(readFileSync(config, 'utf8'), /description = "Best in town"/);

  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByLabel('What it is, as').fill('nonsense://');
  await page.getByRole('main').getByRole('button', { name: 'Add' }).click();
  await page.getByText('nonsense:// is not supported').waitFor();
  await page.getByLabel('What it is, as').fill(target);
  await page.getByLabel('Id').fill('second');
  await page.getByRole('main').getByRole('button', { name: 'Add' }).click();
  await page.getByRole('heading', { name: 'second' }).waitFor();
  await page.getByRole('link', { name: /^https:\/\/second\./ }).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'Start', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('button', { name: 'Yes, remove' }).click();
  await page.getByRole('heading', { name: 'shop' }).waitFor();
  assert.equal(readFileSync(config, 'utf8').includes('second'), false);
  // A refused target is the one thing that a browser has noted.
  assert.deepEqual(
    faults.map((fault) => fault.replace(/^.* 400 .*\/v1\/agent\/tunnels$/, 'refused')),
    ['refused'],
  );
  // The token stays with the tab, over a reload.
  await page.reload();
  await page.getByRole('heading', { name: 'shop' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('portal agent dashboard --web').waitFor();
});

test('a wallet looks and changes nothing, and a link that is spent is said', async (t) => {
  const { agent, client } = await startAgent(t, relay, '[services.shop]\ntarget = 1\ndisabled = true\n', {
    agent: `allowed_wallets = ["${wallet.address}"]`,
  });
  await agent.start();
  const { page, faults } = await openPage(t, async (made) => {
    await made.exposeFunction('signByWallet', async (message: string) => {
      return await wallet.signMessage(Buffer.from(message.slice(2), 'hex'));
    });
    await made.addInitScript((address) => {
      const provider = {
        request: async ({ method, params }: { method: string; params?: string[] }) =>
          method === 'personal_sign'
            ? await (globalThis as never as { signByWallet(text: string): Promise<string> }).signByWallet(params![0]!)
            : [address],
      };
      Object.assign(globalThis, { ethereum: provider });
    }, wallet.address);
  });
  const link = await linkOf(client);
  await page.goto(link);
  await page.getByRole('heading', { name: 'shop' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.goto('about:blank');
  await page.goto(link);
  await page.getByText('the link is spent or expired').waitFor();
  const expected = faults.length;
  await page.getByRole('button', { name: 'Look with a wallet' }).click();
  await page.getByText(`${wallet.address} may look, not change`).waitFor();
  for (const name of ['Add', 'Start', 'Remove', 'Restart'])
    assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name);
  assert.equal(await page.getByRole('tab', { name: 'Change' }).count(), 0);
  // What the page could send by hand is refused as well.
  const status = await page.evaluate(
    async () => (await fetch('/v1/agent/tunnels/shop/start', { method: 'POST' })).status,
  );
  assert.equal(status, 401);
  assert.equal(faults.length, expected + 1, 'the refusal is logged by the browser');
});

test('a page of another program of this machine gets nothing, with a wallet signed in or not', async (t) => {
  const { agent, client, url } = await startAgent(t, relay, '[services.shop]\ntarget = 1\ndisabled = true\n');
  await agent.start();
  const other = createServer((_request, response) =>
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>other</title>'),
  );
  const { port } = await listening(t, other, 0);
  const { page } = await openPage(t);
  await page.goto(await linkOf(client));
  await page.getByRole('heading', { name: 'shop' }).waitFor();
  for (const host of ['127.0.0.1', 'localhost']) {
    await page.goto(`http://${host}:${port}/`);
    const answers = await page.evaluate(async (base) => {
      const tries = [
        fetch(`${base}/v1/agent/status`, { credentials: 'include' }),
        fetch(`${base}/v1/agent/status`, { mode: 'no-cors', credentials: 'include' }),
        fetch(`${base}/v1/agent/shutdown`, { method: 'POST', mode: 'no-cors', credentials: 'include' }),
      ];
      const outcomes = await Promise.allSettled(tries);
      return outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.type : 'failed'));
    }, url);
    assert.deepEqual(answers, ['failed', 'opaque', 'opaque']);
    assert.equal(await page.evaluate('sessionStorage.length'), 0, 'the token is of its own origin alone');
  }
  // Nor may it frame the dashboard.
  await page.setContent(`<iframe src="${url}/"></iframe>`);
  const frame = page.frames()[1];
  await until(() => frame?.url() !== 'about:blank');
  assert.equal(await frame?.title().catch(() => ''), '');
  assert.equal((await client.GET('/v1/agent/status')).response.status, 200, 'nobody has ended it');
});

test('the page is answered with its policy, and nothing beside it', async (t) => {
  const { url } = await startAgent(t, relay, '');
  const page = await fetch(`${url}/`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy')!, /default-src 'none'.*frame-ancestors 'none'/);
  assert.equal(page.headers.get('cache-control'), 'no-cache');
  const script = /src="\.\/(assets\/[^"]+\.js)"/.exec(await page.text())![1]!;
  const asset = await fetch(`${url}/${script}`);
  assert.match(asset.headers.get('cache-control')!, /immutable/);
  for (const path of [
    '/assets/',
    '/assets/..%2f..%2f..%2fpackage.json',
    '/..%2findex.html',
    '/.vite',
    '/LICENSES.txt%00',
  ])
    assert.equal((await fetch(url + path)).status, 401, path);
  const rebound = await fetch(`${url}/`, { headers: { origin: 'https://page.example' } });
  assert.equal(rebound.status, 401);
});
