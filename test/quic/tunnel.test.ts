import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTestRelay, withPorts, relayFor } from '../support/relay.js';
import { runProgram } from '../support/programs.js';
import { startUdpPath } from '../support/quic.js';
import { requireTool } from '../support/tools.js';
import { openTunnel, startTunnel, statusWhere, temporaryDirectory } from '../support/tunnel.js';
import { ask, echo, openPeer, startDnsmasq, startUdpService, udpPortOf } from '../support/udp.js';

const overQuic = ({ message }: { message: string }) => message === 'datagrams now use QUIC';
const overWebSocket = ({ message }: { message: string }) => message.startsWith('datagrams now use WebSocket');
const quick = { quicLookMs: 50, quicRestMs: 500, quicRestLongestMs: 500 };

test('dig resolves through the tunnel over QUIC, and each peer has its own flow', async (t) => {
  const dig = await requireTool('dig');
  const relay = await relayFor(t, await withPorts(4));
  const { port } = await startDnsmasq(t);
  const { url } = await openTunnel(t, relay, undefined, { udp: port, udpCarrier: 'quic' });
  // An address for each: dig binds with SO_REUSEPORT, so that two of them may have one port, and get each other's answers.
  const query = async (name: string, from = '127.0.0.1') => {
    const args = ['@127.0.0.1', '-b', from, '-p', String(udpPortOf(url)), '+short', '+tries=4', name];
    const { stdout } = await runProgram(dig, args);
    return stdout.toString().trim();
  };
  assert.equal(await query('portal.example'), '192.0.2.7');
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => query(`host${index}.portal.example`, `127.0.0.${index + 2}`)),
  );
  assert.deepEqual(new Set(answers), new Set(['192.0.2.7']));
});

test('portal doctor tells whether UDP gets through', async (t) => {
  const path = await startUdpPath(t);
  const relay = await relayFor(t, await withPorts(2), path.parts);
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  const doctor = async () => {
    const args = [main, 'doctor', '--udp', '53', '--relay', relay.url, '--ca', relay.caFile];
    return (await runProgram(process.execPath, args)).stdout.toString();
  };
  assert.match(await doctor(), /ok .*UDP gets through: datagrams go over QUIC/);
  path.isOpen = false;
  assert.match(await doctor(), /warning .*UDP does not get through .*datagrams go over WebSocket/);
});

test('200 peers at once over QUIC each get their own datagrams, and nothing is lost', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const service = await startUdpService(t, echo);
  const { url, hostname } = await openTunnel(t, relay, undefined, { udp: service.port, udpCarrier: 'quic' });
  const peers = await Promise.all(Array.from({ length: 200 }, () => openPeer(t, url)));
  await Promise.all(
    peers.map(async (peer, number) => {
      peer.on('message', (payload) => assert.match(payload.toString(), new RegExp(`^${number}:`)));
      for (let round = 0; round < 10; round++) await ask(peer, `${number}:${round}`);
    }),
  );
  assert.equal(relay.relay.datagrams.countersOf(hostname)?.droppedInAll, 0);
});

test('a tunnel uses QUIC where offered, falls back to WebSocket when UDP is blocked, and returns to QUIC', async (t) => {
  const path = await startUdpPath(t);
  const relay = await relayFor(t, await withPorts(4), path.parts);
  const service = await startUdpService(t, echo);
  const { tunnel } = startTunnel(t, relay, undefined, { udp: service.port, relayTimes: quick });
  let ended = false;
  tunnel.once('closed', () => (ended = true));
  await statusWhere(tunnel, overQuic);
  const { url } = await tunnel.ready();
  const peer = await openPeer(t, url);
  assert.equal(await ask(peer, 'over QUIC'), 'over QUIC');
  const fallen = statusWhere(tunnel, overWebSocket);
  path.isOpen = false;
  assert.match((await fallen).message, /fell silent/);
  assert.equal(await ask(peer, 'over the WebSocket'), 'over the WebSocket');
  const back = statusWhere(tunnel, overQuic);
  path.isOpen = true;
  await back;
  assert.equal(await ask(peer, 'over QUIC again'), 'over QUIC again');
  assert.equal(ended, false);
  assert.equal(tunnel.current?.url, url);
});

