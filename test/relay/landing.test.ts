import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Wallet } from 'ethers';
import { LandingPage, exposeCommand } from '../../src/relay/landing/landing-page.js';
import { renderLandingPage } from '../../src/relay/landing/page.js';
import type { Lease } from '../../src/relay/leases/lease.js';
import { startBrowser } from '../support/trusting-browser.js';
import { call, freshWallet } from '../support/by-hand.js';
import { printed, runProgram } from '../support/programs.js';
import { startTestRelay, type TestRelay, sharedRelay } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import { get, openTunnel, startHttpService, temporaryDirectory } from '../support/tunnel.js';

const noPorts = { enabled: false, maxLeases: 0 };
const shown = { approvalMode: 'auto', landingPageEnabled: true, udp: noPorts, tcpPort: noPorts } as const;

const relay = sharedRelay({ policy: shown });

interface Page {
  status: number;
  headers: Map<string, string>;
  text: string;
}

/** As curl gets it, under the root host on the public port. */
async function page(of: TestRelay, ...args: string[]): Promise<Page> {
  const to = `${of.rootHost}:${of.publicPort}:127.0.0.1`;
  const base = ['-s', '-i', '--cacert', of.caFile, '--resolve', to];
  const { stdout, stderr, code } = await runProgram(await requireTool('curl'), [...base, ...args, `${of.url}/`]);
  assert.equal(code, 0, stderr);
  const [head = '', ...body] = stdout.toString().split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = fields.map((field) => [
    field.slice(0, field.indexOf(':')).toLowerCase(),
    field.slice(field.indexOf(':') + 2),
  ]);
  return {
    status: Number(line.split(' ')[1]),
    headers: new Map(headers as [string, string][]),
    text: body.join('\r\n\r\n'),
  };
}

/** A lease without a tunnel. */
async function lease(of: TestRelay, name: string, metadata: object, wallet: Wallet = freshWallet()): Promise<void> {
  const identity = { name, address: wallet.address };
  const asked = await call(of, 'POST', '/sdk/register/challenge', { body: { identity, metadata, ttl: 600 } });
  assert.equal(asked.status, 201, JSON.stringify(asked.body));
  const { challenge_id, siwe_message } = asked.body.data;
  const body = { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
  assert.equal((await call(of, 'POST', '/sdk/register', { body })).status, 201);
}

test('curl gets a landing page with a strict policy: no scripts, no framing, no caching', async () => {
  const { status, headers, text } = await page(relay);
  assert.equal(status, 200);
  assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
  const policy = headers.get('content-security-policy') as string;
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; /);
  assert.match(policy, /base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/);
  assert.doesNotMatch(policy, /unsafe|script-src/);
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.equal(headers.get('x-frame-options'), 'DENY');
  assert.equal(headers.get('referrer-policy'), 'no-referrer');
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.match(text, /^<!doctype html>/);
  const head = await page(relay, '--head');
  assert.deepEqual([head.status, head.text], [200, '']);
});

test('with the landing page off the root host responds not_found', async (t) => {
  const plain = await startTestRelay();
  t.after(() => plain.stop());
  const { status, text } = await page(plain);
  assert.equal(status, 404);
  assert.equal(JSON.parse(text).error.code, 'not_found');
});

test('the command on the landing page exposes a service', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('exposed by the page'));
  const { text } = await page(relay);
  const [, escaped = ''] = /<pre[^>]*><code>([^<]*)<\/code>/.exec(text) ?? [];
  const command = escaped.replaceAll('&#39;', "'").replaceAll('&amp;', '&');
  assert.match(command, /^portal expose 3000 --relay /);
  const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  const script = `portal() { exec "${process.execPath}" "${program}" "$@"; }; ${command.replace('3000', String(service.port))}`;
  const env = { PATH: process.env['PATH'], XDG_CONFIG_HOME: temporaryDirectory(t) };
  const child = spawn('sh', ['-c', script], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  const url = (await printed(child, /^https:\S+\n/)).trim();
  assert.equal((await get(relay, new URL(url).hostname)).body, 'exposed by the page');
});

