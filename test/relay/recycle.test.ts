import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { openSession, readBytes, register, sessionHeaders, type HeldLease } from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';
import { clientHello, dialPublic, readOpening } from '../support/tenant.js';

const relay = sharedRelay({}, async () => {
  lease = await register(relay, { name: 'again' });
});
let lease: HeldLease;

// The helpers that read by hand leave listeners behind, which are many on a session that lives long.
EventEmitter.defaultMaxListeners = 100;

const headers = () => ({ ...sessionHeaders(lease.token), 'X-Portal-Recycle': '1' });

/** A visitor of the lease, its first words said. */
async function visitor(): Promise<{ socket: Duplex; hello: Buffer }> {
  const hello = await clientHello(lease.hostname);
  const socket = await dialPublic(relay);
  socket.on('error', () => {});
  socket.write(hello);
  return { socket, hello };
}

async function readFrame(socket: TLSSocket): Promise<Buffer | 'end' | 'cut'> {
  const length = (await readBytes(socket, 4)).readUInt32BE(0);
  if (length === 0) return 'end';
  if (length === 0xffff_ffff) return 'cut';
  return await readBytes(socket, length);
}

/** Waits until the other side has released a connection. */
async function gone(socket: Duplex): Promise<void> {
  socket.resume();
  await new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()));
  socket.destroy();
}

const frame = (bytes: Buffer): Buffer => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(bytes.length);
  return Buffer.concat([header, bytes]);
};
const end = Buffer.alloc(4);
const cut = Buffer.alloc(4, 0xff);

test('a recycled session serves connections in sequence, with half-close and a new binding for each', async () => {
  const { socket: session, head } = await openSession(relay, headers());
  assert.match(head, /^X-Portal-Recycle: 1\r$/im);
  const bindings = new Set<string>();
  for (let round = 0; round < 3; round++) {
    const { socket, hello } = await visitor();
    const { binding } = await readOpening(session);
    bindings.add(binding.toString('hex'));
    assert.deepEqual(await readFrame(session), hello);
    socket.end();
    assert.equal(await readFrame(session), 'end');
    const answer = randomBytes(5_000);
    session.write(Buffer.concat([frame(answer.subarray(0, 3_000)), frame(answer.subarray(3_000)), end]));
    assert.ok((await readBytes(socket as TLSSocket, 5_000)).equals(answer));
    if (!socket.readableEnded) await once(socket.resume(), 'end');
  }
  assert.equal(bindings.size, 3);
  session.destroy();
});

test('without the recycle header a session serves one unframed connection, and is closed', async () => {
  const { socket: session, head } = await openSession(relay, sessionHeaders(lease.token));
  assert.doesNotMatch(head, /recycle/i);
  const { socket, hello } = await visitor();
  await readOpening(session);
  assert.ok((await readBytes(session, hello.length)).equals(hello));
  socket.end();
  session.end();
  await gone(session);
});

test('an X-Portal header with an unknown value is refused as invalid_request', async () => {
  const { status, body } = await openSession(relay, { ...headers(), 'X-Portal-Recycle': '2' });
  assert.equal(status, 400);
  assert.equal(body.error.code, 'invalid_request');
});

test('a visitor’s reset cuts its connection only', async () => {
  const { socket: session } = await openSession(relay, headers());
  const first = await visitor();
  await readOpening(session);
  assert.deepEqual(await readFrame(session), first.hello);
  (first.socket as TLSSocket).resetAndDestroy();
  assert.equal(await readFrame(session), 'cut');
  session.write(Buffer.concat([frame(Buffer.from('too late')), cut]));
  const second = await visitor();
  await readOpening(session);
  assert.deepEqual(await readFrame(session), second.hello);
  second.socket.destroy();
  session.destroy();
});

test('a cut by the tunnel resets its visitor, and the session serves the next', async () => {
  const { socket: session } = await openSession(relay, headers());
  const first = await visitor();
  await readOpening(session);
  await readFrame(session);
  session.write(cut);
  await gone(first.socket);
  assert.equal(await readFrame(session), 'cut');
  const second = await visitor();
  await readOpening(session);
  assert.deepEqual(await readFrame(session), second.hello);
  second.socket.destroy();
  session.destroy();
});

for (const [name, bytes] of [
  ['a frame that is too long', Buffer.from('00100001', 'hex')],
  ['bytes after its end', Buffer.from('0000000000000001', 'hex')],
] as const) {
  test(`${name} costs a tunnel that session, and its visitor the connection`, async () => {
    const { socket: session } = await openSession(relay, headers());
    const { socket } = await visitor();
    await readOpening(session);
    session.on('error', () => {}).write(bytes);
    await Promise.all([gone(socket), gone(session)]);
  });
}

test('a tunnel that sends before the next connection starts loses the session', async () => {
  const { socket: session } = await openSession(relay, headers());
  const { socket } = await visitor();
  await readOpening(session);
  await readFrame(session);
  socket.end();
  assert.equal(await readFrame(session), 'end');
  session.on('error', () => {}).write(end);
  await once(socket.resume(), 'end');
  session.write(frame(Buffer.from('eager')));
  await gone(session);
});

test('a session whose lease has ended is not recycled', async () => {
  const other = await register(relay, { name: 'gone-soon' });
  const { socket: session } = await openSession(relay, {
    ...sessionHeaders(other.token),
    'X-Portal-Recycle': '1',
  });
  const hello = await clientHello(other.hostname);
  const socket = await dialPublic(relay);
  socket.write(hello);
  await readOpening(session);
  await readFrame(session);
  await register(relay, { name: 'gone-soon', wallet: other.wallet });
  socket.end();
  assert.equal(await readFrame(session), 'end');
  session.on('error', () => {}).write(end);
  await gone(session);
});
