import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Admin, adminOf, auditLines, leasePath } from '../support/admin.js';
import { type Answer, call, freshWallet, openSession, register, sessionHeaders } from '../support/by-hand.js';
import type { AuditLog } from '../../src/relay/audit/audit-log.js';
import { Policy } from '../../src/relay/policy/policy.js';
import type { GovernanceStore, PolicyChange } from '../../src/relay/store/governance-store.js';
import { startTestRelay, sharedRelay } from '../support/relay.js';

let admin: Admin;
const operator = freshWallet();
const relay = sharedRelay({ adminWallets: [operator.address], trustedProxies: ['127.0.0.1'] }, async () => {
  admin = await adminOf(relay, operator);
});

const ok = (answer: Answer, data: object = {}) =>
  assert.deepEqual([answer.status, answer.body.data], [200, data], JSON.stringify(answer.body));
const code = (answer: { body?: { error?: { code: string } } }) => answer.body?.error?.code;
const challenge = (name: string, address: string) =>
  call(relay, 'POST', '/sdk/register/challenge', { body: { identity: { name, address } } });

test('the snapshot shows every lease, and every identity with a decision', async () => {
  const lease = await register(relay, { name: 'whole' });
  const identity = { name: 'whole', address: lease.wallet.address };
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  const metadata = { description: '<b>a shop</b>', tags: ['x'], hide: true };
  const renewed = await call(relay, 'POST', '/sdk/renew', {
    body: { metadata, reported_ip: '203.0.113.7' },
    token: lease.token,
  });
  ok(await admin.post(leasePath(identity, 'bps'), { bps: 1_000_000 }), { bps: 1_000_000 });
  const unseen = { name: 'unseen', address: freshWallet().address };
  ok(await admin.post(leasePath(unseen, 'deny')));

  const snapshot = await admin.snapshot();
  const { first_seen_at, last_seen_at, ...shown } = snapshot.leases.find(
    (one: { name: string }) => one.name === 'whole',
  );
  const key = `whole:${lease.wallet.address.toLowerCase()}`;
  assert.deepEqual(shown, {
    identity_key: key,
    address: lease.wallet.address,
    name: 'whole',
    hostname: lease.hostname,
    expires_at: renewed.body.data.expires_at,
    client_ip: '127.0.0.1',
    reported_ip: '203.0.113.7',
    metadata,
    ready: 1,
    bps: 1_000_000,
    is_approved: true,
    has_approval: false,
    is_banned: false,
    is_denied: false,
    is_ip_banned: false,
  });
  assert.ok(Date.parse(first_seen_at) <= Date.parse(last_seen_at));
  assert.deepEqual(snapshot.identities, [
    {
      identity_key: key,
      address: lease.wallet.address,
      name: 'whole',
      bps: 1_000_000,
      is_approved: true,
      has_approval: false,
      is_banned: false,
      is_denied: false,
    },
    {
      identity_key: `unseen:${unseen.address.toLowerCase()}`,
      ...unseen,
      is_approved: false,
      has_approval: false,
      is_banned: false,
      is_denied: true,
    },
  ]);
  assert.deepEqual(
    [snapshot.approval_mode, snapshot.landing_page_enabled, snapshot.udp, snapshot.tcp_port, snapshot.banned_ips],
    ['auto', false, { enabled: false, max_leases: 0 }, { enabled: false, max_leases: 0 }, []],
  );
  socket.destroy();
  ok(await admin.delete(leasePath(identity, 'bps')));
  ok(await admin.delete(leasePath(unseen, 'deny')));
  assert.deepEqual((await admin.snapshot()).identities, [], 'what is no longer decided is forgotten');
});

test('a banned identity is refused everywhere, and gets its name back after an unban', async () => {
  const lease = await register(relay, { name: 'banned' });
  const path = leasePath({ name: 'banned', address: lease.wallet.address }, 'ban');
  ok(await admin.post(path));
  ok(await admin.post(path));
  const signing = { key_id: 'relay-cert', binding: '', signature_scheme: 'ecdsa_secp256r1_sha256', transcript: '' };
  const attempts: Record<string, Answer> = {
    challenge: await challenge('banned', lease.wallet.address),
    renew: await call(relay, 'POST', '/sdk/renew', { body: {}, token: lease.token }),
    unregister: await call(relay, 'POST', '/sdk/unregister', { body: {}, token: lease.token }),
    sign: await call(relay, 'POST', '/v1/sign', {
      token: lease.token,
      body: { ...signing, binding: Buffer.alloc(16).toString('base64'), transcript: 'AAAA' },
    }),
    status: await call(relay, 'GET', `/tunnel/status?hostname=${lease.hostname}`, { token: lease.token }),
  };
  for (const [what, answer] of Object.entries(attempts))
    assert.deepEqual([answer.status, code(answer)], [403, 'lease_rejected'], what);
  const session = await openSession(relay, sessionHeaders(lease.token));
  assert.deepEqual([session.status, code(session)], [403, 'lease_rejected']);
  session.socket.destroy();
  assert.equal(
    (await admin.snapshot()).leases.some(({ name }: { name: string }) => name === 'banned'),
    false,
  );
  assert.equal(code(await challenge('banned', freshWallet().address)), 'hostname_conflict', 'its name is kept for it');
  assert.equal((await challenge('banned-too', lease.wallet.address)).status, 201, 'another name of it was not banned');

  ok(await admin.delete(path));
  assert.equal(
    code(await call(relay, 'POST', '/sdk/renew', { body: {}, token: lease.token })),
    'lease_not_found',
    'so that the tunnel registers again',
  );
  const again = await register(relay, { name: 'banned', wallet: lease.wallet });
  assert.equal(again.hostname, lease.hostname);
});

