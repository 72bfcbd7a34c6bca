import assert from 'node:assert/strict';
import { type RemoteInfo, type Socket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../support/programs.js';
import { UdpService } from '../../src/tunnel/services/udp/udp-service.js';
import { freePort, freePortRange, startTestRelay, withPorts, relayFor } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import {
  get,
  openTunnel,
  startHttpService,
  startTcpService,
  statusWhere,
  temporaryDirectory,
  visitPort,
} from '../support/tunnel.js';
import { readAll } from '../support/by-hand.js';
import { ask, echo, FakeChannel, openPeer, startDnsmasq, startUdpService, udpPortOf } from '../support/udp.js';

test('the service can tell peers apart, and each gets its own responses', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const seen = new Map<number, string>();
  const service = await startUdpService(t, (payload, peer, socket) => {
    seen.set(peer.port, payload.toString());
    socket.send(`you are ${payload.toString()}`, peer.port, peer.address);
  });
  const { tunnel, url } = await openTunnel(t, relay, undefined, { udp: service.port });
  assert.deepEqual(tunnel.current?.urls, [url]);
  const peers = await Promise.all(['a', 'b', 'c'].map(async (name) => ({ name, peer: await openPeer(t, url) })));
  for (const { name, peer } of peers) assert.equal(await ask(peer, name), `you are ${name}`);
  assert.deepEqual([...seen.values()].sort(), ['a', 'b', 'c']);
});

test('one lease may offer a public name, a TCP port and a UDP port of one service together', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const web = await startHttpService(t, (_request, response) => response.end('web'));
  const tcp = await startTcpService(t, (socket) => socket.end('tcp'));
  const udp = await startUdpService(t, echo);
  const { tunnel, hostname } = await openTunnel(t, relay, web.port, { tcp: tcp.port, udp: udp.port });
  const [https, tcpUrl, udpUrl] = tunnel.current!.urls;
  assert.equal(https, `https://${hostname}:${relay.publicPort}`);
  assert.equal(tcpUrl?.replace('tcp:', 'udp:'), udpUrl);
  assert.equal((await get(relay, hostname)).body, 'web');
  const visitor = await visitPort(t, tcpUrl);
  assert.equal((await readAll(visitor)).toString(), 'tcp');
  assert.equal(await ask(await openPeer(t, udpUrl), 'udp'), 'udp');
});

test('a service that listens only on ::1 is reached', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const service = await startUdpService(t, echo, { address: '::1' });
  const { url } = await openTunnel(t, relay, undefined, { udp: service.port });
  assert.equal(await ask(await openPeer(t, url), 'six'), 'six');
});

test('a service that is down is reported, and served again when up', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const port = await freePort();
  const { tunnel, url } = await openTunnel(t, relay, undefined, { udp: `127.0.0.1:${port}` });
  const down = statusWhere(tunnel, ({ state }) => state === 'target_down');
  const peer = await openPeer(t, url);
  peer.send('anybody?');
  await down;
  const up = statusWhere(tunnel, ({ state }) => state === 'target_up');
  await startUdpService(t, echo, { port });
  assert.equal(await ask(peer, 'now?'), 'now?');
  await up;
});

test('the same port serves again after a restart of the relay', async (t) => {
  const stateDir = temporaryDirectory(t);
  const settings = { ...(await withPorts(4)), stateDir };
  const before = await startTestRelay(settings);
  const service = await startUdpService(t, echo);
  const { tunnel, url } = await openTunnel(t, before, undefined, { udp: service.port });
  const peer = await openPeer(t, url);
  assert.equal(await ask(peer, 'before'), 'before');
  const lost = statusWhere(tunnel, ({ state }) => state === 'retrying');
  await before.stop();
  await lost;
  const ready = once(tunnel, 'ready');
  const relay = await startTestRelay({ ...settings, sniPort: before.publicPort });
  t.after(() => relay.stop());
  await ready;
  assert.equal(tunnel.current?.url, url);
  assert.equal(await ask(peer, 'after'), 'after');
});

