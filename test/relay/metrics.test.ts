import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test, type TestContext } from 'node:test';
import { LeaseTraffic, type TrafficSource } from '../../src/relay/metrics/lease-traffic.js';
import type { Lease } from '../../src/relay/leases/lease.js';
import { type LeaseSessions } from '../../src/relay/reverse/lease-sessions.js';
import type { Traffic } from '../../src/relay/reverse/traffic.js';
import { SessionRegistry } from '../../src/relay/reverse/session-registry.js';
import { call, register } from '../support/by-hand.js';
import { descriptorOf } from '../support/discovery.js';
import { runProgram } from '../support/programs.js';
import { parseScrape, type Scrape } from '../support/prometheus.js';
import { startTestRelay, withPorts, sharedRelay } from '../support/relay.js';
import { dialPublic, endVisit, handshake, signCall, visit } from '../support/tenant.js';
import { requireTool } from '../support/tools.js';
import { get, openTunnel, startHttpService } from '../support/tunnel.js';

const relay = sharedRelay({ metricsPort: 0 });

const metricsUrl = () => `http://127.0.0.1:${relay.relay.metricsPort}/metrics`;

async function curl(...args: string[]): Promise<{ status: number; text: string; type: string }> {
  const format = '\n%{http_code} %{content_type}';
  const { stdout } = await runProgram(await requireTool('curl'), ['-s', '-w', format, ...args]);
  const [, text = '', status, type = ''] = /^([^]*)\n(\d+) (.*)$/.exec(stdout.toString()) ?? [];
  return { status: Number(status), text, type };
}

async function scrape(): Promise<Scrape> {
  return parseScrape((await curl(metricsUrl())).text);
}

test('curl gets metrics of process and relay in the Prometheus text format', async () => {
  const { status, text, type } = await curl(metricsUrl());
  assert.equal(status, 200);
  assert.equal(type, 'text/plain; version=0.0.4; charset=utf-8');
  const { types, value } = parseScrape(text);
  assert.equal(types.get('portal_public_connections_total'), 'counter');
  assert.equal(types.get('portal_store_call_seconds'), 'histogram');
  assert.ok(value('process_resident_memory_bytes') > 1e6);
  assert.ok(value('portal_build_info') === 1);
});

test('metrics count sessions, connections, handshakes, signatures and bytes', async (t) => {
  const service = await startHttpService(t, (request, response) => {
    request.resume().on('end', () => response.end('x'.repeat(300_000)));
  });
  const earlier = await scrape();
  const { hostname } = await openTunnel(t, relay, service.port, { name: 'counted', probe: false });
  assert.equal((await get(relay, hostname)).body.length, 300_000);
  const now = await scrape();
  assert.equal(now.value('portal_leases'), 1);
  assert.ok(now.value('portal_sessions_ready') >= 1);
  assert.equal(now.value('portal_public_connections_total', { outcome: 'routed' }), 1);
  assert.equal(now.value('portal_signatures_total', { mode: 'transcript', result: 'ok' }), 1);
  const down = now.value('portal_lease_bytes_total', { hostname, direction: 'down' });
  assert.ok(down > 300_000 && down < 330_000, String(down));
  assert.ok(now.value('portal_lease_bytes_total', { hostname, direction: 'up' }) > 500);
  assert.equal(now.value('portal_lease_bytes_total', { hostname: 'other', direction: 'down' }), 0);
  assert.throws(() => earlier.value('portal_lease_bytes_total', { hostname, direction: 'down' }));
  assert.ok(now.value('portal_store_call_seconds_count', { call: 'putLeases' }) >= 1);
  assert.ok(now.value('portal_api_requests_total', { operation: 'registerLease', result: 'ok' }) >= 1);
  assert.ok(now.value('portal_api_requests_total', { operation: 'openReverseSession', result: 'ok' }) >= 1);
});

test('metrics count known relays and refused descriptors, starting at zero', async (t) => {
  const discovery = { bootstraps: [], allowPrivate: false };
  const finder = await startTestRelay({ metricsPort: 0, discovery });
  t.after(() => finder.stop());
  const read = async () => parseScrape((await curl(`http://127.0.0.1:${finder.relay.metricsPort}/metrics`)).text);
  const before = await read();
  assert.equal(before.value('portal_relay_refusals_total', { kind: 'expired' }), 0);
  const descriptor = { ...descriptorOf('https://other.localhost'), expires_at: '2020-01-01T00:00:00Z' };
  assert.equal((await call(finder, 'POST', '/discovery/announce', { body: { descriptor } })).status, 400);
  const now = await read();
  assert.equal(now.value('portal_relay_refusals_total', { kind: 'expired' }), 1);
  assert.deepEqual([now.value('portal_relays_believed'), now.value('portal_relays_held')], [0, 0]);
  // Where it is off there is nothing to count.
  assert.equal((await scrape()).types.has('portal_relays_held'), false);
});

