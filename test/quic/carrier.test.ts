import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { maxQuicHellosPerSource } from '../../src/relay/datagrams/quic-listener.js';
import { maxQuicMessageBytes } from '../../src/streams/quic/quic-message.js';
import { adminOf, leasePath } from '../support/admin.js';
import { call, freshWallet, register } from '../support/by-hand.js';
import { certificateFiles } from '../support/certificates.js';
import { connectQuic, hello, openQuicCarrier, say, startUdpPath } from '../support/quic.js';
import { type TestRelay, freePort, withPorts, relayFor } from '../support/relay.js';
import { openPeer } from '../support/udp.js';
import { until } from '../support/until.js';

const transportsOf = async (relay: TestRelay) => (await call(relay, 'GET', '/sdk/domain')).body.data.transports;
const urlOf = (port: number | undefined) => `udp://portal.localhost:${port}`;
const nextOf = async (socket: ReturnType<typeof createSocket>) =>
  ((await once(socket, 'message')) as [Buffer])[0].toString();

test('datagrams go both ways over QUIC, their boundaries kept, and responses reach the right peer', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  assert.deepEqual(await transportsOf(relay), ['raw', 'websocket', 'datagram-websocket', 'quic']);
  const lease = await register(relay, { name: 'udp', udp: true });
  const carrier = await openQuicCarrier(t, relay, lease.token);
  const [one, two] = [await openPeer(t, urlOf(lease.udpPort)), await openPeer(t, urlOf(lease.udpPort))];
  one.send('first');
  assert.deepEqual(await carrier.next(), { flow: 1, text: 'first' });
  two.send('second');
  assert.deepEqual(await carrier.next(), { flow: 2, text: 'second' });
  one.send('');
  assert.deepEqual(await carrier.next(), { flow: 1, text: '' });
  const answers = [nextOf(one), nextOf(two)];
  carrier.send(3, 'nobody');
  carrier.send(2, 'to two');
  carrier.send(1, 'to one');
  assert.deepEqual(await Promise.all(answers), ['to one', 'to two']);
  const counters = relay.relay.datagrams.countersOf(lease.hostname)!;
  assert.deepEqual([counters.up, counters.dropped.unknown_flow], [3, 1]);
});

test('quic is advertised only while UDP leases are available and the listener is open', async (t) => {
  const { policy, ...ports } = await withPorts(4);
  const off = { ...policy, udp: { enabled: false, maxLeases: 0 } };
  assert.deepEqual(await transportsOf(await relayFor(t, { ...(await withPorts(4)), ...ports, policy: off })), [
    'raw',
    'websocket',
  ]);
  const without = { loadQuic: () => Promise.reject(new Error('not here')) };
  assert.deepEqual(await transportsOf(await relayFor(t, await withPorts(4), without)), [
    'raw',
    'websocket',
    'datagram-websocket',
  ]);
  const port = await freePort();
  const squatter = createSocket('udp4').bind(port, '127.0.0.1');
  t.after(() => squatter.close());
  await once(squatter, 'listening');
  const crowded = await relayFor(t, { ...(await withPorts(4)), sniPort: port });
  assert.deepEqual(await transportsOf(crowded), ['raw', 'websocket', 'datagram-websocket']);
});

test('an invalid token, no token, or a token without UDP is refused with its code, and the connection closed', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const without = await register(relay, { name: 'without' });
  const cases: [string, string][] = [
    [hello('nonsense'), 'unauthorized'],
    ['{}', 'unauthorized'],
    [hello(without.token), 'transport_mismatch'],
    [hello(5), 'invalid_request'],
  ];
  for (const [text, code] of cases) {
    const session = await connectQuic(t, relay);
    const closed = once(session, 'close');
    assert.deepEqual(JSON.parse(await say(session, text)), { ok: false, error: code });
    await closed;
  }
});

test('another ALPN protocol, or an untrusted certificate, gets no connection', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  await assert.rejects(connectQuic(t, relay, { alpn: 'h3' }));
  await assert.rejects(connectQuic(t, relay, { servername: 'other.example' }));
  const { certPem } = await certificateFiles('portal.localhost');
  await assert.rejects(connectQuic(t, relay, { ca: certPem }));
});

