import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { EntryEngine } from '../../src/entry/entry-engine.js';
import { loadLibc } from '../../src/kernel/libc.js';
import { clientHello } from '../support/tenant.js';

const libc = loadLibc();
const options = { skip: !libc && 'the entry worker needs Linux' };
const shortMs = 300;

/** A worker that listens, without any lease: what it does not close by itself it gives to the main thread. */
async function listeningEngine(t: TestContext, balancers: string[] = []) {
  const events = new EventEmitter<{ visitor: [Socket]; outcome: [string]; ready: [] }>();
  const limits = {
    maxConnections: 100,
    maxConnectionsPerSource: 100,
    maxAwaited: 4,
    maxAwaitedPerSource: 3,
    headerTimeoutMs: shortMs,
    helloTimeoutMs: shortMs,
    maxReady: 8,
    maxWaiting: 8,
  };
  const engine = new EntryEngine(libc!, limits, balancers, {
    onVisitor: (socket) => events.emit('visitor', socket),
    onReturned: () => {},
    onOutcome: (outcome) => events.emit('outcome', outcome),
    onReady: () => events.emit('ready'),
    onFailed: (error) => assert.fail(error),
  });
  t.after(() => engine.stop());
  // The worker alone does not keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  const ready = once(events, 'ready');
  assert.equal(engine.isReady, false);
  await ready;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  engine.listen((server as unknown as { _handle: { fd: number } })._handle.fd, 60_000);
  server.close();
  const dial = async () => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    return socket.setNoDelay(true);
  };
  return { engine, events, dial };
}

test('a visitor that comes after a quiet time has all of its time', options, async (t) => {
  const { events, dial } = await listeningEngine(t);
  const hello = await clientHello('a.example');
  // Quiet for longer than the deadline.
  await new Promise((resolve) => setTimeout(resolve, 2 * shortMs));
  const outcome = once(events, 'outcome');
  const visitor = await dial();
  visitor.write(hello.subarray(0, 100));
  const handedOver = once(events, 'visitor') as Promise<[Socket]>;
  await new Promise((resolve) => setTimeout(resolve, shortMs / 3));
  visitor.write(hello.subarray(100));
  const [socket] = (await Promise.race([handedOver, outcome])) as [Socket];
  assert.ok(typeof socket !== 'string', 'it was closed');
  assert.deepEqual(socket.read(), hello);
  socket.destroy();
});

test(
  'a visitor that does not finish its ClientHello, or its PROXY header, is closed and counted',
  options,
  async (t) => {
    for (const [balancers, expected] of [
      [[], 'no_client_hello'],
      [['127.0.0.1'], 'no_proxy_header'],
    ] as const) {
      const { events, dial } = await listeningEngine(t, [...balancers]);
      const outcome = once(events, 'outcome');
      const visitor = await dial();
      visitor.write(balancers.length > 0 ? 'PROXY TCP4' : (await clientHello('a.example')).subarray(0, 100));
      const closed = once(visitor.resume(), 'close');
      assert.deepEqual(await outcome, [expected]);
      await closed;
    }
  },
);

test('of visitors whose first bytes are awaited, a source has only so many', options, async (t) => {
  const { events, dial } = await listeningEngine(t);
  const outcome = once(events, 'outcome');
  const visitors = [await dial(), await dial(), await dial(), await dial()];
  assert.deepEqual(await outcome, ['too_many_pending']);
  await Promise.race(visitors.map((visitor) => once(visitor.resume(), 'close')));
});
