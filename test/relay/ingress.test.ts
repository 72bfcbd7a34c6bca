import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { Agent, request } from 'undici';
import { buffer } from 'node:stream/consumers';
import { createHash, randomBytes } from 'node:crypto';
import {
  type HeldLease,
  call,
  ended,
  openSession,
  readAll,
  readBytes,
  register,
  sessionHeaders,
} from '../support/by-hand.js';
import { startTestRelay, sharedRelay } from '../support/relay.js';
import { clientHello, dialPublic, readOpening } from '../support/tenant.js';
import { until } from '../support/until.js';

const relay = sharedRelay({}, async () => {
  lease = await register(relay, { name: 'tenant', ttl: 600 });
});
let lease: HeldLease;

const dial = () => dialPublic(relay);
/** A plaintext record with a fatal alert (RFC 8446 6). */
const alertRecord = (alert: number) => Buffer.from([21, 3, 3, 0, 2, 2, alert]);
const unrecognizedName = alertRecord(112);
const internalError = alertRecord(80);

test('the ClientHello reaches the tunnel unchanged after marker and binding', async () => {
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  const hello = await clientHello(lease.hostname);
  const visitor = await dial();
  visitor.write(hello);
  await readOpening(socket);
  assert.ok((await readBytes(socket, hello.length)).equals(hello));
  visitor.destroy();
});

test('a ClientHello is routed in any fragmentation: one byte per segment, one byte per record', async () => {
  const hello = await clientHello(lease.hostname);
  const message = hello.subarray(5);
  const records = Buffer.concat([...message].map((byte) => Buffer.from([22, 3, 1, 0, 1, byte])));
  for (const bytes of [hello, records]) {
    const { socket } = await openSession(relay, sessionHeaders(lease.token));
    const visitor = await dial();
    if (bytes === hello)
      for (const byte of bytes) await new Promise((resolve) => visitor.write(Buffer.from([byte]), resolve));
    else visitor.write(bytes);
    await readOpening(socket);
    assert.ok((await readBytes(socket, bytes.length)).equals(bytes));
    visitor.destroy();
  }
});

test("X-Portal-Proxy: 2 puts a PROXY v2 header with the visitor's address before its bytes", async () => {
  const { socket } = await openSession(relay, { ...sessionHeaders(lease.token), 'X-Portal-Proxy': '2' });
  const hello = await clientHello(lease.hostname);
  const visitor = await dial();
  visitor.write(hello);
  await readOpening(socket);
  const header = await readBytes(socket, 28);
  assert.equal(header.toString('hex', 0, 16), '0d0a0d0a000d0a515549540a2111000c');
  assert.equal([...header.subarray(16, 20)].join('.'), '127.0.0.1');
  assert.equal(header.readUInt16BE(24), visitor.localPort);
  assert.equal(header.readUInt16BE(26), relay.publicPort);
  assert.ok((await readBytes(socket, hello.length)).equals(hello));
  visitor.destroy();
});

test('unknown names, and a ClientHello without SNI, get unrecognized_name', async () => {
  for (const hello of [
    await clientHello(`nobody.${relay.rootHost}`),
    await clientHello('example.com'),
    await clientHello(`x.${lease.hostname}`),
    await clientHello(''),
  ]) {
    const visitor = await dial();
    visitor.write(hello);
    assert.deepEqual(await buffer(visitor), unrecognizedName);
  }
});

const [unexpectedMessage, recordOverflow, decodeError, protocolVersion] = [10, 22, 50, 70];

