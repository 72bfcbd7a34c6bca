import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { AutoDatagramCarrier } from '../../src/tunnel/carriers/auto-datagram-carrier.js';
import { quicTimes } from '../../src/tunnel/carriers/auto-datagram-carrier.js';
import type { DatagramCarrier } from '../../src/tunnel/carriers/datagram-carrier.js';
import { DatagramLink } from '../../src/tunnel/carriers/datagram-link.js';
import { QuicDatagramCarrier } from '../../src/tunnel/carriers/quic-datagram-carrier.js';
import type { DatagramChannel } from '../../src/streams/datagram-channel.js';
import { NetworkError } from '../../src/sdk/calls/errors.js';
import { startTestRelay, withPorts } from '../support/relay.js';
import { openTunnel, startTunnel } from '../support/tunnel.js';
import { ask, echo, FakeChannel, openPeer, startUdpService } from '../support/udp.js';
import { until } from '../support/until.js';

/** A link whose carriers are made up: QUIC works as far as `quic` says. */
function startLink(t: TestContext, { quicRestLongestMs = 5, isOffered = true } = {}) {
  const state = { isOffered, quic: 'open' as 'open' | 'blocked' };
  const served: FakeChannel[] = [];
  const events = new EventEmitter<{ served: []; looked: []; dialed: [] }>();
  const said: string[] = [];
  const waits: Error[] = [];
  const fake = (name: string, dial: () => Promise<DatagramChannel>): DatagramCarrier => ({ name, dial });
  const webSocket = fake('ws', () => Promise.resolve(new FakeChannel('ws')));
  const quic = fake('quic', async () => {
    events.emit('dialed');
    if (state.quic === 'blocked') throw new NetworkError('timeout', 'blocked');
    return await Promise.resolve(new FakeChannel('quic'));
  });
  const times = { ...quicTimes, quicLookMs: 1, quicRestMs: 5, quicRestLongestMs };
  const auto = new AutoDatagramCarrier(
    webSocket,
    quic,
    () => {
      events.emit('looked');
      return state.isOffered;
    },
    (message) => said.push(message),
    times,
  );
  const request = (signal: AbortSignal) => ({ accessToken: 'token', publicPort: 443, signal });
  const link = new DatagramLink({
    dial: (signal) => auto.dial(request(signal)),
    improve: (channel, signal) => auto.improve(channel, request(signal)),
    serve: (channel) => {
      served.push(channel as FakeChannel);
      events.emit('served');
    },
    onReady: () => {},
    onRefused: (error) => waits.push(error),
    onWaiting: (error) => waits.push(error),
  });
  t.after(() => link.stop());
  link.start();
  const servedBy = async (kinds: string) => {
    await until(() => served.map(({ kind }) => kind).join(' ') === kinds);
    return served.at(-1)!;
  };
  /** Waits until it has done something so often. */
  const thrice = async (what: 'looked' | 'dialed') => {
    for (let count = 0; count < 3; count++) await once(events, what);
  };
  return { state, served, said, waits, link, servedBy, thrice };
}

test('the WebSocket serves first, then QUIC replaces it once connected', async (t) => {
  const { served, said, servedBy } = startLink(t);
  const quic = await servedBy('ws quic');
  await Promise.resolve();
  assert.deepEqual([served[0]!.isClosed, quic.isClosed], [true, false]);
  assert.deepEqual(said, ['datagrams now use QUIC']);
});

test('a lost QUIC connection is replaced by WebSocket at once, and retried after a pause', async (t) => {
  const { waits, said, servedBy } = startLink(t);
  (await servedBy('ws quic')).close(new Error('fell silent'));
  await servedBy('ws quic ws quic');
  assert.deepEqual(waits, []);
  assert.deepEqual(said, [
    'datagrams now use QUIC',
    'datagrams now use WebSocket: fell silent',
    'datagrams now use QUIC',
  ]);
});

