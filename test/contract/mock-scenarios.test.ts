import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Wallet } from 'ethers';
import {
  checkSignInMessage,
  createAdminClient,
  createPortalClient,
  identityFromPrivateKey,
  isApiError,
} from '../../src/sdk/index.js';
import { openPage, startBrowser } from '../support/browser.js';
import { startHttpService } from '../support/tunnel.js';
import { projectRoot } from './support/project.js';
import { AnswerChecker } from '../../src/conformance/relay/answer-checker.js';
import { type Mock, startMock } from './support/mock.js';

let mock: Mock;
before(async () => {
  mock = await startMock('--scenario', 'busy');
});
after(() => mock.stop());

const scenario = async (name: string) => {
  const answer = await fetch(`${mock.url}/mock/scenario/${name}`, { method: 'POST' });
  assert.equal(answer.status, 200);
};
const failsWith = async (promise: Promise<unknown>, code: string) =>
  await assert.rejects(promise, (error) => isApiError(error) && error.code === code);

async function operator() {
  const admin = createAdminClient({ relay: mock.url });
  await admin.login(identityFromPrivateKey(Wallet.createRandom().privateKey));
  return admin;
}

test('any wallet leases a name, renews it and gives it back, and nobody else gets it meanwhile', async () => {
  await scenario('busy');
  const client = createPortalClient({ relay: mock.url });
  const register = async (wallet: { address: string; signMessage(text: string): Promise<string> }, name: string) => {
    const identity = { name, address: wallet.address };
    const { challenge_id, siwe_message } = await client.createRegisterChallenge({ identity, ttl: 60 });
    checkSignInMessage(siwe_message, { relay: client.relay, address: wallet.address, challengeId: challenge_id });
    return await client.registerLease({
      challenge_id,
      siwe_message,
      siwe_signature: await wallet.signMessage(siwe_message),
    });
  };
  const wallet = Wallet.createRandom();
  const lease = await register(wallet, 'Mine');
  assert.equal(lease.hostname, 'mine.portal.example.com');
  assert.ok(lease.lifetimeMs > 50_000);
  await failsWith(register(Wallet.createRandom(), 'mine'), 'hostname_conflict');
  await failsWith(register(Wallet.createRandom(), 'shop'), 'hostname_conflict');
  const thief = { address: wallet.address, signMessage: (text: string) => Wallet.createRandom().signMessage(text) };
  await failsWith(register(thief, 'mine'), 'unauthorized');
  const renewed = await client.renewLease(lease.access_token);
  await failsWith(client.renewLease(lease.access_token), 'lease_not_found');
  const admin = await operator();
  assert.ok((await admin.getSnapshot()).leases.some(({ name }) => name === 'mine'));
  await client.unregisterLease(renewed.access_token);
  await failsWith(client.renewLease(renewed.access_token), 'lease_not_found');
});

test('an operator signs in by any wallet, decides, and sees what became of it', async () => {
  await scenario('busy');
  const admin = await operator();
  const shop = (await admin.getSnapshot()).leases.find(({ name }) => name === 'shop')!;
  await admin.setLeaseBps(shop, 1_000);
  await admin.banIp('203.0.113.2');
  await admin.setApprovalMode('manual');
  let snapshot = await admin.getSnapshot();
  assert.equal(snapshot.leases.find(({ name }) => name === 'shop')?.bps, 1_000);
  assert.equal(snapshot.approval_mode, 'manual');
  assert.ok(!snapshot.leases.some(({ name }) => name === 'blog'), 'its address is banned');
  await admin.banLease(shop);
  snapshot = await admin.getSnapshot();
  assert.ok(!snapshot.leases.some(({ name }) => name === 'shop'));
  assert.ok(snapshot.identities.some(({ name, is_banned: isBanned }) => name === 'shop' && isBanned));
  await admin.unbanLease(shop);
  assert.ok((await admin.getSnapshot()).leases.some(({ name }) => name === 'shop'));
  await admin.logoutAdmin();
  await failsWith(admin.getSnapshot(), 'unauthorized');
});

