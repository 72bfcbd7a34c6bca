import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import type { components } from '../../generated/api.js';
import { type Admin, adminOf, leasePath } from '../support/admin.js';
import { openPage, startBrowser, type WatchedPage } from '../support/browser.js';
import { type BrowserWallet, injectWallet } from '../support/browser-wallet.js';
import { call, freshWallet, register } from '../support/by-hand.js';
import { portalMain } from '../support/processes.js';
import { runProgram } from '../support/programs.js';
import { freePort, relayFor, startTestRelay, type TestRelay } from '../support/relay.js';
import { get, openTunnel, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

const wallet = freshWallet();
const timeout = 15_000;

interface Console extends WatchedPage {
  relay: TestRelay;
  admin: Admin;
  account: BrowserWallet;
}

async function openConsole(
  t: TestContext,
  query = '',
  overrides: Parameters<typeof relayFor>[1] = {},
): Promise<Console> {
  const relay = await relayFor(t, { adminWallets: [wallet.address], ...overrides });
  const admin = await adminOf(relay, wallet);
  const watched = await openPage(await startBrowser(t));
  watched.page.setDefaultTimeout(timeout);
  const account = await injectWallet(watched.page, wallet);
  await watched.page.goto(`${relay.url}/admin${query}`);
  return { ...watched, relay, admin, account };
}

async function signIn(page: Page): Promise<void> {
  await page.click('text=Sign in with Test wallet');
  await page.click('button:text-is("Sign")');
}

/** A refusal that the browser itself calls an error. */
const withoutRefusals = (faults: string[]) =>
  faults.filter((fault) => !/the server responded with a status of 4/.test(fault));

test('an admin signs in with a wallet, which shows the message, and out', async (t) => {
  const { page, relay, account, faults, requests } = await openConsole(t);
  await page.click('text=Sign in with Test wallet');
  const shown = await page.textContent('pre');
  assert.match(
    shown!,
    new RegExp(`^portal\\.localhost:\\d+ wants you to sign in with your Ethereum account:\n${wallet.address}`),
  );
  account.refuses = true;
  await page.click('button:text-is("Sign")');
  await page.waitForSelector('[role=alert] >> text=Your wallet did not sign');
  account.refuses = false;
  await signIn(page);
  await page.waitForSelector(`h1:text-is("${relay.rootHost}")`);
  assert.notEqual(account.signed.at(-1), undefined);
  assert.match(account.signed.at(-1)!, /\/admin\/auth\/login/);
  await page.reload();
  await page.waitForSelector('h2:has-text("The last hour")');
  await page.click('text=Sign out');
  await page.waitForSelector('text=Sign in with Test wallet');
  assert.deepEqual(faults, []);
  assert.deepEqual(
    requests.filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== relay.url),
    [],
  );
});

test('a wallet that is not the operator’s is refused, and a browser without one is told what to do', async (t) => {
  const relay = await relayFor(t, { adminWallets: [wallet.address] });
  const context = await startBrowser(t);
  const { page } = await openPage(context);
  await injectWallet(page, freshWallet());
  await page.goto(`${relay.url}/admin`);
  await signIn(page);
  await page.waitForSelector('[role=alert] >> text=this wallet is not one of the operator');
  const { page: bare } = await openPage(context);
  await bare.goto(`${relay.url}/admin`);
  await bare.waitForSelector('text=This browser has no Ethereum wallet.');
  await bare.waitForSelector('text=portal admin login --browser');
});

