import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { type FoundRelay, UsageError } from '../../src/sdk/index.js';
import { findRelays } from '../../src/sdk/node.js';
import { freshWallet } from '../support/by-hand.js';
import { descriptorOf, HostileRelay, makeSites, say, SilentPort, startSite } from '../support/discovery.js';
import { freePort, startTestRelay } from '../support/relay.js';
import { until } from '../support/until.js';

async function startPair(t: TestContext) {
  const sites = await makeSites(t, ['here', 'there']);
  const ca = sites.map(({ caPem }) => caPem).join('');
  const [here, there] = [
    await startSite(t, sites[0]!, { bootstraps: [], ca }),
    await startSite(t, sites[1]!, { bootstraps: [sites[0]!.url], ca }),
  ];
  await until(() => here.relay.discovery!().believed.length === 1);
  return { here, there, ca };
}

const brief = (found: FoundRelay[]) => found.map(({ url, named, reachable }) => ({ url, named, reachable }));

test('a relay and those it lists are found, with descriptor and latency', async (t) => {
  const { here, there, ca } = await startPair(t);
  const found = await findRelays({ relays: [here.url, `${here.url}/`], ca, allowPrivate: true });
  assert.deepEqual(brief(found), [
    { url: here.url, named: true, reachable: true },
    { url: there.url, named: false, reachable: true },
  ]);
  for (const [at, relay] of [here, there].entries()) {
    const { facts, latencyMs, fault } = found[at]!;
    assert.equal(facts?.address, relay.relay.address);
    assert.deepEqual([facts?.supportsTcp, facts?.supportsUdp, facts?.overlay], [false, false, undefined]);
    assert.ok(latencyMs! > 0 && latencyMs! < 5_000);
    assert.equal(fault, undefined);
  }
});

test('discovered relays on loopback are not contacted unless the caller allows it', async (t) => {
  const { here, there, ca } = await startPair(t);
  const found = await findRelays({ relays: [here.url], ca });
  assert.deepEqual(brief(found)[1], { url: there.url, named: false, reachable: false });
  assert.equal(found[1]!.fault, 'leads to a loopback or private address');
  assert.equal(found[1]!.facts, undefined);
});

test('without discovery only named relays are asked', async (t) => {
  const { here, ca } = await startPair(t);
  const found = await findRelays({ relays: [here.url], others: false, ca, allowPrivate: true });
  assert.deepEqual(brief(found), [{ url: here.url, named: true, reachable: true }]);
});

test('a known relay is found although no relay lists it, and is still verified', async (t) => {
  const { here, there, ca } = await startPair(t);
  const alone = await startTestRelay();
  t.after(() => alone.stop());
  const options = { relays: [alone.url], known: [here.url], ca: ca + alone.ca };
  const found = await findRelays({ ...options, allowPrivate: true });
  assert.deepEqual(brief(found), [
    { url: alone.url, named: true, reachable: true },
    { url: here.url, named: false, reachable: true },
    { url: there.url, named: false, reachable: true },
  ]);
  const [, refused] = await findRelays(options);
  assert.equal(refused!.fault, 'leads to a loopback or private address');
});

test('a named relay without discovery is found, without a descriptor', async (t) => {
  const relay = await startTestRelay();
  t.after(() => relay.stop());
  const found = await findRelays({ relays: [relay.url], ca: relay.ca });
  assert.deepEqual(brief(found), [{ url: relay.url, named: true, reachable: true }]);
  assert.equal(found[0]!.facts, undefined);
  assert.ok(found[0]!.latencyMs! > 0);
});

test('a draining relay is marked as not accepting tunnels', async (t) => {
  const { here, ca } = await startPair(t);
  await here.relay.drain(AbortSignal.timeout(10_000));
  const [found] = await findRelays({ relays: [here.url], ca });
  assert.deepEqual([found!.reachable, found!.fault], [false, 'takes no new tunnels']);
});