test('an oversized or non-JSON first stream, a second stream, or silence closes the connection', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const lease = await register(relay, { name: 'odd', ttl: 600, udp: true });
  const silent = await connectQuic(t, relay);
  const timedOut = once(silent, 'close');

  const large = await connectQuic(t, relay);
  assert.equal(await say(large, `{"access_token":"${'x'.repeat(maxQuicMessageBytes)}`), '');

  const ended = await connectQuic(t, relay);
  const closed = once(ended, 'close');
  const stream = ended.openStream();
  stream.on('error', () => {});
  stream.end('hello');
  await closed;

  const twice = await openQuicCarrier(t, relay, lease.token);
  // The library opens none that is not allowed; this is one of the other kind, as another client might.
  const raw = twice.session as unknown as {
    _eventLoop: { streamSend(id: number, data: Buffer, fin: boolean): number };
  };
  raw._eventLoop.streamSend(2, Buffer.from('x'), false);
  await twice.closed;
  await timedOut;
});

test('aborted streams, known or not, have no effect', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const lease = await register(relay, { name: 'broken', ttl: 600, udp: true });
  // What the library's own streams do not do, and another client may.
  interface Raw {
    streamSend(id: number, data: Buffer, fin: boolean): number;
    streamClose(id: number, code: number): boolean;
  }
  const rawOf = (session: unknown) => (session as { _eventLoop: Raw })._eventLoop;
  for (const ids of [[0], [2], [0, 2, 6], [0, 0], [2, 2, 0]]) {
    for (const isAdmitted of [false, true]) {
      const session = isAdmitted ? (await openQuicCarrier(t, relay, lease.token)).session : await connectQuic(t, relay);
      const raw = rawOf(session);
      for (const id of ids) {
        raw.streamSend(id, Buffer.alloc(100, '{'), false);
        await new Promise(setImmediate);
        raw.streamClose(id, 7);
        raw.streamSend(id, Buffer.alloc(100), true);
      }
      // Another's handshake comes after all of it.
      await (await connectQuic(t, relay)).close();
      await session.close();
    }
  }
  const carrier = await openQuicCarrier(t, relay, lease.token);
  const peer = await openPeer(t, urlOf(lease.udpPort));
  peer.send('still here');
  assert.equal((await carrier.next()).text, 'still here');
});

test('unauthenticated connections are limited by source, and their datagrams are dropped', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const lease = await register(relay, { name: 'one', ttl: 600, udp: true });
  const carrier = await openQuicCarrier(t, relay, lease.token);
  const silent = await Promise.all(Array.from({ length: maxQuicHellosPerSource }, () => connectQuic(t, relay)));
  silent[0]!.sendDatagram(Buffer.from('\u0001too early'));
  const refused = await connectQuic(t, relay).catch(() => undefined);
  if (refused) await once(refused, 'close');
  // Who is in is not touched by it.
  const peer = await openPeer(t, urlOf(lease.udpPort));
  peer.send('still here');
  const { flow } = await carrier.next();
  const answer = nextOf(peer);
  carrier.send(flow, 'yes');
  assert.equal(await answer, 'yes');
  const closing = once(silent[1]!, 'close');
  await silent[1]!.close();
  await closing;
  await Promise.all(silent.map((session) => session.close()));
  await openQuicCarrier(t, relay, lease.token);
});

test('non-QUIC and truncated packets do no harm', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const lease = await register(relay, { name: 'calm', ttl: 600, udp: true });
  const carrier = await openQuicCarrier(t, relay, lease.token);
  const stranger = createSocket('udp4');
  t.after(() => stranger.close());
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647);
  for (let count = 0; count < 3_000; count++) {
    const packet = Buffer.from(
      Array.from({ length: count % 5 === 0 ? 1_200 : random() % 1_300 }, () => random() & 0xff),
    );
    // Long headers of this version and of another, short headers, and noise.
    if (count % 4 < 2 && packet.length > 20) {
      packet[0] = 0xc0 | (random() & 0x3f);
      packet.writeUInt32BE(count % 4 === 0 ? 1 : random(), 1);
      packet[5] = random() % 24;
    } else if (count % 4 === 2 && packet.length > 0) packet[0] = 0x40 | (random() & 0x3f);
    await new Promise<void>((resolve) => stranger.send(packet, relay.publicPort, '127.0.0.1', () => resolve()));
  }
  const peer = await openPeer(t, urlOf(lease.udpPort));
  peer.send('hello');
  assert.equal((await carrier.next()).text, 'hello');
  const again = await openQuicCarrier(t, relay, lease.token);
  await carrier.closed;
  peer.send('again');
  assert.equal((await again.next()).text, 'again');
});

test('datagrams larger than the path MTU are dropped and counted, others are delivered', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const lease = await register(relay, { name: 'large', ttl: 600, udp: true });
  const carrier = await openQuicCarrier(t, relay, lease.token);
  const peer = await openPeer(t, urlOf(lease.udpPort));
  peer.send(Buffer.alloc(40_000));
  peer.send('small');
  assert.equal((await carrier.next()).text, 'small');
  const { dropped } = relay.relay.datagrams.countersOf(lease.hostname)!;
  await until(() => dropped.too_large !== 0);
  assert.equal(dropped.too_large, 1);
});

