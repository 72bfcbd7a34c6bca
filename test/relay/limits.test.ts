import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { call, connectTls, freshWallet, openSession, readBytes, register, sessionHeaders } from '../support/by-hand.js';
import { monotonicClock } from '../support/monotonic-clock.js';
import { relayFor, type TestRelay, startTestRelay, withPorts } from '../support/relay.js';
import { clientHello, dialPublic, readOpening } from '../support/tenant.js';

async function withRelay(
  overrides: Parameters<typeof startTestRelay>[0],
  body: (relay: TestRelay) => Promise<void>,
): Promise<void> {
  const relay = await startTestRelay(overrides);
  try {
    await body(relay);
  } finally {
    await relay.stop();
  }
}

const refusedWith = (code: string, status: number) => (error: Error) =>
  error.message.includes(`"${code}"`) || assert.fail(`${status} ${code} expected: ${error.message}`);

test('reserved names cannot be leased', () =>
  withRelay({ reservedNames: ['www', 'wpad'] }, async (relay) => {
    await assert.rejects(register(relay, { name: 'www' }), refusedWith('hostname_conflict', 409));
    await assert.rejects(register(relay, { name: 'WPAD' }), refusedWith('hostname_conflict', 409));
    await register(relay, { name: 'www2' });
  }));

test('the name of an API hostname cannot be leased', () =>
  withRelay({ apiHosts: ['console.portal.localhost', 'elsewhere.example'] }, async (relay) => {
    await assert.rejects(register(relay, { name: 'console' }), refusedWith('hostname_conflict', 409));
    await register(relay, { name: 'elsewhere' });
  }));

test('leases are limited by wallet; registering again uses no more, unregistering frees one', () =>
  withRelay({ maxLeasesPerWallet: 2 }, async (relay) => {
    const wallet = freshWallet();
    const first = await register(relay, { name: 'one', wallet });
    await register(relay, { name: 'two', wallet });
    await assert.rejects(register(relay, { name: 'three', wallet }), refusedWith('rate_limited', 429));
    await register(relay, { name: 'two', wallet });
    await register(relay, { name: 'three' });
    await call(relay, 'POST', '/sdk/unregister', { body: {}, token: first.token });
    await register(relay, { name: 'four', wallet });
    await assert.rejects(register(relay, { name: 'five', wallet }), refusedWith('rate_limited', 429));
  }));

test('each UDP port after the first of a lease counts as one more, also where it replaces a lease', async (t) => {
  const relay = await relayFor(t, { ...(await withPorts(16)), maxLeasesPerWallet: 4 });
  const wallet = freshWallet();
  const many = await register(relay, { name: 'many', wallet, udp: true, udpCount: 3 });
  await register(relay, { name: 'one', wallet, udp: true });
  const limited = refusedWith('rate_limited', 429);
  await assert.rejects(register(relay, { name: 'more', wallet }), limited);
  await assert.rejects(register(relay, { name: 'one', wallet, udp: true, udpCount: 2 }), limited);
  await register(relay, { name: 'many', wallet, udp: true, udpCount: 2 });
  const { token } = await register(relay, { name: 'one', wallet, udp: true, udpCount: 2 });
  await assert.rejects(register(relay, { name: 'more', wallet }), limited);
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token });
  await register(relay, { name: 'more', wallet, udp: true, udpCount: 2 });
  assert.equal(many.udpCount, 3);
});

test('leases are limited by source address over all wallets; expired ones do not count', (t) =>
  withRelay({ maxLeasesPerSource: 2 }, async (relay) => {
    await register(relay, { name: 'short', ttl: 30 });
    await register(relay, { name: 'long', ttl: 600 });
    await assert.rejects(register(relay, { name: 'more' }), refusedWith('rate_limited', 429));
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31_000 });
    await register(relay, { name: 'more' });
  }));

test('too many renewals are rate_limited, for that lease only', () =>
  withRelay({}, async (relay) => {
    const [lease, other] = [await register(relay, { name: 'eager' }), await register(relay, { name: 'calm' })];
    const codes = await Promise.all(
      Array.from({ length: 30 }, () => call(relay, 'POST', '/sdk/renew', { body: {}, token: lease.token })),
    );
    assert.ok(codes.some(({ status }) => status === 200) && codes.some(({ status }) => status === 429));
    assert.equal((await call(relay, 'POST', '/sdk/renew', { body: {}, token: other.token })).status, 200);
  }));

test('a time-based limit continues when the system clock is set back', (t) =>
  withRelay({}, async (relay) => {
    const { token } = await register(relay, { name: 'back' });
    const renew = async () => (await call(relay, 'POST', '/sdk/renew', { body: {}, token })).status;
    const advance = monotonicClock(t);
    const statuses = await Promise.all(Array.from({ length: 30 }, renew));
    assert.ok(statuses.includes(429));
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 10_000 });
    advance(5_000);
    assert.equal(await renew(), 200);
  }));

test('a source of many forged tokens is rate_limited', () =>
  withRelay({}, async (relay) => {
    const statuses = new Set<number>();
    for (let round = 0; round < 14; round++) {
      const calls = Array.from({ length: 10 }, () => call(relay, 'POST', '/sdk/renew', { body: {}, token: 'a.b.c' }));
      for (const { status } of await Promise.all(calls)) statuses.add(status);
    }
    assert.deepEqual([...statuses].sort(), [401, 429]);
  }));

