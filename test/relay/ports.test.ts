import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Wallet } from 'ethers';
import { WebSocket } from 'ws';
import { parseProxyHeader, proxyHeader } from '../../src/protocol/proxy-protocol.js';
import {
  type HeldLease,
  call,
  freshWallet,
  openSession,
  readAll,
  readBytes,
  register,
  sessionHeaders,
} from '../support/by-hand.js';
import { adminOf, leasePath } from '../support/admin.js';
import { type TestRelay, startTestRelay, withPorts, relayFor } from '../support/relay.js';
import { readOpening, visit } from '../support/tenant.js';
import { until } from '../support/until.js';

type Settings = Partial<TestRelay['config']>;

const codeOf = async (registering: Promise<unknown>): Promise<string> =>
  await registering.then(
    () => 'none',
    (error: Error) => /"code":"(\w+)"/.exec(error.message)?.[1] ?? error.message,
  );
const token = (lease: HeldLease) => ({ 'X-Portal-Access-Token': lease.token });
const unregister = async (relay: TestRelay, lease: HeldLease) =>
  assert.equal((await call(relay, 'POST', '/sdk/unregister', { body: {}, token: lease.token })).status, 200);

async function dial(t: TestContext, port: number | undefined, localAddress?: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: port ?? 0, localAddress, allowHalfOpen: true, noDelay: true });
  t.after(() => socket.destroy());
  // Most sessions are torn down under their visitor when a test is done with both.
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** How a connection to the port ends that nobody serves. */
async function fateOf(t: TestContext, port: number | undefined): Promise<string> {
  try {
    const socket = await dial(t, port);
    await once(socket.resume(), 'end');
    return 'ended';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'odd';
  }
}

/** Holds a port as another program would. */
async function occupy(t: TestContext, port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return server;
}

function openWebSocket(t: TestContext, relay: TestRelay, lease: HeldLease) {
  const socket = new WebSocket(`wss://127.0.0.1:${relay.apiPort}/sdk/connect`, ['portal.reverse'], {
    // `ws` hands its options on to tls.connect, which its types do not know.
    ...({ ca: relay.ca, servername: relay.rootHost } as object),
    headers: token(lease),
  });
  t.after(() => socket.terminate());
  return { socket, opened: once(socket, 'open') };
}

async function readStart(socket: Socket): Promise<number> {
  let marker = 0;
  while (marker === 0) marker = (await readBytes(socket, 1))[0] as number;
  return marker;
}

test('a TCP port connection uses a session without binding: 0x01, then the visitor’s bytes, with half-close', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'plain', tcp: true });
  const { first, last } = relay.config.portRange!;
  assert.ok(lease.tcpPort! >= first && lease.tcpPort! <= last && lease.udpPort === undefined);
  const { socket: session, status } = await openSession(relay, token(lease));
  assert.equal(status, 200);
  const visitor = await dial(t, lease.tcpPort);
  visitor.end('ping');
  assert.equal(await readStart(session), 1);
  assert.equal((await readAll(session)).toString(), 'ping');
  session.end('pong');
  assert.equal((await readAll(visitor)).toString(), 'pong');
});

test('with X-Portal-Proxy the PROXY header follows 0x01 directly, even on a session with a binding', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'who', tcp: true });
  const { socket: session } = await openSession(relay, { ...sessionHeaders(lease.token), 'X-Portal-Proxy': '2' });
  const visitor = await dial(t, lease.tcpPort, '127.0.0.5');
  visitor.end('!');
  assert.equal(await readStart(session), 1);
  const header = parseProxyHeader(await readBytes(session, 28), 'v2');
  assert.deepEqual(header?.addresses, {
    source: { address: '127.0.0.5', port: visitor.localPort },
    destination: { address: '127.0.0.1', port: lease.tcpPort },
  });
  assert.equal((await readAll(session)).toString(), '!');
  session.destroy();
});

test('a session without a binding never serves TLS, and is refused for a lease without a port', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const [lease, without] = [
    await register(relay, { name: 'both', tcp: true }),
    await register(relay, { name: 'without' }),
  ];
  const refused = await openSession(relay, token(without));
  assert.deepEqual([refused.status, refused.body.error.code], [503, 'feature_unavailable']);
  const { socket: session } = await openSession(relay, token(lease));
  // Its place in the queue is the first; a visitor of the name waits for another all the same.
  const tlsVisitor = visit(relay, lease.hostname);
  const { socket: bound } = await openSession(relay, sessionHeaders(lease.token));
  await readOpening(bound);
  const visitor = await dial(t, lease.tcpPort);
  visitor.write('x');
  assert.equal(await readStart(session), 1);
  for (const socket of [session, bound, tlsVisitor]) socket.destroy();
});

