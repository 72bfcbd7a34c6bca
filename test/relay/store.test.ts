import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import type { AuditEntry, PolicyChange, StoredChange } from '../../src/relay/store/governance-store.js';
import { parseRedisAddress } from '../../src/relay/store/redis/redis-address.js';
import { RedisStore } from '../../src/relay/store/redis/redis-store.js';
import { SqliteStore } from '../../src/relay/store/sqlite.js';
import { LeaseChangedError, type LeaseRecord, PortTakenError, type Store } from '../../src/relay/store/store.js';
import { startRedis } from '../support/redis.js';
import { temporaryDirectory } from '../support/tunnel.js';

// What relays rely on, of every store.

const stores: Record<string, (t: TestContext) => Promise<() => Promise<Store>>> = {
  SQLite: async (t) => {
    const file = join(temporaryDirectory(t), 'portal.db');
    return async () => {
      const store = new SqliteStore(file);
      t.after(() => store.close());
      return store;
    };
  },
  Redis: async (t) => {
    const { url } = await startRedis(t);
    return async () => {
      const options = {
        address: parseRedisAddress(url),
        rootHost: 'relay.test',
        owner: '0xabc',
        onError: () => undefined,
      };
      const store = await RedisStore.open(options);
      t.after(() => store.close());
      return store;
    };
  },
};

const minute = 60_000;
function leaseOf(hostname: string, changes: Partial<LeaseRecord> = {}): LeaseRecord {
  const now = Date.now();
  return {
    hostname,
    name: hostname.split('.')[0]!,
    address: '0x0000000000000000000000000000000000000001',
    generation: randomUUID(),
    expiresAt: now + minute,
    tokenExpiresAt: now + minute,
    metadata: { tags: [], description: 'é "quoted"' },
    firstSeenAt: now,
    lastSeenAt: now,
    clientIp: '203.0.113.1',
    ownCertificate: false,
    sessionWaitSeconds: 10,
    group: { name: 'replicas', members: { one: { expiresAt: now + minute, tokenExpiresAt: now + minute } } },
    ...changes,
  };
}
const known = ({ revision: _, keptUntil: __, reportedIp: ___, hop: ____, ...rest }: LeaseRecord) => rest;
const challenge = (id: string, source = '203.0.113.1', expiresAt = Date.now() + minute) => ({
  ...{ id, message: `message ${id}`, expiresAt, request: '{"a":[]}', source },
});
const entry = (action: string): AuditEntry => ({ at: Date.now(), ip: '203.0.113.1', action, result: 'done' });
const decision = (name: string, changes: object): PolicyChange => ({
  kind: 'decision',
  decision: { name, address: '0xA', approved: false, denied: false, banned: false, ...changes },
  patch: changes,
});
const told = (changes: StoredChange[]) => changes.map(({ change }) => JSON.stringify(change)).sort();

