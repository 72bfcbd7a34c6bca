import assert from 'node:assert/strict';
import { type Socket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { decodeDatagram, encodeDatagram, maxPayloadBytes } from '../../src/protocol/datagram-frame.js';
import { maxFlowsPerSource } from '../../src/relay/datagrams/flows.js';
import { adminOf, leasePath } from '../support/admin.js';
import { type HeldLease, call, freshWallet, register } from '../support/by-hand.js';
import { monotonicClock } from '../support/monotonic-clock.js';
import { type TestRelay, startTestRelay, withPorts, relayFor } from '../support/relay.js';
import { until } from '../support/until.js';

/** A public peer, which keeps what it was sent. */
async function openPeer(
  t: TestContext,
  port: number | undefined,
): Promise<{ socket: Socket; next(): Promise<string> }> {
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.connect(port ?? 0, '127.0.0.1');
  await once(socket, 'connect');
  const queue: string[] = [];
  socket.on('message', (payload) => queue.push(payload.toString()));
  socket.on('error', () => {});
  return {
    socket,
    async next() {
      await until(() => queue.length > 0);
      return queue.shift() as string;
    },
  };
}

interface Carrier {
  socket: WebSocket;
  next(): Promise<{ flow: number; text: string }>;
  send(flow: number, text: string): void;
  closed: Promise<unknown>;
}

function offer(relay: TestRelay, token: string, protocols = ['portal.datagram']): WebSocket {
  return new WebSocket(`wss://127.0.0.1:${relay.apiPort}/sdk/connect`, protocols, {
    // `ws` hands its options on to tls.connect, which its types do not know.
    ...({ ca: relay.ca, servername: relay.rootHost } as object),
    headers: token === '' ? {} : { 'X-Portal-Access-Token': token },
  });
}

async function openCarrier(
  t: TestContext,
  relay: TestRelay,
  lease: HeldLease,
  socket = offer(relay, lease.token),
): Promise<Carrier> {
  t.after(() => socket.terminate());
  const queue: Buffer[] = [];
  socket.on('message', (bytes: Buffer) => queue.push(bytes));
  socket.on('error', () => {});
  await once(socket, 'open');
  assert.equal(socket.protocol, 'portal.datagram');
  return {
    socket,
    async next() {
      await until(() => queue.length > 0);
      const { flow, payload } = decodeDatagram(queue.shift() as Buffer)!;
      return { flow, text: payload.toString() };
    },
    send: (flow, text) => socket.send(encodeDatagram(flow, Buffer.from(text))),
    closed: once(socket, 'close'),
  };
}

async function refusalOf(socket: WebSocket): Promise<[number, string]> {
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    NodeJS.ReadableStream & { statusCode: number },
  ];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return [response.statusCode, JSON.parse(body).error.code];
}

test('each peer is a flow, datagram boundaries are kept, and responses reach the right peer', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'udp', udp: true });
  assert.ok(lease.udpPort !== undefined && lease.tcpPort === undefined);
  const carrier = await openCarrier(t, relay, lease);
  const [one, two] = [await openPeer(t, lease.udpPort), await openPeer(t, lease.udpPort)];
  one.socket.send('first');
  assert.deepEqual(await carrier.next(), { flow: 1, text: 'first' });
  two.socket.send('second');
  assert.deepEqual(await carrier.next(), { flow: 2, text: 'second' });
  one.socket.send('');
  assert.deepEqual(await carrier.next(), { flow: 1, text: '' });
  const large = 'x'.repeat(maxPayloadBytes);
  one.socket.send(large);
  assert.deepEqual(await carrier.next(), { flow: 1, text: large });
  carrier.send(2, 'to two');
  carrier.send(1, 'to one');
  carrier.send(1, '');
  carrier.send(1, large);
  assert.equal(await two.next(), 'to two');
  assert.deepEqual([await one.next(), await one.next(), await one.next()], ['to one', '', large]);
});

test('datagrams for unknown flows and invalid frames are dropped without closing the carrier', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'odd', udp: true });
  const carrier = await openCarrier(t, relay, lease);
  const peer = await openPeer(t, lease.udpPort);
  peer.socket.send('hello');
  const { flow } = await carrier.next();
  for (const bytes of ['', '80', 'ffffffffffffffff7f', 'ffffffffffffffffff7f'])
    carrier.socket.send(Buffer.from(bytes, 'hex'));
  carrier.send(flow + 1, 'nobody');
  carrier.send(flow, 'somebody');
  assert.equal(await peer.next(), 'somebody');
  const counters = relay.relay.datagrams.countersOf(lease.hostname);
  assert.deepEqual([counters?.up, counters?.dropped.malformed, counters?.dropped.unknown_flow], [1, 4, 1]);
});

