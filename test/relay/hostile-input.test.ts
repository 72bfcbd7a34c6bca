import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { maxFlows } from '../../src/relay/datagrams/datagrams.js';
import { maxRequestHeadBytes } from '../../src/relay/api/listener/request-head.js';
import { minApiConnectionsPerSource } from '../../src/relay/api/listener/api-listener.js';
import { DatagramCounters } from '../../src/relay/datagrams/counters.js';
import { LeaseDatagrams } from '../../src/relay/datagrams/lease-datagrams.js';
import { LeaseSessions } from '../../src/relay/reverse/lease-sessions.js';
import { encodeDatagram } from '../../src/protocol/datagram-frame.js';
import { call, connectTls, ended, openSession, readAll, register, sessionHeaders } from '../support/by-hand.js';
import { type TestRelay, startTestRelay, sharedRelay } from '../support/relay.js';
import { visit } from '../support/tenant.js';
import { FakeChannel } from '../support/udp.js';

// Bytes that once stopped or ended the whole process. Each test ends by asking the relay something else.

const relay = sharedRelay();

const assertServes = async () => assert.equal((await call(relay, 'GET', '/healthz')).status, 200);

/** Writes to a connection of its own. @returns all that comes back */
async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const socket: TLSSocket = await connectTls(relay, port);
  socket.on('error', () => {});
  socket.write(bytes);
  const answer = await readAll(socket);
  socket.destroy();
  return answer.toString('latin1');
}