for (const [name, make] of Object.entries(stores)) {
  suite(name, () => {
    test('a challenge is taken once, and not after its end', async (t) => {
      const store = await (await make(t))();
      await store.putChallenge(challenge('a'), Date.now());
      const taken = await Promise.all([1, 2, 3].map(() => store.takeChallenge('a', Date.now())));
      assert.equal(taken.filter(Boolean).length, 1);
      assert.deepEqual(taken.find(Boolean), { ...challenge('a'), expiresAt: taken.find(Boolean)!.expiresAt });
      await store.putChallenge(challenge('late', 's', Date.now() - 1), Date.now() - 2);
      assert.equal(await store.takeChallenge('late', Date.now()), undefined);
      assert.equal(await store.takeChallenge('unknown', Date.now()), undefined);
    });

    test('leases are written, replaced, ended and read again', async (t) => {
      const open = await make(t);
      const store = await open();
      const lease = leaseOf('a.relay.test');
      const revision = await store.putLease(lease, Date.now());
      const renewed = { ...lease, revision, expiresAt: lease.expiresAt + minute };
      await store.putLease(renewed, Date.now());
      const other = leaseOf('b.relay.test', { group: undefined });
      await store.deleteLease({ ...other, revision: await store.putLease(other, Date.now()) }, Date.now());
      const { leases } = await (await open()).loadLeases();
      const live = leases.filter(({ expiresAt }) => expiresAt > Date.now());
      assert.deepEqual(live.map(known), [known(renewed)]);
    });

    test('decisions and settings are kept with their audit entries', async (t) => {
      const open = await make(t);
      const { governance } = await open();
      const changes: PolicyChange[] = [
        { kind: 'settings', values: { approvalMode: 'manual', udpMaxLeases: 7 } },
        decision('bad', { banned: true }),
        { kind: 'ip', ip: '203.0.113.9', banned: true },
      ];
      for (const change of changes) await governance.changePolicy(change, entry('change'));
      const limited = await governance.changePolicy(decision('slow', { bps: 1_000 }), entry('change'));
      assert.equal(limited.change.kind === 'decision' && limited.change.decision.bps, 1_000);
      await governance.changePolicy(decision('slow', { bps: undefined }), entry('change'));
      const loaded = told(await (await open()).governance.loadPolicy()).filter((text) => !text.includes('slow'));
      assert.equal(loaded.length >= 3, true);
      assert.ok(loaded.some((text) => text.includes('"banned":true') && text.includes('"bad"')));
      assert.ok(loaded.some((text) => text.includes('manual')));
      assert.ok(loaded.some((text) => text.includes('203.0.113.9')));
      const pending = await governance.pendingAuditEntries(3, 0);
      assert.deepEqual(
        pending.map(({ seq }) => seq),
        [1, 2, 3],
      );
      await governance.dropAuditEntries(3);
      assert.deepEqual(
        (await governance.pendingAuditEntries(10, 3)).map(({ seq }) => seq),
        [4, 5],
      );
    });

    test('sessions of admins are kept until they are ended', async (t) => {
      const open = await make(t);
      const { governance } = await open();
      const sessions = ['one', 'two'].map((tokenHash) => ({
        tokenHash,
        wallet: '0xA',
        expiresAt: Date.now() + minute,
      }));
      for (const session of sessions) await governance.putSession(session, entry('loginAdmin'));
      await governance.deleteSessions(['one'], entry('logoutAdmin'));
      assert.deepEqual(await (await open()).governance.loadSessions(), [sessions[1]]);
    });
  });
}

test('a shared store: of two writes that are based on the same revision one is made', async (t) => {
  const open = await stores['Redis']!(t);
  const [one, other] = [await open(), await open()];
  const lease = leaseOf('a.relay.test');
  const claims = await Promise.allSettled([one.putLease(lease, 0), other.putLease({ ...lease, generation: 'x' }, 0)]);
  const lost = claims.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
  assert.equal(claims.filter(({ status }) => status === 'fulfilled').length, 1);
  assert.ok(lost.reason instanceof LeaseChangedError);
  const { current } = lost.reason as LeaseChangedError;
  assert.equal(current?.hostname, lease.hostname);
  // On top of what there is now, it is.
  assert.ok((await other.putLease({ ...lease, revision: current!.revision }, 0)) > current!.revision!);
  // A record of the past does not come back.
  await assert.rejects(one.putLease({ ...lease, revision: current!.revision }, 0), LeaseChangedError);
});

test('a shared store: a port is of one lease, also while its name is kept', async (t) => {
  const open = await stores['Redis']!(t);
  const [one, other] = [await open(), await open()];
  const first = leaseOf('a.relay.test', { tcpPort: 30_000 });
  const revision = await one.putLease(first, 0);
  const second = leaseOf('b.relay.test', { tcpPort: 30_000 });
  await assert.rejects(other.putLease(second, 0), PortTakenError);
  await one.deleteLease({ ...first, revision }, Date.now());
  await assert.rejects(other.putLease(second, 0), PortTakenError);
  // The same lease may have another port, and the first one is free then.
  const { leases } = await one.loadLeases();
  await one.putLease({ ...first, tcpPort: 30_001, revision: leases[0]!.revision }, 0);
  await other.putLease(second, 0);
});

test('a shared store: past the bound of challenges the oldest of the busiest source goes', async (t) => {
  const store = await (await stores['Redis']!(t))();
  await store.putChallenge(challenge('quiet', 'quiet'), 0);
  const busy = Array.from({ length: 20_000 }, (_, index) =>
    challenge(`busy-${index}`, 'busy', Date.now() + minute + index),
  );
  for (let at = 0; at < busy.length; at += 500)
    await Promise.all(busy.slice(at, at + 500).map((each) => store.putChallenge(each, 0)));
  assert.equal(await store.takeChallenge('busy-0', 0), undefined);
  assert.equal((await store.takeChallenge('quiet', 0))?.id, 'quiet');
  assert.equal((await store.takeChallenge('busy-19999', 0))?.id, 'busy-19999');
});