test('a browser without a wallet is signed in by a link, which works once and leaves the history', async (t) => {
  const relay = await relayFor(t, { adminWallets: [wallet.address] });
  const { page, faults } = await openPage(await startBrowser(t));
  page.setDefaultTimeout(timeout);
  const caFile = join(temporaryDirectory(t), 'ca.pem');
  const keyFile = join(temporaryDirectory(t), 'wallet.json');
  writeFileSync(caFile, relay.ca);
  writeFileSync(keyFile, JSON.stringify({ address: wallet.address, private_key: wallet.privateKey }), { mode: 0o600 });
  const args = ['admin', 'login', '--browser', '--relay', relay.url, '--ca', caFile, '--key-file', keyFile, '--json'];
  const link = async () =>
    (JSON.parse((await runProgram(process.execPath, [portalMain, ...args])).stdout.toString()) as { link: string })
      .link;
  const first = await link();
  await page.goto(first);
  assert.match((await page.textContent('pre'))!, new RegExp(`wants you to sign in .*\n${wallet.address}`));
  assert.equal(page.url(), `${relay.url}/admin`);
  await page.click('button:text-is("Cancel")');
  await page.waitForSelector('text=This browser has no Ethereum wallet.');
  await page.evaluate(`location.href = ${JSON.stringify(first)}`);
  await page.click('button:text-is("Sign in")');
  await page.waitForSelector('h2:has-text("The last hour")');
  await page.click('text=Sign out');
  await page.waitForSelector('text=This browser has no Ethereum wallet.');
  await page.evaluate(`location.href = ${JSON.stringify(first)}`);
  await page.click('button:text-is("Sign in")');
  await page.waitForSelector('[role=alert] >> text=A link works once');
  for (const broken of ['#sign-in=%%%', '#sign-in=e30', `#sign-in=${'A'.repeat(100_000)}`]) {
    await page.evaluate(`location.href = ${JSON.stringify(broken)}`);
    await page.waitForFunction('location.hash === ""');
    await page.waitForSelector('text=This browser has no Ethereum wallet.');
  }
  await page.evaluate(`location.href = ${JSON.stringify(await link())}`);
  await page.click('button:text-is("Sign in")');
  await page.waitForSelector('h2:has-text("The last hour")');
  assert.deepEqual(withoutRefusals(faults), []);
});

test('leases are found, opened, decided on, and decisions undone', async (t) => {
  const { page, relay, admin, faults } = await openConsole(t, '?page=leases');
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { hostname } = await openTunnel(t, relay, service.port, { name: 'shop', probe: false });
  const other = await register(relay, { name: 'other', ttl: 600, metadata: { description: 'something else' } });
  await get(relay, hostname);
  await signIn(page);
  await page.waitForSelector('text=2 leases');
  await page.fill('input[type=search]', 'SOMETHING');
  await page.waitForSelector('text=1 of 2 leases');
  assert.match(page.url(), /q=SOMETHING/);
  await page.click('text=other.portal.localhost');
  await page.waitForSelector('aside >> text=something else');

  // What it ends is said before it is done.
  await page.click('aside button:text-is("Ban")');
  await page.waitForSelector('dialog >> text=That ends 0 connections and 0 ready sessions now.');
  await page.click('dialog button:text-is("Cancel")');
  await page.click('aside button:text-is("Limit bandwidth")');
  await page.fill('dialog input', 'a lot');
  await page.click('dialog button:text-is("Do it")');
  await page.waitForSelector('dialog >> text=Enter a whole number');
  await page.fill('dialog input', '123000');
  await page.click('dialog button:text-is("Do it")');
  await page.waitForSelector('text=Limit bandwidth: done.');
  const bps = async () =>
    (await admin.snapshot()).leases.find(({ name }: { name: string }) => name === 'other').bps as number | undefined;
  assert.equal(await bps(), 123_000);
  await page.click('.toasts button:text-is("Undo")');
  await page.waitForSelector('text=Undone.');
  assert.equal(await bps(), undefined);

  // Its history tells of both, and it goes on where the lease is gone.
  await page.waitForSelector('aside td:has-text("Lift the limit")');
  await page.click('aside button:text-is("Ban")');
  await page.click('dialog button:text-is("Do it")');
  await page.waitForSelector('aside >> text=This identity has no lease now.');
  const path = leasePath({ name: 'other', address: other.wallet.address }, '').slice(0, -1);
  assert.equal((await admin.get(path)).status, 404);
  await page.click('aside header button');

  // Its traffic shows, what passes while one looks at once.
  await page.click('nav a:text-is("Leases")');
  await page.click('text=shop.portal.localhost');
  await page.click('aside summary');
  await until(async () => {
    await get(relay, hostname);
    return /[1-9][\d.]* K?B/.test((await page.textContent('aside figure details tbody')) ?? '');
  });
  assert.doesNotMatch((await page.textContent('aside figure')) as string, /NaN/);
  await page.keyboard.press('Escape');

  await page.click('nav a:text-is("Decisions")');
  await page.click('tr:has-text("other") button:text-is("Unban")');
  await page.click('dialog button:text-is("Do it")');
  await page.waitForSelector('text=No identity with a decision or a limit matches.');
  await page.fill('input[placeholder="IPv4 or IPv6 address"]', 'not an address');
  await page.click('text=Ban an address');
  await page.click('dialog button:text-is("Do it")');
  await page.waitForSelector('.toast.fault >> text=Ban address: The relay refuses');
  await page.fill('input[placeholder="IPv4 or IPv6 address"]', '203.0.113.9');
  await page.click('text=Ban an address');
  await page.click('dialog button:text-is("Do it")');
  await page.waitForSelector('li:has-text("203.0.113.9")');
  assert.deepEqual((await admin.snapshot()).banned_ips, ['203.0.113.9']);
  assert.deepEqual(withoutRefusals(faults), []);
});