test('blocked QUIC does not affect the WebSocket, and QUIC is used once unblocked', async (t) => {
  const { state, served, said, servedBy, thrice } = startLink(t);
  state.quic = 'blocked';
  const webSocket = await servedBy('ws');
  await thrice('dialed');
  assert.deepEqual([served.length, webSocket.isClosed, said], [1, false, []]);
  state.quic = 'open';
  await servedBy('ws quic');
});

test('QUIC is tried only with relays that offer it', async (t) => {
  const { state, servedBy, thrice, served } = startLink(t, { isOffered: false });
  const webSocket = await servedBy('ws');
  await thrice('looked');
  assert.deepEqual([served.length, webSocket.isClosed], [1, false]);
  state.isOffered = true;
  await servedBy('ws quic');
});

test('a service with datagrams too large for QUIC stays on the WebSocket', async (t) => {
  const { said, served, servedBy, thrice } = startLink(t, { quicRestLongestMs: 600_000 });
  (await servedBy('ws quic')).oversized = 1;
  await servedBy('ws quic ws');
  await thrice('looked');
  assert.equal(served.length, 3);
  assert.equal(said.at(-1), 'datagrams now use WebSocket: the service sends what is too large for QUIC');
});

test('a service that keeps sending too large datagrams returns to the WebSocket; one burst does not', async (t) => {
  const { said, served, servedBy, thrice } = startLink(t, { quicRestLongestMs: 600_000 });
  const quic = await servedBy('ws quic');
  const looked = async () => {
    for (const before = quic.looks; quic.looks === before;) await setImmediate();
  };
  quic.drops = 100;
  await looked();
  quic.drops = 0;
  for (let look = 0; look < 3; look++) await looked();
  assert.equal(quic.isClosed, false);
  quic.drops = 1;
  await servedBy('ws quic ws');
  await thrice('looked');
  assert.equal(served.length, 3);
  assert.equal(said.at(-1), 'datagrams now use WebSocket: the service sends more than QUIC takes');
});

test('a closed tunnel leaves nothing open, in any carrier state', async (t) => {
  const { link, state, servedBy } = startLink(t);
  state.quic = 'blocked';
  const webSocket = await servedBy('ws');
  link.stop();
  await once(webSocket, 'closed');
});

test('QUIC is not used with a proxy, and a missing package is reported', async () => {
  const request = { accessToken: 'token', publicPort: 443, signal: new AbortController().signal };
  const relay = new URL('https://relay.example');
  const proxied = new QuicDatagramCarrier(relay, { proxy: 'http://proxy.example:3128' }, () => assert.fail('loaded'));
  await assert.rejects(proxied.dial(request), /through a proxy, which does not carry QUIC/);
  const missing = () => Promise.reject(new Error('QUIC needs the package @currentspace/http3, which is not installed'));
  await assert.rejects(new QuicDatagramCarrier(relay, { proxy: false }, missing).dial(request), /needs the package/);
});

test('without QUIC support the WebSocket is used; with quic only the tunnel fails', async (t) => {
  // As far as /sdk/domain goes: this relay listens, though nobody answers.
  const pretend = {
    createQuicServer: () =>
      Object.assign(new EventEmitter(), {
        listen: () => Promise.resolve(),
        close: () => Promise.resolve(),
        _onNewSession: () => {},
        _sessions: new Map(),
      }),
  };
  const relay = await startTestRelay(await withPorts(4), { loadQuic: () => Promise.resolve(pretend as never) });
  t.after(() => relay.stop());
  const service = await startUdpService(t, echo);
  const { url, statuses } = await openTunnel(t, relay, undefined, { udp: service.port });
  assert.equal(await ask(await openPeer(t, url), 'served'), 'served');
  assert.equal(
    statuses.some(({ state }) => state === 'carrier_changed'),
    false,
  );
  const { tunnel } = startTunnel(t, relay, undefined, { udp: service.port, udpCarrier: 'quic' });
  await assert.rejects(tunnel.ready(), /QUIC needs/);
  const wrong = startTunnel(t, relay, undefined, { udp: 53, udpCarrier: 'tcp' as never });
  await assert.rejects(wrong.tunnel.ready(), /the carrier of datagrams is auto, quic or ws/);
});