test('a header line of blanks takes time linear in its length', async () => {
  const blanks = ' '.repeat(maxRequestHeadBytes - 200);
  for (const line of [`X: ${blanks}\x01`, `X: a${blanks}\x01`, `X:${blanks}`, `Connection: ${',\t '.repeat(4_000)}x`]) {
    const answer = await exchange(
      relay.apiPort,
      `GET /sdk/connect HTTP/1.1\r\nHost: ${relay.rootHost}\r\n${line}\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 4/, JSON.stringify(line.slice(0, 8)));
  }
  await assertServes();
});

test('spaces around a header value are trimmed, inside it they are kept', async () => {
  const lease = await register(relay, { name: 'blanks' });
  const padded = { 'X-Portal-Access-Token': ` \t ${lease.token} \t`, 'X-Portal-Binding': '1  ' };
  const { status, socket } = await openSession(relay, padded);
  assert.equal(status, 200);
  socket.destroy();
  const inner = await openSession(relay, { ...sessionHeaders(lease.token), 'X-Portal-Binding': '1 1' });
  assert.equal(inner.status, 400);
  await ended(inner.socket);
});

test('a request head that is too long is refused, in one chunk or in many', async () => {
  const line = `X: ${'a'.repeat(maxRequestHeadBytes)}`;
  const answer = await exchange(
    relay.apiPort,
    `GET /sdk/connect HTTP/1.1\r\nHost: ${relay.rootHost}\r\n${line}\r\n\r\n`,
  );
  assert.match(answer, /^HTTP\/1\.1 413 /);
  await assertServes();
});

for (const port of ['apiPort', 'publicPort'] as const) {
  for (const behind of ['Connection: Upgrade\r\nUpgrade: websocket', 'Connection: Upgrade\r\nUpgrade: x'])
    test(`an upgrade behind a request with an unknown expectation is refused (${port}, ${behind.slice(-9)})`, async () => {
      const host = `Host: ${relay.rootHost}`;
      const body = 'Content-Length: 2\r\nContent-Type: application/json';
      const answer = await exchange(
        relay[port],
        `POST /sdk/register/challenge HTTP/1.1\r\n${host}\r\nExpect: x\r\n${body}\r\n\r\n{}` +
          `GET /healthz HTTP/1.1\r\n${host}\r\n${behind}\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 400 /);
      await assertServes();
    });

  test(`CONNECT behind an unanswered request is refused after its response (${port})`, async () => {
    const host = `Host: ${relay.rootHost}`;
    const body = 'Content-Length: 2\r\nContent-Type: application/json';
    const answer = await exchange(
      relay[port],
      `POST /sdk/register/challenge HTTP/1.1\r\n${host}\r\n${body}\r\n\r\n{}CONNECT x:1 HTTP/1.1\r\n${host}\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 400 [^]*HTTP\/1\.1 400 [^]*CONNECT is not supported/);
    await assertServes();
  });
}

test('a datagram from port 0 is dropped, since no answer can be sent there', async (t) => {
  const counters = new DatagramCounters();
  const datagrams = new LeaseDatagrams({ left: maxFlows }, [counters]);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  datagrams.open([socket]);
  const channel = new FakeChannel('fake');
  const udpPorts = { first: socket.address().port, count: 1 };
  const lease = { hostname: 'x.portal.localhost', generation: 'g', udpPorts } as ConstructorParameters<
    typeof LeaseSessions
  >[0];
  datagrams.attach(channel, new LeaseSessions(lease), '127.0.0.1');
  const from = { address: '127.0.0.1', family: 'IPv4', size: 1 };
  socket.emit('message', Buffer.from('a'), { ...from, port: 0 });
  assert.deepEqual([counters.up, counters.dropped.malformed], [0, 1]);
  socket.emit('message', Buffer.from('b'), { ...from, port: 9 });
  assert.equal(counters.up, 1);
  channel.emit('datagram', encodeDatagram(1, Buffer.from('answer')));
  channel.emit('datagram', encodeDatagram(2, Buffer.from('answer')));
  assert.equal(counters.dropped.unknown_flow, 1);
});

test('the connection limit of a lease also applies to visitors that waited for a session', async (t) => {
  const limited = await startTestRelay({ maxConnectionsPerLease: 1 });
  t.after(() => limited.stop());
  const lease = await register(limited, { name: 'one' });
  const visitors = Array.from({ length: 5 }, () => visit(limited, lease.hostname));
  t.after(() => visitors.forEach((visitor) => visitor.destroy()));
  // One waits; the others are refused at once.
  let refused = 0;
  await new Promise<void>((resolve) => {
    for (const visitor of visitors) visitor.once('close', () => ++refused === 4 && resolve());
  });
  const sessions = await Promise.all([1, 2].map(() => openSession(limited, sessionHeaders(lease.token))));
  t.after(() => sessions.forEach(({ socket }) => socket.destroy()));
  const [claimed] = await Promise.race(sessions.map(({ socket }) => once(socket, 'data') as Promise<[Buffer]>));
  assert.equal(claimed[0], 0x02);
  assert.equal(visitors.filter(({ closed }) => !closed).length, 1);
});

test('pipelined requests with unread responses and garbage end only their connection', async () => {
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: ${relay.rootHost}\r\n\r\n`;
  const unfinished = `POST /nowhere HTTP/1.1\r\nHost: ${relay.rootHost}\r\nContent-Length: 100000\r\n\r\n`;
  for (const requests of [
    get('/docs/reference.js').repeat(20),
    get('/openapi.json').repeat(20),
    get('/nowhere').repeat(200),
    get('/healthz').repeat(200),
  ])
    for (const end of ['no HTTP at all\r\n\r\n', unfinished, `${get('/healthz')}\0`]) {
      const socket = await connectTls(relay);
      socket.on('error', () => undefined);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(requests + end);
      // What comes behind it, while the responses to what came before fill all buffers.
      for (let count = 0; count < 20 && !socket.destroyed; count++) {
        socket.write('x'.repeat(1_000));
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.resume().end();
      await closed;
    }
  assert.equal((await call(relay, 'GET', '/healthz')).status, 200);
});

test('a valid token is not limited by forged ones from the same address', async (t) => {
  const attacked = await startTestRelay();
  const first = await register(attacked, { name: 'good' });
  const forge = async (of: TestRelay, token: string) =>
    (await call(of, 'POST', '/sdk/renew', { body: {}, token })).status;
  const until429 = async (of: TestRelay, token: string) => {
    for (let round = 0; round < 40; round++) {
      const statuses = await Promise.all(Array.from({ length: 10 }, () => forge(of, token)));
      if (statuses.includes(429)) return;
    }
    assert.fail('forged tokens are not limited');
  };
  await until429(attacked, 'a.b.c');
  // The relay has seen this one before, or not: neither waits.
  assert.equal(await forge(attacked, first.token), 200);
  const second = await register(attacked, { name: 'fresh' });
  assert.equal(await forge(attacked, second.token), 200);
  const { status, socket } = await openSession(attacked, sessionHeaders(second.token));
  assert.equal(status, 200);
  socket.destroy();
  // Who alters a good token is held up for this lease alone.
  await until429(attacked, `${second.token.slice(0, -8)}AAAAAAAA`);
  assert.equal(await forge(attacked, second.token), 200);
  assert.equal(await forge(attacked, first.token), 200);
  t.after(() => attacked.stop());
});

test('connections to the API port are limited by source, and reverse sessions leave room', async (t) => {
  const limited = await startTestRelay({ maxConnectionsPerSource: 3 });
  t.after(() => limited.stop());
  const lease = await register(limited, { name: 'many' });
  const sessions = [];
  for (let count = 0; count < 4; count++) sessions.push(await openSession(limited, sessionHeaders(lease.token)));
  assert.deepEqual(
    sessions.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  const held = await Promise.all(Array.from({ length: minApiConnectionsPerSource }, () => connectTls(limited)));
  await assert.rejects(connectTls(limited));
  held[0]!.destroy();
  await once(held[0]!, 'close');
  // The relay hears of the end a moment later.
  for (;;) {
    const again = await connectTls(limited).catch(() => undefined);
    if (!again) continue;
    again.destroy();
    break;
  }
  for (const socket of [...held, ...sessions.map((session) => session.socket)]) socket.destroy();
});

test('a wrong access token is refused before the body arrives', async () => {
  for (const path of ['/v1/sign', '/sdk/renew', '/sdk/unregister']) {
    const head = `POST ${path} HTTP/1.1\r\nHost: ${relay.rootHost}\r\nX-Portal-Access-Token: a.b.c\r\n`;
    const answer = await exchange(
      relay.apiPort,
      `${head}Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{`,
    );
    assert.match(answer, /^HTTP\/1\.1 401 /, path);
  }
});