test('a tunnel reconnects without a kind of port that the relay has turned off, and reports it', async (t) => {
  const stateDir = temporaryDirectory(t);
  const settings = { ...(await withPorts(4)), stateDir };
  const before = await startTestRelay(settings);
  const web = await startHttpService(t, (_request, response) => response.end('web'));
  const service = await startUdpService(t, echo);
  const { tunnel, hostname } = await openTunnel(t, before, web.port, { udp: service.port });
  assert.equal(tunnel.current?.urls.length, 2);
  const lost = statusWhere(tunnel, ({ state }) => state === 'port_lost');
  await before.stop();
  const ready = once(tunnel, 'ready');
  rmSync(join(stateDir, 'portal.db'));
  const { policy } = settings;
  const off = { ...policy, udp: { ...policy.udp, enabled: false } };
  const relay = await startTestRelay({ ...settings, policy: off, sniPort: before.publicPort });
  t.after(() => relay.stop());
  assert.match((await lost).message, /without a UDP port/);
  await ready;
  assert.equal(tunnel.current?.urls.length, 1);
  assert.equal((await get(relay, hostname)).body, 'web');
});

test('dig resolves through the tunnel over UDP and TCP at the same port', async (t) => {
  const dig = await requireTool('dig');
  const relay = await relayFor(t, await withPorts(4));
  const { port } = await startDnsmasq(t);
  const { tunnel } = await openTunnel(t, relay, undefined, { tcp: port, udp: port });
  const publicPort = udpPortOf(tunnel.current!.urls[1]);
  const query = async (...args: string[]) => {
    const { stdout } = await runProgram(dig, ['@127.0.0.1', '-p', String(publicPort), '+tries=4', ...args]);
    return stdout.toString();
  };
  assert.equal((await query('+short', 'portal.example', 'A')).trim(), '192.0.2.7');
  assert.equal((await query('+short', '+tcp', 'www.portal.example', 'A')).trim(), '192.0.2.7');
  // Too long for UDP without EDNS: dig turns to TCP by itself.
  const long = await query('+noedns', 'long.example', 'TXT');
  assert.match(long, /Truncated, retrying in TCP mode/);
  assert.match(long, /part 39 of an answer/);
});

test('several UDP ports lead each to its own port of the service, and each answers from where it was asked', async (t) => {
  const relay = await relayFor(t, await withPorts(6));
  const first = await freePortRange(3);
  for (const offset of [0, 1, 2]) {
    const say = (payload: Buffer, peer: RemoteInfo, socket: Socket) =>
      socket.send(`${offset}:${payload.toString()}`, peer.port, peer.address);
    await startUdpService(t, say, { port: first + offset });
  }
  const { tunnel } = await openTunnel(t, relay, undefined, { udp: `127.0.0.1:${first}-${first + 2}` });
  const url = tunnel.current!.urls[0]!;
  const publicPort = udpPortOf(url);
  assert.equal(url, `udp://portal.localhost:${publicPort}-${publicPort + 2}`);
  // One peer, from one port of its own, asks all three.
  const peer = createSocket('udp4');
  t.after(() => peer.close());
  peer.bind(0, '127.0.0.1');
  await once(peer, 'listening');
  for (const offset of [2, 0, 1, 2]) {
    const answer = once(peer, 'message') as Promise<[Buffer, RemoteInfo]>;
    peer.send('who?', publicPort + offset, '127.0.0.1');
    const [text, from] = await answer;
    assert.deepEqual([text.toString(), from.port], [`${offset}:who?`, publicPort + offset]);
  }
});

test('200 peers at once each get their own datagrams', async (t) => {
  const relay = await relayFor(t, await withPorts(4));
  const service = await startUdpService(t, echo);
  const { url } = await openTunnel(t, relay, undefined, { udp: service.port });
  const peers = await Promise.all(Array.from({ length: 200 }, () => openPeer(t, url)));
  const rounds = Array.from({ length: 10 }, (_, round) => round);
  await Promise.all(
    peers.map(async (peer, number) => {
      const astray = (payload: Buffer) =>
        assert.match(payload.toString(), new RegExp(`^${number}:`), "an answer to another peer's");
      peer.on('message', astray);
      for (const round of rounds) await ask(peer, `${number}:${round}`);
    }),
  );
});

test('dropped datagrams are reported, at intervals', async () => {
  const service = new UdpService({ host: '127.0.0.1', port: 9, count: 1 });
  const told: number[] = [];
  service.on('dropped', (datagrams) => told.push(datagrams));
  for (const drops of [3, 5]) {
    const channel = new FakeChannel('ws');
    service.serve(channel);
    channel.emit('datagram', Buffer.alloc(0));
    channel.drops = drops;
    channel.close();
    await once(channel, 'closed');
  }
  assert.deepEqual(told, [1 + 3]);
  assert.equal(service.counters.dropped, 1 + 3 + 1 + 5);
});
