import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TLSSocket, connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { queryObjects } from 'node:v8';
import { RelayTransport } from '../../src/sdk/transport/relay-transport.js';
import { type ClientHello, ClientHelloReader } from '../../src/tls/index.js';
import { RawCarrier } from '../../src/tunnel/carriers/raw-carrier.js';
import { DetachableSocket } from '../../src/unwrap/detachable-socket.js';
import { pass } from '../support/interceptor.js';
import { readAll, register } from '../support/by-hand.js';
import { type TestRelay, freePort, startTestRelay, withPorts } from '../support/relay.js';
import { listening, openTunnel, startTcpService, visitTls } from '../support/tunnel.js';
import { until } from '../support/until.js';

/** A connection as the network between sees it. */
interface Seen {
  hello: ClientHello;
  /** All bytes both ways, as they came. */
  bytes: Buffer[];
}

/** The relay's own address: its public name leads to what stands before it. */
const behind = '127.0.0.2';

type Fate = 'pass' | 'cut' | 'drop' | 'end TLS';

/** A relay, and what stands on the way to its public port, for tunnels and visitors alike. */
async function relayAcross(
  t: TestContext,
  fateOf: (hello: ClientHello) => Fate = () => 'pass',
  settings: Parameters<typeof startTestRelay>[0] = {},
): Promise<{ relay: TestRelay; seen: Seen[] }> {
  const sniPort = await freePort();
  const relay = await startTestRelay({ host: behind, sniPort, ...settings });
  t.after(() => relay.stop());
  const seen: Seen[] = [];
  const key = readFileSync(join(relay.config.stateDir, 'development-key.pem'));
  // Offers what the client offers, so that nothing in the handshake gives it away.
  const tls = createTlsServer({ cert: relay.certificatePem, key, ALPNCallback: ({ protocols }) => protocols[0] });
  tls.on('tlsClientError', () => {});
  tls.on('secureConnection', (near) => {
    const ALPNProtocols = near.alpnProtocol ? [near.alpnProtocol] : [];
    pass(near, connectTls({ host: behind, port: sniPort, servername: relay.rootHost, ca: relay.ca, ALPNProtocols }));
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    const reader = new ClientHelloReader();
    const onData = (chunk: Buffer) => {
      const hello = reader.push(chunk);
      if (!hello) return;
      socket.pause().off('data', onData);
      socket.unshift(reader.buffered());
      const bytes: Buffer[] = [];
      seen.push({ hello, bytes });
      const fate = fateOf(hello);
      if (fate === 'cut') socket.resetAndDestroy();
      else if (fate === 'drop') socket.resume().once('end', () => socket.destroy());
      else if (fate === 'end TLS') tls.emit('connection', socket);
      else pass(socket, connectTcp({ host: behind, port: sniPort, allowHalfOpen: true }), bytes);
    };
    socket.on('data', onData);
  });
  await listening(t, server, sniPort);
  return { relay, seen };
}

const asks = ({ hello }: Seen) => hello.alpn?.includes('portal-reverse') === true;
const serving = (hostname: string) => (one: Seen) => one.hello.serverName === hostname;

/** An echo of `length` bytes through the tunnel. */
async function echoed(relay: TestRelay, hostname: string, length: number): Promise<void> {
  const visitor = await visitTls(relay, hostname);
  const sent = randomBytes(length);
  const received = readAll(visitor);
  visitor.end(sent);
  assert.ok((await received).equals(sent));
}

const echo = (t: TestContext) => startTcpService(t, (socket) => socket.pipe(socket));

test('unwrapped sessions carry visitors’ ciphertext unchanged; SNI, token and plain text are not visible', async (t) => {
  const { relay, seen } = await relayAcross(t);
  const { hostname, tunnel } = await openTunnel(t, relay, (await echo(t)).port);
  await echoed(relay, hostname, 1_000_000);
  const sessions = seen.filter(asks).map(({ bytes }) => Buffer.concat(bytes));
  const visitor = Buffer.concat(seen.find(serving(hostname))!.bytes);
  // From the middle of what the visitor and the tunnel sent to each other.
  const session = sessions.find((bytes) => bytes.includes(visitor.subarray(500_000, 500_100)));
  assert.ok(session, 'encrypted once more');
  assert.ok(visitor.includes(hostname));
  // The start of a token's header, long enough not to occur in random bytes.
  const tokenStart = Buffer.from('{"alg":"EdDSA').toString('base64url').slice(0, 16);
  for (const bytes of sessions) {
    assert.ok(!bytes.includes(hostname));
    assert.ok(!bytes.includes(visitor.subarray(11, 43)), 'the random of the visitor’s hello');
    assert.ok(!bytes.includes(tokenStart), 'a token');
    assert.ok(!bytes.includes('X-Portal'));
  }
  assert.equal(tunnel.current?.hostname, hostname);
});

