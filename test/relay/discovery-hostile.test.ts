import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { maxCandidatesPerTeller, maxForgedDescriptors } from '../../src/relay/discovery/peer-store.js';
import { maxDoubtfulFetches } from '../../src/relay/discovery/poller.js';
import type { Refusal } from '../../src/relay/discovery/refusals.js';
import type { WireDescriptor } from '../../src/sdk/discovery/relay-descriptor.js';
import { call, freshWallet } from '../support/by-hand.js';
import {
  descriptorOf,
  HostileRelay,
  listed,
  makeSites,
  quickTimes,
  say,
  SilentPort,
  startSite,
} from '../support/discovery.js';
import { freePort, type TestRelay } from '../support/relay.js';
import { until } from '../support/until.js';

/** A relay whose bootstraps are one that is honest and one that is not. */
async function startVictim(t: TestContext, timeoutMs = 1_000) {
  const hostile = await HostileRelay.start(t);
  const [honestSite, site] = await makeSites(t, ['honest', 'victim']);
  const ca = honestSite!.caPem + site!.caPem + hostile.caPem;
  const honest = await startSite(t, honestSite!, { bootstraps: [], ca });
  const bootstraps = [hostile.url, honestSite!.url];
  const victim = await startSite(t, site!, { bootstraps, ca, timeoutMs });
  return { hostile, honest, victim };
}

const refused = (relay: TestRelay, kind: Refusal) => relay.relay.discovery!().refused[kind] ?? 0;
const believed = (relay: TestRelay) => relay.relay.discovery!().believed;
const later = (ms: number) => new Date(Date.now() + ms).toISOString();

type Lie = (hostile: HostileRelay, victim: TestRelay) => (request: IncomingMessage, response: ServerResponse) => void;

const serving =
  (relays: (hostile: HostileRelay, victim: TestRelay) => unknown): Lie =>
  (hostile, victim) => {
    hostile.serve(() => relays(hostile, victim));
    return hostile.answer;
  };

/** Whatever a relay can answer when it is asked who it is, and why that is not believed. */
const lies: [string, Refusal, Lie][] = [
  ['an address that is not its own', 'signature', serving((it) => [{ ...it.own(), address: freshWallet().address }])],
  ['a version of the future', 'version', serving((it) => [it.own({ version: '99' })])],
  [
    'a time of issue that is ahead',
    'not_yet_valid',
    serving((it) => [it.own({ issued_at: later(200_000), expires_at: later(400_000) })]),
  ],
  [
    'an expiry that is past',
    'expired',
    serving((it) => [it.own({ issued_at: later(-9_000), expires_at: later(-1_000) })]),
  ],
  ['a life without end', 'too_long_lived', serving((it) => [it.own({ expires_at: '2999-01-01T00:00:00Z' })])],
  ['a time that is none', 'malformed', serving((it) => [{ ...it.own(), issued_at: 'soon' }])],
  ['a URL of somebody else', 'not_served', serving((_, victim) => [descriptorOf(victim.url)])],
  ['a URL with a path', 'malformed', serving((it) => [it.own({ api_https_addr: `${it.url.origin}/admin` })])],
  ['an overlay without a key', 'malformed', serving((it) => [it.own({ supports_overlay: true })])],
  ['a port below zero', 'malformed', serving((it) => [it.own({ wireguard_port: -1 })])],
  ['a flag that is a word', 'malformed', serving((it) => [{ ...it.own(), supports_udp: 'yes' }])],
  [
    'connections that were changed after signing',
    'signature',
    serving((it) => [{ ...it.own(), active_connections: 1e15 }]),
  ],
  ['a rate beyond all bounds', 'malformed', serving((it) => [{ ...it.own(), tcp_bps: 1e300 }])],
  ['a signature of zeros', 'signature', serving((it) => [{ ...it.own(), signature: `${'A'.repeat(87)}=` }])],
  ['no descriptor', 'not_served', serving(() => [])],
  ['things that are no descriptors', 'not_served', serving(() => [null, 1, 'text', [], {}, { api_https_addr: 7 }])],
  ['a list that is none', 'answer', serving(() => 'none')],
  ['a list without end', 'answer', serving(() => Array.from({ length: 2_000 }, () => 0))],
  ['a redirect', 'answer', () => (_request, response) => say(response, 302, '', { Location: 'https://127.0.0.1:1/' })],
  [
    'an answer of 8 MB',
    'answer',
    () => (_request, response) => say(response, 200, `{"ok":true,"x":"${'x'.repeat(8e6)}"}`),
  ],
  ['JSON within JSON within JSON', 'answer', () => (_request, response) => say(response, 200, '['.repeat(500_000))],
  ['a page', 'answer', () => (_request, response) => say(response, 200, '<h1>Welcome</h1>')],
  [
    'an error',
    'answer',
    () => (_request, response) => say(response, 500, '{"ok":false,"error":{"code":"internal","message":"no"}}'),
  ],
  ['nothing, without end', 'unreachable', () => () => {}],
  ['a byte at a time', 'unreachable', () => (_request, response) => drip(response)],
  ['a connection that breaks', 'unreachable', () => (_request, response) => void response.destroy()],
];

function drip(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 50);
  response.once('close', () => clearInterval(timer));
}

