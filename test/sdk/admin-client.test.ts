import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SiweMessage } from 'siwe';
import {
  AnswerError,
  createAdminClient,
  identityFromPrivateKey,
  SigningRefusedError,
  UsageError,
  type Identity,
} from '../../src/sdk/index.js';
import { RelayTransport } from '../../src/sdk/transport/relay-transport.js';
import { freshWallet } from '../support/by-hand.js';
import { startTestRelay } from '../support/relay.js';
import { inMinutes } from '../support/scripted-relay.js';

const wallet = freshWallet();

/** A relay made of answers: what it was sent, and what it gives back by path. */
function scripted(answers: Record<string, () => Response>) {
  const sent: { url: string; headers: Record<string, string> }[] = [];
  const client = createAdminClient({
    relay: 'https://relay.example.com',
    async fetch(url, init) {
      sent.push({ url, headers: init.headers as Record<string, string> });
      const answer = answers[new URL(url).pathname];
      if (!answer) throw new Error(`not asked for: ${url}`);
      return answer();
    },
  });
  return { client, sent };
}

const json =
  (data: unknown, headers: Record<string, string> = {}, status = 200) =>
  () =>
    new Response(JSON.stringify({ ok: true, data }), {
      status,
      headers: { 'Content-Type': 'application/json', ...headers },
    });

function challenge(changes: Partial<SiweMessage> = {}): () => Response {
  const siwe_message = new SiweMessage({
    domain: 'relay.example.com',
    address: wallet.address,
    uri: 'https://relay.example.com/admin/auth/login',
    version: '1',
    chainId: 1,
    nonce: 'abcdefgh12345678',
    issuedAt: inMinutes(0),
    expirationTime: inMinutes(2),
    requestId: 'challenge-1',
    ...changes,
  }).prepareMessage();
  return json({ challenge_id: 'challenge-1', expires_at: inMinutes(2), siwe_message }, {}, 201);
}

/** A wallet that tells what it was made to sign. */
function watched(): Identity & { signed: string[] } {
  const signed: string[] = [];
  return {
    address: wallet.address,
    signed,
    async signMessage(text) {
      signed.push(text);
      return await wallet.signMessage(text);
    },
  };
}

const loggedIn = (cookie: string) => json({ wallet_address: wallet.address }, { 'Set-Cookie': cookie });

for (const [what, changes] of [
  ['another relay', { domain: 'other.example.com', uri: 'https://other.example.com/admin/auth/login' }],
  ['a registration, which would give a name away', { uri: 'https://relay.example.com/sdk/register' }],
  ['another challenge', { requestId: 'challenge-2' }],
  ['a statement', { statement: 'I agree' }],
] as const) {
  test(`a relay that asks for a signature to ${what} gets none`, async () => {
    const { client, sent } = scripted({ '/admin/auth/challenge': challenge(changes) });
    const identity = watched();
    await assert.rejects(client.login(identity), SigningRefusedError);
    assert.deepEqual(identity.signed, []);
    assert.equal(sent.length, 1);
    assert.equal(client.session, undefined);
  });
}

test('a login without a usable session cookie fails', async () => {
  for (const cookie of ['portal_admin=', 'other=abc', 'portal_admin=a b; Path=/', 'portal_admin=a"b']) {
    const { client } = scripted({ '/admin/auth/challenge': challenge(), '/admin/auth/login': loggedIn(cookie) });
    await assert.rejects(client.login(watched()), AnswerError, cookie);
    assert.equal(client.session, undefined);
  }
});

test('the session cookie is sent with each later call, to its own relay only', async () => {
  const { client, sent } = scripted({
    '/admin/auth/challenge': challenge(),
    '/admin/auth/login': loggedIn('portal_admin=secret; Path=/admin; Max-Age=60; HttpOnly; Secure'),
    '/admin/settings/landing-page': () =>
      new Response(undefined, { status: 307, headers: { Location: 'https://evil.example.com/' } }),
  });
  const { token, walletAddress, expiresAt } = await client.login(watched());
  assert.deepEqual([token, walletAddress], ['secret', wallet.address]);
  assert.ok(expiresAt <= Date.now() + 60_000 && expiresAt > Date.now() + 50_000);
  await assert.rejects(client.setLandingPage(true), /redirect/);
  assert.equal(sent.at(-1)?.headers['Cookie'], 'portal_admin=secret');
  assert.ok(sent.every(({ url }) => url.startsWith('https://relay.example.com/')));
});

test('an invalid snapshot is rejected', async () => {
  const whole = {
    approval_mode: 'auto',
    landing_page_enabled: true,
    leases: [],
    udp: { enabled: false, max_leases: 0 },
    tcp_port: { enabled: false, max_leases: 0 },
    identities: [],
    banned_ips: [],
  };
  for (const changes of [
    { leases: undefined },
    { leases: [null] },
    { leases: [{ name: 1 }] },
    { identities: {} },
    { banned_ips: [1] },
    { udp: null },
  ]) {
    const { client } = scripted({ '/admin/snapshot': json({ ...whole, ...changes }) });
    await assert.rejects(client.getSnapshot(), AnswerError, JSON.stringify(changes));
  }
  const { client } = scripted({ '/admin/snapshot': json(whole) });
  assert.deepEqual(await client.getSnapshot(), whole);
});

test('an invalid name or address is reported before anything is sent', async () => {
  const { client, sent } = scripted({});
  for (const lease of [
    { name: '../../ips/127.0.0.1', address: wallet.address },
    { name: '', address: wallet.address },
    { name: 'shop', address: '0x12' },
  ]) {
    await assert.rejects(client.banLease(lease), UsageError);
  }
  assert.deepEqual(sent, []);
});

test('a program administers a real relay, and continues with a stored session', async (t) => {
  const relay = await startTestRelay({ adminWallets: [wallet.address] });
  t.after(() => relay.stop());
  const transport = new RelayTransport({ ca: relay.ca });
  t.after(() => transport.close());
  const first = createAdminClient({ relay: relay.url, fetch: transport.fetch });
  await assert.rejects(first.getSnapshot(), { code: 'unauthorized' });
  const session = await first.login(identityFromPrivateKey(wallet.privateKey));

  const second = createAdminClient({ relay: relay.url, fetch: transport.fetch, session });
  assert.deepEqual(await second.getAdminStatus(), { authenticated: true, wallet_address: wallet.address });
  const lease = { name: 'Shop', address: wallet.address.toLowerCase() };
  assert.deepEqual(await second.setLeaseBps(lease, 2_500_000), { bps: 2_500_000 });
  await second.banLease(lease);
  const { identities } = await second.getSnapshot();
  assert.deepEqual(
    identities.map(({ name, bps, is_banned }) => ({ name, bps, is_banned })),
    [{ name: 'shop', bps: 2_500_000, is_banned: true }],
  );
  await second.logoutAdmin();
  assert.equal(second.session, undefined);
  await assert.rejects(first.getSnapshot(), { code: 'unauthorized' });

  const stranger = createAdminClient({ relay: relay.url, fetch: transport.fetch });
  await assert.rejects(stranger.login(identityFromPrivateKey(freshWallet().privateKey)), { code: 'unauthorized' });
});