test('an unreachable tunnel has bounded memory: undeliverable datagrams are counted, and the carrier ends', async (t) => {
  const path = await startUdpPath(t);
  const relay = await relayFor(t, await withPorts(4), path.parts);
  const lease = await register(relay, { name: 'gone', ttl: 600, udp: true });
  const carrier = await openQuicCarrier(t, relay, lease.token);
  const peer = await openPeer(t, urlOf(lease.udpPort));
  peer.send('hello');
  await carrier.next();
  path.isOpen = false;
  const counters = relay.relay.datagrams.countersOf(lease.hostname)!;
  while (counters.dropped.slow_tunnel === 0) {
    for (let count = 0; count < 32; count++)
      await new Promise<void>((resolve) => peer.send(Buffer.alloc(1_100), () => resolve()));
    await new Promise(setImmediate);
  }
  const isAlive = async () =>
    (await call(relay, 'GET', `/tunnel/status?hostname=${lease.hostname}`, { token: lease.token })).body.data
      .service_alive as boolean;
  assert.equal(await isAlive(), true);
  await until(async () => !(await isAlive()));
});

test('a new carrier replaces the old one, of either kind', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const lease = await register(relay, { name: 'both', ttl: 600, udp: true });
  const webSocket = () =>
    new WebSocket(`wss://127.0.0.1:${relay.apiPort}/sdk/connect`, ['portal.datagram'], {
      ...({ ca: relay.ca, servername: relay.rootHost } as object),
      headers: { 'X-Portal-Access-Token': lease.token },
    });
  const first = webSocket();
  await once(first, 'open');
  const replaced = once(first, 'close');
  const quic = await openQuicCarrier(t, relay, lease.token);
  await replaced;
  const second = webSocket();
  t.after(() => second.terminate());
  await quic.closed;
  const peer = await openPeer(t, urlOf(lease.udpPort));
  if (second.readyState !== second.OPEN) await once(second, 'open');
  const arrived = once(second, 'message');
  peer.send('hello');
  await arrived;
});

test('a carrier ends with its lease: unregistered, denied, or its address banned', async (t) => {
  const wallet = freshWallet();
  const relay = await relayFor(t, { ...(await withPorts(4)), adminWallets: [wallet.address] });
  const admin = await adminOf(relay, wallet);
  const [given, denied, banned] = await Promise.all(
    ['given', 'denied', 'banned'].map((name) => register(relay, { name, ttl: 600, udp: true })),
  );
  const carriers = await Promise.all([given, denied, banned].map((lease) => openQuicCarrier(t, relay, lease!.token)));
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token: given!.token });
  await carriers[0]!.closed;
  await admin.post(leasePath({ name: denied!.name, address: denied!.wallet.address }, 'deny'));
  await carriers[1]!.closed;
  assert.equal(
    JSON.parse(await say(await connectQuic(t, relay), hello(denied!.token))).ok,
    false,
    'a denied lease opens no other',
  );
  await admin.post('/ips/127.0.0.1/ban');
  await carriers[2]!.closed;
  assert.deepEqual(JSON.parse(await say(await connectQuic(t, relay), hello(banned!.token))), {
    ok: false,
    error: 'ip_banned',
  });
});

test('a draining relay closes its carriers and accepts no more', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const lease = await register(relay, { name: 'drained', ttl: 600, udp: true });
  const carrier = await openQuicCarrier(t, relay, lease.token);
  const drained = relay.relay.drain(new AbortController().signal);
  await carrier.closed;
  const answer = await say(await connectQuic(t, relay), hello(lease.token));
  assert.deepEqual(JSON.parse(answer), { ok: false, error: 'rate_limited' });
  await drained;
});

test('new connections use a replaced certificate', async (t) => {
  const files = await certificateFiles('portal.localhost');
  const next = await certificateFiles('portal.localhost');
  t.after(() => Promise.all([files.remove(), next.remove()]));
  const relay = await relayFor(t, {
    ...(await withPorts(4)),
    certificateFiles: files,
    certificateReloadIntervalMs: 50,
  });
  const lease = await register(relay, { name: 'renewed', ttl: 600, udp: true });
  const carrier = await openQuicCarrier(t, relay, lease.token);
  copyFileSync(next.keyFile, files.keyFile);
  copyFileSync(next.certFile, files.certFile);
  await carrier.closed;
  const renewed = { ...relay, ca: next.certPem };
  await until(async () => (await transportsOf(renewed).catch(() => [])).includes('quic'));
  await openQuicCarrier(t, renewed, lease.token);
});
