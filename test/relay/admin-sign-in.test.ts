import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, mock, test } from 'node:test';
import type { Wallet } from 'ethers';
import { SiweMessage } from 'siwe';
import { listOperations, loadContract } from '../../src/contract/index.js';
import {
  adminChallenge,
  adminOf,
  adminWith,
  auditLines,
  cookieOf,
  leasePath,
  login,
  tryLogin,
} from '../support/admin.js';
import { type Answer, call, freshWallet } from '../support/by-hand.js';
import { type TestRelay, startTestRelay } from '../support/relay.js';

let relay: TestRelay;
let stateDir: string;
const [wallet, second] = [freshWallet(), freshWallet()];

const start = async (adminWallets: Wallet[], sniPort?: number) => {
  relay = await startTestRelay({
    stateDir,
    ...(sniPort !== undefined && { sniPort }),
    adminWallets: adminWallets.map(({ address }) => address),
  });
};
const restart = async (adminWallets = [wallet, second]) => {
  await relay.stop();
  await start(adminWallets, relay.publicPort);
};

before(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'portal-admin-'));
  await start([wallet, second]);
});
afterEach(() => mock.timers.reset());
after(async () => {
  await relay.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

const status = async (cookie?: string) => {
  const answer = await call(relay, 'GET', '/admin/auth/status', { headers: cookie === undefined ? {} : { cookie } });
  assert.equal(answer.status, 200);
  return answer.body.data as { authenticated: boolean; wallet_address?: string };
};
const refused = (answer: Answer, code = 'unauthorized') => assert.equal(answer.body.error?.code, code);

test('an admin wallet logs in with a message bound to this relay, address and challenge', async () => {
  const { challenge_id, siwe_message, expires_at } = await adminChallenge(relay, wallet.address.toLowerCase());
  const message = new SiweMessage(siwe_message);
  assert.equal(message.domain, new URL(relay.url).host);
  assert.equal(message.uri, `${relay.url}/admin/auth/login`);
  assert.equal(message.address, wallet.address);
  assert.deepEqual([message.version, message.chainId, message.requestId], ['1', 1, challenge_id]);
  assert.equal(message.expirationTime, expires_at);
  assert.match(message.nonce, /^[A-Za-z0-9]{8,}$/);
  assert.equal(Date.parse(expires_at) - Date.parse(message.issuedAt as string), 120_000);

  const answer = await tryLogin(relay, { challenge_id, siwe_message, expires_at }, wallet);
  assert.deepEqual([answer.status, answer.body.data], [200, { wallet_address: wallet.address }]);
  assert.match(
    String(answer.headers['set-cookie']),
    /^portal_admin=[A-Za-z0-9_-]{43}; Path=\/admin; Max-Age=86400; HttpOnly; Secure; SameSite=Strict$/,
  );
  assert.deepEqual(await status(cookieOf(answer)), { authenticated: true, wallet_address: wallet.address });
  assert.deepEqual(await status(), { authenticated: false });
});

test('a login challenge can be used once', async () => {
  const challenge = await adminChallenge(relay, wallet.address);
  assert.equal((await tryLogin(relay, challenge, wallet)).status, 200);
  refused(await tryLogin(relay, challenge, wallet));
  const racing = await adminChallenge(relay, wallet.address);
  const answers = await Promise.all(Array.from({ length: 4 }, () => tryLogin(relay, racing, wallet)));
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 401, 401, 401]);
  // Nor does another login in between bring it back.
  refused(await tryLogin(relay, challenge, wallet));
});

test('a login challenge is valid for its own address, for two minutes, unaltered', async () => {
  const challenge = await adminChallenge(relay, wallet.address);
  refused(await tryLogin(relay, challenge, second));
  const altered = challenge.siwe_message.replace(wallet.address, second.address);
  refused(await tryLogin(relay, { ...challenge, siwe_message: altered }, second));
  const other = await adminChallenge(relay, second.address);
  refused(await tryLogin(relay, { ...challenge, challenge_id: other.challenge_id }, wallet));
  refused(await tryLogin(relay, { ...challenge, challenge_id: 'AAAA' }, wallet));
  const id = challenge.challenge_id;
  const forged = (id[0] === 'A' ? 'B' : 'A') + id.slice(1);
  refused(await tryLogin(relay, { ...challenge, challenge_id: forged }, wallet));
  mock.timers.enable({ apis: ['Date'], now: Date.parse(challenge.expires_at) });
  refused(await tryLogin(relay, challenge, wallet));
});

test('a wallet that is not an admin gets a challenge, but no session', async () => {
  const stranger = freshWallet();
  const answer = await tryLogin(relay, await adminChallenge(relay, stranger.address), stranger);
  refused(answer);
  assert.equal(answer.headers['set-cookie'], undefined);
  refused(await call(relay, 'POST', '/admin/auth/challenge', { body: { address: '0x12' } }), 'invalid_address');
});

