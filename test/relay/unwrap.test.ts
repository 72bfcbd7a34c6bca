import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import {
  type HeldLease,
  call,
  openSession,
  openSessionOn,
  readBytes,
  register,
  sessionHeaders,
} from '../support/by-hand.js';
import { startTestRelay, withPorts, sharedRelay } from '../support/relay.js';
import { clientHello, dialPublic } from '../support/tenant.js';
import { hasEntryWorker, lendings } from '../support/lendings.js';
import { until } from '../support/until.js';
import { type UnwrappedPeer, connectWrapped, control, endMark, frame, frames } from '../support/unwrapped-peer.js';

const relay = sharedRelay({ dataPlane: 'entry' }, async () => {
  lease = await register(relay, { name: 'bare' });
});
let lease: HeldLease;

/** Sessions whose tunnel has its handshakes signed inside go to the entry worker. */
let isLent = false;
const headersOf = ({ token }: HeldLease) => ({
  ...sessionHeaders(token),
  'X-Portal-Recycle': '1',
  'X-Portal-Unwrap': '1',
  ...(isLent ? { 'X-Portal-Sign': '1' } : {}),
});

/** A session with TLS taken off, greetings exchanged. */
async function openUnwrapped(of = lease, on = relay): Promise<{ socket: Socket; peer: UnwrappedPeer }> {
  const connection = await connectWrapped(on);
  assert.equal(connection.tls.alpnProtocol, 'portal-reverse');
  const { status, head } = await openSessionOn(connection.tls, on, headersOf(of));
  assert.equal(status, 200);
  assert.match(head, /^X-Portal-Unwrap: 1\r$/im);
  const { socket, peer } = connection.unwrap();
  socket.write(peer.seal(control, '\0'));
  assert.deepEqual(await peer.read(socket), { type: control, content: Buffer.from([0]) });
  return { socket, peer };
}

async function visitor(): Promise<{ socket: Socket; hello: Buffer }> {
  const hello = await clientHello(lease.hostname);
  const socket = await dialPublic(relay);
  socket.on('error', () => {});
  socket.write(hello);
  return { socket, hello };
}

const isAlive = async () => {
  const path = `/tunnel/status?hostname=${lease.hostname}`;
  return (await call(relay, 'GET', path, { token: lease.token })).body.data.service_alive as boolean;
};

/** Settles when the relay has released a session. */
async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.destroyed && !socket.readableEnded)
    await new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()));
  socket.destroy();
}

