import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
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
import { call, ended, freshWallet, openSession, readBytes, register, sessionHeaders } from '../support/by-hand.js';
import { introduced, type Nodes, startNodes } from '../support/nodes.js';
import { askRedis, startRedis } from '../support/redis.js';
import { freePort, type TestRelay, withPorts } from '../support/relay.js';
import { endVisit, handshake, readOpening, signCall, visit } from '../support/tenant.js';
import { get, openTunnel, send, startHttpService, startTcpService } from '../support/tunnel.js';
import { type Fault, injectFaults, onFault } from '../../src/util/boundary.js';
import { until } from '../support/until.js';

// Several nodes of one relay, which share a Redis.

const renew = (node: TestRelay, token: string) => call(node, 'POST', '/sdk/renew', { body: {}, token });
const unregister = (node: TestRelay, token: string) => call(node, 'POST', '/sdk/unregister', { body: {}, token });
const three = ({ nodes }: Nodes) => nodes as [TestRelay, TestRelay, TestRelay];

test('a lease of one node is good at every other at once', async (t) => {
  const nodes = await startNodes(t, await startRedis(t), 3);
  const [a, b, c] = three(nodes);
  const lease = await register(a, { name: 'shop' });
  assert.equal((await renew(b, lease.token)).status, 200);
  const renewed = await renew(c, lease.token);
  assert.equal((await renew(a, renewed.body.data.access_token)).status, 200);
  await assert.rejects(register(b, { name: 'shop' }), /hostname_conflict/);
  // The identity itself replaces it, at any node; the earlier token is superseded at every one.
  const again = await register(c, { name: 'shop', wallet: lease.wallet });
  assert.equal((await renew(b, again.token)).status, 200);
  await until(async () => (await renew(a, lease.token)).body.error?.code === 'hostname_conflict');
  assert.equal((await unregister(b, again.token)).status, 200);
  await until(async () => (await renew(a, again.token)).status === 404);
  // A node that has not heard of it may still serve it: nobody else gets it for a while.
  for (const node of [a, b, c]) await assert.rejects(register(node, { name: 'shop' }), /hostname_conflict/);
  await register(a, { name: 'shop', wallet: lease.wallet });
});

test('of many that want a name at different nodes at once, one gets it', async (t) => {
  const nodes = await startNodes(t, await startRedis(t), 3);
  const attempts = Array.from({ length: 24 }, (_, index) => register(nodes.nodes[index % 3]!, { name: 'wanted' }));
  const results = await Promise.allSettled(attempts);
  const won = results.filter(({ status }) => status === 'fulfilled');
  assert.equal(won.length, 1);
  for (const result of results)
    if (result.status === 'rejected') assert.match(String(result.reason), /hostname_conflict/);
});

test('tunnels of a group that register at different nodes at once share one lease', async (t) => {
  const nodes = await startNodes(t, await startRedis(t), 3);
  const wallet = freshWallet();
  const members = await Promise.all(
    Array.from({ length: 9 }, (_, index) =>
      register(nodes.nodes[index % 3]!, { name: 'group', wallet, group: 'replicas' }),
    ),
  );
  for (const node of nodes.nodes) for (const { token } of members) assert.equal((await renew(node, token)).status, 200);
  // Each leaves by itself.
  assert.equal((await unregister(nodes.nodes[0]!, members[1]!.token)).status, 200);
  await until(async () => (await renew(nodes.nodes[2]!, members[1]!.token)).status === 404);
  assert.equal((await renew(nodes.nodes[2]!, members[0]!.token)).status, 200);
});

test('a visitor of one node reaches a session of another, and a third signs', async (t) => {
  const nodes = await startNodes(t, await startRedis(t), 3);
  const [a, b, c] = three(nodes);
  const lease = await register(a, { name: 'shop' });
  await introduced(nodes);
  // By hand: the session is at `b`, its visitor comes to `a`.
  const elsewhere = { ...b, publicPort: a.publicPort };
  const done = await handshake(elsewhere, lease, ({ body }) => signCall(c, lease.token, body));
  t.after(() => endVisit(done));
  assert.equal(done.answer.status, 200, JSON.stringify(done.answer.body));
  await once(done.visitor, 'secureConnect');
  done.visitor.write('to the tunnel');
  assert.equal(String(await readBytes(done.tenant as never, 13)), 'to the tunnel');
  done.tenant.write('and back');
  assert.equal(String(await readBytes(done.visitor, 8)), 'and back');
  // The node that has the session counts the bytes; the other one holds the connection alone.
  assert.ok(b.relay.load.bytes > 0);
  assert.equal(a.relay.load.bytes, 0);
  // Each direction ends by itself.
  const ended = once(done.tenant, 'end');
  done.tenant.resume();
  done.visitor.end();
  await ended;
  done.tenant.end('the last word');
  assert.equal(String(await readBytes(done.visitor, 13)), 'the last word');
});