test('a registration challenge cannot be used for a login', async () => {
  const body = { identity: { name: 'not-a-login', address: wallet.address } };
  const { data } = (await call(relay, 'POST', '/sdk/register/challenge', { body })).body;
  refused(await tryLogin(relay, data, wallet));
});

test('an admin session survives a restart, and expires after 24 hours', async () => {
  const cookie = await login(relay, wallet);
  await restart();
  assert.equal((await status(cookie)).authenticated, true);
  mock.timers.enable({ apis: ['Date'], now: Date.now() + 86_400_000 - 60_000 });
  assert.equal((await status(cookie)).authenticated, true);
  mock.timers.setTime(Date.now() + 61_000);
  assert.equal((await status(cookie)).authenticated, false);
  refused(await adminWith(relay, cookie).get('/snapshot'));
  await restart();
  assert.equal((await status(cookie)).authenticated, false);
});

test('logout ends the session on the relay', async () => {
  const [cookie, other] = [await login(relay, wallet), await login(relay, wallet)];
  const answer = await adminWith(relay, cookie).post('/logout');
  assert.equal(
    String(answer.headers['set-cookie']),
    'portal_admin=; Path=/admin; Max-Age=0; HttpOnly; Secure; SameSite=Strict',
  );
  refused(await adminWith(relay, cookie).get('/snapshot'));
  refused(await adminWith(relay, cookie).post('/logout'));
  assert.equal((await status(other)).authenticated, true);
  await restart();
  assert.equal((await status(cookie)).authenticated, false);
  assert.equal((await status(other)).authenticated, true);
});

test('a wallet removed from the admin list loses its sessions, also after it is added again', async () => {
  const [cookie, stays] = [await login(relay, second), await login(relay, wallet)];
  await restart([wallet]);
  assert.equal((await status(cookie)).authenticated, false);
  refused(await adminWith(relay, cookie).post('/settings/approval-mode', { mode: 'manual' }));
  refused(await tryLogin(relay, await adminChallenge(relay, second.address), second));
  await restart();
  assert.equal((await status(cookie)).authenticated, false);
  assert.equal((await status(stays)).authenticated, true);
});

test('any valid cookie is accepted, however many a tenant has set before it', async () => {
  const cookie = await login(relay, wallet);
  const tossed = Array.from({ length: 180 }, (_, i) => `portal_admin=${String(i).padEnd(43, 'x')}`);
  assert.equal((await status([...tossed, cookie].join('; '))).authenticated, true);
  assert.equal((await status(['portal_admin=', 'portal_admin', cookie, ...tossed].join('; '))).authenticated, true);
  assert.equal((await status(tossed.join('; '))).authenticated, false);
  assert.equal((await status(`x${cookie}`)).authenticated, false);
});

test('neither store nor audit log contains a session token or a signature', async () => {
  const challenge = await adminChallenge(relay, wallet.address);
  const signature = await wallet.signMessage(challenge.siwe_message);
  const token = cookieOf(await tryLogin(relay, challenge, wallet)).split('=')[1] as string;
  for (const file of ['portal.db', 'portal.db-wal', 'audit.jsonl']) {
    const content = readFileSync(join(stateDir, file));
    for (const secret of [token, signature, signature.slice(2)])
      assert.equal(content.includes(secret), false, `${file} holds it`);
  }
});

test('every admin operation except login and the page needs a session, checked before its body', async () => {
  const open = ['createAdminChallenge', 'loginAdmin', 'getAdminStatus', 'getConsole', 'getConsoleAsset'];
  const operations = listOperations(loadContract()).filter(({ path }) => path.startsWith('/admin'));
  assert.equal(operations.length, 31);
  for (const { method, path, operationId } of operations) {
    if (open.includes(operationId)) continue;
    const url = path.replace('{name}', '!').replace('{addr}', 'x').replace('{ip}', 'nonsense');
    const answer = await call(relay, method.toUpperCase(), url, { body: method === 'post' ? '{' : undefined });
    assert.equal(answer.body.error?.code, 'unauthorized', operationId);
  }
});