test('scenarios are switched while it runs, and what they answer is of the contract', async () => {
  const checker = new AnswerChecker();
  const listed = (await (await fetch(`${mock.url}/mock/scenarios`)).json()) as { scenarios: Record<string, string> };
  for (const name of Object.keys(listed.scenarios)) {
    await scenario(name);
    const admin = await operator();
    const cookie = `portal_admin=${admin.session!.token}`;
    const answer = await fetch(`${mock.url}/admin/snapshot`, { headers: { cookie } });
    const body = Buffer.from(await answer.arrayBuffer());
    const headers = Object.fromEntries(answer.headers);
    const operation = { path: '/admin/snapshot', method: 'get' };
    assert.deepEqual(checker.faults(operation, { status: answer.status, headers, body }), [], name);
    const { data } = JSON.parse(body.toString()) as { data: { leases: unknown[]; approval_mode: string } };
    if (name === 'many') assert.equal(data.leases.length, 5_000);
    for (const path of ['overview', 'leases', 'identities', 'ips', 'audit', 'sessions']) {
      const shown = await fetch(`${mock.url}/admin/${path}`, { headers: { cookie } });
      const bytes = Buffer.from(await shown.arrayBuffer());
      const faults = checker.faults(
        { path: `/admin/${path}`, method: 'get' },
        { status: shown.status, headers: Object.fromEntries(shown.headers), body: bytes },
      );
      assert.deepEqual([shown.status, faults], [200, []], `${name} ${path}`);
    }
    if (name === 'empty') assert.equal(data.leases.length, 0);
    if (name === 'approval') assert.equal(data.approval_mode, 'manual');
  }
  assert.equal((await fetch(`${mock.url}/mock/scenario/nothing`, { method: 'POST' })).status, 404);
  await scenario('failing');
  await failsWith((await operator()).banIp('203.0.113.2'), 'internal');
});

test('in the scenario `life` a lease appears, ends, and another is banned', async () => {
  const { MockState } = (await import(new URL('scripts/mock/state.mjs', `file://${projectRoot}/`).href)) as {
    MockState: new (
      name: string,
      now: () => number,
    ) => { getSnapshot(): { leases: { name: string }[]; identities: { name: string; is_banned: boolean }[] } };
  };
  let now = 0;
  const state = new MockState('life', () => now);
  const names = (seconds: number) => {
    now = seconds * 1000;
    const { leases, identities } = state.getSnapshot();
    return [leases.map(({ name }) => name).join(), identities.map(({ name }) => name).join()];
  };
  assert.deepEqual(names(1), ['always-there,gets-banned', '']);
  assert.deepEqual(names(10), ['always-there,comes-and-goes,gets-banned', '']);
  assert.deepEqual(names(25), ['always-there,comes-and-goes', 'gets-banned']);
  assert.deepEqual(names(45), ['always-there', 'gets-banned']);
  assert.deepEqual(names(61), ['always-there,gets-banned', '']);
});

test('requests are held against the contract, and `Prefer` asks for an example', async () => {
  await scenario('busy');
  const invalid = await fetch(`${mock.url}/sdk/register/challenge`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"identity":{}}',
  });
  assert.equal(invalid.status, 400);
  const preferred = await fetch(`${mock.url}/sdk/domain`, { headers: { prefer: 'code=429, example=rate_limited' } });
  assert.equal(preferred.status, 429);
  assert.equal((await fetch(`${mock.url}/sdk/domain`)).status, 200);
  assert.equal((await fetch(`${mock.url}/admin/snapshot`, { headers: { cookie: 'portal_admin=stolen' } })).status, 401);
  const large = await fetch(`${mock.url}/sdk/register/challenge`, { method: 'POST', body: 'x'.repeat(300_000) });
  assert.equal(large.status, 413);
});

test('pages of other origins may call what they may call on a relay, in Chromium', async (t) => {
  await scenario('busy');
  const { port } = await startHttpService(t, (_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>page</title>');
  });
  const { page } = await openPage(await startBrowser(t));
  await page.goto(`http://127.0.0.1:${port}/`);
  const reach = (path: string, init = '{}') =>
    page.evaluate(`fetch('${mock.url}${path}', ${init}).then((answer) => answer.status, () => 'refused')`);
  assert.equal(await reach('/sdk/domain'), 200);
  const json = `{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }`;
  assert.equal(await reach('/sdk/register/challenge', json), 400);
  assert.equal(await reach('/admin/auth/status'), 'refused');
});