test('a relay with a false field or response is rejected, and the honest relay is kept', async (t) => {
  const { hostile, honest, victim } = await startVictim(t);
  await until(() => believed(victim).length === 1);
  for (const [name, kind, lie] of lies) {
    const before = refused(victim, kind);
    hostile.answer = lie(hostile, victim);
    await until(() => refused(victim, kind) > before);
    assert.deepEqual(believed(victim), [honest.url], name);
  }
  hostile.serve(() => [hostile.own()]);
  await until(() => believed(victim).length === 2);
  assert.equal((await call(victim, 'GET', '/healthz')).status, 200);
});

test('a replayed old descriptor does not replace the newer one', async (t) => {
  const { hostile, victim } = await startVictim(t);
  const old = hostile.own({ active_connections: 1 });
  const newer = hostile.own({ issued_at: later(1_000), active_connections: 2 });
  hostile.serve(() => [newer]);
  await until(() => believed(victim).includes(hostile.url.origin));
  hostile.serve(() => [old]);
  await until(() => refused(victim, 'older') > 0);
  const held = (await listed(victim)).find(({ address }) => address === hostile.wallet.address);
  assert.equal(held?.active_connections, 2);
});

test('listed descriptors are only URLs to fetch: false ones change nothing', async (t) => {
  const { hostile, honest, victim } = await startVictim(t);
  const thief = freshWallet();
  hostile.serve(() => [
    hostile.own(),
    descriptorOf(honest.url, thief, { issued_at: later(5_000) }),
    descriptorOf(victim.url, thief),
    { ...descriptorOf(honest.url, thief), address: honest.relay.address },
  ]);
  await until(() => believed(victim).length === 2);
  const seen = hostile.requests;
  await until(() => hostile.requests > seen + 1);
  const relays = await listed(victim);
  assert.deepEqual(
    relays.map(({ api_https_addr }) => api_https_addr).sort(),
    [hostile.url.origin, honest.url, victim.url].sort(),
  );
  assert.ok(!relays.some(({ address }) => address === thief.address));
});

test('of 1,000 invented relays a few are fetched, one after the other, and none is listed', async (t) => {
  const { hostile, victim } = await startVictim(t);
  const closed = await freePort();
  const invented = Array.from({ length: 200 }, (_, at) => descriptorOf(`https://n${at}.localhost:${closed}`));
  hostile.serve(() => [hostile.own(), ...invented]);
  await until(() => refused(victim, 'no_room') > 0 && refused(victim, 'unreachable') > maxCandidatesPerTeller);
  const report = victim.relay.discovery!();
  assert.equal(report.held, 2 + maxCandidatesPerTeller);
  assert.equal(report.believed.length, 2);
});

test('relays that never respond do not delay those that do', async (t) => {
  const { hostile, victim } = await startVictim(t, 60_000);
  const silent = await SilentPort.start(t);
  const invented = Array.from({ length: 20 }, (_, at) => descriptorOf(`https://n${at}.localhost:${silent.port}`));
  hostile.serve(() => [hostile.own(), ...invented]);
  await until(() => silent.connections >= maxDoubtfulFetches);
  const seen = hostile.requests;
  await until(() => hostile.requests > seen + 3);
  // Each takes its visit's deadline; it would be the turn of all of them before that of the one that answers.
  assert.ok(silent.connections < invented.length);
  assert.equal(believed(victim).length, 2);
});

test('a listing of forged descriptors is abandoned after the first few', async (t) => {
  const { hostile, victim } = await startVictim(t);
  const forged = Array.from(
    { length: 60 },
    (_, at) => ({ ...descriptorOf(`https://f${at}.localhost`), tcp_bps: 1 }) as WireDescriptor,
  );
  let listings = 0;
  hostile.serve(() => {
    listings++;
    return [hostile.own(), ...forged];
  });
  await until(() => listings >= 3);
  assert.ok(refused(victim, 'signature') <= maxForgedDescriptors * listings);
  assert.ok(refused(victim, 'signature') > 0);
  assert.equal(victim.relay.discovery!().held, 2);
});

test('without permission nothing is sent to loopback or private addresses, by name, literal or announcement', async (t) => {
  const hostile = await HostileRelay.start(t, 'inside');
  const [site] = await makeSites(t, ['outside']);
  const { port } = hostile.url;
  const inside = [
    `https://127.0.0.1:${port}`,
    `https://0x7f000001:${port}`,
    `https://[::1]:${port}`,
    `https://[::ffff:127.0.0.1]:${port}`,
  ];
  const bootstraps = [hostile.url, ...inside.map((url) => new URL(url))];
  const relay = await startSite(t, site!, {
    bootstraps,
    ca: site!.caPem + hostile.caPem,
    allowPrivate: false,
    times: quickTimes,
  });
  await until(() => refused(relay, 'address') >= 2 * bootstraps.length);
  for (const url of [...inside, 'https://10.0.0.1', 'https://169.254.169.254']) {
    const { body } = await call(relay, 'POST', '/discovery/announce', { body: { descriptor: descriptorOf(url) } });
    assert.equal(body.data.accepted, false, url);
  }
  assert.equal(hostile.connections, 0);
  const kinds = Object.keys(relay.relay.discovery!().refused);
  assert.deepEqual(
    kinds.filter((kind) => kind !== 'too_soon'),
    ['address'],
  );
});

test('stopping a relay aborts its descriptor fetches', async (t) => {
  const { hostile, victim } = await startVictim(t);
  hostile.answer = () => {};
  const before = hostile.requests;
  await until(() => hostile.requests > before);
  await victim.stop();
  const after = hostile.connections;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(hostile.connections, after);
});