test('a binding is spent once in all nodes', async (t) => {
  const nodes = await startNodes(t, await startRedis(t), 3);
  const [a, b, c] = three(nodes);
  const lease = await register(a, { name: 'once' });
  await introduced(nodes);
  const done = await handshake({ ...b, publicPort: a.publicPort }, lease, async ({ body }) => {
    const answers = await Promise.all([a, b, c, a, b, c].map((node) => signCall(node, lease.token, body)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    for (const { status, body: refused } of answers)
      if (status !== 200) assert.match(JSON.stringify(refused), /unknown, spent or expired/);
    return answers.find(({ status }) => status === 200)!;
  });
  await endVisit(done);
});

test('a visitor waits for a session at whichever node it comes up', async (t) => {
  const nodes = await startNodes(t, await startRedis(t), 3);
  const [a, b, c] = three(nodes);
  const lease = await register(a, { name: 'later', sessionWait: 10 });
  await introduced(nodes);
  for (const node of [c, b, a]) {
    const visitor = visit(a, lease.hostname);
    t.after(() => visitor.destroy());
    await until(() => a.relay.waiting === 1);
    const { socket } = await openSession(node, sessionHeaders(lease.token));
    await readOpening(socket);
    socket.destroy();
    visitor.destroy();
    await until(() => a.relay.waiting === 0);
  }
});

test('decisions of the operator hold at every node within a second, whichever is asked', async (t) => {
  const wallet = freshWallet();
  const nodes = await startNodes(t, await startRedis(t), 3, { adminWallets: [wallet.address] });
  const [a, b, c] = three(nodes);
  const lease = await register(a, { name: 'bad' });
  await introduced(nodes);
  const { socket } = await openSession(b, sessionHeaders(lease.token));
  socket.on('error', () => undefined);
  const visitor = visit(a, lease.hostname);
  await readOpening(socket);
  const cut = Promise.all([ended(socket), ended(visitor)]);
  const admin = await adminOf(c, wallet);
  assert.equal((await admin.post(leasePath({ name: 'bad', address: lease.wallet.address }, 'ban'))).status, 200);
  await cut;
  for (const node of [a, b, c]) {
    await until(async () => (await renew(node, lease.token)).status === 403);
    await assert.rejects(register(node, { name: 'bad', wallet: lease.wallet }), /lease_rejected/);
  }
  // Two admins at two nodes decide about one identity: neither decision is lost.
  const [one, other] = [await adminOf(a, wallet), await adminOf(b, wallet)];
  const { address } = freshWallet();
  const answers = await Promise.all([
    one.post(leasePath({ name: 'both', address }, 'approve')),
    other.post(leasePath({ name: 'both', address }, 'bps'), { bps: 1_000_000 }),
    one.post('/ips/203.0.113.7/ban'),
    other.post('/settings/approval-mode', { mode: 'manual' }),
  ]);
  for (const answer of answers) assert.equal(answer.status, 200, JSON.stringify(answer.body));
  for (const each of await Promise.all([a, b, c].map((node) => adminOf(node, wallet)))) {
    const { body } = await each.get('/identities');
    const both = body.data.identities.find(({ name }: { name: string }) => name === 'both');
    assert.deepEqual([both?.has_approval, both?.bps], [true, 1_000_000], JSON.stringify(body));
    const snapshot = await each.snapshot();
    assert.equal(snapshot.approval_mode, 'manual');
    assert.deepEqual(snapshot.banned_ips, ['203.0.113.7']);
  }
  // Every node's log has every entry once.
  await until(() => [a, b, c].every(({ config }) => auditLines(config.stateDir).length >= 11));
  const logs = [a, b, c].map(({ config }) => auditLines(config.stateDir));
  assert.deepEqual(logs[1], logs[0]);
  assert.deepEqual(logs[2], logs[0]);
  // A node that starts again knows it all.
  await a.relay.stop();
  await nodes.restart(0);
  assert.equal((await (await adminOf(nodes.nodes[0]!, wallet)).snapshot()).approval_mode, 'manual');
});

test('a session of an admin is good at every node, and a challenge is spent once in all', async (t) => {
  const wallet = freshWallet();
  const nodes = await startNodes(t, await startRedis(t), 2, { adminWallets: [wallet.address] });
  const [a, b] = nodes.nodes as [TestRelay, TestRelay];
  const challenge = await adminChallenge(a, wallet.address);
  const answer = await tryLogin(b, challenge, wallet);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  for (const node of [a, b]) assert.equal((await tryLogin(node, challenge, wallet)).status, 401);
  const cookie = cookieOf(answer);
  await until(async () => (await adminWith(a, cookie).get('/snapshot')).status === 200);
  assert.equal((await adminWith(a, cookie).post('/logout', {})).status, 200);
  await until(async () => (await adminWith(b, cookie).get('/snapshot')).status === 401);
  await login(a, wallet);
});

test('while Redis is away, or frozen, what is known goes on, and nothing new is promised', async (t) => {
  const redis = await startRedis(t);
  const nodes = await startNodes(t, redis, 2);
  const [a, b] = nodes.nodes as [TestRelay, TestRelay];
  const lease = await register(a, { name: 'kept', ttl: 600 });
  await introduced(nodes);
  const { socket } = await openSession(b, sessionHeaders(lease.token));
  await until(
    async () =>
      (await call(a, 'GET', '/tunnel/status?hostname=kept.portal.localhost', { token: lease.token })).body.data
        ?.service_alive,
  );
  redis.freeze(true);
  const refused = await call(a, 'POST', '/sdk/register/challenge', {
    body: { identity: { name: 'new', address: freshWallet().address } },
  });
  assert.equal(refused.status, 429);
  assert.equal(refused.body.error.code, 'rate_limited');
  assert.ok(Number(refused.headers['retry-after']) > 0);
  const renewed = await renew(a, lease.token);
  assert.equal(renewed.status, 200, JSON.stringify(renewed.body));
  const visitor = visit(a, lease.hostname);
  await readOpening(socket);
  visitor.destroy();
  await until(async () => (await call(a, 'GET', '/healthz')).body.data.degraded?.includes('store'));
  redis.freeze(false);
  await until(async () => (await call(a, 'GET', '/healthz')).body.data.degraded === undefined);
  await register(b, { name: 'new' });
});

test('what an empty Redis has lost is written again by the nodes', async (t) => {
  const wallet = freshWallet();
  const redis = await startRedis(t);
  const nodes = await startNodes(t, redis, 2, { adminWallets: [wallet.address] });
  const [a, b] = nodes.nodes as [TestRelay, TestRelay];
  const leases = await Promise.all(
    Array.from({ length: 20 }, (_, index) => register(nodes.nodes[index % 2]!, { name: `kept-${index}`, ttl: 600 })),
  );
  const admin = await adminOf(a, wallet);
  const bad = freshWallet();
  assert.equal((await admin.post(leasePath({ name: 'bad', address: bad.address }, 'ban'))).status, 200);
  assert.equal((await admin.post('/settings/approval-mode', { mode: 'auto' })).status, 200);
  assert.equal((await admin.post('/ips/203.0.113.9/ban')).status, 200);
  await until(async () => (await renew(b, leases[0]!.token)).status === 200);
  await redis.kill();
  const whileAway = await renew(a, leases[1]!.token);
  assert.equal(whileAway.status, 200);
  await redis.start();
  await until(async () => (await call(a, 'GET', '/healthz')).body.data.degraded === undefined);
  await until(async () => (await call(b, 'GET', '/healthz')).body.data.degraded === undefined);
  // A node that knows nothing by itself has it all from the store.
  await b.relay.stop();
  await until(async () => {
    await nodes.restart(1);
    const known = nodes.nodes[1]!;
    const all = await Promise.all(leases.map(({ token }) => renew(known, token)));
    const isComplete = all.every(({ status }) => status === 200);
    if (!isComplete) await known.relay.stop();
    return isComplete;
  });
  const known = nodes.nodes[1]!;
  for (const { name } of leases) await assert.rejects(register(known, { name }), /hostname_conflict/);
  await assert.rejects(register(known, { name: 'bad', wallet: bad }), /lease_rejected/);
  assert.deepEqual((await (await adminOf(known, wallet)).snapshot()).banned_ips, ['203.0.113.9']);
});

test('a node that cannot be another node is not talked to, and a store of another relay is refused', async (t) => {
  const redis = await startRedis(t);
  const nodes = await startNodes(t, redis, 2);
  const [a] = nodes.nodes as [TestRelay];
  await introduced(nodes);
  // The port of the nodes: without a certificate, and with a foreign one.
  const { address } = a.config.cluster!;
  const { certFile, keyFile } = a.config.certificateFiles!;
  for (const own of [{}, { cert: readFileSync(certFile), key: readFileSync(keyFile) }]) {
    const socket: TLSSocket = connectTls({
      ...address,
      ...own,
      rejectUnauthorized: false,
      ALPNProtocols: ['portal-node-presence/1'],
    });
    socket.on('error', () => undefined);
    const heard: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => heard.push(chunk));
    await once(socket, 'close');
    assert.equal(Buffer.concat(heard).length, 0);
  }
  await assert.rejects(startNodes(t, redis, 1), /the store belongs to the relay 0x/);
});

test('a tunnel is served through any node, and goes on when the node that it is at ends', async (t) => {
  const nodes = await startNodes(t, await startRedis(t), 3);
  const service = await startHttpService(t, (request, response) => {
    request.pipe(response.writeHead(200, { 'X-Served': 'yes' }));
  });
  await introduced(nodes);
  // Its sessions are all at the first node.
  for (const index of [1, 2]) nodes.out.add(index);
  const { hostname, tunnel } = await openTunnel(t, { url: nodes.url, ca: nodes.nodes[0]!.ca }, service.port);
  const body = 'x'.repeat(300_000);
  for (const node of nodes.nodes) {
    const answer = await send(node, hostname, '/', body, { method: 'POST' });
    assert.deepEqual([answer.status, answer.body.length], [200, body.length]);
  }
  // The name stays, at whichever node.
  nodes.out.delete(1);
  nodes.out.delete(2);
  nodes.out.add(0);
  await nodes.nodes[0]!.relay.stop();
  for (const node of nodes.nodes.slice(1)) {
    await until(async () => (await get(node, hostname).catch(() => undefined))?.status === 200);
    for (let count = 0; count < 20; count++) assert.equal((await get(node, hostname)).status, 200);
  }
  assert.equal(tunnel.current!.hostname, hostname);
  await assert.rejects(register(nodes.nodes[1]!, { name: hostname.split('.')[0]! }), /hostname_conflict/);
  await nodes.restart(0);
  await introduced(nodes);
  assert.equal((await get(nodes.nodes[0]!, hostname)).status, 200);
});

test('limits of a lease hold over all nodes', async (t) => {
  const wallet = freshWallet();
  const nodes = await startNodes(t, await startRedis(t), 2, {
    adminWallets: [wallet.address],
    maxConnectionsPerLease: 4,
    maxLeasesPerWallet: 3,
  });
  const [a, b] = nodes.nodes as [TestRelay, TestRelay];
  const lease = await register(a, { name: 'limited', sessionWait: 0 });
  const { wallet: owner } = lease;
  await register(b, { name: 'second', wallet: owner });
  await register(a, { name: 'third', wallet: owner });
  await assert.rejects(register(b, { name: 'fourth', wallet: owner }), /rate_limited/);
  await introduced(nodes);
  const sessions: TLSSocket[] = [];
  for (let count = 0; count < 8; count++) {
    const { socket } = await openSession(count % 2 ? a : b, sessionHeaders(lease.token));
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
    sessions.push(socket);
  }
  // The share of each is known once they know of each other's tunnels.
  await until(() => [a, b].every(({ relay }) => relay.nodesServing(lease.hostname) === 1));
  const visitors = Array.from({ length: 8 }, (_, index) => visit(index % 2 ? a : b, lease.hostname));
  t.after(() => visitors.forEach((visitor) => visitor.destroy()));
  // Those beyond are refused: at least half of them.
  let refused = 0;
  for (const visitor of visitors) void ended(visitor).then(() => refused++);
  await until(() => refused >= 4);
  assert.ok(a.relay.load.connections + b.relay.load.connections <= 4);
});

test('a fault in what nodes do ends only what it was for', async (t) => {
  t.after(() => injectFaults(undefined));
  const nodes = await startNodes(t, await startRedis(t), 2);
  const [a, b] = nodes.nodes as [TestRelay, TestRelay];
  const service = await startHttpService(t, (_request, response) => response.end('served'));
  await introduced(nodes);
  nodes.out.add(0);
  const { hostname } = await openTunnel(t, { url: nodes.url, ca: a.ca }, service.port);
  for (const name of ['node connection', 'node presence', 'node report', 'store change'] as const) {
    const told: Fault[] = [];
    const stop = onFault((fault) => told.push(fault));
    injectFaults((each) => {
      if (each !== name) return;
      injectFaults(undefined);
      throw new Error(`thrown in ${name}`);
    });
    let count = 0;
    await until(async () => {
      const ask = name === 'store change' ? register(b, { name: `other-${count++}` }) : get(a, hostname);
      await ask.catch(() => undefined);
      return told.length > 0;
    });
    stop();
    assert.deepEqual(
      told.map(({ boundary }) => boundary),
      [name],
    );
    await until(async () => (await get(a, hostname).catch(() => undefined))?.body === 'served');
  }
});

test('a TCP port of a lease is open at every node, and leads to its tunnel wherever that is', async (t) => {
  const ports = await withPorts(4, { udp: { enabled: false } });
  const nodes = await startNodes(t, await startRedis(t), 2, (index) => ({ host: `127.0.0.${index + 1}`, ...ports }));
  const [a, b] = nodes.nodes as [TestRelay, TestRelay];
  await introduced(nodes);
  nodes.out.add(1);
  const service = await startTcpService(t, (socket) => {
    socket.on('data', (chunk) => {
      const text = String(chunk);
      if (text === 'reset') socket.resetAndDestroy();
      else socket.write(text.toUpperCase());
    });
    socket.on('end', () => socket.end('bye'));
  });
  const { tunnel } = await openTunnel(t, { url: nodes.url, ca: a.ca }, undefined, { tcp: service.port });
  const port = Number(new URL(tunnel.current!.urls[0]!.replace('tcp:', 'http:')).port);
  const dial = async (host: string) => {
    const socket = connectTcp({ host, port, allowHalfOpen: true });
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    socket.on('error', () => undefined);
    return socket;
  };
  await until(() => dial('127.0.0.2').catch(() => undefined));
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const visitor = await dial(host);
    visitor.write('hello');
    assert.equal(String(await readBytes(visitor, 5)), 'HELLO');
    // Each direction ends by itself, a reset is no end.
    visitor.end();
    assert.equal(String(await readBytes(visitor, 3)), 'bye');
    const cut = await dial(host);
    cut.write('hello');
    await readBytes(cut, 5);
    const error = once(cut, 'error') as Promise<[NodeJS.ErrnoException]>;
    cut.resume().write('reset');
    assert.equal((await error)[0].code, 'ECONNRESET');
  }
  // Much in both directions, and back again after the node was gone.
  await b.relay.stop();
  await nodes.restart(1);
  await introduced(nodes);
  const bulk = await dial('127.0.0.2');
  const sent = 'x'.repeat(3_000_000);
  bulk.write(sent);
  assert.equal(String(await readBytes(bulk, sent.length)), sent.toUpperCase());
  // The port is closed everywhere once the lease has ended.
  await tunnel.close(0);
  for (const host of ['127.0.0.1', '127.0.0.2'])
    await until(async () => {
      const left = await dial(host).catch((error: NodeJS.ErrnoException) => error.code);
      if (typeof left === 'object') left.destroy();
      return left === 'ECONNREFUSED';
    });
});