test('many leases are decided on at once', async (t) => {
  const { page, relay, admin } = await openConsole(t, '?page=leases');
  for (const name of ['one', 'two', 'three']) await register(relay, { name, ttl: 600 });
  await signIn(page);
  for (const name of ['one', 'three']) await page.check(`[aria-label="Choose ${name}.portal.localhost"]`);
  await page.click('[role=toolbar] button:text-is("Deny")');
  await page.click('dialog button:text-is("Cancel")');
  // Nothing that was chosen is lost.
  await page.click('[role=toolbar] button:text-is("Deny")');
  await page.waitForSelector('dialog >> text=Deny: 2 identities');
  await page.click('dialog button:text-is("Do it")');
  await page.waitForSelector('text=Deny: done for 2.');
  await page.waitForSelector('text=1 lease');
  const { identities } = await admin.snapshot();
  assert.deepEqual(
    (identities as { name: string; is_denied: boolean }[]).map((each) => [each.name, each.is_denied]).sort(),
    [
      ['one', true],
      ['three', true],
    ],
  );
  await page.click('.toasts button:text-is("Undo")');
  await page.waitForSelector('text=Undone.');
  // Nobody had approved them: undoing a denial approves nobody.
  assert.deepEqual((await admin.snapshot()).identities, []);
});

test('decisions are listed in parts, and stay where one of them is reversed', async (t) => {
  const { page, admin } = await openConsole(t, '?page=decisions');
  const count = 230;
  for (let index = 0; index < count; index++) await admin.post(`/ips/192.0.2.${index}/ban`);
  await signIn(page);
  const shown = () => page.locator('ul.plain li').count();
  const more = page.locator('button:text-is("Show more")');
  for (const expected of [100, 200, 230]) {
    await until(async () => (await shown()) === expected);
    if (expected < count) await more.click();
  }
  assert.equal(await more.count(), 0);
  await page.click('li:has-text("192.0.2.229") button:text-is("Unban address")');
  await page.click('dialog button:text-is("Do it")');
  await until(async () => (await shown()) === count - 1);
});

test('the overview lists the relays of the overlay, those that are not reached and those not let in', async (t) => {
  const { page, admin, faults } = await openConsole(t);
  const overview = (await admin.get('/overview')).body as components['schemas']['OverviewAnswer'];
  assert.deepEqual((await admin.get('/overlay')).body.data, { is_up: false, peers: [], refused: [] });
  const document = JSON.parse(readFileSync(new URL('../../../generated/openapi.json', import.meta.url), 'utf8'));
  const example: unknown = document.components.examples.overlay_peers.value;
  await page.route('**/admin/overview', (route) =>
    route.fulfill({ json: { ...overview, data: { ...overview.data, overlay: { is_up: true, peers: 1 } } } }),
  );
  await page.route('**/admin/overlay', (route) => route.fulfill({ json: example }));
  await signIn(page);
  await page.waitForSelector('tr:has-text("relay.example.net:51820") >> text=73.4 MB');
  await page.waitForSelector('tr:has-text("none yet") >> text=portal.example.org has no address');
  await page.waitForSelector("li >> text=its WireGuard key is another relay's");
  assert.deepEqual(withoutRefusals(faults), []);
});

test('a page that nobody sees holds no stream, and is up to date when it is seen again', async (t) => {
  const { page, relay, admin } = await openConsole(t, '?page=leases');
  const opened = page.waitForRequest('**/admin/events');
  await signIn(page);
  await opened;
  await page.waitForSelector('.live >> text=Live');
  const show = (isSeen: boolean) =>
    page.evaluate(
      `Object.defineProperty(document, 'hidden', { value: ${!isSeen}, configurable: true }); document.dispatchEvent(new Event('visibilitychange'));`,
    );
  const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/admin/events'));
  await show(false);
  await ended;
  const { wallet: tenant } = await register(relay, { name: 'meanwhile', ttl: 600 });
  await admin.post(`${leasePath({ name: 'meanwhile', address: tenant.address }, 'bps')}`, { bps: 1000 });
  await show(true);
  await page.waitForSelector('text=meanwhile.portal.localhost');
});