test('a ban between challenge and registration takes effect', async () => {
  const wallet = freshWallet();
  const { challenge_id, siwe_message } = (await challenge('between', wallet.address)).body.data;
  ok(await admin.post(leasePath({ name: 'between', address: wallet.address }, 'ban')));
  const body = { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
  assert.equal(code(await call(relay, 'POST', '/sdk/register', { body })), 'lease_rejected');
});

test('in manual mode an unapproved identity registers and renews, and may not connect until it is approved', async () => {
  ok(await admin.post('/settings/approval-mode', { mode: 'manual' }), { approval_mode: 'manual' });
  try {
    const lease = await register(relay, { name: 'waits' });
    const identity = { name: 'waits', address: lease.wallet.address };
    assert.equal((await call(relay, 'POST', '/sdk/renew', { body: {}, token: lease.token })).status, 200);
    const connect = async () => {
      const session = await openSession(relay, sessionHeaders(lease.token));
      session.socket.destroy();
      return session.status === 200 ? 'ok' : `${session.status} ${code(session)}`;
    };
    const rejected = '403 lease_rejected';
    assert.equal(await connect(), rejected);
    assert.match((await openSession(relay, sessionHeaders(lease.token))).head, /^Retry-After: 15\r$/m);
    ok(await admin.post(leasePath(identity, 'approve')));
    assert.equal(await connect(), 'ok');
    ok(await admin.delete(leasePath(identity, 'approve')));
    assert.equal(await connect(), rejected);
    assert.equal(
      (await call(relay, 'POST', '/sdk/renew', { body: {}, token: lease.token })).status,
      200,
      'it still holds its lease',
    );

    ok(await admin.post(leasePath(identity, 'approve')));
    ok(await admin.post(leasePath(identity, 'deny')));
    const denied = await challenge('waits', lease.wallet.address);
    assert.deepEqual([code(denied), denied.headers['retry-after']], ['lease_rejected', undefined]);
    ok(await admin.delete(leasePath(identity, 'deny')));
    const again = await register(relay, { name: 'waits', wallet: lease.wallet });
    lease.token = again.token;
    assert.equal(await connect(), rejected, 'the denial had revoked the approval');
    ok(await admin.post(leasePath(identity, 'deny')));
    ok(await admin.post(leasePath(identity, 'approve')));
    const approved = await register(relay, { name: 'waits', wallet: lease.wallet });
    lease.token = approved.token;
    assert.equal(await connect(), 'ok', 'approving lifts a denial');

    ok(await admin.post(leasePath(identity, 'ban')));
    ok(await admin.delete(leasePath(identity, 'ban')));
    lease.token = (await register(relay, { name: 'waits', wallet: lease.wallet })).token;
    assert.equal(await connect(), 'ok', 'unbanning leaves the approval as it was');
  } finally {
    ok(await admin.post('/settings/approval-mode', { mode: 'auto' }), { approval_mode: 'auto' });
  }
});

test('a banned address, in any spelling, is refused by every SDK call, but not by the rest of the API', async () => {
  const lease = await register(relay, { name: 'from-there' });
  for (const [banned, caller, same] of [
    ['192.0.2.9', '::ffff:192.0.2.9', '192.0.2.9'],
    ['::ffff:192.0.2.10', '192.0.2.10', '192.0.2.10'],
    ['::FFFF:C000:020B', '192.0.2.11', '192.0.2.11'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', '2001:db8::'],
    ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:1::'],
  ] as const) {
    const from = (headers = {}) => ({ headers: { 'x-forwarded-for': caller, ...headers } });
    ok(await admin.post(`/ips/${banned}/ban`));
    assert.deepEqual((await admin.snapshot()).banned_ips, [same]);
    const body = { identity: { name: 'new', address: freshWallet().address } };
    const signature = `0x${'1'.repeat(130)}`;
    for (const answer of [
      await call(relay, 'GET', '/sdk/domain', from()),
      await call(relay, 'POST', '/sdk/register/challenge', { ...from(), body }),
      await call(relay, 'POST', '/sdk/register', {
        ...from(),
        body: { challenge_id: 'x', siwe_message: 'x', siwe_signature: signature },
      }),
      await call(relay, 'POST', '/sdk/renew', { ...from(), body: {}, token: lease.token }),
      await call(relay, 'POST', '/sdk/unregister', { ...from(), body: {}, token: lease.token }),
      await call(relay, 'GET', `/tunnel/status?hostname=${lease.hostname}`, { ...from(), token: lease.token }),
    ])
      assert.deepEqual([answer.status, code(answer)], [403, 'ip_banned'], banned);
    const session = await openSession(relay, { ...sessionHeaders(lease.token), 'X-Forwarded-For': caller });
    assert.deepEqual([session.status, code(session)], [403, 'ip_banned']);
    session.socket.destroy();
    assert.equal((await call(relay, 'GET', '/healthz', from())).status, 200);
    for (const neighbour of ['192.0.2.12', '2001:db8:0:2::1'])
      assert.equal(
        (await call(relay, 'GET', '/sdk/domain', { headers: { 'x-forwarded-for': neighbour } })).status,
        200,
      );
    ok(await admin.delete(`/ips/${same}/ban`));
    assert.equal((await call(relay, 'GET', '/sdk/domain', from())).status, 200);
  }
});

test('IPv6 addresses banned by an earlier release apply to their /64, and one unban lifts them', async (t) => {
  const rows = new Set(['2001:db8::7', '2001:db8::8', '192.0.2.7']);
  const store = {
    loadPolicy: async () => [...rows].map((ip) => ({ change: { kind: 'ip', ip, banned: true }, revision: 0 })),
    changePolicy: async (change: PolicyChange) => {
      assert.equal(change.kind, 'ip');
      if (change.kind === 'ip') rows[change.banned ? 'add' : 'delete'](change.ip);
      return { change, revision: 0 };
    },
  } as unknown as GovernanceStore;
  const policy = new Policy(relay.config.policy, store, { flush: async () => {} } as unknown as AuditLog);
  t.after(() => policy.removeAllListeners());
  await policy.start();
  assert.deepEqual([...policy.bannedIps], ['2001:db8::', '192.0.2.7']);
  assert.equal(policy.isIpBanned('2001:db8::1234'), true);
  await policy.setIpBan('2001:db8::9', false, { wallet: 'w', ip: 'i' });
  assert.equal(policy.isIpBanned('2001:db8::7'), false);
  assert.deepEqual([...rows], ['192.0.2.7']);
});

test('invalid paths and bodies get their error code, and change nothing', async () => {
  const { address } = freshWallet();
  const encode = (text: string) => Buffer.from(text).toString('base64url');
  const before = await admin.snapshot();
  for (const [path, expected, body] of [
    [`/leases/${encode('a_b')}/${encode(address)}/ban`, 'invalid_request'],
    [`/leases/${encode('-a')}/${encode(address)}/deny`, 'invalid_request'],
    [`/leases/${encode('a'.repeat(64))}/${encode(address)}/ban`, 'invalid_request'],
    [`/leases/a/${encode(address)}/ban`, 'invalid_request'],
    [`/leases/YWJ/${encode(address)}/ban`, 'invalid_request'],
    [`/leases/%2Fa/${encode(address)}/ban`, 'invalid_request'],
    [`/leases/%/${encode(address)}/ban`, 'invalid_request'],
    [`/leases/${encode('shop')}/${encode(address.slice(0, -1) + 'x')}/ban`, 'invalid_address'],
    [`/leases/${encode('shop')}/${encode('0x12')}/approve`, 'invalid_address'],
    [`/leases/${encode('shop')}/${address}/approve`, 'invalid_address'],
    ['/ips/1.2.3/ban', 'invalid_ip'],
    ['/ips/192.0.2.256/ban', 'invalid_ip'],
    ['/ips/192.0.2.01/ban', 'invalid_ip'],
    ['/ips/::1::/ban', 'invalid_ip'],
    ['/ips/fe80::1%25eth0/ban', 'invalid_ip'],
    ['/ips/localhost/ban', 'invalid_ip'],
    ['/settings/approval-mode', 'invalid_mode', { mode: 'none' }],
    ['/settings/landing-page', 'invalid_request', { enabled: 'yes' }],
    ['/settings/udp', 'invalid_request', { enabled: true, max_leases: -1 }],
    ['/settings/tcp-port', 'invalid_request', { max_leases: 1 }],
    [leasePath({ name: 'shop', address }, 'bps'), 'invalid_request', { bps: 0 }],
    [leasePath({ name: 'shop', address }, 'bps'), 'invalid_request', { bps: 1.5 }],
    [leasePath({ name: 'shop', address }, 'bps'), 'invalid_request', { bps: 2 ** 60 }],
    ['/settings/udp', 'invalid_json', '{'],
    ['/settings/udp', 'invalid_request', JSON.stringify({ pad: 'x'.repeat(70_000) })],
  ] as [string, string, unknown?][]) {
    const answer = await admin.post(path, body);
    assert.equal(code(answer), expected, `${path} ${JSON.stringify(answer.body).slice(0, 200)}`);
  }
  assert.deepEqual(await admin.snapshot(), before);
});

test('names and addresses in any case and padding are the same identity', async () => {
  const { address } = freshWallet();
  const padded = `${Buffer.from('Shop').toString('base64')}`;
  assert.match(padded, /=$/);
  ok(await admin.post(`/leases/${padded}/${Buffer.from(address.toLowerCase()).toString('base64url')}/ban`));
  const upper = address.toUpperCase().replace('0X', '0x');
  ok(await admin.delete(leasePath({ name: 'shop', address: upper }, 'ban')));
  assert.equal(
    (await admin.snapshot()).identities.some(({ name }: { name: string }) => name === 'shop'),
    false,
  );
});

test('settings respond with their current values; an absent limit is unchanged', async () => {
  ok(await admin.post('/settings/udp', { enabled: true, max_leases: 5 }), { enabled: true, max_leases: 5 });
  ok(await admin.post('/settings/udp', { enabled: false }), { enabled: false, max_leases: 5 });
  ok(await admin.post('/settings/tcp-port', { enabled: true }), { enabled: true, max_leases: 0 });
  ok(await admin.post('/settings/landing-page', { enabled: true }), { enabled: true });
  const { udp, tcp_port, landing_page_enabled } = await admin.snapshot();
  assert.deepEqual(
    [udp, tcp_port, landing_page_enabled],
    [{ enabled: false, max_leases: 5 }, { enabled: true, max_leases: 0 }, true],
  );
});

test('the audit log has who changed what and when, once and in order', async () => {
  const known = auditLines(relay.config.stateDir).length;
  const identity = { name: 'logged', address: freshWallet().address };
  const target = `logged:${identity.address.toLowerCase()}`;
  await admin.post(leasePath(identity, 'ban'));
  await admin.post(leasePath(identity, 'bps'), { bps: 5 });
  await admin.delete('/ips/192.0.2.77/ban');
  await admin.post('/settings/approval-mode', { mode: 'auto' });
  await admin.post('/ips/1.2.3/ban');
  const all = auditLines(relay.config.stateDir);
  assert.deepEqual(
    all.slice(known).map(({ action, target: about, value, result, wallet }) => [action, about, value, result, wallet]),
    [
      ['banLease', target, undefined, 'done', operator.address],
      ['setLeaseBps', target, 5, 'done', operator.address],
      ['unbanIp', '192.0.2.77', undefined, 'done', operator.address],
      ['setApprovalMode', undefined, { approvalMode: 'auto' }, 'done', operator.address],
      ['banIp', undefined, undefined, 'refused', operator.address],
    ],
  );
  assert.deepEqual(
    all.map(({ seq }) => seq),
    all.map((_, index) => index + 1),
  );
});

test('digest mode signs nothing for an identity that awaits approval', async () => {
  const other = await startTestRelay({ adminWallets: [operator.address], digestSigning: true });
  try {
    const governor = await adminOf(other, operator);
    const lease = await register(other, { name: 'digests' });
    const sign = async () => {
      const body = {
        key_id: 'relay-cert',
        algorithm: 'ECDSA_SHA256',
        digest: Buffer.alloc(32).toString('base64'),
        timestamp_unix: Math.floor(Date.now() / 1000),
        nonce: Math.random().toString(36).padEnd(16, 'x'),
      };
      const answer = await call(other, 'POST', '/v1/sign', { token: lease.token, body });
      return [answer.status, code(answer)];
    };
    assert.deepEqual(await sign(), [200, undefined]);
    ok(await governor.post('/settings/approval-mode', { mode: 'manual' }), { approval_mode: 'manual' });
    assert.deepEqual(await sign(), [403, 'lease_rejected']);
    ok(await governor.post(leasePath({ name: 'digests', address: lease.wallet.address }, 'approve')));
    assert.deepEqual(await sign(), [200, undefined]);
  } finally {
    await other.stop();
  }
});