test('a trusted load balancer gives the visitor address on TCP ports too', async (t) => {
  const relay = await relayFor(t, { ...(await withPorts(2)), proxyProtocolFrom: ['127.0.0.6'] });
  const lease = await register(relay, { name: 'behind', tcp: true });
  const { socket: session } = await openSession(relay, { ...token(lease), 'X-Portal-Proxy': '2' });
  const visitor = await dial(t, lease.tcpPort, '127.0.0.6');
  const addresses = {
    source: { address: '203.0.113.9', port: 5 },
    destination: { address: '198.51.100.1', port: 22 },
  };
  visitor.end(Buffer.concat([proxyHeader(addresses), Buffer.from('hi')]));
  assert.equal(await readStart(session), 1);
  assert.deepEqual(parseProxyHeader(await readBytes(session, 28), 'v2')?.addresses, addresses);
  assert.equal((await readAll(session)).toString(), 'hi');
  session.destroy();
});

test('a visitor is reset, not ended, when the session breaks', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'breaks', tcp: true });
  const { socket: session, opened } = openWebSocket(t, relay, lease);
  await opened;
  const visitor = await dial(t, lease.tcpPort);
  const [start] = (await once(session, 'message')) as [Buffer];
  assert.equal(start[0], 1);
  const broken = once(visitor.resume(), 'error') as Promise<[NodeJS.ErrnoException]>;
  session.send(Buffer.from('half an answ'), () => session.terminate());
  assert.equal((await broken)[0].code, 'ECONNRESET');
});

test('TCP port visitors count against the limits by lease and source, and are reset above them', async (t) => {
  const relay = await relayFor(t, { ...(await withPorts(2)), maxConnectionsPerLease: 1 });
  const lease = await register(relay, { name: 'full', tcp: true });
  const { socket: session } = await openSession(relay, token(lease));
  const visitor = await dial(t, lease.tcpPort);
  visitor.write('x');
  await readStart(session);
  assert.equal(await fateOf(t, lease.tcpPort), 'ECONNRESET');
  const few = await relayFor(t, { ...(await withPorts(2)), maxConnectionsPerSource: 1 });
  const other = await register(few, { name: 'few', tcp: true });
  await dial(t, other.tcpPort);
  // Each connection of a source counts, whichever public port it is on.
  assert.equal(await fateOf(t, few.publicPort), 'ended');
  session.destroy();
});

test('a port belongs to one lease; a full range and a reached limit have their own error codes', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const [one, two] = [
    await register(relay, { name: 'one', tcp: true }),
    await register(relay, { name: 'two', tcp: true }),
  ];
  assert.notEqual(one.tcpPort, two.tcpPort);
  assert.equal(await codeOf(register(relay, { name: 'three', tcp: true })), 'tcp_port_exhausted');
  assert.equal(await codeOf(register(relay, { name: 'three' })), 'none');

  const capped = await relayFor(t, await withPorts(3, { tcp: { maxLeases: 1 } }));
  const held = await register(capped, { name: 'held', tcp: true });
  assert.equal(await codeOf(register(capped, { name: 'more', tcp: true })), 'tcp_port_capacity_exceeded');
  // The same identity again takes no more room.
  const again = await register(capped, { name: 'held', wallet: held.wallet, tcp: true });
  assert.equal(again.tcpPort, held.tcpPort);
  await unregister(capped, again);
  assert.equal(await codeOf(register(capped, { name: 'more', tcp: true })), 'none');
});

test('a relay without ports, or with ports turned off, refuses the challenge with its error code', async (t) => {
  const challenge = async (settings: Settings, want: object) => {
    const relay = await relayFor(t, settings);
    const body = { identity: { name: 'asks', address: freshWallet().address }, ...want };
    const answer = await call(relay, 'POST', '/sdk/register/challenge', { body });
    return [answer.status, answer.body.error.code];
  };
  assert.deepEqual(await challenge({}, { tcp_enabled: true }), [503, 'feature_unavailable']);
  assert.deepEqual(await challenge({}, { udp_enabled: true }), [503, 'feature_unavailable']);
  const off = await withPorts(2, { tcp: { enabled: false }, udp: { enabled: false } });
  assert.deepEqual(await challenge(off, { tcp_enabled: true }), [403, 'tcp_port_disabled']);
  assert.deepEqual(await challenge(off, { udp_enabled: true }), [403, 'udp_disabled']);
});