test('cross-origin requests are refused by Origin or Sec-Fetch-Site, the login too', async () => {
  const cookie = await login(relay, wallet);
  const path = `/admin${leasePath({ name: 'any', address: wallet.address }, 'ban')}`;
  const tenant = `https://x.${relay.rootHost}:${relay.publicPort}`;
  for (const headers of [
    { origin: tenant },
    { origin: 'null' },
    { origin: '' },
    { origin: `${relay.url}.evil.example` },
    { origin: `https://${relay.rootHost}:${relay.apiPort}` },
    { origin: tenant, 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'none' },
  ] as Record<string, string>[]) {
    for (const method of ['POST', 'DELETE'])
      refused(await call(relay, method, path, { headers: { cookie, ...headers } }));
    refused(await call(relay, 'POST', '/admin/logout', { headers: { cookie, ...headers } }));
    refused(await call(relay, 'POST', '/admin/auth/challenge', { headers, body: { address: wallet.address } }));
    const challenge = await adminChallenge(relay, wallet.address);
    const siwe_signature = await wallet.signMessage(challenge.siwe_message);
    const { challenge_id, siwe_message } = challenge;
    const body = { challenge_id, siwe_message, siwe_signature };
    refused(await call(relay, 'POST', '/admin/auth/login', { headers, body }));
  }
  assert.deepEqual((await adminWith(relay, cookie).snapshot()).identities, []);
  for (const headers of [{}, { origin: relay.url }, { 'sec-fetch-site': 'same-origin' }] as Record<string, string>[]) {
    const answer = await call(relay, 'POST', path, { headers: { cookie, ...headers } });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
  await adminWith(relay, cookie).delete(leasePath({ name: 'any', address: wallet.address }, 'ban'));
});

test('no response below /admin may be cached, framed or read by another origin', async () => {
  const cookie = await login(relay, wallet);
  const origin = `https://x.${relay.rootHost}:${relay.publicPort}`;
  for (const [method, path, status] of [
    ['GET', '/admin/snapshot', 200],
    ['GET', '/admin/auth/status', 200],
    ['POST', '/admin/settings/landing-page', 401],
    ['OPTIONS', '/admin/snapshot', 405],
    ['GET', '/admin/nothing', 404],
  ] as const) {
    const answer = await call(relay, method, path, {
      headers: { cookie, origin, 'access-control-request-method': 'POST' },
    });
    assert.equal(answer.status, status, path);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['x-frame-options'], 'DENY');
    assert.match(String(answer.headers['content-security-policy']), /frame-ancestors 'none'/);
    const cors = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));
    assert.deepEqual(cors, []);
  }
});

test('failed logins are rate limited by source; another source can still log in', async () => {
  const proxied = await startTestRelay({ adminWallets: [wallet.address], trustedProxies: ['127.0.0.1'] });
  try {
    const from = (ip: string) => ({ 'x-forwarded-for': ip });
    const guess = { challenge_id: 'AAAA', siwe_message: 'x', siwe_signature: `0x${'1'.repeat(130)}` };
    const codes: string[] = [];
    for (let i = 0; i < 30; i++) {
      const headers = from('192.0.2.1');
      codes.push((await call(proxied, 'POST', '/admin/auth/login', { headers, body: guess })).body.error.code);
    }
    assert.deepEqual([...new Set(codes)], ['unauthorized', 'rate_limited']);
    const challenge = await adminChallenge(proxied, wallet.address);
    const { challenge_id, siwe_message } = challenge;
    const body = { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
    refused(await call(proxied, 'POST', '/admin/auth/login', { headers: from('192.0.2.1'), body }), 'rate_limited');
    assert.equal((await call(proxied, 'POST', '/admin/auth/login', { headers: from('192.0.2.2'), body })).status, 200);

    const asked: number[] = [];
    for (let i = 0; i < 80; i++) {
      const headers = from('192.0.2.3');
      asked.push(
        (await call(proxied, 'POST', '/admin/auth/challenge', { headers, body: { address: wallet.address } })).status,
      );
    }
    assert.ok(asked.includes(201) && asked.includes(429), 'challenges are limited too');
  } finally {
    await proxied.stop();
  }
});

test('without admin wallets all of /admin responds feature_unavailable', async () => {
  const cookie = await login(relay, wallet);
  await restart([]);
  for (const [method, path] of [
    ['GET', '/admin/auth/status'],
    ['GET', '/admin/snapshot'],
    ['POST', '/admin/auth/challenge'],
    ['POST', '/admin/auth/login'],
    ['DELETE', '/admin/ips/192.0.2.1/ban'],
  ] as const) {
    const answer = await call(relay, method, path, { headers: { cookie } });
    assert.deepEqual([answer.status, answer.body.error.code], [503, 'feature_unavailable'], path);
  }
  await restart();
});

test('the audit log has logins, refused logins with the reason, and logouts', async () => {
  const known = auditLines(stateDir).length;
  const admin = await adminOf(relay, wallet);
  const stranger = freshWallet();
  await tryLogin(relay, await adminChallenge(relay, stranger.address), stranger);
  await tryLogin(relay, await adminChallenge(relay, wallet.address), stranger);
  await call(relay, 'POST', '/admin/settings/udp', { body: { enabled: true } });
  await admin.post('/logout');
  const lines = auditLines(stateDir).slice(known);
  assert.deepEqual(
    lines.map(({ wallet: who, action, target, result }) => [who, action, target, result]),
    [
      [wallet.address, 'loginAdmin', undefined, 'done'],
      [undefined, 'loginAdmin', stranger.address, 'refused'],
      [undefined, 'loginAdmin', undefined, 'refused'],
      [undefined, 'setUdpSettings', undefined, 'refused'],
      [wallet.address, 'logoutAdmin', undefined, 'done'],
    ],
  );
  assert.ok(
    lines.every(({ ip, time }) => ip === '127.0.0.1' && Math.abs(Date.parse(String(time)) - Date.now()) < 60_000),
  );
  assert.match(String(lines[2]?.['reason']), /signature is of another account/);
});