test('while Redis is away for longer than leases last, each node serves those that are renewed at another', async (t) => {
  const redis = await startRedis(t);
  const metricsPorts = [await freePort(), await freePort()];
  const nodes = await startNodes(t, redis, 2, (index) => ({ metricsPort: metricsPorts[index] }));
  const [a, b] = nodes.nodes as [TestRelay, TestRelay];
  const lease = await register(a, { name: 'renewed', ttl: 9 });
  await introduced(nodes);
  const metrics = async () => await (await fetch(`http://127.0.0.1:${metricsPorts[0]}/metrics`)).text();
  assert.match(await metrics(), /^portal_nodes_connected 1$/m);
  assert.match(await metrics(), /^portal_store_up 1$/m);
  const { socket } = await openSession(b, sessionHeaders(lease.token));
  t.after(() => socket.destroy());
  await redis.kill();
  let { token } = lease;
  let renewedAt = 0;
  await until(async () => {
    if (Date.now() - renewedAt > 2_000) {
      token = (await renew(a, token)).body.data.access_token;
      renewedAt = Date.now();
    }
    return Date.now() > lease.expiresAt + 3_000;
  });
  const visitor = visit(a, lease.hostname);
  t.after(() => visitor.destroy());
  await readOpening(socket);
  assert.equal((await renew(b, token)).status, 200);
  assert.match(await metrics(), /^portal_store_up 0$/m);
  await redis.start();
  await until(async () => (await call(b, 'GET', '/healthz')).body.data.degraded === undefined);
  await assert.rejects(register(b, { name: 'renewed' }), /hostname_conflict/);
  assert.equal((await renew(b, token)).status, 200);
  // Given back, it is so at once.
  assert.equal((await unregister(a, token)).status, 200);
  await until(async () => (await renew(b, token)).status === 404);
});