test('metrics count datagrams, and those without a tunnel', async (t) => {
  const ports = await startTestRelay({ ...(await withPorts(1)), metricsPort: 0 });
  t.after(() => ports.stop());
  const { udpPort } = await register(ports, { name: 'unheard', udp: true });
  const peer = createSocket('udp4');
  t.after(() => peer.close());
  peer.send('hello?', udpPort, '127.0.0.1');
  const url = `http://127.0.0.1:${ports.relay.metricsPort}/metrics`;
  let now: Scrape;
  do now = parseScrape((await curl(url)).text);
  while (now.value('portal_datagrams_dropped_total', { reason: 'no_tunnel' }) === 0);
  assert.equal(now.value('portal_datagrams_dropped_total', { reason: 'no_tunnel' }), 1);
  assert.equal(now.value('portal_datagrams_dropped_total', { reason: 'slow_tunnel' }), 0);
  assert.equal(now.value('portal_datagrams_total', { direction: 'up' }), 0);
  assert.equal(now.types.get('portal_datagrams_total'), 'counter');
});

test('metrics show a live connection as a live session and an open connection', async () => {
  const lease = await register(relay, { name: 'living', ttl: 60 });
  const { visitor, tenant } = await handshake(relay, lease, ({ body }) => signCall(relay, lease.token, body));
  const now = await scrape();
  assert.equal(now.value('portal_sessions_live'), 1);
  assert.ok(now.value('portal_public_connections') >= 1);
  await endVisit({ visitor, tenant });
});

test('metrics count refused connections by reason', async () => {
  const stranger = visit(relay, `nobody.${relay.rootHost}`);
  await once(stranger, 'error');
  const silent = await dialPublic(relay);
  silent.end('GET / HTTP/1.1\r\n\r\n');
  silent.resume();
  await once(silent, 'close');
  const lease = await register(relay, { name: 'refused' });
  const bad = {
    key_id: 'relay-cert',
    binding: 'A'.repeat(22) + '==',
    signature_scheme: 'ecdsa_secp256r1_sha256',
    transcript: 'AAAA',
  };
  assert.equal((await signCall(relay, lease.token, bad)).status, 400);
  assert.equal((await call(relay, 'POST', '/sdk/renew', { body: '{' })).status, 400);
  assert.equal((await call(relay, 'POST', '/sdk/renew', { body: {} })).status, 401);
  assert.equal((await call(relay, 'GET', '/nowhere')).status, 404);
  const { value } = await scrape();
  assert.ok(value('portal_public_connections_total', { outcome: 'unknown_name' }) >= 1);
  assert.ok(value('portal_public_connections_total', { outcome: 'no_client_hello' }) >= 1);
  assert.ok(value('portal_signatures_total', { mode: 'transcript', result: 'invalid_request' }) >= 1);
  assert.ok(value('portal_api_requests_total', { operation: 'renewLease', result: 'invalid_json' }) >= 1);
  assert.ok(value('portal_api_requests_total', { operation: 'renewLease', result: 'unauthorized' }) >= 1);
  assert.ok(value('portal_api_requests_total', { operation: 'none', result: 'not_found' }) >= 1);
});

test('metrics are served on loopback only, at one path, with GET, and not to DNS rebinding', async () => {
  assert.equal((await curl('-X', 'POST', metricsUrl())).status, 405);
  assert.equal((await curl(metricsUrl().replace('/metrics', '/'))).status, 404);
  assert.equal((await curl('-H', 'Host: rebound.example.com', metricsUrl())).status, 403);
  assert.equal((await call(relay, 'GET', '/metrics')).status, 404);
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === 'IPv4' && !address.internal);
  if (outside) {
    const { code } = await runProgram(await requireTool('curl'), [
      '-s',
      `http://${outside.address}:${relay.relay.metricsPort}/metrics`,
    ]);
    assert.equal(code, 7, 'connection refused');
  }
});