test('a port in use by another program is skipped', async (t) => {
  const settings = await withPorts(3);
  const { first } = settings.portRange!;
  await occupy(t, first);
  await occupy(t, first + 2);
  const relay = await relayFor(t, settings);
  assert.equal((await register(relay, { name: 'lucky', tcp: true })).tcpPort, first + 1);
  assert.equal(await codeOf(register(relay, { name: 'late', tcp: true })), 'tcp_port_exhausted');
});

test('renewing and registering again keep the port; registering without it releases it', async (t) => {
  const relay = await relayFor(t, await withPorts(3));
  const lease = await register(relay, { name: 'stays', tcp: true });
  assert.equal((await call(relay, 'POST', '/sdk/renew', { body: {}, token: lease.token })).status, 200);
  const again = await register(relay, { name: 'stays', wallet: lease.wallet, tcp: true });
  assert.equal(again.tcpPort, lease.tcpPort);
  const { socket: session } = await openSession(relay, token(again));
  const visitor = await dial(t, again.tcpPort);
  visitor.end('x');
  assert.equal(await readStart(session), 1);
  session.destroy();
  const without = await register(relay, { name: 'stays', wallet: lease.wallet });
  assert.equal(without.tcpPort, undefined);
  assert.equal(await fateOf(t, lease.tcpPort), 'ECONNREFUSED');
});

test('an unregistered port closes at once, is reserved for its identity for 5 minutes, and live connections finish', async (t) => {
  const relay = await relayFor(t, await withPorts(1));
  const lease = await register(relay, { name: 'mine', tcp: true });
  const { socket: session } = await openSession(relay, token(lease));
  const visitor = await dial(t, lease.tcpPort);
  visitor.write('x');
  await readStart(session);
  await unregister(relay, lease);
  assert.equal(await fateOf(t, lease.tcpPort), 'ECONNREFUSED');
  session.end('done');
  assert.equal((await readAll(visitor)).toString(), 'done');
  // The name is anybody's, the port is not.
  const other = freshWallet();
  assert.equal(await codeOf(register(relay, { name: 'mine', wallet: other, tcp: true })), 'tcp_port_exhausted');
  assert.equal((await register(relay, { name: 'mine', wallet: lease.wallet, tcp: true })).tcpPort, lease.tcpPort);
  await unregister(relay, await register(relay, { name: 'mine', wallet: lease.wallet, tcp: true }));
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 299_000 });
  assert.equal(await codeOf(register(relay, { name: 'other', wallet: other, tcp: true })), 'tcp_port_exhausted');
  t.mock.timers.setTime(Date.now() + 2_000);
  assert.equal((await register(relay, { name: 'other', wallet: other, tcp: true })).tcpPort, lease.tcpPort);
});

test('when a lease expires its port and its connections close', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'brief', ttl: 30, tcp: true });
  const { socket: session } = await openSession(relay, token(lease));
  const visitor = await dial(t, lease.tcpPort);
  visitor.write('x');
  await readStart(session);
  const cut = once(visitor.resume(), 'close');
  visitor.on('error', () => {}).on('end', () => visitor.end());
  session.on('error', () => {}).resume();
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31_000 });
  await cut;
  assert.equal(await fateOf(t, lease.tcpPort), 'ECONNREFUSED');
  session.destroy();
});

test('allocated and reserved ports survive a restart of the relay', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'portal-ports-'));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const settings = { ...(await withPorts(2)), stateDir };
  const before = await startTestRelay(settings);
  const [held, kept] = [
    await register(before, { name: 'held', tcp: true }),
    await register(before, { name: 'kept', tcp: true }),
  ];
  await unregister(before, kept);
  await before.stop();
  const relay = await relayFor(t, { ...settings, sniPort: before.publicPort });
  // Before anybody registers again, the port is the lease's that still lives.
  const { socket: session, status } = await openSession(relay, token(held));
  assert.equal(status, 200);
  const visitor = await dial(t, held.tcpPort);
  visitor.end('x');
  assert.equal(await readStart(session), 1);
  session.destroy();
  assert.equal(await codeOf(register(relay, { name: 'new', tcp: true })), 'tcp_port_exhausted');
  assert.equal((await register(relay, { name: 'kept', wallet: kept.wallet, tcp: true })).tcpPort, kept.tcpPort);
  assert.equal((await register(relay, { name: 'held', wallet: held.wallet, tcp: true })).tcpPort, held.tcpPort);
});

