import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { choosePath } from '../../src/tunnel/relays/choose-path.js';
import type { FoundRelay } from '../../src/sdk/discovery/find-relays.js';
import { expose, type ExposeOptions } from '../../src/tunnel/index.js';
import { adminOf } from '../support/admin.js';
import { freshWallet } from '../support/by-hand.js';
import { listed } from '../support/discovery.js';
import { type LoopbackMesh, type MeshRelay, startLoopbackMesh } from '../support/loopback-overlay.js';
import { relayFor } from '../support/relay.js';
import { visit } from '../support/tenant.js';
import { get, listening, openTunnel, send, startHttpService, startTunnel, statusWhere } from '../support/tunnel.js';
import { until } from '../support/until.js';

// A tunnel through a path of relays. The overlay is the loopback network.

const quick = { lossPatienceMs: 300, joinPatienceMs: 2_000, scoutIntervalMs: 1_000, scoutSpacingMs: 200 };
const often = { healthCheckIntervalMs: 200, healthCheckTimeoutMs: 1_000 };

/** Until every relay lists all others. */
async function known({ relays }: LoopbackMesh): Promise<void> {
  for (const relay of relays) await until(async () => (await listed(relay)).length === relays.length);
}

const hello = async (t: TestContext) => await startHttpService(t, (_request, response) => response.end('hello'));

const answers = async (relay: MeshRelay, hostname: string) =>
  await until(() =>
    get(relay, hostname).then(
      ({ body }) => body === 'hello',
      () => false,
    ),
  );