test('without a port there are no metrics, and a port in use is reported at start', async (t: TestContext) => {
  const without = await startTestRelay();
  assert.equal(without.relay.metricsPort, undefined);
  await without.stop();
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  await assert.rejects(startTestRelay({ metricsPort: (taken.address() as AddressInfo).port }), /EADDRINUSE/);
});

// The bound on hostnames: fed by hand, for it is about many leases.

function leases(...hostnames: string[]): Map<string, Traffic> {
  return new Map(hostnames.map((hostname) => [hostname, { up: 0, down: 0 }]));
}

function sourceOf(traffic: Map<string, Traffic>): TrafficSource & { end(hostname: string): void } {
  const held = new Map([...traffic].map(([hostname, bytes]) => [hostname, { lease: { hostname }, traffic: bytes }]));
  const pastTraffic: Traffic = { up: 0, down: 0 };
  return {
    pastTraffic,
    all: () => held.values() as Iterable<unknown> as Iterable<LeaseSessions>,
    end(hostname) {
      const bytes = held.get(hostname)?.traffic as Traffic;
      held.delete(hostname);
      pastTraffic.up += bytes.up;
      pastTraffic.down += bytes.down;
    },
  };
}

test('hostnames with the most traffic have their own byte counters, the rest is summed, and counters never decrease', () => {
  const traffic = leases('a', 'b', 'c', 'd');
  const source = sourceOf(traffic);
  const move = (hostname: string, up: number) => ((traffic.get(hostname) as Traffic).up += up);
  const counted = new LeaseTraffic(source, 2);
  const all = () => counted.others.up + [...counted.named.values()].reduce((sum, { up }) => sum + up, 0);

  for (const [hostname, up] of [
    ['a', 400],
    ['b', 300],
    ['c', 200],
    ['d', 0],
  ] as const)
    move(hostname, up);
  counted.update();
  assert.deepEqual([...counted.named.keys()], ['a', 'b']);
  assert.equal(counted.others.up, 200);
  assert.equal(all(), 900);

  // c overtakes: its own count begins now, what it moved before stays with the others
  move('c', 5_000);
  move('d', 10);
  counted.update();
  assert.deepEqual([...counted.named.keys()].sort(), ['a', 'c']);
  assert.deepEqual(counted.named.get('c'), { up: 5_000, down: 0 });
  assert.equal(counted.others.up, 210);
  assert.equal(counted.total.up, 5_910);

  // what a lease moved between the last look at it and its end is not lost
  move('c', 7);
  source.end('c');
  counted.update();
  assert.equal(counted.named.has('c'), false);
  assert.equal(counted.others.up, 217);
  assert.equal(counted.total.up, 5_917);
});

test('the byte counter of a hostname continues after a new registration', () => {
  const [before, now] = [leases('a'), leases('a')];
  const [old, current] = [sourceOf(before), sourceOf(now)];
  const counted = new LeaseTraffic({ pastTraffic: old.pastTraffic, all: () => [...old.all(), ...current.all()] }, 1);
  (before.get('a') as Traffic).down = 10;
  counted.update();
  (before.get('a') as Traffic).down = 15;
  (now.get('a') as Traffic).down = 100;
  counted.update();
  assert.deepEqual(counted.named.get('a'), { up: 0, down: 115 });
});

test('bytes of ended connections are counted once', () => {
  const directory = new SessionRegistry();
  const lease = (hostname: string, generation: string) => ({ hostname, generation }) as Lease;
  const open = { destroy: () => {}, reset: () => {}, tunnelIp: '', traffic: { up: 0, down: 0 } };
  const all = () => directory.all().reduce((sum, { traffic }) => sum + traffic.up, directory.pastTraffic.up);

  const [first, second] = [lease('a', '1'), lease('a', '2')];
  const earlier = directory.of(first);
  earlier.ownTraffic.up = 5;
  earlier.live.add(open);
  directory.end(first, 'replaced');
  directory.of(second).ownTraffic.up = 7;
  assert.equal(all(), 12);
  // a ban hits both, one with a connection that has yet to end
  directory.reset(() => true);
  earlier.ownTraffic.up += 1;
  assert.equal(all(), 13);
  earlier.release(open);
  for (const generation of ['3', '4']) {
    directory.of(lease('a', generation)).ownTraffic.up = 100;
    directory.reset(() => true);
  }
  assert.equal(all(), 213);
  assert.equal(directory.pastTraffic.up, 213);
  directory.close();
});