test('a port that another program took during a restart returns when free; a new registration gets another', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'portal-ports-'));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const settings = { ...(await withPorts(3)), stateDir };
  const before = await startTestRelay(settings);
  const leases = [
    await register(before, { name: 'one', tcp: true }),
    await register(before, { name: 'two', tcp: true }),
  ] as const;
  await before.stop();
  const [squatter] = [await occupy(t, leases[0].tcpPort!), await occupy(t, leases[1].tcpPort!)];
  const relay = await relayFor(t, { ...settings, sniPort: before.publicPort });
  const again = await register(relay, { name: 'two', wallet: leases[1].wallet, tcp: true });
  assert.ok(!leases.some(({ tcpPort }) => tcpPort === again.tcpPort));
  await new Promise((resolve) => squatter.close(resolve));
  await until(async () => (await fateOf(t, leases[0].tcpPort)) !== 'ECONNREFUSED');
});

/** What a logged-in admin sets, by the path below /admin and its body. */
async function startAdmin(relay: TestRelay, wallet: Wallet) {
  const admin = await adminOf(relay, wallet);
  return {
    snapshot: () => admin.snapshot(),
    async set(path: string, body?: object) {
      const answer = await admin.post(path, body);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    },
  };
}

test('turning ports off closes them and their connections at once; turning them on restores them', async (t) => {
  const admin = freshWallet();
  const relay = await relayFor(t, { ...(await withPorts(2)), adminWallets: [admin.address] });
  const { set, snapshot } = await startAdmin(relay, admin);
  const lease = await register(relay, { name: 'switched', tcp: true });
  const { socket: session } = await openSession(relay, token(lease));
  const visitor = await dial(t, lease.tcpPort);
  visitor.write('x');
  await readStart(session);
  session.on('error', () => {});
  assert.equal((await snapshot()).leases[0].tcp_addr, `portal.localhost:${lease.tcpPort}`);
  const cut = once(visitor.resume(), 'error') as Promise<[NodeJS.ErrnoException]>;
  await set('/settings/tcp-port', { enabled: false, max_leases: 0 });
  assert.equal(await fateOf(t, lease.tcpPort), 'ECONNREFUSED');
  assert.equal((await cut)[0].code, 'ECONNRESET');
  assert.equal(await codeOf(register(relay, { name: 'late', tcp: true })), 'tcp_port_disabled');
  // The lease itself goes on, and so does its right to the port.
  assert.equal((await call(relay, 'POST', '/sdk/renew', { body: {}, token: lease.token })).status, 200);
  const { socket: next } = await openSession(relay, token(lease));
  await set('/settings/tcp-port', { enabled: true, max_leases: 1 });
  const again = await dial(t, lease.tcpPort);
  again.end('y');
  assert.equal(await readStart(next), 1);
  assert.equal(await codeOf(register(relay, { name: 'late', tcp: true })), 'tcp_port_capacity_exceeded');
  next.destroy();
});

test('a ban closes the port of the lease and its connections', async (t) => {
  const admin = freshWallet();
  const relay = await relayFor(t, { ...(await withPorts(2)), adminWallets: [admin.address] });
  const { set } = await startAdmin(relay, admin);
  const lease = await register(relay, { name: 'banned', tcp: true });
  const { socket: session } = await openSession(relay, token(lease));
  const visitor = await dial(t, lease.tcpPort);
  visitor.write('x');
  await readStart(session);
  session.on('error', () => {});
  const cut = once(visitor.resume(), 'error');
  await set(leasePath({ name: lease.name, address: lease.wallet.address }, 'ban'));
  await cut;
  assert.equal(await fateOf(t, lease.tcpPort), 'ECONNREFUSED');
});

test('a registration that gets only one of two ports releases it', async (t) => {
  const relay = await relayFor(t, await withPorts(2, { udp: { maxLeases: 1 } }));
  await register(relay, { name: 'first', udp: true });
  assert.equal(await codeOf(register(relay, { name: 'second', tcp: true, udp: true })), 'udp_capacity_exceeded');
  await register(relay, { name: 'third', tcp: true });
  assert.equal(await codeOf(register(relay, { name: 'fourth', tcp: true })), 'tcp_port_exhausted');
});

