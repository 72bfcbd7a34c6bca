import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseRedisAddress } from '../../src/relay/store/redis/redis-address.js';
import { adminOf, leasePath } from '../support/admin.js';
import { call, freshWallet, register } from '../support/by-hand.js';
import { certificateFiles } from '../support/certificates.js';
import { startNodes } from '../support/nodes.js';
import { askRedis, startRedis, startSentinel } from '../support/redis.js';
import { freePort, relayFor, type TestRelay } from '../support/relay.js';
import { until } from '../support/until.js';

test('an address of Redis is read in all its forms, and what is wrong with it is said without its password', () => {
  assert.deepEqual(parseRedisAddress('redis://10.0.0.2'), {
    kind: 'single',
    options: { db: 0, host: '10.0.0.2', port: 6379 },
  });
  assert.deepEqual(parseRedisAddress('rediss://us%40er:p%3Aw%2F@[2001:db8::1]:7000/3', 'PEM'), {
    kind: 'single',
    options: { username: 'us@er', password: 'p:w/', db: 3, host: '2001:db8::1', port: 7000, tls: { ca: 'PEM' } },
  });
  assert.deepEqual(parseRedisAddress('redis+sentinel://:pw@s1,s2:27000/main/1'), {
    kind: 'single',
    options: {
      password: 'pw',
      db: 1,
      name: 'main',
      sentinels: [
        { host: 's1', port: 26379 },
        { host: 's2', port: 27000 },
      ],
    },
  });
  assert.deepEqual(parseRedisAddress('redis+cluster://a,b:7001'), {
    kind: 'cluster',
    nodes: [
      { host: 'a', port: 6379 },
      { host: 'b', port: 7001 },
    ],
    options: {},
  });
  for (const [text, fault] of [
    ['http://:hidden@a', /must be redis:/],
    ['redis://', /must be redis:/],
    ['redis://:hidden@a/x', /the database is a number/],
    ['redis://:hidden@a,b', /several hosts are for/],
    ['redis://:%zz@a', /percent-encoded/],
    ['redis://:hidden@a:99999', /is not a host with a port/],
    ['redis+sentinel://:hidden@a', /name the master/],
    ['redis+cluster://:hidden@a/1', /one database/],
  ] as const)
    assert.throws(
      () => parseRedisAddress(text),
      (error: Error) => fault.test(error.message) && !error.message.includes('hidden'),
      text,
    );
  assert.throws(() => parseRedisAddress('redis://a', 'PEM'), /rediss:/);
});

test('after a failover by Sentinel nothing that was acknowledged is lost', async (t) => {
  const wallet = freshWallet();
  const master = await startRedis(t);
  const replica = await startRedis(t, ['--replicaof', '127.0.0.1', String(master.port)]);
  await until(async () => (await askRedis(replica.port, 'INFO replication')).includes('master_link_status:up'));
  const sentinel = await startSentinel(t, master.port);
  await until(async () => /slaves=1/.test(await askRedis(sentinel, 'INFO sentinel')));
  const { nodes } = await startNodes(t, { url: `redis+sentinel://127.0.0.1:${sentinel}/portal` }, 2, {
    adminWallets: [wallet.address],
  });
  const [a, b] = nodes as [TestRelay, TestRelay];
  const bad = freshWallet();
  const admin = await adminOf(a, wallet);
  const leases = await Promise.all(
    Array.from({ length: 10 }, (_, index) => register(nodes[index % 2]!, { name: `kept-${index}`, ttl: 600 })),
  );
  assert.equal((await admin.post(leasePath({ name: 'bad', address: bad.address }, 'ban'))).status, 200);
  await master.kill();
  // Meanwhile what is known goes on.
  const renewed = await Promise.all(
    leases.map(({ token }, index) => call(nodes[index % 2]!, 'POST', '/sdk/renew', { body: {}, token })),
  );
  assert.ok(renewed.every(({ status }) => status === 200));
  await until(
    async () => (await register(b, { name: 'after', wallet: freshWallet() }).catch(() => undefined)) !== undefined,
  );
  for (const node of nodes) {
    await until(async () => (await call(node, 'GET', '/healthz')).body.data.degraded === undefined);
    await assert.rejects(register(node, { name: 'bad', wallet: bad }), /lease_rejected/);
    for (const { name } of leases) await assert.rejects(register(node, { name }), /hostname_conflict/);
  }
  // The replica has it all: the first master is gone.
  for (const { hostname } of leases)
    assert.match(await askRedis(replica.port, `HEXISTS portal:{portal.localhost}:leases ${hostname}`), /^:1/);
});

test('a Redis Cluster will do, and TLS with a user of its own', async (t) => {
  const cluster = await startRedis(t, ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']);
  await askRedis(cluster.port, 'CLUSTER ADDSLOTSRANGE 0 16383');
  await until(async () => (await askRedis(cluster.port, 'CLUSTER INFO')).includes('cluster_state:ok'));
  const { nodes } = await startNodes(t, { url: `redis+cluster://127.0.0.1:${cluster.port}` }, 2);
  const lease = await register(nodes[0]!, { name: 'in-a-cluster' });
  assert.equal((await call(nodes[1]!, 'POST', '/sdk/renew', { body: {}, token: lease.token })).status, 200);

  const { certFile, keyFile, certPem, remove } = await certificateFiles('localhost');
  t.after(() => remove());
  const password = randomBytes(8).toString('hex');
  const [tlsPort, nodePort] = [await freePort(), await freePort()];
  await startRedis(t, [
    ...['--tls-port', String(tlsPort), '--tls-cert-file', certFile, '--tls-key-file', keyFile],
    ...['--tls-auth-clients', 'no', '--user', 'portal', 'on', `>${password}`, '~portal:*', '+@all'],
  ]);
  const address = parseRedisAddress(`rediss://portal:${password}@localhost:${tlsPort}`, certPem);
  const ofRelay = await certificateFiles('portal.localhost');
  t.after(() => ofRelay.remove());
  const relay = await relayFor(t, {
    certificateFiles: ofRelay,
    cluster: { store: address, address: { host: '127.0.0.1', port: nodePort } },
  });
  await register(relay, { name: 'behind-tls' });
});