test('a service is reached through two and three relays: requests, a WebSocket, and much in both directions', async (t) => {
  const mesh = await startLoopbackMesh(t, 3);
  await known(mesh);
  const server = (await import('node:http')).createServer((request, response) => {
    if (request.method === 'GET') return void response.end(JSON.stringify(request.headers));
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.once('end', () => response.end(hash.digest('hex')));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  t.after(() => sockets.close());
  const { port } = await listening(t, server, 0);
  for (const count of [2, 3]) {
    const relays = mesh.relays.slice(0, count);
    const hops = relays.map(({ url }) => url);
    const { hostname, url, tunnel } = await openTunnel(t, { ...mesh, url: '' }, port, {
      hops,
      relay: undefined,
      http: true,
    });
    const entry = relays[0]!;
    assert.equal(new URL(url).hostname, hostname);
    assert.ok(hostname.endsWith(entry.rootHost));
    const { body } = await get(entry, hostname);
    // Nobody has told the tunnel who the visitor is.
    assert.equal((JSON.parse(body) as Record<string, string>)['x-forwarded-for'], undefined);
    const text = randomBytes(8_000_000).toString('hex');
    const sent = await send(entry, hostname, '/', text, { method: 'POST' });
    assert.equal(sent.body, createHash('sha256').update(text).digest('hex'));
    const socket = new WebSocket(`wss://${hostname}:${entry.publicPort}/`, {
      createConnection: () => visit(entry, hostname),
    });
    await once(socket, 'open');
    socket.send(text.slice(0, 1_000_000));
    const [echoed] = (await once(socket, 'message')) as [Buffer];
    assert.equal(echoed.toString(), text.slice(0, 1_000_000));
    socket.terminate();
    await tunnel.close(0);
  }
});

test('no relay of a path learns more than its part, and accounts differ at each', async (t) => {
  const admin = freshWallet();
  const mesh = await startLoopbackMesh(t, 3, { adminWallets: [admin.address] });
  await known(mesh);
  const service = await hello(t);
  const hops = mesh.relays.map(({ url }) => url);
  const { hostname } = await openTunnel(t, { ...mesh, url: '' }, service.port, { hops, relay: undefined });
  await answers(mesh.relays[0]!, hostname);
  const leases = await Promise.all(
    mesh.relays.map(
      async (relay) => (await (await adminOf(relay, admin)).snapshot()).leases as Record<string, unknown>[],
    ),
  );
  assert.deepEqual(
    leases.map((each) => each.length),
    [1, 1, 1],
  );
  const [entry, middle, last] = leases.map(([lease]) => lease!);
  // Each is called through the one after it.
  const addresses = [entry, middle, last].map((lease) => lease!['client_ip']);
  assert.deepEqual(addresses, [mesh.relays[1]!.address, mesh.relays[2]!.address, '127.0.0.1']);
  const accounts = new Set([entry, middle, last].map((lease) => lease!['address']));
  assert.equal(accounts.size, 3);
  for (const lease of [middle, last]) {
    assert.deepEqual(lease!['metadata'], { hide: true });
    assert.doesNotMatch(JSON.stringify(lease), new RegExp(hostname.split('.')[0]!));
  }
});

test('the accounts for the relays of a path stay the same, so that they can be approved', async (t) => {
  const admin = freshWallet();
  const mesh = await startLoopbackMesh(t, 2, { adminWallets: [admin.address] });
  await known(mesh);
  const service = await hello(t);
  const { privateKey } = freshWallet();
  const { identityFromPrivateKey } = await import('../../src/tunnel/index.js');
  const keys: string[] = [];
  for (const name of ['one', 'one', 'two']) {
    const options = { hops: mesh.relays.map(({ url }) => url), relay: undefined, name };
    const identity = identityFromPrivateKey(privateKey);
    const { tunnel } = await openTunnel(t, { ...mesh, url: '' }, service.port, { ...options, identity });
    const { leases } = await (await adminOf(mesh.relays[1]!, admin)).snapshot();
    keys.push((leases as { identity_key: string }[])[0]!.identity_key);
    await tunnel.close(0);
  }
  assert.equal(keys[0], keys[1]);
  assert.notEqual(keys[1], keys[2]);
});

test('the self-probe goes through the path', async (t) => {
  const mesh = await startLoopbackMesh(t, 2);
  await known(mesh);
  const service = await hello(t);
  const hops = mesh.relays.map(({ url }) => url);
  const probe = { intervalMs: 10, maxDelayMs: 10 };
  const options = { hops, relay: undefined, probe };
  const { tunnel, hostname } = await openTunnel(t, { ...mesh, url: '' }, service.port, options);
  const probed = once(tunnel, 'probe') as Promise<[{ result: string; message: string }]>;
  await answers(mesh.relays[0]!, hostname);
  const [report] = await probed;
  assert.equal(report.result, 'pass', report.message);
});

test('a path of named relays is there again once its relays are, also without what they knew', async (t) => {
  const mesh = await startLoopbackMesh(t, 3);
  await known(mesh);
  const service = await hello(t);
  const hops = mesh.relays.map(({ url }) => url);
  const options = { hops, relay: undefined, ttl: 5, relayTimes: often };
  const { hostname, tunnel } = await openTunnel(t, { ...mesh, url: '' }, service.port, options);
  await answers(mesh.relays[0]!, hostname);
  for (const index of [1, 2, 0]) {
    const gone = statusWhere(tunnel, ({ state }) => state === 'relay_silent' || state === 'retrying');
    await mesh.relays[index]!.stop();
    for (const file of ['portal.db', 'portal.db-wal', 'portal.db-shm'])
      rmSync(join(mesh.relays[index]!.site.stateDir, file), { force: true });
    await gone;
    await mesh.restart(index);
    await answers(mesh.relays[0]!, hostname);
  }
});

test('a chosen path is replaced when a relay of it is gone, and keeps its entry if it can', async (t) => {
  const mesh = await startLoopbackMesh(t, 4);
  await known(mesh);
  const service = await hello(t);
  const relay = mesh.relays.map(({ url }) => url);
  const options = { hops: 2, relay, allowPrivate: true, relayTimes: { ...quick, ...often } };
  const { tunnel, statuses, hostname } = await openTunnel(t, { ...mesh, url: '' }, service.port, options);
  const pathOf = () => {
    const { message } = statuses.filter(({ state }) => state === 'path').at(-1)!;
    return mesh.relays
      .map((each) => ({ each, at: message.indexOf(new URL(each.url).host) }))
      .filter(({ at }) => at >= 0)
      .sort((one, other) => one.at - other.at)
      .map(({ each }) => each);
  };
  const [entry, last] = pathOf() as [MeshRelay, MeshRelay];
  await answers(entry, hostname);
  await last.stop();
  await until(() => pathOf()[1] !== last && tunnel.current !== undefined);
  assert.equal(pathOf()[0], entry);
  await answers(entry, hostname);
  await entry.stop();
  await until(() => pathOf()[0] !== entry && tunnel.current !== undefined);
  assert.match(statuses.filter(({ state }) => state === 'path').at(-1)!.message, /the public URL changes with it/);
  const { hostname: moved, relay: url } = tunnel.current!;
  await answers(
    mesh.relays.find((each) => each.url === url)!,
    moved,
  );
  // Those that were stopped are not tried again.
  assert.ok(pathOf().every((each) => each !== last && each !== entry));
});

test('what no path can have is said before anything is opened, and a relay without an overlay when it is asked', async (t) => {
  const urls = ['https://a.example.com', 'https://b.example.com'];
  for (const [options, message] of [
    [{ hops: 1 }, /2 or 3 relays, not 1/],
    [{ hops: urls.slice(0, 1) }, /2 or 3 relays, not 1/],
    [{ hops: [...urls, ...urls] }, /2 or 3 relays, not 4/],
    [{ hops: [urls[0]!, `${urls[0]}/`] }, /in the path twice/],
    [{ hops: urls, tcp: 22 }, /no TCP or UDP ports/],
    [{ hops: 2, relay: urls, udp: 53, target: undefined }, /no TCP or UDP ports/],
    [{ hops: urls, group: 'web' }, /no group/],
    [{ hops: urls, maxRelays: 2 }, /leave out how many relays/],
    [{ hops: urls, discovery: true }, /leave out discovery/],
    [{ hops: 2 }, /no relay/],
    [{ relay: urls, passVisitorAddress: true }, /give hops/],
  ] as [Partial<ExposeOptions>, RegExp][]) {
    const { error } = await expose({ target: 3000, ...options }).closed;
    assert.match(error?.message ?? '', message);
  }
  const mesh = await startLoopbackMesh(t, 1);
  const plain = await relayFor(t);
  const ca = mesh.ca + plain.ca;
  const { tunnel } = startTunnel(t, { url: '', ca }, 3000, {
    hops: [mesh.relays[0]!.url, plain.url],
    relay: undefined,
  });
  const { error } = await tunnel.closed;
  assert.match(error?.message ?? '', new RegExp(`${new URL(plain.url).host}.*has no overlay|takes no part`));
});

test('a path is chosen at random, near relays more often, and no two on one host or network', () => {
  const relay = (url: string, more: Partial<FoundRelay> = {}): FoundRelay => ({
    url: `https://${url}`,
    named: true,
    reachable: true,
    latencyMs: 10,
    facts: {
      address: url,
      version: '2',
      supportsTcp: false,
      supportsUdp: false,
      activeConnections: 0,
      tcpBps: 0,
      issuedAt: '',
      expiresAt: '',
      overlay: { publicKey: 'key', port: 51_820 },
    },
    ...more,
  });
  const names = (path: string[] | undefined) => path?.map((url) => new URL(url).host.split('.')[0]).join('');
  const usual = [relay('a.test'), relay('b.test'), relay('c.test')];
  const seen = new Set(Array.from({ length: 300 }, () => names(choosePath(usual, { length: 2 }))));
  assert.equal(seen.size, 6);
  assert.equal(choosePath(usual, { length: 4 }), undefined);
  assert.match(names(choosePath(usual, { length: 3, entry: 'https://c.test' }))!, /^c/);
  assert.doesNotMatch(names(choosePath(usual, { length: 2, barred: new Set(['https://a.test']) }))!, /a/);
  const facts = { ...relay('d.test').facts! };
  delete facts.overlay;
  for (const unfit of [relay('d.test', { reachable: false }), relay('d.test', { facts }), relay('a.test:8443')])
    assert.equal(choosePath([relay('a.test'), unfit], { length: 2 }), undefined);
  const at = (remoteAddress: string) => ({ remoteAddress });
  const near = [relay('a.test', at('8.8.8.1')), relay('b.test', at('8.8.8.200'))];
  assert.equal(choosePath(near, { length: 2 }), undefined);
  assert.ok(choosePath([near[0]!, relay('b.test', at('8.8.9.1'))], { length: 2 }));
  assert.ok(choosePath([relay('a.test', at('10.0.0.1')), relay('b.test', at('10.0.0.2'))], { length: 2 }));
  const far = [relay('a.test', { latencyMs: 10 }), relay('b.test', { latencyMs: 1_000 })];
  const firsts = Array.from({ length: 400 }, () => names(choosePath(far, { length: 1 })));
  assert.ok(firsts.filter((name) => name === 'a').length > 300);
  const struck = new Map([['https://a.test', 5]]);
  const after = Array.from({ length: 400 }, () => names(choosePath(usual, { length: 1, strikes: struck })));
  assert.ok(after.filter((name) => name === 'a').length < 40);
});