test('a text message, or a too large one, closes the carrier', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'text', udp: true });
  const text = await openCarrier(t, relay, lease);
  text.socket.send('text');
  await text.closed;
  const large = await openCarrier(t, relay, lease);
  large.socket.send(Buffer.alloc(maxPayloadBytes + 9));
  await large.closed;
});

test('a flow ends when its peer sends nothing for 30 s, and its id is not reused', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'idle', ttl: 3_600, udp: true });
  const carrier = await openCarrier(t, relay, lease);
  const [peer, other] = [await openPeer(t, lease.udpPort), await openPeer(t, lease.udpPort)];
  peer.socket.send('hello');
  assert.equal((await carrier.next()).flow, 1);
  const advance = monotonicClock(t);
  advance(29_000);
  carrier.send(1, 'still here');
  assert.equal(await peer.next(), 'still here');
  advance(2_000);
  carrier.send(1, 'gone');
  other.socket.send('ping');
  assert.equal((await carrier.next()).flow, 2);
  peer.socket.send('hello again');
  assert.equal((await carrier.next()).flow, 3);
  carrier.send(3, 'welcome back');
  assert.equal(await peer.next(), 'welcome back');
  assert.equal(relay.relay.datagrams.countersOf(lease.hostname)?.dropped.unknown_flow, 1);
});

test('above the limit of a source its least recently used flow is evicted; datagrams without a tunnel are counted', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'many', ttl: 600, udp: true });
  const early = await openPeer(t, lease.udpPort);
  early.socket.send('nobody takes this');
  const counters = () => relay.relay.datagrams.countersOf(lease.hostname)!;
  await until(() => counters().dropped.no_tunnel !== 0);
  const carrier = await openCarrier(t, relay, lease);
  const [busy, quiet] = [await openPeer(t, lease.udpPort), await openPeer(t, lease.udpPort)];
  quiet.socket.send('quiet');
  busy.socket.send('busy');
  const flows = { quiet: (await carrier.next()).flow, busy: (await carrier.next()).flow };
  const peers: Socket[] = [];
  t.after(() => peers.forEach((peer) => peer.close()));
  for (let count = 0; count < maxFlowsPerSource - 1; count++) {
    const peer = createSocket('udp4');
    peers.push(peer);
    // One after the other: the system drops what comes too fast, and counts it where we do not look.
    peer.send('x', lease.udpPort, '127.0.0.1');
    await carrier.next();
    if (count > 0) continue;
    busy.socket.send('still here');
    await carrier.next();
  }
  assert.equal(relay.relay.datagrams.flows, maxFlowsPerSource);
  carrier.send(flows.quiet, 'too late');
  carrier.send(flows.busy, 'in time');
  assert.equal(await busy.next(), 'in time');
  assert.deepEqual([counters().dropped.unknown_flow, counters().dropped.no_tunnel], [1, 1]);
});

test('a tunnel that does not read has a bounded queue: the oldest datagrams are dropped', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'slow', ttl: 600, udp: true });
  const carrier = await openCarrier(t, relay, lease);
  const peer = await openPeer(t, lease.udpPort);
  (carrier.socket as unknown as { _socket: Socket & { pause(): void; resume(): void } })._socket.pause();
  const counters = () => relay.relay.datagrams.countersOf(lease.hostname)!;
  const payload = Buffer.alloc(32_768, 'x');
  let last = 0;
  while (counters().dropped.slow_tunnel === 0) {
    for (let count = 0; count < 16; count++) {
      payload.writeUInt32BE(++last);
      await new Promise<void>((resolve) => peer.socket.send(payload, () => resolve()));
    }
    await new Promise(setImmediate);
  }
  // Fresh ones come through, older ones are missing.
  const numbers: number[] = [];
  carrier.socket.on('message', (bytes: Buffer) => numbers.push(decodeDatagram(bytes)!.payload.readUInt32BE()));
  (carrier.socket as unknown as { _socket: Socket & { resume(): void } })._socket.resume();
  while (numbers.at(-1) !== 0xffff_ffff) {
    payload.writeUInt32BE(0xffff_ffff);
    peer.socket.send(payload);
    await new Promise(setImmediate);
  }
  const sorted = [...new Set(numbers)];
  assert.deepEqual(
    sorted,
    [...sorted].sort((a, b) => a - b),
  );
  assert.ok(sorted.length - 1 < last, `${sorted.length - 1} of ${last} came through`);
});

test('a new datagram carrier replaces the old one', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const lease = await register(relay, { name: 'twice', udp: true });
  const old = await openCarrier(t, relay, lease);
  const peer = await openPeer(t, lease.udpPort);
  peer.socket.send('a');
  await old.next();
  const carrier = await openCarrier(t, relay, lease);
  await old.closed;
  peer.socket.send('b');
  const { flow, text } = await carrier.next();
  assert.equal(text, 'b');
  carrier.send(flow, 'c');
  assert.equal(await peer.next(), 'c');
});