test('public connections are limited by source; a closed one frees a slot', () =>
  withRelay({ maxConnectionsPerSource: 4 }, async (relay) => {
    const held = await Promise.all(Array.from({ length: 4 }, () => dialPublic(relay)));
    const refused = await dialPublic(relay);
    refused.on('error', () => {});
    assert.equal((await buffer(refused).catch(() => Buffer.alloc(0))).length, 0);
    held[0]?.destroy();
    for (;;) {
      const again = await dialPublic(relay);
      again.on('error', () => {});
      again.write(await clientHello('nobody.portal.localhost'));
      const answer = await buffer(again).catch(() => Buffer.alloc(0));
      if (answer.length > 0) break;
    }
    for (const socket of held) socket.destroy();
  }));

test('reverse sessions on the public port do not count as visitors of their address, other requests do', () =>
  withRelay({ maxConnectionsPerSource: 3 }, async (relay) => {
    const { token } = await register(relay, { name: 'full', ttl: 600 });
    const upgrade = (protocol: string) => ({ Connection: 'Upgrade', Upgrade: protocol });
    const webSocket = {
      ...upgrade('websocket'),
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': 'portal.reverse',
    };
    const carriers = [{}, upgrade('portal-reverse'), webSocket];
    for (const carrier of [...carriers, ...carriers]) {
      const { status, head } = await openSession(relay, { ...sessionHeaders(token), ...carrier }, relay.publicPort);
      assert.ok(status < 300, head);
    }
    const held: Socket[] = [await connectTls(relay, relay.publicPort)];
    held.push(await dialPublic(relay), await dialPublic(relay));
    const refused = await dialPublic(relay);
    refused.on('error', () => {});
    assert.equal((await buffer(refused).catch(() => Buffer.alloc(0))).length, 0);
    assert.ok(held.every(({ closed }) => !closed));
    for (const socket of held) socket.destroy();
  }));

test('concurrent connections are limited by lease, and other leases are not affected', () =>
  withRelay({ maxConnectionsPerLease: 2 }, async (relay) => {
    const serve = async (name: string) => {
      const lease = await register(relay, { name, ttl: 600 });
      const hello = await clientHello(lease.hostname);
      return async (): Promise<Socket> => {
        const { socket } = await openSession(relay, sessionHeaders(lease.token));
        const visitor = await dialPublic(relay);
        visitor.write(hello);
        await readOpening(socket);
        await readBytes(socket, hello.length);
        return visitor;
      };
    };
    const [busy, calm] = [await serve('busy'), await serve('calm')];
    const live = [await busy(), await busy()];
    const third = await dialPublic(relay);
    third.write(await clientHello('busy.portal.localhost'));
    assert.deepEqual(await buffer(third), Buffer.from([21, 3, 3, 0, 2, 2, 80]));
    live.push(await calm());
    for (const visitor of live) visitor.destroy();
  }));

test('a tunnel or visitor that never reads applies backpressure: buffers stay bounded', () =>
  withRelay({}, async (relay) => {
    const lease = await register(relay, { name: 'stuck', ttl: 600 });
    const hello = await clientHello(lease.hostname);
    const { socket: tunnel } = await openSession(relay, sessionHeaders(lease.token));
    const visitor = await dialPublic(relay);
    visitor.write(hello);
    await readOpening(tunnel);
    await readBytes(tunnel, hello.length);
    tunnel.pause();
    visitor.pause();
    const before = process.memoryUsage().rss;
    const chunk = Buffer.alloc(1 << 20);
    // Until the kernel's buffers and the relay's own are full, which they must be long before 256 MB.
    for (const side of [visitor, tunnel]) {
      let taken = 0;
      while (taken < 256 && (await took(side, chunk))) taken++;
      assert.ok(taken < 64, `${taken} MB went nowhere`);
    }
    assert.ok(process.memoryUsage().rss - before < 128 * (1 << 20));
    visitor.destroy();
    tunnel.destroy();
  }));

test('an endless body is refused, and reading stops', () =>
  withRelay({}, async (relay) => {
    const socket = await connectTls(relay);
    socket.on('error', () => {});
    const head =
      'POST /sdk/renew HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n';
    socket.write(head);
    assert.match(String(await readBytes(socket, 12)), /413$/);
    socket.resume();
    let megabytes = 0;
    while (megabytes < 64) {
      const failed = await new Promise((resolve) => socket.write(Buffer.alloc(1 << 20), resolve));
      if (failed) break;
      megabytes++;
    }
    assert.ok(megabytes < 32, `${megabytes} MB were taken after the refusal`);
  }));

/** Whether a write drains; it does not once the way is full, which shows when nothing has moved for a while. */
async function took(socket: Socket, chunk: Buffer): Promise<boolean> {
  if (socket.write(chunk)) return true;
  const still = new AbortController();
  let left = socket.writableLength;
  const watch = setInterval(() => {
    if (socket.writableLength === left) still.abort();
    left = socket.writableLength;
  }, 400);
  const drained = await once(socket, 'drain', { signal: still.signal }).then(
    () => true,
    () => false,
  );
  clearInterval(watch);
  return drained;
}
