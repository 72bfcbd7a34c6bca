import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type TLSSocket, connect } from 'node:tls';
import type { components } from '../../generated/api.js';
import { identityFromPrivateKey } from '../../src/tunnel/index.js';
import { readAuditFiles } from '../../src/relay/audit/read-audit.js';
import { type Admin, adminOf, adminWith, leasePath, login } from '../support/admin.js';
import { call, freshWallet, openSession, register, sessionHeaders } from '../support/by-hand.js';
import { relayFor, type TestRelay } from '../support/relay.js';
import { get, openTunnel, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

type Schemas = components['schemas'];

const wallet = freshWallet();
const governed = (t: TestContext) => relayFor(t, { adminWallets: [wallet.address] });

async function data<Data>(admin: Admin, path: string): Promise<Data> {
  const { status, body } = await admin.get(path);
  assert.equal(status, 200, JSON.stringify(body));
  return body.data as Data;
}

test('leases are searched, filtered, sorted and given in parts', async (t) => {
  const relay = await governed(t);
  const admin = await adminOf(relay, wallet);
  const names = ['delta', 'alpha', 'charlie', 'bravo', 'echo'];
  for (const name of names)
    await register(relay, {
      name,
      ttl: 600,
      metadata: { description: `the ${name.toUpperCase()} service`, tags: [name] },
    });
  const listed = async (query: string) => {
    const { leases, ...counts } = await data<Schemas['LeaseList']>(admin, `/leases${query}`);
    return { ...counts, names: leases.map(({ lease }) => lease.name) };
  };
  assert.deepEqual(await listed(''), { total: 5, matching: 5, names: ['alpha', 'bravo', 'charlie', 'delta', 'echo'] });
  assert.deepEqual(await listed('?order=desc&limit=2&offset=1'), {
    total: 5,
    matching: 5,
    names: ['delta', 'charlie'],
  });
  assert.deepEqual(await listed('?sort=first_seen_at'), { total: 5, matching: 5, names });
  assert.deepEqual(await listed('?search=THE%20CHARLIE'), { total: 5, matching: 1, names: ['charlie'] });
  assert.deepEqual(await listed('?search=nobody'), { total: 5, matching: 0, names: [] });
  assert.deepEqual(await listed('?offset=100'), { total: 5, matching: 5, names: [] });
  assert.deepEqual(await listed('?state=reached'), { total: 5, matching: 0, names: [] });
  assert.deepEqual((await listed('?state=unreached')).matching, 5);
  assert.deepEqual((await listed('?state=waiting')).matching, 0);
  await admin.post('/settings/approval-mode', { mode: 'manual' });
  assert.deepEqual((await listed('?state=waiting&sort=ready')).matching, 5);
});

test('a lease is shown with its connections and its traffic, until it is gone', async (t) => {
  const relay = await governed(t);
  const admin = await adminOf(relay, wallet);
  const service = await startHttpService(t, (_request, response) => response.end('x'.repeat(10_000)));
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  const { hostname } = await openTunnel(t, relay, service.port, { name: 'shown', probe: false, identity });
  await get(relay, hostname);
  const path = leasePath({ name: 'shown', address: identity.address }, '').slice(0, -1);
  const { lease, received, sent, traffic } = await data<Schemas['LeaseDetails']>(admin, path);
  assert.equal(lease.hostname, hostname);
  assert.deepEqual(traffic, [], 'no minute is over');
  assert.ok(received > 100 && sent > 10_000, `${received} ${sent}`);
  const [first] = (await data<Schemas['LeaseList']>(admin, '/leases?state=reached')).leases;
  assert.equal(first?.lease.name, 'shown');
  await admin.post(`${path}/ban`);
  assert.equal((await admin.get(path)).body.error.code, 'not_found');
  const { identities, matching } = await data<Schemas['IdentityList']>(admin, '/identities?state=banned&search=sho');
  assert.deepEqual([matching, identities[0]?.name, identities[0]?.is_banned], [1, 'shown', true]);
  assert.equal((await data<Schemas['IdentityList']>(admin, '/identities?state=limited')).matching, 0);
  await admin.post('/ips/203.0.113.9/ban');
  assert.deepEqual(await data(admin, '/ips?search=203'), { total: 1, matching: 1, ips: ['203.0.113.9'] });
});

test('the overview has samples of the last hour, and what was refused', async (t) => {
  const relay = await governed(t);
  const admin = await adminOf(relay, wallet);
  const { token } = await register(relay, { name: 'sampled' });
  const { socket } = await openSession(relay, sessionHeaders(token));
  t.after(() => socket.destroy());
  await admin.get('/leases?limit=0');
  const overview = await until(
    async () => {
      const found = await data<Schemas['Overview']>(admin, '/overview');
      return found.samples.some(({ ready }) => ready === 1) && found;
    },
    { deadlineMs: 15_000 },
  );
  const last = overview.samples.at(-1)!;
  assert.deepEqual([last.leases, last.ready, last.connections], [1, 1, 0]);
  assert.ok(overview.samples.some(({ requests, store_calls: calls }) => requests > 0 && calls > 0));
  assert.ok(overview.errors.some(({ what, count }) => what === 'invalid_request' && count === 1));
  assert.ok(Date.parse(overview.certificate_expires_at) > Date.now());
});

/** A stream of the console, read by hand. */
async function follow(t: TestContext, relay: TestRelay, cookie: string) {
  const options = { host: '127.0.0.1', port: relay.apiPort, servername: relay.rootHost, ca: relay.ca };
  const socket: TLSSocket = connect({ ...options, ALPNProtocols: ['http/1.1'] });
  t.after(() => socket.destroy());
  const stream = { text: '', hasEnded: false, destroy: () => socket.destroy() };
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => (stream.text += String(chunk)));
  socket.on('close', () => (stream.hasEnded = true));
  await once(socket, 'secureConnect');
  socket.write(
    `GET /admin/events HTTP/1.1\r\nHost: ${relay.rootHost}\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`,
  );
  await until(() => stream.text.includes('\r\n\r\n'));
  return stream;
}