test('turning UDP off closes the port at once; turning it on resumes over the same carrier', async (t) => {
  const wallet = freshWallet();
  const relay = await startTestRelay({ ...(await withPorts(2)), adminWallets: [wallet.address] });
  t.after(() => relay.stop());
  const admin = await adminOf(relay, wallet);
  const lease = await register(relay, { name: 'switched', ttl: 600, udp: true });
  const carrier = await openCarrier(t, relay, lease);
  const peer = await openPeer(t, lease.udpPort);
  peer.socket.send('one');
  const { flow } = await carrier.next();
  assert.equal((await admin.post('/settings/udp', { enabled: false, max_leases: 0 })).status, 200);
  // Nothing listens there: the system says so to a peer that asks.
  const refused = once(peer.socket, 'error') as Promise<[NodeJS.ErrnoException]>;
  peer.socket.send('two');
  assert.equal((await refused)[0].code, 'ECONNREFUSED');
  carrier.send(flow, 'to nobody');
  await assert.rejects(register(relay, { name: 'late', udp: true }), /"udp_disabled"/);
  assert.equal((await admin.post('/settings/udp', { enabled: true, max_leases: 0 })).status, 200);
  await register(relay, { name: 'late', udp: true });
  peer.socket.send('three');
  assert.equal((await carrier.next()).text, 'three');
});

test('a bandwidth limit applies to datagrams, and dropped ones are counted', async (t) => {
  const wallet = freshWallet();
  const relay = await startTestRelay({ ...(await withPorts(2)), adminWallets: [wallet.address] });
  t.after(() => relay.stop());
  const admin = await adminOf(relay, wallet);
  const lease = await register(relay, { name: 'narrow', ttl: 600, udp: true });
  await openCarrier(t, relay, lease);
  const peer = await openPeer(t, lease.udpPort);
  assert.equal(
    (await admin.post(leasePath({ name: lease.name, address: lease.wallet.address }, 'bps'), { bps: 1_000 })).status,
    200,
  );
  const counters = () => relay.relay.datagrams.countersOf(lease.hostname)!;
  for (let sent = 1; sent <= 20; sent++) {
    peer.socket.send(Buffer.alloc(50_000));
    await until(() => counters().up + counters().dropped.bandwidth >= sent);
  }
  // A megabyte at a kilobyte a second: what the limit lets pass at once, and no more.
  assert.ok(counters().up <= 3 && counters().dropped.bandwidth >= 17, JSON.stringify(counters()));
});

test('a carrier needs a lease with UDP and a valid token, and ends with its lease', async (t) => {
  const relay = await relayFor(t, await withPorts(2));
  const [lease, without] = [
    await register(relay, { name: 'with', udp: true }),
    await register(relay, { name: 'without' }),
  ];
  assert.deepEqual(await refusalOf(offer(relay, without.token)), [409, 'transport_mismatch']);
  assert.deepEqual(await refusalOf(offer(relay, '')), [401, 'unauthorized']);
  // As a browser says it.
  const byProtocol = offer(relay, '', ['portal.datagram', `portal.token.${lease.token}`]);
  const carrier = await openCarrier(t, relay, lease, byProtocol);
  const status = await call(relay, 'GET', `/tunnel/status?hostname=${lease.hostname}`, { token: lease.token });
  assert.equal(status.body.data.service_alive, true);
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token: lease.token });
  await carrier.closed;
});

test('UDP and TCP of one lease get the same port if free, and the domain response advertises datagrams', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const lease = await register(relay, { name: 'dns', tcp: true, udp: true });
  assert.equal(lease.udpPort, lease.tcpPort);
  const transports = async (of: TestRelay) => (await call(of, 'GET', '/sdk/domain')).body.data.transports;
  assert.deepEqual(await transports(relay), ['raw', 'websocket', 'datagram-websocket']);
  assert.deepEqual(await transports(await relayFor(t, await withPorts(2, { udp: { enabled: false } }))), [
    'raw',
    'websocket',
  ]);
});

test('UDP leases are limited by setting and by free ports', async (t) => {
  const refused = (code: string) => new RegExp(`"${code}"`);
  const relay = await relayFor(t, await withPorts(1));
  await register(relay, { name: 'one', udp: true });
  await assert.rejects(register(relay, { name: 'two', udp: true }), refused('udp_port_exhausted'));
  const capped = await relayFor(t, await withPorts(3, { udp: { maxLeases: 1 } }));
  await register(capped, { name: 'one', udp: true });
  await assert.rejects(register(capped, { name: 'two', udp: true }), refused('udp_capacity_exceeded'));
});