for (const [what, bytes, alert] of [
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n'), unexpectedMessage],
  ['random bytes', Buffer.concat([Buffer.from([0xff]), randomBytes(63)]), unexpectedMessage],
  ['another handshake message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), unexpectedMessage],
  ['an empty handshake record', Buffer.from([22, 3, 1, 0, 0]), unexpectedMessage],
  ['a record that is too long', Buffer.from([22, 3, 1, 0x50, 0]), recordOverflow],
  ['a record of no TLS', Buffer.from([22, 2, 0, 0, 4, 1, 0, 0, 0]), protocolVersion],
  ['a ClientHello that ends in its middle', Buffer.from([22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3]), decodeError],
] as const)
  test(`${what} in place of a ClientHello gets a fatal alert, ${alert}`, async () => {
    const visitor = await dial();
    visitor.write(bytes);
    assert.deepEqual(await buffer(visitor), alertRecord(alert));
  });

/** A ClientHello of one record, made so many bytes long by the padding extension (RFC 7685). */
function padded(hello: Buffer, length: number): Buffer {
  // Record header, message header, version, random, and three vectors.
  let at = 5 + 4 + 2 + 32;
  at += 1 + hello.readUInt8(at);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello.readUInt8(at);
  const more = length - hello.length;
  const padding = Buffer.alloc(more);
  padding.writeUInt16BE(21, 0);
  padding.writeUInt16BE(more - 4, 2);
  const bytes = Buffer.concat([hello, padding]);
  bytes.writeUInt16BE(bytes.readUInt16BE(3) + more, 3);
  bytes.writeUIntBE(bytes.readUIntBE(6, 3) + more, 6, 3);
  bytes.writeUInt16BE(bytes.readUInt16BE(at) + more, at);
  return bytes;
}

test('a ClientHello of 16 KiB is accepted, one byte more gets decode_error', async () => {
  const hello = await clientHello(lease.hostname);
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  const tooLong = await dial();
  tooLong.write(padded(hello, 16_385));
  assert.deepEqual(await buffer(tooLong), alertRecord(decodeError));
  const visitor = await dial();
  visitor.write(padded(hello, 16_384));
  await readOpening(socket);
  assert.ok((await readBytes(socket, 16_384)).equals(padded(hello, 16_384)));
  visitor.destroy();
});

test('a ClientHello that grows without end is refused at 16 KiB', async () => {
  const visitor = await dial();
  // Of 65,535 bytes, as it says, in records that each are allowed.
  const record = Buffer.concat([Buffer.from([22, 3, 1, 0x20, 0]), Buffer.alloc(0x2000)]);
  record.set([1, 0, 0x3f, 0xff], 5);
  visitor.write(Buffer.concat([record, record]));
  assert.deepEqual(await buffer(visitor), alertRecord(decodeError));
});

test('additional API hostnames of the operator serve the API', async () => {
  const more = await startTestRelay({ apiHosts: ['status.portal.localhost'] });
  try {
    const dispatcher = new Agent({ connect: { ca: more.ca, servername: 'status.portal.localhost' } });
    const answer = await request(`https://127.0.0.1:${more.publicPort}/healthz`, { dispatcher });
    assert.deepEqual(await answer.body.json(), { ok: true, data: { status: 'ok' } });
    await dispatcher.close();
  } finally {
    await more.stop();
  }
});

test('a visitor waits for a session that is opened late', async () => {
  const visitor = await dial();
  visitor.write(await clientHello(lease.hostname));
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  await readOpening(socket);
  visitor.destroy();
});

test('a visitor without a session in time gets internal_error', async () => {
  const idle = await register(relay, { name: 'idle', ttl: 600 });
  const visitor = await dial();
  visitor.write(await clientHello(idle.hostname));
  assert.deepEqual(await buffer(visitor), internalError);
});

// Either would run into the default of 10 s.
for (const sessionWait of [0, 1]) {
  test(`a visitor waits as long as the lease says: ${sessionWait} s`, { timeout: 8_000 }, async () => {
    const brief = await register(relay, { name: `brief-${sessionWait}`, ttl: 600, sessionWait });
    const visitor = await dial();
    visitor.write(await clientHello(brief.hostname));
    assert.deepEqual(await buffer(visitor), internalError);
  });
}

test('a lease cannot have visitors wait for more than 60 s', async () => {
  for (const sessionWait of [-1, 61, 1.5])
    await assert.rejects(register(relay, { name: 'endless', sessionWait }), /invalid_request/);
});

test('waiting visitors are closed when the lease ends', async () => {
  const short = await register(relay, { name: 'short', ttl: 600 });
  const visitor = await dial();
  visitor.write(await clientHello(short.hostname));
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token: short.token });
  const answer = await buffer(visitor);
  assert.ok(answer.equals(internalError) || answer.equals(unrecognizedName), answer.toString('hex'));
});

test('many waiting visitors cause no MaxListenersExceededWarning', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const busy = await register(relay, { name: 'busy', ttl: 600 });
  const hello = await clientHello(busy.hostname);
  const visitors = await Promise.all(Array.from({ length: 12 }, dial));
  for (const visitor of visitors) visitor.write(hello);
  await call(relay, 'POST', '/sdk/renew', { body: {}, token: busy.token });
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token: busy.token });
  await Promise.all(visitors.map(ended));
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
});

