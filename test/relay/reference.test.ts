import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type TLSSocket, connect } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { Agent, request } from 'undici';
import { contractPath, errorCatalogue, loadContract } from '../../src/contract/index.js';
import { openPage, startBrowser } from '../support/browser.js';
import { call } from '../support/by-hand.js';
import { residentBytes, startRelayProcess } from '../support/processes.js';
import { freePort, sharedRelay } from '../support/relay.js';
import { temporaryDirectory } from '../support/tunnel.js';

const relay = sharedRelay();

async function fetchBytes(path: string, headers: Record<string, string> = {}) {
  const dispatcher = new Agent({ connect: { ca: relay.ca, servername: relay.rootHost } });
  try {
    const answer = await request(`https://127.0.0.1:${relay.apiPort}${path}`, { dispatcher, headers });
    return { ...answer, bytes: Buffer.from(await answer.body.arrayBuffer()) };
  } finally {
    await dispatcher.close();
  }
}

test('the relay serves the contract that it was built with', async () => {
  const { status, headers, body } = await call(relay, 'GET', '/openapi.json');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  assert.equal(headers['cache-control'], 'public, max-age=300');
  assert.deepEqual(body, loadContract());
  assert.deepEqual(body, JSON.parse(readFileSync(contractPath, 'utf8')));
});

test('the script of the API reference is immutable for caches, and compressed if accepted', async () => {
  const page = (await fetchBytes('/docs')).bytes.toString();
  const path = /<script src="([^"]+)"/.exec(page)?.[1] as string;
  assert.match(path, /^\/docs\/reference\.js\?v=[0-9a-f]{16}$/);
  const plain = await fetchBytes(path);
  const compressed = await fetchBytes(path, { 'accept-encoding': 'br, gzip' });
  assert.equal(plain.headers['content-encoding'], undefined);
  assert.equal(compressed.headers['content-encoding'], 'gzip');
  assert.ok(gunzipSync(compressed.bytes).equals(plain.bytes));
  for (const { headers } of [plain, compressed]) {
    assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal(headers['vary'], 'Accept-Encoding');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['content-type'], 'text/javascript; charset=utf-8');
  }
});

test('the script of the API reference has a Content-Length, for HEAD too', async () => {
  const { headers, bytes } = await fetchBytes('/docs/reference.js');
  assert.equal(headers['content-length'], String(bytes.length));
  const head = await call(relay, 'HEAD', '/docs/reference.js');
  assert.deepEqual([head.status, head.headers['content-length']], [200, String(bytes.length)]);
});

test('slow readers of the script share one copy in memory', async (t) => {
  const port = await freePort();
  const { child, ca } = await startRelayProcess(t, temporaryDirectory(t), port, port, [
    '--max-connections-per-address',
    '200',
  ]);
  const visitors: TLSSocket[] = [];
  t.after(() => visitors.forEach((visitor) => visitor.destroy()));
  for (let count = 0; count < 100; count++) {
    const visitor = connect({ host: '127.0.0.1', port, servername: 'portal.localhost', ca });
    visitors.push(visitor);
    await once(visitor, 'secureConnect');
  }
  const before = residentBytes(child);
  // The last to be answered: whatever is held for the others is held by then.
  for (const visitor of visitors) {
    visitor.write('GET /docs/reference.js HTTP/1.1\r\nHost: portal.localhost\r\n\r\n');
    await once(visitor, 'readable');
    assert.match(String(visitor.read(12)), /^HTTP\/1.1 200/);
  }
  assert.ok(residentBytes(child) - before < 50_000_000, `${residentBytes(child) - before} bytes more`);
});

test('the API reference renders in Chromium from the relay alone, within its own policy', async (t) => {
  const { page, faults, requests } = await openPage(await startBrowser(t));
  await page.goto(`${relay.url}/docs`);
  await page.waitForSelector('h2:has-text("Open a reverse session")', { timeout: 20_000 });
  const text = (await page.textContent('body')) as string;
  for (const word of ['Portal relay API', 'Sign a tenant', 'hostname_conflict', '/sdk/register/challenge'])
    assert.ok(text.includes(word), word);
  // Its search runs in a worker.
  await page.fill('input[type=text]', 'thumbnail');
  await page.waitForSelector('[data-role="search:results"] >> text=Show a picture');
  assert.deepEqual(faults, []);
  const elsewhere = requests.filter((url) => !/^(blob:|data:)/.test(url) && new URL(url).origin !== relay.url);
  assert.deepEqual(elsewhere, []);
});

test('the policy of the API reference allows neither other origins nor framing', async () => {
  const { headers } = await fetchBytes('/docs');
  const policy = String(headers['content-security-policy']);
  assert.ok(policy.startsWith("default-src 'none'; script-src 'self'; "));
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
});

test('each refusal links to the section that explains its code, in Chromium without a script', async (t) => {
  const refused = await call(relay, 'POST', '/sdk/renew', { body: {} });
  assert.equal(refused.status, 401);
  const link = /^<(\/docs\/errors#unauthorized)>; rel="help"$/.exec(refused.headers['link'] as string)?.[1];
  assert.ok(link, refused.headers['link'] as string);
  const unread = await call(relay, 'GET', '/sdk/connect');
  assert.match(unread.headers['link'] as string, /^<\/docs\/errors#\w+>; rel="help"$/);
  const { page, faults } = await openPage(await startBrowser(t));
  await page.goto(`${relay.url}${link}`);
  assert.match(
    (await page.textContent('section:target')) as string,
    /unauthorized.*Cause.*What to do.*401 Unauthorized/s,
  );
  const ids = await page.evaluate<string[]>("[...document.querySelectorAll('section')].map(({ id }) => id)");
  assert.deepEqual(ids, Object.keys(errorCatalogue));
  const colour = await page.evaluate("getComputedStyle(document.querySelector('section')).borderTopStyle");
  assert.equal(colour, 'solid', 'its style is allowed');
  assert.deepEqual(faults, []);
});