test('a path with spaces and quotes is one shell word of the command', () => {
  assert.equal(
    exposeCommand('https://a.localhost', "/tmp/it's mine/ca.pem"),
    `portal expose 3000 --relay https://a.localhost --ca '/tmp/it'\\''s mine/ca.pem'`,
  );
  assert.equal(exposeCommand('https://a.example:8443', undefined), 'portal expose 3000 --relay https://a.example:8443');
});

test('services are listed with their metadata, online ones first; hidden ones are not listed', async (t) => {
  const own = await startTestRelay({ policy: shown });
  t.after(() => own.stop());
  assert.match((await page(own)).text, /None is listed/);
  await lease(own, 'aaa', { description: 'nobody here now' });
  await lease(own, 'secret', { description: 'not for all', hide: true });
  const metadata = { description: 'paper & ink', owner: 'ana', tags: ['shop', 'paper'] };
  const { url } = await openTunnel(t, own, 9, { name: 'shop', metadata, probe: false });
  const { text } = await page(own);
  assert.ok(text.includes(`<a href="${url}/"`), text);
  for (const words of ['paper &amp; ink', 'ana', 'shop', 'nobody here now']) assert.ok(text.includes(words), words);
  assert.doesNotMatch(text, /secret|not for all/);
  assert.ok(text.indexOf('shop.portal') < text.indexOf('aaa.portal'));
  assert.match(text, /state online[^]*aaa\.portal[^]*class="state">\s*away/);
});

test('a lease that awaits approval is not on the landing page', async (t) => {
  const own = await startTestRelay({ policy: { ...shown, approvalMode: 'manual' } });
  t.after(() => own.stop());
  await lease(own, 'pending', {});
  assert.doesNotMatch((await page(own)).text, /pending/);
});

const hostile = {
  description: `</bdi></p><script>document.title = 'pwned'</script><img src=x onerror="document.title='pwned'"><style>*{display:none}</style>`,
  owner: 'javascript:alert(1)//\u202egpj.exe\u2066\u200f',
  tags: [
    '"><b id=broken>',
    `' onmouseover='alert(1)`,
    '<base href=//evil>',
    '&lt;already&gt;',
    '\u0000\u0007\u001b[31m\u2028',
    '\ud800',
  ],
};

test('tenant text is plain text in Chromium: no script, no link, no bidi override', async (t) => {
  const own = await startTestRelay({ policy: shown });
  t.after(() => own.stop());
  await lease(own, 'evil', hostile);
  const browser = await startBrowser(t, own);
  const tab = await browser.newPage();
  const [requests, complaints]: [string[], string[]] = [[], []];
  tab.on('request', (request) => requests.push(request.url()));
  tab.on('console', (message) => complaints.push(message.text()));
  tab.on('dialog', () => complaints.push('a dialog'));
  const response = await tab.goto(own.url);
  assert.equal(response?.status(), 200);
  assert.equal(await tab.title(), 'portal.localhost: a Portal relay');
  const card = tab.locator('.services > li');
  assert.equal(await card.locator('p bdi').first().innerText(), hostile.description.replace(/\s+/g, ' '));
  assert.equal(await card.locator('p.note bdi').innerText(), 'javascript:alert(1)//\ufffdgpj.exe\ufffd\ufffd');
  assert.deepEqual(await card.locator('.tags bdi').allTextContents(), [
    '"><b id=broken>',
    `' onmouseover='alert(1)`,
    '<base href=//evil>',
    '&lt;already&gt;',
    '\ufffd\ufffd\ufffd[31m\ufffd',
    '\ufffd',
  ]);
  const links = await tab
    .locator('a')
    .evaluateAll((all) => all.map((link) => (link as unknown as { href: string }).href));
  assert.deepEqual(links, [`https://evil.portal.localhost:${own.publicPort}/`]);
  assert.equal(await tab.locator('script, img, base, #broken, [onmouseover], style ~ style').count(), 0);
  assert.deepEqual(
    requests.filter((url) => !url.startsWith('data:')),
    [`${own.url}/`],
  );
  assert.deepEqual(complaints, []);
  // the page's own style is the one that its policy allows
  assert.equal(await tab.evaluate("getComputedStyle(document.querySelector('.services')).display"), 'grid');
});

