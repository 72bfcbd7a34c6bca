import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type Socket, connect as connectTcp } from 'node:net';
import { type TestContext, beforeEach, test } from 'node:test';
import { type HeldLease, call, openSessionOn, readBytes, register, sessionHeaders } from '../support/by-hand.js';
import { hasEntryWorker, lendings } from '../support/lendings.js';
import { type TestRelay, relayFor, sharedRelay } from '../support/relay.js';
import { clientHello, dialPublic, visit } from '../support/tenant.js';
import { openTunnel, startTcpService, visitTls } from '../support/tunnel.js';
import { type UnwrappedPeer, connectWrapped, control, endMark, frame, frames } from '../support/unwrapped-peer.js';
import { until } from '../support/until.js';

// What is particular to the entry worker: what it serves by itself, and what it leaves to the main thread. What both do alike is in
// data-plane.test.ts and unwrap.test.ts.

const options = { skip: !hasEntryWorker && 'the entry worker needs Linux' };
const relay = sharedRelay({ dataPlane: 'entry' }, async () => {
  lease = await register(relay, { name: 'lent', ttl: 600, sessionWait: 30 });
});
let lease: HeldLease;

// Sessions of the test before would be claimed first.
beforeEach(async () => await until(() => lendings.ready + lendings.live === 0));

const cutMark = Buffer.alloc(4, 0xff);
const lastMark = Buffer.from([0xff, 0xff, 0xff, 0xfe]);
const alert = 0x15;

interface Session {
  socket: Socket;
  peer: UnwrappedPeer;
}

/** A session by hand that the worker holds. */
async function lentSession(t: TestContext, of = lease, on = relay, headers = {}): Promise<Session> {
  const before = lendings.count;
  const connection = await connectWrapped(on);
  const asked = { 'X-Portal-Recycle': '1', 'X-Portal-Unwrap': '1', 'X-Portal-Sign': '1', ...headers };
  const { status } = await openSessionOn(connection.tls, on, { ...sessionHeaders(of.token), ...asked });
  assert.equal(status, 200);
  const { socket, peer } = connection.unwrap();
  t.after(() => socket.destroy());
  socket.write(peer.seal(control, '\0'));
  await peer.read(socket);
  await until(() => lendings.count > before);
  return { socket, peer };
}

/** A visitor that has sent its ClientHello. */
async function arrive(t: TestContext, hello?: Buffer, on = relay, of = lease): Promise<Socket> {
  const socket = await dialPublic(on);
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  socket.write(hello ?? (await clientHello(of.hostname)));
  return socket;
}

/** Reads an opening and the ClientHello. */
async function claimed({ socket, peer }: Session): Promise<Buffer> {
  const opening = await peer.read(socket);
  assert.equal(opening.type, control);
  assert.equal(opening.content[0], 2);
  assert.equal((await peer.read(socket)).type, frames);
  return opening.content;
}

/** The bytes until the other side has ended or reset the connection. */
async function rest(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.destroyed && !socket.readableEnded)
    await new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()));
  socket.destroy();
  return Buffer.concat(chunks);
}

const openDescriptors = () => readdirSync('/proc/self/fd').length;
const isAlive = async () =>
  (await call(relay, 'GET', `/tunnel/status?hostname=${lease.hostname}`, { token: lease.token })).body.data
    .service_alive as boolean;

test('what a tunnel sends arrives whole, wherever its bytes are cut', options, async (t) => {
  const { socket, peer } = await lentSession(t);
  const answer = [randomBytes(20), randomBytes(300), randomBytes(1)] as const;
  const bytesOf = () =>
    Buffer.concat([
      frame(answer[0]),
      peer.seal(frames, frame(answer[1])),
      frame(answer[2]),
      peer.seal(control, endMark),
    ]);
  const { length } = Buffer.concat([...answer, Buffer.alloc(3 * 4 + 2 * 22 + 4)]);
  for (let cut = 1; cut < length; cut++) {
    const visitor = await arrive(t);
    await claimed({ socket, peer });
    const bytes = bytesOf();
    assert.equal(bytes.length, length);
    socket.write(bytes.subarray(0, cut));
    // The first part has been read by itself when its content has come.
    if (cut >= 24) await readBytes(visitor, 20);
    else await new Promise((resolve) => setImmediate(resolve));
    socket.write(bytes.subarray(cut));
    visitor.end();
    const expected = Buffer.concat(answer).subarray(cut >= 24 ? 20 : 0);
    assert.ok((await rest(visitor)).equals(expected), `cut at ${cut}`);
    assert.deepEqual(await peer.read(socket), { type: control, content: endMark });
  }
});