test('50,000 leases are scrolled through, with only the rows that are seen in the page', async (t) => {
  const { page, relay, admin } = await openConsole(t);
  await register(relay, { name: 'real', ttl: 600 });
  const example = (await admin.get('/leases')).body.data as components['schemas']['LeaseList'];
  const total = 50_000;
  await page.route('**/admin/leases?*', async (route) => {
    const query = new URL(route.request().url()).searchParams;
    const offset = Number(query.get('offset'));
    const { lease, ...rest } = example.leases[0]!;
    const leases = Array.from({ length: Math.min(100, total - offset) }, (_, index) => ({
      ...rest,
      lease: {
        ...lease,
        hostname: `name-${offset + index}.portal.localhost`,
        identity_key: `name-${offset + index}:${lease.address.toLowerCase()}`,
      },
    }));
    await route.fulfill({ json: { ok: true, data: { total, matching: total, leases } } });
  });
  await signIn(page);
  await page.click('nav a:text-is("Leases")');
  await page.waitForSelector('text=50,000 leases');
  await page.waitForSelector('text=name-0.portal.localhost');
  for (const [at, name] of [
    [0.5, 'name-25'],
    [1, 'name-49999.'],
    [0, 'name-0.'],
  ] as const) {
    await page.evaluate(
      `{ const table = document.querySelector('[role=table]'); table.scrollTop = ${at} * table.scrollHeight; }`,
    );
    await page.waitForSelector(`text=${name}`);
    assert.ok((await page.locator('[role=row]').count()) < 80);
  }
});

test('settings are changed, and what was typed outlives the change of someone else', async (t) => {
  const { page, admin } = await openConsole(t, '?page=settings');
  await signIn(page);
  await page.check('label:has-text("Only those whom an admin has approved") input');
  await until(async () => (await admin.snapshot()).approval_mode === 'manual');
  const most = page.locator('form:has-text("UDP ports") input[inputmode=numeric]');
  await most.fill('70000');
  await page.waitForSelector('text=Enter a whole number from 0 to 65535.');
  await most.fill('12');
  await admin.post('/settings/udp', { enabled: true, max_leases: 5 });
  await page.waitForSelector('text=Changed meanwhile by someone else.');
  assert.equal(await most.inputValue(), '12');
  await page.click('form:has-text("UDP ports") button:text-is("Save")');
  await until(async () => (await admin.snapshot()).udp.max_leases === 12);
  assert.equal((await admin.snapshot()).udp.enabled, true);
  await page.click('nav a:text-is("Audit log")');
  await page.waitForSelector('td:has-text("Approval mode")');
  const download = page.waitForEvent('download');
  await page.click('text=Export as JSON lines');
  const lines = readFileSync(await (await download).path(), 'utf8')
    .trimEnd()
    .split('\n');
  assert.equal((JSON.parse(lines[0]!) as { action: string }).action, 'setUdpSettings');
});

test('a session that ends asks for another sign-in, and nothing that was typed is lost', async (t) => {
  const { page, relay, admin, account } = await openConsole(t, '?page=leases&q=kept');
  await register(relay, { name: 'kept', ttl: 600 });
  await signIn(page);
  await page.click('text=kept.portal.localhost');
  await page.click('aside button:text-is("Limit bandwidth")');
  await page.fill('dialog input', '5000');
  const { sessions } = (await admin.get('/sessions')).body.data as components['schemas']['AdminSessionList'];
  for (const { id } of sessions.filter(({ is_own: isOwn }) => !isOwn)) await admin.delete(`/sessions/${id}`);
  const again = page.locator('dialog:has-text("Your session has ended")');
  await again.waitFor();
  await again.locator('text=Sign in with Test wallet').click();
  await again.locator('button:text-is("Sign")').click();
  await again.waitFor({ state: 'detached' });
  assert.equal(await page.inputValue('dialog input'), '5000');
  await page.click('dialog button:text-is("Do it")');
  await page.waitForSelector('text=Limit bandwidth: done.');
  assert.equal(account.signed.length, 2);
  await page.evaluate(`changeAccount('${freshWallet().address}')`);
  await page.waitForSelector('text=Your wallet has changed its account.');
  // The same after the page was loaded anew.
  await page.reload();
  await page.waitForSelector('h1:text-is("Leases")');
  await until(async () => {
    await page.evaluate(`changeAccount('${freshWallet().address}')`);
    return (await page.locator('text=Your wallet has changed its account.').count()) > 0;
  });
});