test('relays listed by a hostile relay are checked, and only verified ones are reachable', async (t) => {
  const hostile = await HostileRelay.start(t);
  const other = await HostileRelay.start(t, 'other');
  const [site] = await makeSites(t, ['real']);
  const real = await startSite(t, site!, { bootstraps: [], ca: site!.caPem });
  const gone = `https://gone.localhost:${await freePort()}`;
  const thief = freshWallet();
  hostile.serve(() => [
    hostile.own(),
    descriptorOf(real.url, thief, { active_connections: 9_999 }),
    descriptorOf(other.url.origin, thief),
    descriptorOf(gone),
    'no descriptor',
    { ...descriptorOf('https://old.localhost'), expires_at: '2020-01-01T00:00:00Z' },
  ]);
  // It serves the other's word, not its own.
  other.answer = (request, response) =>
    request.url === '/discovery'
      ? say(response, 503, '{"ok":false,"error":{"code":"feature_unavailable","message":"\\u001b[2J"}}')
      : say(response, 200, '{"ok":true,"data":{"status":"ok"}}');
  const ca = hostile.caPem + other.caPem + site!.caPem;
  const answerHealth = hostile.answer;
  hostile.answer = (request, response) =>
    request.url === '/healthz'
      ? say(response, 200, '{"ok":true,"data":{"status":"ok"}}')
      : answerHealth(request, response);
  const found = await findRelays({ relays: [hostile.url], ca, allowPrivate: true });
  assert.deepEqual(brief(found), [
    { url: hostile.url.origin, named: true, reachable: true },
    { url: real.url, named: false, reachable: true },
    { url: other.url.origin, named: false, reachable: false },
    { url: gone, named: false, reachable: false },
  ]);
  // Of the real one only its own word counts.
  assert.equal(found[1]!.facts?.address, real.relay.address);
  assert.equal(found[1]!.facts?.activeConnections, 0);
});

test('a bounded number of listed relays is contacted', async (t) => {
  const hostile = await HostileRelay.start(t);
  const wallet = freshWallet();
  const closed = await freePort();
  const many = Array.from({ length: 100 }, (_, at) => descriptorOf(`https://n${at}.localhost:${closed}`, wallet));
  hostile.serve(() => [hostile.own(), ...many]);
  const found = await findRelays({ relays: [hostile.url], ca: hostile.caPem, allowPrivate: true });
  assert.equal(found.length, 64);
});

test('a relay that lists very many does not displace those that others list', async (t) => {
  const hostile = await HostileRelay.start(t);
  const honest = await HostileRelay.start(t, 'honest');
  const closed = await freePort();
  const wallet = freshWallet();
  const many = Array.from({ length: 100 }, (_, at) => descriptorOf(`https://n${at}.localhost:${closed}`, wallet));
  const few = `https://few.localhost:${closed}`;
  hostile.serve(() => [hostile.own(), ...many]);
  honest.serve(() => [honest.own(), descriptorOf(few, wallet)]);
  const answer = honest.answer;
  // It answers after all the others have.
  honest.answer = (request, response) => void until(() => hostile.requests === 4).then(() => answer(request, response));
  const ca = hostile.caPem + honest.caPem;
  const found = await findRelays({ relays: [hostile.url, honest.url], ca, allowPrivate: true });
  assert.ok(found.some(({ url }) => url === few));
  assert.equal(found.length, 64);
});

test('one deadline covers all calls to a relay', async (t) => {
  const hostile = await HostileRelay.start(t);
  hostile.answer = (request, response) => {
    const data = request.url === '/healthz' ? { status: 'ok' } : { protocol_version: '5', relays: [hostile.own()] };
    setTimeout(() => say(response, 200, JSON.stringify({ ok: true, data })), 300);
  };
  const [found] = await findRelays({ relays: [hostile.url], ca: hostile.caPem, timeoutMs: 900 });
  assert.deepEqual([found!.reachable, found!.fault], [false, `${hostile.url.host} did not answer within 0.9 s`]);
});

test('a relay that never responds takes until its deadline, and an abort ends the search', async (t) => {
  const hostile = await HostileRelay.start(t);
  const [found] = await findRelays({ relays: [hostile.url], ca: hostile.caPem, timeoutMs: 100 });
  assert.deepEqual([found!.reachable, found!.fault?.includes('did not answer within')], [false, true]);
  const search = findRelays({ relays: [hostile.url], ca: hostile.caPem, signal: AbortSignal.timeout(50) });
  await assert.rejects(search, { name: 'TimeoutError' });
});

test('an aborted search leaves no connection open', async (t) => {
  const silent = await SilentPort.start(t);
  const search = findRelays({ relays: [`https://silent.localhost:${silent.port}`], timeoutMs: 200 });
  await until(() => silent.open.size === 1);
  const [socket] = silent.open;
  const closed = once(socket!, 'close', { signal: AbortSignal.timeout(5_000) });
  await search;
  await closed;
});

test('a malformed relay URL is a usage error', async () => {
  await assert.rejects(findRelays({ relays: [] }), UsageError);
  await assert.rejects(findRelays({ relays: ['http://relay.example.com'] }), UsageError);
});