test('a stream tells of samples and decisions, and of too many at once that there were more', async (t) => {
  const relay = await governed(t);
  const cookie = await login(relay, wallet);
  const admin = adminWith(relay, cookie);
  const stream = await follow(t, relay, cookie);
  assert.match(stream.text, /^HTTP\/1\.1 200 OK\r\n/);
  await admin.post('/settings/landing-page', { enabled: true });
  await until(() =>
    /event: decision\r?\ndata: \{"seq":\d+,[^\n]*"action":"setLandingPage","value":\{"landingPageEnabled":true\}/.test(
      stream.text,
    ),
  );
  await until(() => stream.text.includes('event: sample\n'), { deadlineMs: 15_000 });
  await Promise.all(Array.from({ length: 60 }, (_, index) => admin.post(`/ips/198.51.100.${index}/ban`)));
  await until(() => stream.text.includes('event: missed\ndata: {}'));
});

test('a page of another origin cannot hold streams of an admin open', async (t) => {
  const relay = await governed(t);
  const cookie = await login(relay, wallet);
  for (const headers of [
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.portal.localhost' },
  ])
    assert.equal((await call(relay, 'GET', '/admin/events', { headers: { cookie, ...headers } })).status, 401);
});

test('ending a session ends what it may do, its streams as well', async (t) => {
  const relay = await governed(t);
  const [mine, other] = [await login(relay, wallet), await login(relay, wallet)];
  const admin = adminWith(relay, mine);
  const { sessions } = await data<Schemas['AdminSessionList']>(admin, '/sessions');
  assert.deepEqual(
    sessions.map(({ wallet_address: address, is_own: isOwn }) => [address, isOwn]),
    [
      [wallet.address, false],
      [wallet.address, true],
    ],
  );
  const stream = await follow(t, relay, other);
  assert.equal((await admin.delete(`/sessions/${sessions[0]!.id}`)).status, 200);
  assert.equal((await adminWith(relay, other).get('/sessions')).status, 401);
  // At the next sample.
  await until(() => stream.hasEnded, { deadlineMs: 15_000 });
  const { entries } = await data<Schemas['AuditList']>(admin, '/audit?limit=1');
  assert.deepEqual(
    [entries[0]?.action, entries[0]?.target, entries[0]?.result],
    ['endAdminSession', wallet.address, 'done'],
  );
  assert.equal((await admin.delete(`/sessions/${sessions[0]!.id}`)).status, 404);
});

test('the audit log is read in parts, the newest first, and searched', async (t) => {
  const relay = await governed(t);
  const admin = await adminOf(relay, wallet);
  for (let index = 0; index < 12; index++) await admin.post(`/ips/192.0.2.${index}/ban`);
  const targets: (string | undefined)[] = [];
  let path = '/audit?search=banip&limit=5';
  for (;;) {
    const { entries, next_before: next } = await data<Schemas['AuditList']>(admin, path);
    targets.push(...entries.map(({ target }) => target));
    if (next === undefined) break;
    path = `/audit?search=banip&limit=5&before=${next}`;
  }
  assert.deepEqual(
    targets,
    Array.from({ length: 12 }, (_, index) => `192.0.2.${11 - index}`),
  );
});

test('a large audit log is read from anywhere through a bounded part of it', async (t) => {
  const folder = temporaryDirectory(t);
  const [newest, oldest] = [join(folder, 'audit.jsonl'), join(folder, 'audit.jsonl.1')];
  const line = (seq: number) =>
    `${JSON.stringify({ seq, time: '2026-03-01T12:00:00.000Z', ip: '203.0.113.9', action: 'banIp', target: 'é'.repeat(seq % 300), result: 'done' })}\n`;
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => line(from + index)).join('');
  writeFileSync(oldest, lines(1, 30_000));
  writeFileSync(newest, lines(30_000, 60_001));
  // A line that is being written, and one that was damaged.
  appendFileSync(newest, '{"seq":60001,"ti\n{"seq":60002');
  const paths = [newest, join(folder, 'gone.jsonl'), oldest];
  const read = (before: number | undefined, search: string | undefined, limit: number) =>
    readAuditFiles(paths, { before, search, limit });
  const seqs = ({ entries }: Awaited<ReturnType<typeof read>>) => entries.map(({ seq }) => seq);
  assert.deepEqual(seqs(await read(undefined, undefined, 3)), [60_000, 59_999, 59_998]);
  for (const before of [60_000, 45_678, 30_001, 30_000, 29_999, 12_345, 301, 3]) {
    const part = await read(before, undefined, 2);
    assert.deepEqual(seqs(part), [before - 1, before - 2], `${before}`);
    assert.equal(part.nextBefore, before - 2 > 1 ? before - 2 : undefined);
  }
  assert.deepEqual(await read(1, undefined, 2), { entries: [] });
  // A search that finds nothing goes on from part to part, and comes to an end.
  let calls = 0;
  for (let before: number | undefined; ; calls++) {
    const part = await read(before, 'not there', 10);
    assert.deepEqual(part.entries, []);
    if (part.nextBefore === undefined) break;
    assert.ok(before === undefined || part.nextBefore < before);
    before = part.nextBefore;
  }
  assert.ok(calls >= 2 && calls < 20, `${calls} calls`);
});

test('the console and its files are there for everybody, and nothing else is', async (t) => {
  const relay = await governed(t);
  const anybody = adminWith(relay, 'portal_admin=nobody');
  const page = await anybody.get('');
  assert.equal(page.status, 200);
  assert.match(String(page.headers['content-security-policy']), /^default-src 'none'; script-src 'self';/);
  assert.doesNotMatch(String(page.headers['content-security-policy']), /unsafe|https?:|\*/);
  assert.equal(page.headers['cache-control'], 'no-cache');
  const slash = await anybody.get('/');
  assert.deepEqual([slash.status, slash.headers['location']], [308, '../admin']);
  for (const path of [
    '/overview',
    '/events',
    '/leases',
    '/audit',
    '/sessions',
    '/assets',
    '/assets/..%2f..%2fpackage.json',
  ])
    assert.ok([400, 401].includes((await anybody.get(path)).status), path);
  assert.equal((await anybody.get('/assets/index-nothing.js')).status, 404);
  const plain = await relayFor(t, {});
  assert.equal((await adminWith(plain, '').get('')).body.error.code, 'feature_unavailable');
});