test('a session serves no other visitor after a last mark, and one after a cut', options, async (t) => {
  const session = await lentSession(t);
  const { socket, peer } = session;
  for (const end of ['tunnel', 'visitor'] as const) {
    const visitor = await arrive(t);
    await claimed(session);
    if (end === 'tunnel') socket.write(peer.seal(control, cutMark));
    else visitor.resetAndDestroy();
    assert.deepEqual(await peer.read(socket), { type: control, content: cutMark });
    if (end === 'visitor') socket.write(peer.seal(control, cutMark));
    await rest(visitor);
  }
  const visitor = await arrive(t);
  await claimed(session);
  socket.write(peer.seal(control, lastMark));
  visitor.end();
  await rest(visitor);
  assert.deepEqual(await peer.read(socket), { type: control, content: endMark });
  assert.deepEqual(await rest(socket), Buffer.alloc(0));
  await until(async () => !(await isAlive()));
});

test('an end right behind a large frame arrives with it', options, async (t) => {
  const session = await lentSession(t);
  for (let round = 0; round < 20; round++) {
    const visitor = await arrive(t);
    await claimed(session);
    const content = randomBytes(300_000 + round);
    session.socket.write(Buffer.concat([frame(content), session.peer.seal(control, endMark)]));
    visitor.end();
    assert.ok((await rest(visitor)).equals(content));
    assert.deepEqual(await session.peer.read(session.socket), { type: control, content: endMark });
  }
});

test('a visitor that breaks off in the middle of a frame does not cost the session', options, async (t) => {
  const session = await lentSession(t);
  const { socket, peer } = session;
  for (let round = 0; round < 5; round++) {
    const visitor = await arrive(t);
    await claimed(session);
    const bytes = frame(randomBytes(1_000_000));
    // More than fits between relay and visitor, who reads nothing.
    visitor.pause();
    socket.write(bytes.subarray(0, 900_000));
    await until(() => visitor.readableLength > 0 || visitor.bytesRead > 0);
    visitor.resetAndDestroy();
    assert.deepEqual(await peer.read(socket), { type: control, content: cutMark });
    socket.write(Buffer.concat([bytes.subarray(900_000), frame(randomBytes(50)), peer.seal(control, cutMark)]));
    await until(() => lendings.live === 0 && lendings.ready === 1);
  }
});

const intrusions: Record<string, (peer: UnwrappedPeer) => Buffer> = {
  'bytes after its end mark': (peer) => Buffer.concat([peer.seal(control, endMark), frame(Buffer.from('more'))]),
  'a frame that begins in a record and goes on in the clear': (peer) =>
    Buffer.concat([peer.seal(control, frame(Buffer.from('begun')).subarray(0, 6)), frame(Buffer.from('gun'))]),
  'a partial header in a record': (peer) =>
    Buffer.concat([peer.seal(control, Buffer.alloc(3)), frame(Buffer.from('x'))]),
  'a frame that is too large, in a record': (peer) => peer.seal(control, Buffer.from('00100001', 'hex')),
  'a signing message that is too large': (peer) => peer.seal(control, Buffer.from('fffffffd00010003', 'hex')),
  'two signing messages': (peer) => {
    const message = Buffer.from('fffffffd000000020403', 'hex');
    return Buffer.concat([peer.seal(control, message), peer.seal(control, message)]);
  },
};
for (const [what, bytes] of Object.entries(intrusions)) {
  test(`${what} ends session and visitor, and nothing else`, options, async (t) => {
    const other = await lentSession(t);
    const served = await arrive(t);
    await claimed(other);
    const session = await lentSession(t);
    const visitor = await arrive(t);
    await claimed(session);
    session.socket.write(bytes(session.peer));
    await Promise.all([rest(session.socket), rest(visitor)]);
    other.socket.write(frame(Buffer.from('still here')));
    assert.equal(String(await readBytes(served, 10)), 'still here');
  });
}