for (const engine of ['main thread', 'entry worker'] as const) {
  const name = (what: string) => `${engine}: ${what}`;
  const options = { skip: engine === 'entry worker' && !hasEntryWorker && 'the entry worker needs Linux' };

  test(name('takes the sessions'), options, async () => {
    isLent = engine === 'entry worker';
    // Nobody has left sessions here.
    lease = await register(relay, { name: engine.replace(' ', '-'), ttl: 600 });
    const before = lendings.count;
    const { socket } = await openUnwrapped();
    if (isLent) await until(() => lendings.count > before);
    else assert.equal(lendings.count, before);
    socket.destroy();
    await until(async () => !(await isAlive()));
  });

  test(
    name('successive visitors: headers are encrypted, frames are in the clear only after the handshake'),
    options,
    async () => {
      const { socket: session, peer } = await openUnwrapped();
      for (let round = 0; round < 3; round++) {
        const { socket, hello } = await visitor();
        const opening = await peer.read(session);
        assert.equal(opening.type, control);
        assert.equal(opening.content[0], 0x02);
        assert.equal(opening.content.length, 17);
        assert.deepEqual(await peer.read(session), { type: frames, content: frame(hello) });

        // 40,960 bytes of frames are sealed, headers counted; then nothing is.
        const upload = randomBytes(200_000);
        socket.end(upload);
        const [sealed, clear] = [[frame(hello)], [] as Buffer[]];
        let unit = await peer.read(session);
        for (; unit.type !== control; unit = await peer.read(session)) {
          if (unit.type === 'clear') clear.push(unit.content);
          else {
            assert.equal(clear.length, 0, 'sealed again');
            sealed.push(unit.content);
          }
        }
        assert.deepEqual(unit.content, endMark);
        assert.ok(Buffer.concat(sealed).length >= 40_960);
        assert.ok(Buffer.concat(sealed).length < 40_960 + 16_384);
        assert.ok(Buffer.concat([...sealed.slice(1).map((bytes) => bytes.subarray(4)), ...clear]).equals(upload));

        const answer = randomBytes(100_000);
        session.write(Buffer.concat([frame(answer.subarray(0, 60_000)), frame(answer.subarray(60_000))]));
        session.write(peer.seal(control, endMark));
        assert.ok((await readBytes(socket, 100_000)).equals(answer));
        await closed(socket);
      }
      session.destroy();
    },
  );

  test(name('the visitor’s ClientHello, with its SNI, is not readable between relay and tunnel'), options, async () => {
    const { socket: session, peer } = await openUnwrapped();
    const { socket, hello } = await visitor();
    const expected = 5 + 17 + 17 + 5 + frame(hello).length + 17;
    const onTheWay = await readBytes(session, expected);
    assert.ok(hello.includes(lease.hostname));
    assert.ok(!onTheWay.includes(lease.hostname));
    assert.ok(!onTheWay.includes(hello.subarray(11, 43)), 'its random is');
    assert.ok(peer);
    socket.destroy();
    session.destroy();
  });

  test(name('frames from the tunnel may be encrypted too, in any fragmentation'), options, async () => {
    const { socket: session, peer } = await openUnwrapped();
    const { socket } = await visitor();
    await peer.read(session);
    const answer = randomBytes(30_000);
    const bytes = Buffer.concat([
      peer.seal(frames, Buffer.concat([frame(answer.subarray(0, 100)), frame(answer.subarray(100, 12_000))])),
      frame(answer.subarray(12_000, 20_000)),
      peer.seal(frames, frame(answer.subarray(20_000))),
      peer.seal(control, endMark),
    ]);
    for (let at = 0; at < bytes.length; at += 997) session.write(bytes.subarray(at, at + 997));
    assert.ok((await readBytes(socket, answer.length)).equals(answer));
    socket.destroy();
    session.destroy();
  });

  const intrusions: Record<string, (peer: UnwrappedPeer) => Buffer> = {
    'a record under other keys': () => Buffer.concat([Buffer.from('1703030020', 'hex'), randomBytes(32)]),
    'a record with a bit turned': (peer) => {
      const record = peer.seal(frames, frame(Buffer.from('changed')));
      record[9]! ^= 1;
      return record;
    },
    'a record twice': (peer) => {
      const record = peer.seal(frames, frame(Buffer.from('once')));
      return Buffer.concat([record, record]);
    },
    'a record left out': (peer) => {
      peer.seal(frames, frame(Buffer.from('lost')));
      return peer.seal(frames, frame(Buffer.from('next')));
    },
    'a part of a frame in a record': (peer) => peer.seal(frames, frame(Buffer.from('in two')).subarray(0, 7)),
    'a record of another type': (peer) => peer.seal(21, Buffer.from([1, 0])),
    'a record longer than records are': () => Buffer.concat([Buffer.from('170303ffff', 'hex'), Buffer.alloc(65_535)]),
    'an empty frame in the clear': () => Buffer.alloc(4),
    'a frame of over 1 MiB in the clear': () => Buffer.from('0010000100', 'hex'),
    'what is no unit': () => Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  };
  for (const [what, bytes] of Object.entries(intrusions)) {
    test(name(`${what} closes session and visitor`), options, async () => {
      const { socket: session, peer } = await openUnwrapped();
      const { socket } = await visitor();
      await peer.read(session);
      session.write(bytes(peer));
      await closed(session);
      await closed(socket);
    });
  }

  test(name('a waiting session that sends bytes, encrypted or not, is closed'), options, async () => {
    for (const words of [() => frame(Buffer.from('me first')), (peer: UnwrappedPeer) => peer.seal(control, '\0')]) {
      const { socket, peer } = await openUnwrapped();
      socket.write(words(peer));
      await closed(socket);
    }
    assert.equal(await isAlive(), false);
  });

  test(name('bytes right after a greeting close that session only'), options, async () => {
    for (const rest of [Buffer.from('no unit'), Buffer.concat([Buffer.from('1703030020', 'hex'), randomBytes(32)])]) {
      const connection = await connectWrapped(relay);
      assert.equal((await openSessionOn(connection.tls, relay, headersOf(lease))).status, 200);
      const { socket, peer } = connection.unwrap();
      socket.write(Buffer.concat([peer.seal(control, '\0'), rest]));
      await closed(socket);
      assert.equal(await isAlive(), false);
    }
  });

  test(name('sessions that wait for a greeting count against the limit of the lease'), options, async () => {
    const connections = [];
    for (let opened = 0; opened < 8; opened++) {
      const connection = await connectWrapped(relay);
      assert.equal((await openSessionOn(connection.tls, relay, headersOf(lease))).status, 200);
      connections.push(connection.unwrap());
    }
    const ninth = await openSessionOn((await connectWrapped(relay)).tls, relay, headersOf(lease));
    assert.equal(ninth.body.error.code, 'rate_limited');
    const [{ socket }, ...others] = connections as [(typeof connections)[0], ...typeof connections];
    // Half of them get ready, and one leaves its place to another.
    for (const { socket, peer } of others.slice(4)) {
      socket.write(peer.seal(control, '\0'));
      await peer.read(socket);
    }
    socket.end();
    await closed(socket);
    const { socket: tenth } = await openUnwrapped();
    const eleventh = await openSessionOn((await connectWrapped(relay)).tls, relay, headersOf(lease));
    assert.equal(eleventh.body.error.code, 'rate_limited');
    for (const { socket } of [...others, { socket: tenth }]) socket.end();
    await Promise.all([...others, { socket: tenth }].map(({ socket }) => closed(socket)));
  });

  test(name('with TLS kept on, a modified byte closes the connection'), options, async () => {
    for (const isSession of [true, false]) {
      const connection = await connectWrapped(relay);
      const wrapped = Object.entries(headersOf(lease)).filter(([name]) => name !== 'X-Portal-Unwrap');
      if (isSession) await openSessionOn(connection.tls, relay, Object.fromEntries(wrapped));
      const { socket } = connection.unwrap();
      socket.write(Buffer.concat([Buffer.from('1703030020', 'hex'), randomBytes(32)]));
      await closed(socket);
    }
  });

  test(name('a session without the right greeting is refused'), options, async () => {
    const greetings = [
      () => Buffer.from('\0'),
      () => Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      (peer: UnwrappedPeer) => peer.seal(control, '\u0002'),
      (peer: UnwrappedPeer) => peer.seal(frames, frame(Buffer.from('hello'))),
      // Still within TLS, as if nothing had been agreed.
      () => Buffer.concat([Buffer.from('1703030013', 'hex'), randomBytes(19)]),
    ];
    for (const greeting of greetings) {
      const connection = await connectWrapped(relay);
      assert.equal((await openSessionOn(connection.tls, relay, headersOf(lease))).status, 200);
      const { socket, peer } = connection.unwrap();
      const words = greeting(peer);
      // A NUL byte could be the first of a frame; nobody waits for more of one for ever, but a client may leave.
      if (words.length === 1) socket.end(words);
      else socket.write(words);
      await closed(socket);
      assert.equal(await isAlive(), false);
    }
  });

  test(
    name('TLS stays on without recycling, without binding, without the header, and for http/1.1'),
    options,
    async () => {
      const without = (name: string) =>
        Object.fromEntries(Object.entries(headersOf(lease)).filter(([header]) => header !== name));
      const unbound = without('X-Portal-Binding');
      const unrecycled = without('X-Portal-Recycle');
      const wrapped = without('X-Portal-Unwrap');
      for (const headers of [unrecycled, wrapped]) {
        const { tls } = await connectWrapped(relay);
        const { status, head } = await openSessionOn(tls, relay, headers);
        assert.equal(status, 200);
        assert.doesNotMatch(head, /unwrap/i);
        const { socket } = await visitor();
        assert.equal((await readBytes(tls, 1))[0], 0x02);
        socket.destroy();
        tls.destroy();
      }
      assert.equal(
        (await openSessionOn((await connectWrapped(relay)).tls, relay, unbound)).body.error.code,
        'feature_unavailable',
      );
      for (const open of [
        async () => await openSessionOn((await connectWrapped(relay, ['http/1.1'])).tls, relay, headersOf(lease)),
        async () => await openSession(relay, headersOf(lease)),
      ]) {
        const { socket, status, head } = await open();
        assert.equal(status, 200);
        assert.doesNotMatch(head, /unwrap/i);
        socket.destroy();
      }
    },
  );

  test(name('TLS stays on for a lease with a TCP port, whose visitors may send plain text'), options, async (t) => {
    const ported = await startTestRelay(await withPorts(1));
    t.after(() => ported.stop());
    const held = await register(ported, { name: 'ported', tcp: true });
    const { tls } = await connectWrapped(ported);
    const { status, head } = await openSessionOn(tls, ported, headersOf(held));
    assert.equal(status, 200);
    assert.doesNotMatch(head, /unwrap/i);
    tls.destroy();
  });

  test(
    name('refusals on the unwrap ALPN are ordinary error responses, and the API is served there too'),
    options,
    async () => {
      const { tls } = await connectWrapped(relay);
      const { status, body } = await openSessionOn(tls, relay, { ...headersOf(lease), 'X-Portal-Unwrap': 'yes' });
      assert.equal(status, 400);
      assert.equal(body.error.code, 'invalid_request');
      const refused = await openSessionOn(
        (await connectWrapped(relay)).tls,
        relay,
        headersOf({ ...lease, token: 'none' }),
      );
      assert.equal(refused.body.error.code, 'unauthorized');
      const { tls: other } = await connectWrapped(relay);
      other.write(`GET /healthz HTTP/1.1\r\nHost: ${relay.rootHost}\r\nConnection: close\r\n\r\n`);
      assert.match(String(await readBytes(other, 15)), /^HTTP\/1.1 200/);
      other.destroy();
    },
  );

  test(name('a relay that stops closes unwrapped sessions, and those waiting for a greeting'), options, async () => {
    const short = await startTestRelay({ dataPlane: 'entry' });
    const held = await register(short, { name: 'short' });
    const { socket } = await openUnwrapped(held, short);
    const connection = await connectWrapped(short);
    await openSessionOn(connection.tls, short, headersOf(held));
    const { socket: silent } = connection.unwrap();
    await Promise.all([short.stop(), closed(socket), closed(silent)]);
  });
}