/** A visitor joined to the tunnel's end of a session, past the ClientHello; nothing here speaks TLS. */
async function joined(held = lease) {
  const { socket: tunnel } = await openSession(relay, sessionHeaders(held.token));
  const hello = await clientHello(held.hostname);
  const visitor = await dial();
  visitor.write(hello);
  await readOpening(tunnel);
  await readBytes(tunnel, hello.length);
  return { visitor, tunnel };
}

test(
  'idle connections are probed, so that a peer that vanished is noticed',
  { skip: process.platform !== 'linux' },
  async () => {
    const { visitor, tunnel } = await joined();
    // /proc/net/tcp: local address, remote address, state, queues, `timer:when`; timer 02 is TCP's keepalive.
    const timerAt = (localPort: number, remotePort: number | undefined) =>
      readFileSync('/proc/net/tcp', 'latin1')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .find(([, local, remote]) => local?.endsWith(hex(localPort)) && remote?.endsWith(hex(remotePort)))?.[5]
        ?.slice(0, 2);
    const hex = (port = 0) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    for (const [port, client] of [
      [relay.publicPort, visitor],
      [relay.apiPort, tunnel],
    ] as const) {
      await until(() => timerAt(port, client.localPort) !== '01');
      assert.equal(timerAt(port, client.localPort), '02');
    }
    visitor.destroy();
  },
);

test('visitor and tunnel half-close independently', async () => {
  const { visitor, tunnel } = await joined();
  visitor.end('last words');
  assert.equal(String(await readAll(tunnel)), 'last words');
  tunnel.write('still here, ');
  tunnel.end('and done');
  assert.equal(String(await readAll(visitor)), 'still here, and done');
});

test('64 MB each way at once arrive intact, with slow readers', async () => {
  const { visitor, tunnel } = await joined();
  const total = 64 * 1024 * 1024;
  const send = async (to: Socket) => {
    const sent = createHash('sha256');
    for (let at = 0; at < total; at += 1 << 16) {
      const chunk = randomBytes(1 << 16);
      sent.update(chunk);
      if (!to.write(chunk)) await once(to, 'drain');
    }
    to.end();
    return sent.digest('hex');
  };
  const receive = async (from: Socket) => {
    const got = createHash('sha256');
    let count = 0;
    // One direction may be done long before the other.
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      got.update(chunk as Buffer);
      if (++count % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return got.digest('hex');
  };
  const [up, down, gotUp, gotDown] = await Promise.all([
    send(visitor),
    send(tunnel),
    receive(tunnel),
    receive(visitor),
  ]);
  assert.equal(gotUp, up);
  assert.equal(gotDown, down);
});

test('a reset of one side resets the other', async () => {
  const first = await joined();
  first.visitor.resetAndDestroy();
  await ended(first.tunnel);
  const second = await joined();
  second.visitor.on('error', () => {});
  second.tunnel.destroy();
  assert.equal((await readAll(second.visitor)).length, 0);
  second.visitor.destroy();
});

test('unregistering lets live connections finish', async () => {
  const leaving = await register(relay, { name: 'leaving', ttl: 600 });
  const { visitor, tunnel } = await joined(leaving);
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token: leaving.token });
  tunnel.write('after');
  assert.equal(String(await readBytes(visitor, 5)), 'after');
  visitor.end();
  tunnel.end();
  await Promise.all([readAll(visitor), readAll(tunnel)]);
});

test('expiry closes live connections, and the name is no longer routed', async (t) => {
  const expiring = await register(relay, { name: 'expiring', ttl: 30 });
  const { visitor, tunnel } = await joined(expiring);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31_000 });
  await Promise.all([ended(visitor), ended(tunnel)]);
  const late = await dial();
  late.write(await clientHello(expiring.hostname));
  assert.deepEqual(await buffer(late), unrecognizedName);
});

test('a visitor that leaves before it gets a session uses none', async () => {
  const quiet = await register(relay, { name: 'quiet', ttl: 600 });
  const status = async () =>
    (await call(relay, 'GET', `/tunnel/status?hostname=${quiet.hostname}`, { token: quiet.token })).body.data;
  const visitor = await dial();
  visitor.write(await clientHello(quiet.hostname));
  // By then it waits for a session, and by the next it is gone.
  await status();
  visitor.resetAndDestroy();
  await status();
  const { socket } = await openSession(relay, sessionHeaders(quiet.token));
  assert.equal((await status()).service_alive, true);
  const next = await dial();
  const hello = await clientHello(quiet.hostname);
  next.write(hello);
  await readOpening(socket);
  assert.ok((await readBytes(socket, hello.length)).equals(hello));
  next.destroy();
});