test('a tunnel that goes while its visitor sends no more ends the visitor', options, async (t) => {
  const session = await lentSession(t);
  const visitor = await arrive(t);
  await claimed(session);
  session.socket.write(session.peer.seal(control, endMark));
  await once(visitor.resume(), 'end');
  // Its other direction is open still.
  session.socket.destroy();
  await until(() => lendings.live === 0);
});

test('a visitor waits for a session, or leaves', options, async (t) => {
  await lentSession(t).then(({ socket }) => socket.destroy());
  await until(() => lendings.ready === 0);
  const [leaves, stays] = [await arrive(t), await arrive(t)];
  await until(() => lendings.live === 2);
  leaves.resetAndDestroy();
  await until(() => lendings.live === 1);
  const session = await lentSession(t);
  await claimed(session);
  session.socket.write(Buffer.concat([frame(Buffer.from('served')), session.peer.seal(control, endMark)]));
  stays.end();
  assert.equal(String(await rest(stays)), 'served');
});

test('a visitor that waits longer is the main thread’s, and gets the next session', options, async (t) => {
  await lentSession(t).then(({ socket }) => socket.destroy());
  await until(() => lendings.ready === 0);
  const visitor = await arrive(t);
  await until(() => relay.relay.waiting === 1);
  assert.equal(lendings.live, 0);
  const connection = await connectWrapped(relay);
  const headers = { 'X-Portal-Recycle': '1', 'X-Portal-Unwrap': '1', 'X-Portal-Sign': '1' };
  await openSessionOn(connection.tls, relay, { ...sessionHeaders(lease.token), ...headers });
  const { socket, peer } = connection.unwrap();
  t.after(() => socket.destroy());
  socket.write(peer.seal(control, '\0'));
  await peer.read(socket);
  await claimed({ socket, peer });
  socket.write(Buffer.concat([frame(Buffer.from('late')), peer.seal(control, endMark)]));
  visitor.end();
  assert.equal(String(await rest(visitor)), 'late');
  // The session goes to the worker afterwards.
  await until(() => lendings.ready === 1);
});

test('a visitor of TLS 1.2 is served by the main thread, which takes a session back for it', options, async (t) => {
  const session = await lentSession(t);
  const { socket, peer } = session;
  const hello = await clientHello(lease.hostname);
  for (let round = 0; round < 2; round++) {
    const lent = lendings.count;
    const at = hello.indexOf(Buffer.from('002b', 'hex'));
    const old = Buffer.from(hello);
    // The extension supported_versions gets the number of another.
    old.writeUInt16BE(0xfefe, at);
    const visitor = await arrive(t, old);
    await until(() => lendings.ready === 0);
    await claimed(session);
    socket.write(Buffer.concat([frame(Buffer.from('old')), peer.seal(control, endMark)]));
    visitor.end();
    assert.equal(String(await rest(visitor)), 'old');
    assert.deepEqual(await peer.read(socket), { type: control, content: endMark });
    await until(() => lendings.ready === 1 && lendings.count === lent + 1);
    const next = await arrive(t);
    await claimed(session);
    next.resetAndDestroy();
    assert.deepEqual(await peer.read(socket), { type: control, content: cutMark });
    socket.write(peer.seal(control, cutMark));
    await until(() => lendings.ready === 1);
  }
});