test('sessions are reused for small and large connections: 40 connections open fewer than 20 sessions', async (t) => {
  const { relay, seen } = await relayAcross(t);
  const { hostname } = await openTunnel(t, relay, (await echo(t)).port);
  // The pool may grow while connections come fast, so that a handful of sessions is right. Without reuse it would be one for each.
  for (let round = 0; round < 10; round++) {
    for (const length of [100, 2_000_000, 10, 40_000]) await echoed(relay, hostname, length);
  }
  const opened = seen.filter(asks).length;
  assert.ok(opened < 20, `${opened} sessions were opened`);
});

test('visitor and service half-close independently over an unwrapped session', async (t) => {
  const { relay } = await relayAcross(t);
  const service = await startTcpService(t, (socket) => {
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    socket.on('end', () => socket.end(`heard ${heard}`));
  });
  const { hostname } = await openTunnel(t, relay, service.port);
  const visitor = await visitTls(relay, hostname);
  visitor.end('the question');
  assert.equal(String(await readAll(visitor)), 'heard the question');
});

test('with unwrap off a tunnel keeps TLS on its sessions', async (t) => {
  const { relay, seen } = await relayAcross(t);
  const { hostname } = await openTunnel(t, relay, (await echo(t)).port, { unwrap: false });
  await echoed(relay, hostname, 1_000_000);
  assert.equal(seen.some(asks), false);
  const visitor = Buffer.concat(seen.find(serving(hostname))!.bytes).subarray(500_000, 500_100);
  const others = seen.filter((one) => !serving(hostname)(one)).map(({ bytes }) => Buffer.concat(bytes));
  assert.ok(!others.some((bytes) => bytes.includes(visitor)));
});

test('a tunnel with a TCP port keeps TLS on: its visitors may send plain text', async (t) => {
  const { relay, seen } = await relayAcross(t, undefined, await withPorts(2));
  const service = await echo(t);
  const { tunnel } = await openTunnel(t, relay, service.port, { target: undefined, tcp: service.port });
  const port = Number(tunnel.current!.url.split(':').at(-1));
  const visitor = connectTcp({ host: behind, port, allowHalfOpen: true });
  visitor.end('not encrypted by anyone');
  assert.equal(String(await readAll(visitor)), 'not encrypted by anyone');
  assert.equal(seen.some(asks), false);
  assert.ok(!seen.some(({ bytes }) => Buffer.concat(bytes).includes('not encrypted')));
});

for (const [what, fate] of [
  ['where something on the way ends TLS, whatever is offered', 'end TLS'],
  ['where something on the way cuts off what it does not know', 'cut'],
] as const) {
  test(`${what}, a tunnel falls back to TLS, and does not retry soon`, async (t) => {
    const { relay, seen } = await relayAcross(t, ({ alpn, serverName }) => {
      if (serverName !== undefined && serverName.split('.').length > 2) return 'pass';
      return fate === 'end TLS' || alpn?.includes('portal-reverse') ? fate : 'pass';
    });
    const { hostname, statuses } = await openTunnel(t, relay, (await echo(t)).port);
    await echoed(relay, hostname, 100_000);
    const asked = seen.filter(asks).length;
    assert.ok(asked > 0);
    // The pool is full again, and more sessions are opened for more visitors at once.
    await Promise.all(Array.from({ length: 12 }, () => echoed(relay, hostname, 1_000)));
    assert.equal(seen.filter(asks).length, asked);
    assert.ok(!statuses.some(({ state }) => state === 'carrier_changed'));
  });
}

test('behind a middlebox that drops unknown bytes a tunnel falls back to TLS', async (t) => {
  const { relay, seen } = await relayAcross(t, ({ alpn }) => (alpn?.includes('portal-reverse') ? 'drop' : 'pass'));
  const url = new URL(relay.url);
  const { token: accessToken } = await register({ ...relay, apiPort: Number(url.port) }, { name: 'dropped' });
  const transport = new RelayTransport({ ca: relay.ca, proxy: false });
  t.after(() => transport.close());
  const carrier = new RawCarrier(url, transport, { unwrap: true });
  const dial = () => carrier.dial({ accessToken, signal: AbortSignal.timeout(30_000) });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const dialed = dial();
  await until(() => seen.some(asks));
  t.mock.timers.tick(10_000);
  for (const { stream } of [await dialed, await dial()]) {
    assert.ok(stream instanceof TLSSocket);
    stream.destroy();
  }
  assert.equal(seen.filter(asks).length, 1);
});

test('the removed TLS connection is garbage collected', async (t) => {
  const { relay } = await relayAcross(t);
  const { hostname } = await openTunnel(t, relay, (await echo(t)).port);
  await Promise.all(Array.from({ length: 12 }, () => echoed(relay, hostname, 1_000)));
  // Each count collects garbage first; what was done last takes some turns to be let go of.
  let left = Infinity;
  for (let look = 0; look < 20 && left > 0; look++) {
    await new Promise((resolve) => setImmediate(resolve));
    left = queryObjects(DetachableSocket, { format: 'count' });
  }
  assert.equal(left, 0);
});
