import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Wallet } from 'ethers';
import { exposeCommand, relayWords } from '../../src/relay/landing/expose-command.js';
import { Directory } from '../../src/relay/landing/directory.js';
import type { Lease } from '../../src/relay/leases/lease.js';
import { startBrowser } from '../support/trusting-browser.js';
import { call, freshWallet } from '../support/by-hand.js';
import { printed, runProgram } from '../support/programs.js';
import { startTestRelay, type TestRelay, sharedRelay, withPorts } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import { get, openTunnel, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

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
  return await pageAt(of, '/', ...args);
}

async function pageAt(of: TestRelay, path: string, ...args: string[]): Promise<Page> {
  const to = `${of.rootHost}:${of.publicPort}:127.0.0.1`;
  const base = ['-s', '-i', '--cacert', of.caFile, '--resolve', to];
  const { stdout, stderr, code } = await runProgram(await requireTool('curl'), [...base, ...args, `${of.url}${path}`]);
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

test('curl gets a landing page with a strict policy: its own style and script, no framing, no caching', async () => {
  const { status, headers, text } = await page(relay);
  assert.equal(status, 200);
  assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
  const policy = headers.get('content-security-policy') as string;
  assert.match(
    policy,
    /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; script-src 'sha256-[\w+/]{43}='; img-src 'self' data:; /,
  );
  assert.match(policy, /base-uri 'none'; form-action 'self'; frame-ancestors 'none'$/);
  assert.doesNotMatch(policy, /unsafe/);
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
  const [, escaped = ''] = /<code id="command">([^<]*)<\/code>/.exec(text) ?? [];
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
  const web = { kind: 'web', port: 3000 } as const;
  assert.equal(
    exposeCommand(web, relayWords('https://a.localhost', "/tmp/it's mine/ca.pem")),
    `portal expose 3000 --relay https://a.localhost --ca '/tmp/it'\\''s mine/ca.pem'`,
  );
  const words = relayWords('https://a.example:8443', undefined);
  assert.equal(exposeCommand(web, words), 'portal expose 3000 --relay https://a.example:8443');
  const udp = { kind: 'udp', port: 53, name: 'DNS' } as const;
  assert.equal(exposeCommand(udp, words), 'portal expose --udp 53 --name dns --relay https://a.example:8443');
});

test('the command is built without a script by a request, and with one as one types', async (t) => {
  const own = await startTestRelay({
    ...(await withPorts(2)),
    policy: { ...shown, tcpPort: { enabled: true, maxLeases: 0 } },
  });
  t.after(() => own.stop());
  const browser = await startBrowser(t, own);
  const plain = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await plain.goto(own.url);
  assert.deepEqual(await plain.locator('select option').allTextContents(), [
    'A web service',
    'A folder of files',
    'A TCP port',
  ]);
  await plain.selectOption('select', 'tcp');
  await plain.fill('[name=port]', '2222');
  await plain.fill('[name=name]', 'Shell');
  await plain.click('text=Show the command');
  const words = `--relay ${own.url} --ca ${own.caFile}`;
  assert.equal(await plain.textContent('#command'), `portal expose --tcp 2222 --name shell ${words}`);
  const tab = await browser.newPage();
  const complaints: string[] = [];
  tab.on('console', (message) => complaints.push(message.text()));
  await tab.goto(own.url);
  await tab.selectOption('select', 'folder');
  await tab.fill('[name=name]', 'docs');
  assert.equal(await tab.textContent('#command'), `portal expose ./dist --name docs ${words}`);
  await tab.fill('[name=name]', '$(reboot)');
  assert.equal(await tab.textContent('#command'), `portal expose ./dist ${words}`);
  assert.deepEqual(complaints, []);
  for (const query of ['kind=all', 'port=0', 'name=%24%28reboot%29', 'page=0', `q=${'x'.repeat(65)}`])
    assert.equal((await pageAt(own, `/?${query}`)).status, 400, query);
});

test('services are searched, by tag too, and shown in parts', async (t) => {
  const own = await startTestRelay({ policy: shown });
  t.after(() => own.stop());
  for (let index = 0; index < 50; index++)
    await lease(own, `n${String(index).padStart(2, '0')}`, {
      description: `Service ${index}`,
      tags: index % 10 === 0 ? ['ten & more'] : [],
    });
  const names = ({ text }: Page) => [...text.matchAll(/>(n\d\d)\.portal\.localhost</g)].map(([, name]) => name);
  const first = await page(own);
  assert.equal(names(first).length, 48);
  assert.match(first.text, /0 of 50 listed services online/);
  assert.match(first.text, /Page 1 of 2[^]*<a rel="next" href="\/\?page=2#services">/);
  assert.deepEqual(names(await pageAt(own, '/?page=2')), ['n48', 'n49']);
  assert.deepEqual(names(await pageAt(own, '/?page=99')), ['n48', 'n49']);
  const found = await pageAt(own, '/?q=SERVICE%2042');
  assert.deepEqual(names(found), ['n42']);
  assert.match(found.text, /1 found\./);
  const tagged = await pageAt(own, '/?tag=ten+%26+more');
  assert.equal(tagged.status, 200, tagged.text);
  assert.deepEqual(names(tagged), ['n00', 'n10', 'n20', 'n30', 'n40']);
  assert.ok(tagged.text.includes('href="/?tag=ten+%26+more#services"'));
  const hostile = await pageAt(own, `/?q=${encodeURIComponent('"><script>alert(1)</script>')}`);
  assert.deepEqual(names(hostile), []);
  assert.ok(hostile.text.includes('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"'));
  const tab = await (await startBrowser(t, own)).newPage();
  await tab.goto(own.url);
  await tab.fill('[type=search]', 'service 7');
  assert.equal(await tab.locator('.services > li:visible').count(), 1);
  await tab.fill('[type=search]', 'n49');
  await tab.keyboard.press('Enter');
  await tab.waitForSelector('text=n49.portal.localhost');
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
  // Its own page, tags that are searched for, and the documentation: nothing of what it says is a link.
  assert.deepEqual(
    links.filter(
      (link) => !link.startsWith(`${own.url}/docs`) && !link.startsWith(`${own.url}/?tag=`) && !link.startsWith('#'),
    ),
    [`https://evil.portal.localhost:${own.publicPort}/`],
  );
  assert.equal(await tab.locator('img, base, #broken, [onmouseover], style ~ style, script ~ script').count(), 0);
  assert.equal(await tab.locator('script').count(), 1);
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

test('a service is shown with the picture that the relay has taken of it', async (t) => {
  const own = await startTestRelay({ policy: shown, chromium: await requireTool('chromium') });
  t.after(() => own.stop());
  const service = await startHttpService(t, (_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<body style="background: teal">');
  });
  await openTunnel(t, own, service.port, { name: 'seen', probe: false });
  await lease(own, 'away', {});
  assert.doesNotMatch((await page(own)).text, /<img/);
  await until(async () => (await page(own)).text.includes('<img src="/thumbnail/seen.portal.localhost"'));
  const tab = await (await startBrowser(t, own)).newPage();
  await tab.goto(own.url);
  const width = "document.querySelector('.services img')?.naturalWidth";
  await until(async () => Number(await tab.evaluate(width)) > 100);
  assert.equal(await tab.locator('.services img').count(), 1);
});

test('the landing page lists online services first, then by name, and none that was refused since', () => {
  const all = Array.from({ length: 1_000 }, (_, i) => {
    const name = `n${String((i * 7_919) % 1_000).padStart(3, '0')}`;
    return { hostname: name, metadata: { description: `about ${name}` } } as Lease;
  });
  let refused = 'n000';
  const directory = new Directory({
    leases: () => all,
    mayServe: ({ hostname }) => hostname !== refused,
    isAlive: ({ hostname }) => hostname >= 'n980',
  });
  const names = (page: number) => directory.find({ page }).entries.map(({ lease: { hostname } }) => hostname);
  const expected = [
    ...Array.from({ length: 20 }, (_, i) => `n${980 + i}`),
    ...Array.from({ length: 28 }, (_, i) => `n${String(i + 1).padStart(3, '0')}`),
  ];
  assert.deepEqual(names(1), expected);
  assert.equal(names(2)[0], 'n029');
  const { entries, ...counts } = directory.find({ page: 21 });
  assert.deepEqual(counts, { matching: 999, total: 999, online: 20, pages: 21 });
  assert.equal(entries.length, 999 % 48);
  refused = 'n980';
  assert.ok(!names(1).includes('n980'));
});

test('a source that requests the landing page too often is rate_limited', async () => {
  const answers = await Promise.all(
    Array.from({ length: 90 }, () => call(relay, 'GET', '/', { headers: {} }).catch(String)),
  );
  assert.ok(answers.some((answer) => typeof answer === 'object' && answer.status === 429));
});