test('connections of a source count together, whoever serves them', options, async (t) => {
  const limited = await relayFor(t, { dataPlane: 'entry', maxConnectionsPerSource: 4 });
  const held = await register(limited, { name: 'counted', ttl: 600 });
  const session = await lentSession(t, held, limited);
  const visitor = await arrive(t, undefined, limited, held);
  await claimed(session);
  const hold = async (hostname: string) => {
    const socket = await dialPublic(limited);
    t.after(() => socket.destroy());
    socket.on('error', () => {}).write((await clientHello(hostname)).subarray(0, 100));
    return socket;
  };
  const partial = await Promise.all([1, 2, 3].map(async () => await hold(held.hostname)));
  const beyond = await hold(held.hostname);
  assert.equal((await rest(beyond)).length, 0);
  partial[0]!.destroy();
  // One place is free again: for the API, which the main thread serves.
  await until(async () => {
    const api = await connectWrapped(limited).catch(() => undefined);
    api?.tls.destroy();
    return api !== undefined;
  });
  visitor.destroy();
});

test('a lease’s limit of connections holds', options, async (t) => {
  const limited = await relayFor(t, { dataPlane: 'entry', maxConnectionsPerLease: 1 });
  const held = await register(limited, { name: 'one', ttl: 600 });
  const [first, second] = [await lentSession(t, held, limited), await lentSession(t, held, limited)];
  const visitor = await arrive(t, undefined, limited, held);
  await claimed(first);
  const refused = await rest(await arrive(t, undefined, limited, held));
  assert.equal(refused[0], alert);
  visitor.resetAndDestroy();
  assert.deepEqual(await first.peer.read(first.socket), { type: control, content: cutMark });
  first.socket.write(first.peer.seal(control, cutMark));
  await until(() => lendings.live === 0);
  await arrive(t, undefined, limited, held);
  await claimed(second);
});

test('a balancer’s PROXY header, in pieces, tells the tunnel the visitor’s address', options, async (t) => {
  const behind = await relayFor(t, { dataPlane: 'entry', proxyProtocolFrom: ['127.0.0.7'] });
  const held = await register(behind, { name: 'behind', ttl: 600 });
  const session = await lentSession(t, held, behind, { 'X-Portal-Proxy': '2' });
  const balanced = async () => {
    const socket = connectTcp({ host: '127.0.0.1', port: behind.publicPort, localAddress: '127.0.0.7' });
    t.after(() => socket.destroy());
    await once(
      socket.on('error', () => {}),
      'connect',
    );
    return socket.setNoDelay(true);
  };
  const hello = await clientHello(held.hostname);
  const v1 = Buffer.from('PROXY TCP4 192.0.2.9 192.0.2.1 4711 443\r\n');
  const v2 = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000209c00002011267 01bb'.replace(' ', ''), 'hex');
  for (const header of [v1, v2]) {
    for (const size of [1, 7, 1_000]) {
      const socket = await balanced();
      const bytes = Buffer.concat([header, hello]);
      for (let at = 0; at < bytes.length; at += size) {
        socket.write(bytes.subarray(at, at + size));
        if (size === 1 && at < 60) await new Promise((resolve) => setImmediate(resolve));
      }
      const opening = await claimed(session);
      assert.ok(opening.includes(Buffer.from('c0000209c00002011267', 'hex')), 'source and destination');
      socket.end();
      assert.deepEqual((await session.peer.read(session.socket)).content, endMark);
      session.socket.write(session.peer.seal(control, endMark));
      await rest(socket);
    }
  }
  const without = await balanced();
  without.write(hello);
  assert.equal((await rest(without)).length, 0);
});

test(
  'what is no ClientHello, or for a name that nobody has, is answered as by Node’s data plane',
  options,
  async (t) => {
    await lentSession(t);
    const other = await relayFor(t, { dataPlane: 'node' });
    const answersOf = async (on: TestRelay) => {
      const answers = [];
      for (const bytes of [
        Buffer.from('GET / HTTP/1.1\r\n\r\n'),
        Buffer.from('16030100050200000100', 'hex'),
        Buffer.from('16030100050100ffff00', 'hex'),
        await clientHello(`nobody.${on.rootHost}`),
      ]) {
        const answer = await rest(await arrive(t, bytes, on));
        answers.push(answer.toString('hex'));
      }
      return answers;
    };
    const answers = await answersOf(relay);
    assert.ok(answers.at(-1)!.startsWith('15'), 'an alert');
    assert.deepEqual(answers, await answersOf(other));
  },
);

