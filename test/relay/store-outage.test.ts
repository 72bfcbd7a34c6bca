import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import Database from 'libsql';
import type { Store } from '../../src/relay/store/store.js';
import { transact } from '../../src/relay/store/transaction.js';
import { call, freshWallet, register } from '../support/by-hand.js';
import { startTestRelay } from '../support/relay.js';
import { temporaryDirectory } from '../support/tunnel.js';

/** A store that fails every write while it is told to, as SQLite does on a full disk. */
function failing(): { wrapStore(store: Store): Store; isFull: boolean; writes: number } {
  const outage = {
    isFull: false,
    writes: 0,
    wrapStore: (store: Store): Store =>
      new Proxy(store, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name);
          if (typeof member !== 'function') return member;
          return async (...args: unknown[]) => {
            const isWrite = /^(put|delete)/.test(String(name));
            if (isWrite) outage.writes++;
            if (isWrite && outage.isFull)
              throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
            return await (member as (...args: unknown[]) => unknown).apply(target, args);
          };
        },
      }),
  };
  return outage;
}

test('while the store fails leases are renewed in memory, and written when it works again', async (t) => {
  const outage = failing();
  const stateDir = temporaryDirectory(t);
  const relay = await startTestRelay({ stateDir }, outage);
  const lease = await register(relay, { name: 'kept', ttl: 30 });
  const gone = await register(relay, { name: 'gone', ttl: 30 });
  const renew = (token: string) => call(relay, 'POST', '/sdk/renew', { body: { ttl: 600 }, token });
  const health = async () => (await call(relay, 'GET', '/healthz')).body.data;
  assert.deepEqual(await health(), { status: 'ok' });

  outage.isFull = true;
  const renewed = await renew(lease.token);
  assert.equal(renewed.status, 200);
  assert.ok(Date.parse(renewed.body.data.expires_at) > lease.expiresAt + 500_000);
  assert.equal((await renew(gone.token)).status, 200);
  assert.deepEqual(await health(), { status: 'ok', degraded: ['store'] });
  // What must not be lost is not promised.
  await assert.rejects(register(relay, { name: 'new', wallet: freshWallet() }), /"internal"/);
  assert.equal((await call(relay, 'POST', '/sdk/unregister', { body: {}, token: gone.token })).status, 500);
  // The token of the renewal is good.
  assert.equal((await renew(renewed.body.data.access_token)).status, 200);

  outage.isFull = false;
  const deadline = AbortSignal.timeout(10_000);
  while ((await health()).degraded !== undefined) {
    deadline.throwIfAborted();
    await setImmediate();
  }
  assert.equal((await call(relay, 'POST', '/sdk/unregister', { body: {}, token: gone.token })).status, 200);
  await relay.stop();

  // Its expiry is in the store: a start gives it no less.
  const again = await startTestRelay({ stateDir, sniPort: relay.publicPort });
  t.after(() => again.stop());
  assert.equal(
    (await call(again, 'POST', '/sdk/renew', { body: {}, token: renewed.body.data.access_token })).status,
    200,
  );
  await register(again, { name: 'gone' });
});

test('a transaction on a full disk fails with its reason, and is rolled back', (t) => {
  const db = new Database(join(temporaryDirectory(t), 'full.db'));
  t.after(() => db.close());
  db.exec('CREATE TABLE entries (text TEXT)');
  db.pragma('max_page_count = 8');
  const insert = db.prepare('INSERT INTO entries VALUES (?)');
  assert.throws(
    () => transact(db, () => [1, 2, 3].forEach(() => insert.run('x'.repeat(20_000)))),
    ({ code }: { code: string }) => code === 'SQLITE_FULL',
  );
  transact(db, () => insert.run('small'));
  assert.deepEqual(db.prepare('SELECT text FROM entries').all(), [{ text: 'small' }]);
});