test('what nobody can read in Redis is left out, and all else goes on', async (t) => {
  const redis = await startRedis(t);
  const nodes = await startNodes(t, redis, 2);
  const [a, b] = nodes.nodes as [TestRelay, TestRelay];
  const lease = await register(a, { name: 'readable' });
  const key = (name: string) => `portal:{portal.localhost}:${name}`;
  await askRedis(redis.port, `HSET ${key('leases')} bad.portal.localhost 1:99999999999999:garbage`);
  for (const kind of ['lease', 'policy', 'session', 'of-a-later-release'])
    await askRedis(redis.port, `XADD ${key('feed')} * r 1 k ${kind} c garbage`);
  const second = await register(a, { name: 'second' });
  await until(async () => (await renew(b, second.token)).status === 200);
  await b.relay.stop();
  await nodes.restart(1);
  for (const { token } of [lease, second]) assert.equal((await renew(nodes.nodes[1]!, token)).status, 200);
});

test('connections to the port of the nodes that say nothing keep no other node out', async (t) => {
  const nodes = await startNodes(t, await startRedis(t), 2);
  const [a, b] = nodes.nodes as [TestRelay, TestRelay];
  await introduced(nodes);
  const { address } = b.config.cluster!;
  const silent = Array.from({ length: 1_100 }, () => connectTcp({ ...address, localAddress: '127.0.0.9' }));
  t.after(() => silent.forEach((socket) => socket.destroy()));
  // Those beyond the bound of one address are closed at once.
  await Promise.all(
    silent.map(async (socket) => {
      socket.on('error', () => undefined);
      await once(socket, 'connect').catch(() => undefined);
    }),
  );
  await until(() => silent.filter((socket) => socket.destroyed || socket.resume().readableEnded).length >= 76);
  const lease = await register(a, { name: 'let-in' });
  const { socket } = await openSession(b, sessionHeaders(lease.token));
  t.after(() => socket.destroy());
  const visitor = visit(a, lease.hostname);
  t.after(() => visitor.destroy());
  await readOpening(socket);
});