test('2,000 visitors that end in every way leave no descriptor and no count behind', options, async (t) => {
  const service = await startTcpService(t, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      if (chunk[0] === 0x72) socket.resetAndDestroy();
      else if (chunk[0] === 0x65) socket.end(chunk);
      else socket.write(chunk);
    });
    socket.on('end', () => socket.end());
  });
  const { hostname } = await openTunnel(t, relay, service.port, { probe: false });
  await until(() => lendings.ready > 0);
  const ways: (() => Promise<unknown>)[] = [
    async () => (await dialPublic(relay)).on('error', () => {}).resetAndDestroy(),
    async () => (await dialPublic(relay)).on('error', () => {}).destroy(),
    async () => {
      const socket = await dialPublic(relay);
      socket.on('error', () => {}).write((await clientHello(hostname)).subarray(0, 200), () => socket.destroy());
    },
    async () => {
      const socket = await dialPublic(relay);
      socket.on('error', () => {}).write(await clientHello(hostname), () => socket.resetAndDestroy());
    },
    async () => {
      const visitor = visit(relay, hostname);
      await once(visitor, 'secureConnect');
      visitor.destroy();
    },
    ...['e', 'r'].map((word) => async () => {
      const visitor = await visitTls(relay, hostname);
      visitor.on('error', () => {}).write(word);
      await rest(visitor);
    }),
    async () => {
      const visitor = await visitTls(relay, hostname);
      visitor.on('error', () => {}).end('echo');
      await rest(visitor);
    },
  ];
  const round = async (visits: number) => {
    let left = visits;
    const visitors = Array.from({ length: 8 }, async () => {
      while (left-- > 0) await ways[left % ways.length]!().catch(() => undefined);
    });
    await Promise.all(visitors);
    await until(() => lendings.live === 0);
  };
  await round(80);
  const before = openDescriptors();
  await round(2_000);
  // Sessions come and go with the load.
  await until(() => openDescriptors() <= before + 16);
  const visitor = await visitTls(relay, hostname);
  visitor.write('still');
  assert.equal(String((await once(visitor, 'data'))[0]), 'still');
  visitor.destroy();
  await until(() => lendings.live === 0);
});

test(
  'a binding of a connection in the worker is good for one signature, inside the session or by a call',
  options,
  async (t) => {
    const session = await lentSession(t);
    const other = await register(relay, { name: 'other', ttl: 600 });
    const asked = { key_id: 'relay-cert', signature_scheme: 'ecdsa_secp256r1_sha256', transcript: 'AQAAAA==' };
    const message = Buffer.from('fffffffd0000000604030100 0000'.replace(' ', ''), 'hex');
    for (const spender of ['call', 'session'] as const) {
      const visitor = await arrive(t);
      const binding = (await claimed(session)).subarray(1, 17).toString('base64');
      const sign = async (token: string) =>
        (await call(relay, 'POST', '/v1/sign', { token, body: { ...asked, binding } })).body.error.message as string;
      const inside = async () => {
        session.socket.write(session.peer.seal(control, message));
        return (await session.peer.read(session.socket)).content.toString('latin1', 10);
      };
      const unknown = /the binding is unknown, spent or expired/;
      assert.match(await sign(other.token), unknown, 'of another lease');
      if (spender === 'call') assert.doesNotMatch(await sign(lease.token), unknown);
      else assert.doesNotMatch(await inside(), unknown);
      assert.match(await sign(lease.token), unknown);
      if (spender === 'call') assert.match(await inside(), unknown);
      visitor.end();
      assert.deepEqual((await session.peer.read(session.socket)).content, endMark);
      session.socket.write(session.peer.seal(control, endMark));
      await rest(visitor);
    }
  },
);

test('a session’s keys are of no other session', options, async (t) => {
  const [one, other] = [await lentSession(t), await lentSession(t)];
  const visitor = await arrive(t);
  await claimed(one).catch(() => undefined);
  one.socket.write(other.peer.seal(control, endMark));
  await Promise.all([rest(one.socket), rest(visitor)]);
});
