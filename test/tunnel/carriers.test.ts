import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { startNginx } from '../support/nginx.js';
import { freePort, startTestRelay, type TestRelay } from '../support/relay.js';
import {
  get,
  openTunnel,
  startHttpService,
  startTcpService,
  startTunnel,
  statusWhere,
  visitTls,
} from '../support/tunnel.js';
import { readAll } from '../support/by-hand.js';

async function relayFor(t: TestContext, overrides: Parameters<typeof startTestRelay>[0] = {}): Promise<TestRelay> {
  const relay = await startTestRelay(overrides);
  t.after(() => relay.stop());
  return relay;
}

/** A relay whose URL is nginx's, which ends TLS in front of its API. */
async function relayBehindNginx(t: TestContext, passes: 'every upgrade' | 'websocket' | 'none') {
  const port = await freePort();
  const relay = await relayFor(t, { portalUrl: new URL(`https://portal.localhost:${port}`) });
  await startNginx(t, { port, relay, passes });
  return relay;
}

test('over WebSocket requests and 32 MB each way at once arrive intact', async (t) => {
  const relay = await relayFor(t);
  const web = await startHttpService(t, (_request, response) => response.end('over WebSocket'));
  const { hostname } = await openTunnel(t, relay, web.port, { carrier: 'ws' });
  assert.equal((await get(relay, hostname)).body, 'over WebSocket');

  const echo = await startTcpService(t, (socket) => socket.pipe(socket));
  const second = await openTunnel(t, relay, echo.port, { carrier: 'ws' });
  const visitor = await visitTls(relay, second.hostname);
  const sent = createHash('sha256');
  const received = readAll(visitor);
  for (let i = 0; i < 64; i++) {
    const chunk = randomBytes(1 << 19);
    sent.update(chunk);
    if (!visitor.write(chunk)) await once(visitor, 'drain');
  }
  visitor.end();
  assert.equal(
    createHash('sha256')
      .update(await received)
      .digest('hex'),
    sent.digest('hex'),
  );
});

test('visitor and service half-close independently over WebSocket', async (t) => {
  const relay = await relayFor(t);
  const service = await startTcpService(t, (socket) => {
    socket.write('greeting, ');
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    socket.on('end', () => socket.end(`heard ${heard}`));
  });
  const { hostname } = await openTunnel(t, relay, service.port, { carrier: 'ws' });
  const visitor = await visitTls(relay, hostname);
  visitor.end('the question');
  assert.equal(String(await readAll(visitor)), 'greeting, heard the question');
});

test('behind nginx that forwards every Upgrade the raw carrier is used', async (t) => {
  const relay = await relayBehindNginx(t, 'every upgrade');
  const service = await startHttpService(t, (_request, response) => response.end('raw'));
  const { hostname, statuses } = await openTunnel(t, relay, service.port);
  for (let i = 0; i < 5; i++) assert.equal((await get(relay, hostname)).body, 'raw');
  assert.ok(!statuses.some(({ state }) => state === 'carrier_changed'));
});

test('behind nginx that forwards only WebSockets the tunnel falls back to WebSocket', async (t) => {
  const relay = await relayBehindNginx(t, 'websocket');
  const service = await startHttpService(t, (_request, response) => response.end('by way of nginx'));
  const { hostname, statuses } = await openTunnel(t, relay, service.port);
  const bodies = await Promise.all(Array.from({ length: 20 }, async () => (await get(relay, hostname)).body));
  assert.deepEqual(new Set(bodies), new Set(['by way of nginx']));
  assert.equal(statuses.filter(({ state }) => state === 'carrier_changed').length, 1);
});

test('a tunnel set to the raw carrier does not fall back', async (t) => {
  const relay = await relayBehindNginx(t, 'websocket');
  const { tunnel, statuses } = startTunnel(t, relay, 1, { carrier: 'raw' });
  await statusWhere(tunnel, ({ state }) => state === 'retrying');
  assert.ok(!statuses.some(({ state }) => state === 'carrier_changed'));
});

test('with both carriers blocked the tunnel reports it and retries', async (t) => {
  const relay = await relayBehindNginx(t, 'none');
  const { tunnel } = startTunnel(t, relay, 1);
  const { error } = await statusWhere(tunnel, ({ state }) => state === 'retrying');
  assert.ok(error);
  assert.equal(tunnel.current, undefined);
});

test('an unknown carrier is a usage error', async (t) => {
  const relay = await relayFor(t);
  const { tunnel } = startTunnel(t, relay, 1, { carrier: 'pigeon' as never });
  const { error } = await tunnel.closed;
  assert.match(error?.message ?? '', /auto, raw or ws/);
});