test('a lease whose port was given to another one, after Redis had lost it, is over, and says so', async (t) => {
  const redis = await startRedis(t);
  const nodes = await startNodes(t, redis, 1, await withPorts(2, { udp: { enabled: false } }));
  const [node] = nodes.nodes as [TestRelay];
  const key = (name: string) => `portal:{portal.localhost}:${name}`;
  for (const end of [renew, unregister]) {
    const lease = await register(node, { name: `lost-${end.name}`, tcp: true });
    const other = `other-${end.name}.portal.localhost`;
    const value = `1:99999999999999:{\\"tcpPort\\":${lease.tcpPort}}`;
    assert.match(await askRedis(redis.port, `HSET ${key('leases')} ${other} "${value}"`), /^:1/);
    await askRedis(redis.port, `ZADD ${key('leases:kept')} 99999999999999 ${other}`);
    await askRedis(redis.port, `HSET ${key('ports:tcp')} ${lease.tcpPort} ${other}`);
    const answer = await end(node, lease.token);
    if (end === renew) assert.equal(answer.body.error.code, 'lease_not_found');
    assert.equal((await renew(node, lease.token)).body.error.code, 'lease_not_found');
  }
});

test('a node that finds no Redis says what to do', async (t) => {
  const redis = await startRedis(t);
  await redis.kill();
  await assert.rejects(
    startNodes(t, redis, 1),
    /^Error: the store does not answer \(Redis: .*\): start it, or change --store$/,
  );
});