test('a port asked for by its number is granted, kept while registering again, and reserved for its identity', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const { first, last } = relay.config.portRange!;
  const asked = { name: 'game', tcp: true, udp: true, tcpPort: last, udpPort: first };
  const lease = await register(relay, asked);
  assert.deepEqual([lease.tcpPort, lease.udpPort], [last, first]);
  const again = await register(relay, { ...asked, wallet: lease.wallet });
  assert.deepEqual([again.tcpPort, again.udpPort], [last, first]);
  await unregister(relay, again);
  assert.equal(await codeOf(register(relay, { name: 'other', tcp: true, tcpPort: last })), 'tcp_port_exhausted');
  assert.equal(await codeOf(register(relay, { name: 'other', udp: true, udpPort: first })), 'udp_port_exhausted');
  assert.equal((await register(relay, { ...asked, wallet: lease.wallet })).tcpPort, last);
});

test('registering again with another number moves the port, and only once that succeeds', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const { first, last } = relay.config.portRange!;
  await occupy(t, first + 1);
  const other = await register(relay, { name: 'other', tcp: true, tcpPort: first + 2 });
  const lease = await register(relay, { name: 'game', tcp: true, tcpPort: first });
  const again = { name: 'game', wallet: lease.wallet, tcp: true };
  for (const taken of [first + 1, first + 2])
    assert.equal(await codeOf(register(relay, { ...again, tcpPort: taken })), 'tcp_port_exhausted');
  const { socket: session } = await openSession(relay, token(lease));
  const visitor = await dial(t, first);
  visitor.end('ping');
  assert.equal(await readStart(session), 1);
  session.destroy();
  const moved = await register(relay, { ...again, tcpPort: last });
  assert.equal(moved.tcpPort, last);
  assert.equal(await fateOf(t, first), 'ECONNREFUSED');
  const { socket: next } = await openSession(relay, token(moved));
  (await dial(t, last)).end('ping');
  assert.equal(await readStart(next), 1);
  next.destroy();
  assert.equal((await register(relay, { ...again, tcpPort: first })).tcpPort, first);
  await unregister(relay, other);
});

test('an identity that moves from port to port keeps one reservation, not all of them', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const { first, last } = relay.config.portRange!;
  const lease = await register(relay, { name: 'mover', tcp: true, tcpPort: first });
  const again = { name: 'mover', wallet: lease.wallet, tcp: true };
  for (const tcpPort of [first + 1, first + 2]) await register(relay, { ...again, tcpPort });
  assert.equal((await register(relay, { name: 'b', tcp: true, tcpPort: first })).tcpPort, first);
  assert.equal(await codeOf(register(relay, { name: 'c', tcp: true, tcpPort: first + 1 })), 'tcp_port_exhausted');
  assert.equal((await register(relay, { name: 'd', tcp: true, tcpPort: last })).tcpPort, last);
});

test("several UDP ports have consecutive numbers, are granted all or none, and stay their identity's", async (t) => {
  const relay = await relayFor(t, await withPorts(6));
  const { first } = relay.config.portRange!;
  const three = { name: 'game', udp: true, udpCount: 3 };
  const other = await register(relay, { name: 'other', udp: true, udpPort: first + 1 });
  assert.equal(other.udpCount, undefined);
  const lease = await register(relay, three);
  // The only three in a row that the other one leaves.
  assert.ok(lease.udpPort! > first + 1 && lease.udpPort! <= first + 3);
  assert.equal(lease.udpCount, 3);
  assert.equal(await codeOf(register(relay, { ...three, name: 'more' })), 'udp_port_exhausted');
  assert.equal(await codeOf(register(relay, { ...three, name: 'more', udpPort: first })), 'udp_port_exhausted');
  const again = await register(relay, { ...three, wallet: lease.wallet });
  assert.deepEqual([again.udpPort, again.udpCount], [lease.udpPort, 3]);
  await unregister(relay, again);
  for (const udpPort of [0, 1, 2].map((offset) => lease.udpPort! + offset))
    assert.equal(await codeOf(register(relay, { name: 'thief', udp: true, udpPort })), 'udp_port_exhausted');
  const back = await register(relay, { ...three, wallet: lease.wallet });
  assert.deepEqual([back.udpPort, back.udpCount], [lease.udpPort, 3]);
});