test('with UDP blocked from the start the WebSocket serves at once', async (t) => {
  const path = await startUdpPath(t);
  path.isOpen = false;
  const relay = await relayFor(t, await withPorts(4), path.parts);
  const service = await startUdpService(t, echo);
  const { url, statuses, tunnel } = await openTunnel(t, relay, undefined, { udp: service.port, relayTimes: quick });
  assert.equal(await ask(await openPeer(t, url), 'served'), 'served');
  assert.equal(statuses.some(overQuic), false);
  const open = statusWhere(tunnel, overQuic);
  path.isOpen = true;
  await open;
});

test('a tunnel follows a relay that starts or stops offering QUIC', async (t) => {
  const settings = { ...(await withPorts(4)), stateDir: temporaryDirectory(t) };
  const without = { loadQuic: () => Promise.reject(new Error('not here')) };
  const before = await startTestRelay(settings, without);
  const service = await startUdpService(t, echo);
  const { tunnel, url, statuses } = await openTunnel(t, before, undefined, { udp: service.port, relayTimes: quick });
  const peer = await openPeer(t, url);
  assert.equal(await ask(peer, 'without'), 'without');
  assert.equal(statuses.some(overQuic), false);
  const taken = statusWhere(tunnel, overQuic);
  await before.stop();
  const again = { ...settings, sniPort: before.publicPort };
  const offering = await startTestRelay(again);
  await taken;
  assert.equal(await ask(peer, 'with'), 'with');
  await offering.stop();
  const ready = once(tunnel, 'ready');
  const relay = await startTestRelay(again, without);
  t.after(() => relay.stop());
  await ready;
  const heard = statuses.filter(overQuic).length;
  assert.equal(await ask(peer, 'without again'), 'without again');
  assert.equal(statuses.filter(overQuic).length, heard);
});

test('--datagrams ws never uses QUIC; quic fails on a relay without QUIC', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const service = await startUdpService(t, echo);
  const byWebSocket = await openTunnel(t, relay, undefined, { udp: service.port, udpCarrier: 'ws', relayTimes: quick });
  assert.equal(await ask(await openPeer(t, byWebSocket.url), 'ws'), 'ws');
  assert.equal(byWebSocket.statuses.some(overQuic), false);
  const without = await relayFor(t, await withPorts(4), { loadQuic: () => Promise.reject(new Error('not here')) });
  const { tunnel } = startTunnel(t, without, undefined, { udp: service.port, udpCarrier: 'quic' });
  await assert.rejects(tunnel.ready(), /does not offer the carrier quic/);
});

test('a service that sends larger datagrams than the path MTU switches to the WebSocket', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const large = Buffer.alloc(40_000, 'x');
  const service = await startUdpService(t, (_payload, peer, socket) => socket.send(large, peer.port, peer.address));
  const { tunnel } = startTunnel(t, relay, undefined, {
    udp: service.port,
    relayTimes: { ...quick, quicRestLongestMs: 600_000 },
  });
  await statusWhere(tunnel, overQuic);
  const fallen = statusWhere(tunnel, overWebSocket);
  const { url } = await tunnel.ready();
  const peer = await openPeer(t, url);
  assert.equal(await ask(peer, 'large'), large.toString());
  assert.match((await fallen).message, /too large for QUIC/);
});

test('with quic only, too large datagrams are dropped and others delivered', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const service = await startUdpService(t, (payload, peer, socket) => {
    socket.send(Buffer.alloc(40_000), peer.port, peer.address);
    socket.send(payload, peer.port, peer.address);
  });
  const { url } = await openTunnel(t, relay, undefined, { udp: service.port, udpCarrier: 'quic' });
  assert.equal(await ask(await openPeer(t, url), 'small'), 'small');
});