test('the landing page works without script, in dark mode, on a phone, with sufficient contrast', async (t) => {
  await lease(relay, 'seen', { description: 'words', owner: 'ana', tags: ['tag'] });
  const browser = await startBrowser(t, relay);
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ colorScheme, viewport: { width: 360, height: 640 } });
    const tab = await context.newPage();
    await tab.goto(relay.url);
    const wide = await tab.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
    assert.equal(wide, false, 'nothing sticks out');
    const faint = await tab.evaluate(faintTexts);
    assert.deepEqual(faint, [], colorScheme);
    await context.close();
  }
  const context = await browser.newContext({ javaScriptEnabled: false });
  const tab = await context.newPage();
  await tab.goto(relay.url);
  assert.match(await tab.innerText('main'), /portal expose 3000[^]*seen\.portal\.localhost/);
});

/** Texts whose contrast to their ground is below 4.5 (WCAG 2.2, 1.4.3). */
const faintTexts = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('h1, h2, h3, p, a, code, span, li')].flatMap((element) => {
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return contrast < 4.5 ? [element.tagName + ' ' + element.textContent.trim() + ' ' + contrast] : [];
  });
})()`;

test('the landing page lists a bounded number of services, and shows how many more there are', () => {
  const services = Array.from({ length: 200 }, (_, i) => ({
    hostname: `${'x'.repeat(60)}${i}.portal.localhost`,
    online: true,
    description: '&'.repeat(280),
    owner: '"'.repeat(64),
    tags: Array.from({ length: 16 }, () => "'".repeat(32)),
  }));
  const view = { rootHost: 'portal.localhost', releaseVersion: '1', exposeCommand: 'x', urlOf: (name: string) => name };
  const text = renderLandingPage({ ...view, services, more: 1_234 });
  assert.ok(text.length < 1_500_000, String(text.length));
  assert.match(text, /And 1234 more/);
});

test('the landing page lists online services first, then by name', () => {
  const all = Array.from({ length: 1_000 }, (_, i) => {
    const name = `n${String((i * 7_919) % 1_000).padStart(3, '0')}`;
    return { hostname: name, metadata: { description: `about ${name}` } } as Lease;
  });
  const online = new Set(all.filter(({ hostname }) => hostname >= 'n900').map(({ hostname }) => hostname));
  const listing = new LandingPage({
    rootHost: 'portal.localhost',
    releaseVersion: '1',
    exposeCommand: 'x',
    urlOf: (hostname) => hostname,
    enabled: () => true,
    leases: () => all,
    mayServe: ({ hostname }) => hostname !== 'n000',
    isAlive: ({ hostname }) => online.has(hostname),
  });
  const text = listing.render('127.0.0.1') as string;
  const shown = [...text.matchAll(/about (n\d+)/g)].map(([, name]) => name);
  const expected = Array.from({ length: 100 }, (_, i) => [`n${900 + i}`, `n${String(i + 1).padStart(3, '0')}`]);
  assert.deepEqual(shown, [...expected.map(([first]) => first), ...expected.map(([, second]) => second)]);
  assert.match(text, /And 799 more/);
});

test('a source that requests the landing page too often is rate_limited', async () => {
  const answers = await Promise.all(
    Array.from({ length: 90 }, () => call(relay, 'GET', '/', { headers: {} }).catch(String)),
  );
  assert.ok(answers.some((answer) => typeof answer === 'object' && answer.status === 429));
});