test('of several UDP ports none stays bound when one is in use by another program', async (t) => {
  const relay = await relayFor(t, await withPorts(3));
  const { first, last } = relay.config.portRange!;
  const foreign = createSocket('udp4');
  t.after(() => foreign.close());
  foreign.bind(last, '127.0.0.1');
  await once(foreign, 'listening');
  assert.equal(await codeOf(register(relay, { name: 'game', udp: true, udpCount: 3 })), 'udp_port_exhausted');
  for (const port of [first, first + 1]) {
    const free = createSocket('udp4');
    free.bind(port, '127.0.0.1');
    await once(free, 'listening');
    free.close();
    await once(free, 'close');
  }
  assert.equal((await register(relay, { name: 'game', udp: true, udpCount: 2 })).udpPort, first);
});

test('registering again with another count of UDP ports moves them, and gives the earlier ones back', async (t) => {
  const relay = await relayFor(t, await withPorts(8));
  const { first } = relay.config.portRange!;
  const { wallet } = await register(relay, { name: 'game', udp: true, udpPort: first });
  const again = { name: 'game', wallet, udp: true };
  const four = await register(relay, { ...again, udpCount: 4 });
  assert.ok(four.udpCount === 4 && four.udpPort! > first);
  // Its own live ones are in the way of others that overlap.
  const overlapping = { ...again, udpCount: 3, udpPort: four.udpPort! - 1 };
  assert.equal(await codeOf(register(relay, overlapping)), 'udp_port_exhausted');
  const two = await register(relay, { ...again, udpCount: 1, udpPort: first });
  assert.deepEqual([two.udpPort, two.udpCount], [first, undefined]);
  // The latest reservation only.
  await unregister(relay, two);
  const other = await register(relay, { name: 'other', udp: true, udpCount: 4, udpPort: four.udpPort! });
  assert.equal(other.udpCount, 4);
  assert.equal(await codeOf(register(relay, { name: 'x', udp: true, udpPort: first })), 'udp_port_exhausted');
});

test('several UDP ports survive a restart of the relay, owned or reserved', async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'portal-ports-'));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const settings = { ...(await withPorts(6)), stateDir };
  const before = await startTestRelay(settings);
  const held = await register(before, { name: 'held', udp: true, udpCount: 3, ttl: 60 });
  const gone = await register(before, { name: 'gone', udp: true, udpCount: 2 });
  await unregister(before, gone);
  await before.stop();
  const relay = await relayFor(t, { ...settings, sniPort: before.publicPort });
  const again = await register(relay, { name: 'held', wallet: held.wallet, udp: true, udpCount: 3 });
  assert.deepEqual([again.udpPort, again.udpCount], [held.udpPort, 3]);
  assert.equal(
    await codeOf(register(relay, { name: 'x', udp: true, udpPort: gone.udpPort! + 1 })),
    'udp_port_exhausted',
  );
  const back = await register(relay, { name: 'gone', wallet: gone.wallet, udp: true, udpCount: 2 });
  assert.equal(back.udpPort, gone.udpPort);
});

test('more UDP ports than a lease may have, or past the range, are an invalid request', async (t) => {
  const relay = await relayFor(t, { ...(await withPorts(6)), maxUdpPortsPerLease: 4 });
  const { last } = relay.config.portRange!;
  const ask = (options: object) => codeOf(register(relay, { name: 'a', udp: true, ...options }));
  for (const udpCount of [0, 5, 17, 1.5]) assert.equal(await ask({ udpCount }), 'invalid_request');
  assert.equal(await ask({ udpCount: 2, udpPort: last }), 'invalid_request');
  assert.equal(await ask({ udp: false, udpCount: 2 }), 'invalid_request');
  assert.equal((await register(relay, { name: 'a', udp: true, udpCount: 4 })).udpCount, 4);
});

test('a number outside the range, or of a port that is not asked for, is an invalid request', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const { first, last } = relay.config.portRange!;
  for (const tcpPort of [first - 1, last + 1, 1, 65_535])
    assert.equal(await codeOf(register(relay, { name: 'a', tcp: true, tcpPort })), 'invalid_request');
  for (const tcpPort of [0, 65_536, 1.5])
    assert.equal(await codeOf(register(relay, { name: 'a', tcp: true, tcpPort })), 'invalid_request');
  assert.equal(await codeOf(register(relay, { name: 'a', udp: true, tcpPort: first })), 'invalid_request');
  assert.equal(await codeOf(register(relay, { name: 'a', udpPort: first })), 'invalid_request');
});