test('a relay that restarts is said, and its state is loaded anew when it is back', async (t) => {
  const [sniPort, stateDir] = [await freePort(), temporaryDirectory(t)];
  const config = { adminWallets: [wallet.address], sniPort, stateDir };
  const before = await startTestRelay(config);
  const { page } = await openPage(await startBrowser(t));
  page.setDefaultTimeout(timeout);
  await injectWallet(page, wallet);
  await page.goto(`${before.url}/admin?page=leases`);
  await signIn(page);
  await page.waitForSelector('text=No lease yet.');
  await before.stop();
  await page.waitForSelector('text=Connection lost. Reconnecting …');
  await page.fill('input[type=search]', 'later');
  await page.waitForSelector('[role=alert] >> text=The relay was not reached.');
  const after = await startTestRelay(config);
  t.after(() => after.stop());
  await register(after, { name: 'later', ttl: 600 });
  await page.waitForSelector('text=later.portal.localhost');
  await page.waitForSelector('[role=alert]', { state: 'detached' });
  await page.waitForSelector('.live >> text=Live');
});

test('a stream that a proxy refuses is tried again', async (t) => {
  const { page } = await openConsole(t);
  let refused = 0;
  await page.route('**/admin/events', (route) => (refused++ === 0 ? route.fulfill({ status: 502 }) : route.continue()));
  await signIn(page);
  await page.waitForSelector('text=Connection lost. Reconnecting …');
  await page.waitForSelector('.live >> text=Live');
  assert.equal(refused, 2);
});

test('what tenants say is text in the console', async (t) => {
  const { page, relay, faults } = await openConsole(t, '?page=leases');
  const evil = '"><img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>\u202e';
  await register(relay, {
    name: 'evil',
    ttl: 600,
    metadata: { description: evil, owner: evil.slice(0, 60), tags: [evil.slice(0, 20)] },
  });
  await signIn(page);
  await page.click('text=evil.portal.localhost');
  await page.waitForSelector('aside >> text=<script>');
  assert.equal(await page.locator('aside img, aside script').count(), 0);
  assert.doesNotMatch(await page.title(), /owned/);
  assert.deepEqual(withoutRefusals(faults), []);
});

test('the console is used by the keyboard, passes axe in light and dark, and fits a phone', async (t) => {
  const { page, relay } = await openConsole(t, '');
  await register(relay, { name: 'shown', ttl: 600 });
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const assertAccessible = async (where: string) => {
    await page.evaluate(axe);
    const violations = await page.evaluate<string[]>(
      `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 120)).join(' | ')))`,
    );
    assert.deepEqual(violations, [], where);
  };
  await page.waitForSelector('text=Sign in with Test wallet');
  await assertAccessible('sign-in');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForSelector('pre');
  await page.focus('button:text-is("Sign")');
  await page.keyboard.press('Enter');
  await page.waitForSelector('h2:has-text("The last hour")');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const name of ['Overview', 'Leases', 'Decisions', 'Settings', 'Audit log', 'People']) {
      await page.focus(`nav a:text-is("${name}")`);
      await page.keyboard.press('Enter');
      await page.waitForSelector(`nav a[aria-current]:text-is("${name}")`);
      await page.waitForSelector('main h1');
      await page.waitForSelector('text=Loading …', { state: 'detached' });
      if (name === 'Leases') await page.waitForSelector('text=shown.portal.localhost');
      await assertAccessible(`${name}, ${colorScheme}`);
    }
  }
  await page.setViewportSize({ width: 360, height: 700 });
  for (const name of ['Overview', 'Leases', 'Decisions', 'Settings', 'Audit log', 'People']) {
    await page.click(`nav a:text-is("${name}")`);
    await page.waitForSelector('main h1');
    const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    assert.equal(wide, 0, `${name} is wider than a phone`);
  }
});

test('the first load is below 150 KB compressed', async (t) => {
  const { page, relay } = await openConsole(t);
  await page.waitForSelector('text=Sign in');
  const urls = await page.evaluate<string[]>(`performance.getEntriesByType('resource').map(({ name }) => name)`);
  const files = urls.filter((url) => url.includes('/admin/assets/'));
  assert.equal(files.length, 2);
  const sizes = await Promise.all(
    files.map(async (url) => gzipSync((await call(relay, 'GET', new URL(url).pathname)).body as string).length),
  );
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) < 150_000, `${sizes}`);
});
