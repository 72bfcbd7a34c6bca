import assert from 'node:assert/strict';
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { adminOf, adminWith, auditLines, leasePath, login } from '../support/admin.js';
import { freshWallet } from '../support/by-hand.js';
import { kill, startRelayProcess } from '../support/processes.js';
import { type TestRelay, freePort, startTestRelay } from '../support/relay.js';
import { temporaryDirectory } from '../support/tunnel.js';

// What was acknowledged is kept, however the relay ends.

const operator = freshWallet();

test('kill -9 in the middle of 200 policy changes, three times, loses none that was acknowledged', async (t) => {
  const dir = temporaryDirectory(t);
  const port = await freePort();
  const settings = ['--admin-wallets', operator.address];
  /** Identity key -> whether the last change to it that was answered was a ban. */
  const acknowledged = new Map<string, boolean>();
  /** Identities whose last change was cut off: it may have been kept or not. */
  const unanswered = new Set<string>();
  const identities = Array.from({ length: 50 }, (_, i) => ({ name: `n${i}`, address: freshWallet().address }));
  let changes = 0;
  let acknowledgements = 0;
  let cookie: string | undefined;
  for (const killAfter of [40, 90, 150, undefined]) {
    const relay = await startRelayProcess(t, dir, port, port, settings);
    const reach = { apiPort: port, ca: relay.ca, rootHost: 'portal.localhost' };
    cookie ??= await login(reach, operator);
    const admin = adminWith(reach, cookie);
    const bannedNow = new Set<string>(
      (await admin.snapshot()).identities.map(({ identity_key }: { identity_key: string }) => identity_key),
    );
    for (const [key, banned] of acknowledged) {
      if (!unanswered.has(key)) assert.equal(bannedNow.has(key), banned, key);
    }
    let killed: Promise<void> | undefined;
    const work = async (): Promise<void> => {
      while (changes < 200 && !killed) {
        const index = changes++;
        const identity = identities[index % identities.length] as (typeof identities)[number];
        const key = `${identity.name}:${identity.address}`.toLowerCase();
        const ban = Math.floor(index / identities.length) % 2 === 0;
        const path = leasePath(identity, 'ban');
        unanswered.add(key);
        const answer = await (ban ? admin.post(path) : admin.delete(path)).catch(() => undefined);
        if (!answer) return;
        assert.equal(answer.status, 200);
        unanswered.delete(key);
        acknowledged.set(key, ban);
        acknowledgements++;
        if (acknowledgements === killAfter) killed = kill(relay.child, 'SIGKILL');
      }
    };
    await Promise.all([work(), work(), work(), work()]);
    await killed;
    if (killAfter === undefined) await kill(relay.child, 'SIGTERM');
  }
  assert.equal(changes, 200);

  const lines = auditLines(dir);
  const numbers = lines.map(({ seq }) => seq as number);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
    'each once, and in order',
  );
  const changed = lines.filter(({ action }) => action === 'banLease' || action === 'unbanLease');
  assert.ok(changed.length >= acknowledgements, `${changed.length} of ${acknowledgements} acknowledged`);
  for (const [key, banned] of acknowledged) {
    if (unanswered.has(key)) continue;
    const last = changed.filter(({ target }) => target === key).at(-1);
    assert.equal(last?.['action'], banned ? 'banLease' : 'unbanLease', key);
  }
  t.diagnostic(`${acknowledgements} of ${changes} acknowledged, ${changed.length} in the audit log`);
});

async function withStateDir(dir: string, work: (relay: TestRelay) => Promise<void>, more = {}): Promise<void> {
  const relay = await startTestRelay({ stateDir: dir, adminWallets: [operator.address], ...more });
  try {
    await work(relay);
  } finally {
    await relay.stop();
  }
}

test('admin settings survive restarts and override the configuration; others follow the configuration', async (t) => {
  const dir = temporaryDirectory(t);
  const identity = { name: 'shop', address: freshWallet().address };
  await withStateDir(dir, async (relay) => {
    const admin = await adminOf(relay, operator);
    await admin.post('/settings/approval-mode', { mode: 'manual' });
    await admin.post('/settings/udp', { enabled: false });
    for (const action of ['approve', 'ban']) await admin.post(leasePath(identity, action));
    await admin.post(leasePath(identity, 'bps'), { bps: 123 });
    await admin.post('/ips/192.0.2.1/ban');
  });
  const policy = {
    approvalMode: 'auto' as const,
    landingPageEnabled: true,
    udp: { enabled: true, maxLeases: 7 },
    tcpPort: { enabled: false, maxLeases: 9 },
  };
  await withStateDir(
    dir,
    async (relay) => {
      const snapshot = await (await adminOf(relay, operator)).snapshot();
      assert.equal(snapshot.approval_mode, 'manual');
      assert.equal(snapshot.landing_page_enabled, true);
      assert.deepEqual(snapshot.udp, { enabled: false, max_leases: 7 });
      assert.deepEqual(snapshot.tcp_port, { enabled: false, max_leases: 9 });
      assert.deepEqual(snapshot.banned_ips, ['192.0.2.1']);
      const [shown] = snapshot.identities;
      assert.deepEqual([shown.name, shown.bps, shown.is_banned, shown.is_approved], ['shop', 123, true, false]);
    },
    { policy },
  );
});

test('an audit log line truncated by a crash is written again, once', async (t) => {
  const dir = temporaryDirectory(t);
  await withStateDir(dir, async (relay) => {
    const admin = await adminOf(relay, operator);
    await admin.post('/ips/192.0.2.1/ban');
  });
  const file = join(dir, 'audit.jsonl');
  const whole = readFileSync(file, 'utf8');
  writeFileSync(file, `${whole}{"seq":3,"time":"20`);
  await withStateDir(dir, async (relay) => {
    assert.equal(readFileSync(file, 'utf8'), whole);
    await (await adminOf(relay, operator)).post('/ips/192.0.2.2/ban');
  });
  assert.deepEqual(
    auditLines(dir).map(({ seq, action }) => [seq, action]),
    [
      [1, 'loginAdmin'],
      [2, 'banIp'],
      [3, 'loginAdmin'],
      [4, 'banIp'],
    ],
  );
});
