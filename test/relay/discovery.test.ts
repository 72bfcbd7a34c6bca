import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { getAddress } from 'ethers';
import { checkSignature, parseDescriptor } from '../../src/sdk/discovery/relay-descriptor.js';
import { call, freshWallet, openSession, readBytes, register, sessionHeaders } from '../support/by-hand.js';
import {
  descriptorOf,
  HostileRelay,
  listed,
  makeSites,
  quickTimes,
  type Site,
  startSite,
} from '../support/discovery.js';
import { startTestRelay, type TestRelay } from '../support/relay.js';
import { clientHello, dialPublic, readOpening } from '../support/tenant.js';
import { until } from '../support/until.js';

/** Relays that all begin with the first. */
async function startMesh(t: TestContext, names: string[], times = quickTimes) {
  const sites = await makeSites(t, names);
  const options = { bootstraps: [sites[0]!.url], ca: sites.map(({ caPem }) => caPem).join(''), times };
  const relays = await Promise.all(sites.map((site) => startSite(t, site, options)));
  return { sites, relays, options };
}

const urlsOf = (sites: Site[]) => sites.map(({ url }) => url.origin).sort();
/** Whether a relay believes these, and no others beside itself. */
const knows = (relay: TestRelay, urls: string[]) => () =>
  [relay.url, ...relay.relay.discovery!().believed].sort().join() === urls.join();

test('with discovery off both operations are feature_unavailable', async (t) => {
  const relay = await startTestRelay();
  t.after(() => relay.stop());
  for (const answer of [
    await call(relay, 'GET', '/discovery'),
    await call(relay, 'POST', '/discovery/announce', { body: { descriptor: descriptorOf('https://a.example') } }),
    await call(relay, 'POST', '/discovery/announce', { body: {} }),
  ]) {
    assert.equal(answer.status, 503);
    assert.equal(answer.body.error.code, 'feature_unavailable');
  }
});

test('five relays with one bootstrap find each other; each lists itself first, with valid signatures', async (t) => {
  const { sites, relays } = await startMesh(t, ['one', 'two', 'three', 'four', 'five']);
  for (const [at, relay] of relays.entries()) {
    await until(knows(relay, urlsOf(sites)));
    const descriptors = (await listed(relay)).map(parseDescriptor);
    for (const descriptor of descriptors) checkSignature(descriptor);
    assert.equal(descriptors[0]!.url.origin, sites[at]!.url.origin);
    assert.equal(getAddress(descriptors[0]!.address), relay.relay.address);
    assert.equal(new Set(descriptors.map(({ address }) => address)).size, 5);
    assert.equal(relay.relay.discovery?.().held, 4);
  }
});

test('a killed relay is removed when its descriptor expires, and listed again once it is back', async (t) => {
  const times = { ...quickTimes, descriptorLifetimeMs: 3_000 };
  const { sites, relays, options } = await startMesh(t, ['stays', 'goes', 'too'], times);
  const [stays, goes, too] = relays as [TestRelay, TestRelay, TestRelay];
  const all = urlsOf(sites);
  for (const relay of relays) await until(knows(relay, all));
  await goes.stop();
  const left = urlsOf([sites[0]!, sites[2]!]);
  for (const relay of [stays, too]) await until(knows(relay, left));
  assert.equal((await listed(stays)).length, 2);
  await startSite(t, sites[1]!, options);
  for (const relay of [stays, too]) await until(knows(relay, all));
});

test('a relay whose bootstrap is down starts discovery when it comes up', async (t) => {
  const sites = await makeSites(t, ['late', 'early']);
  const options = { bootstraps: [sites[0]!.url], ca: sites.map(({ caPem }) => caPem).join('') };
  const early = await startSite(t, sites[1]!, options);
  await until(() => (early.relay.discovery?.().refused.unreachable ?? 0) >= 2);
  const late = await startSite(t, sites[0]!, options);
  for (const relay of [early, late]) await until(knows(relay, urlsOf(sites)));
});

test('the descriptor has open connections and throughput', async (t) => {
  const [site] = await makeSites(t, ['busy']);
  const relay = await startSite(t, site!, { bootstraps: [], ca: site!.caPem });
  const lease = await register(relay, { name: 'shop', ttl: 600 });
  const hello = await clientHello(lease.hostname);
  const { socket: tunnel } = await openSession(relay, sessionHeaders(lease.token));
  const visitor = await dialPublic(relay);
  visitor.write(hello);
  await readOpening(tunnel);
  await readBytes(tunnel, hello.length);
  visitor.write(Buffer.alloc(10_000));
  await readBytes(tunnel, 10_000);
  const [own] = await listed(relay);
  assert.equal(own!.active_connections, 1);
  // Over half a minute at most, and a second at least.
  assert.ok(own!.tcp_bps >= (10_000 + hello.length) / 30 && own!.tcp_bps <= 10_000 + hello.length, `${own!.tcp_bps}`);
  assert.deepEqual([own!.supports_udp, own!.supports_tcp, own!.supports_overlay], [false, false, false]);
  visitor.destroy();
  tunnel.destroy();
});

async function announcing(t: TestContext) {
  const hostile = await HostileRelay.start(t, 'candidate');
  const [site] = await makeSites(t, ['taker']);
  const relay = await startSite(t, site!, { bootstraps: [], ca: site!.caPem + hostile.caPem });
  const announce = (descriptor: unknown, more = {}) =>
    call(relay, 'POST', '/discovery/announce', { body: { descriptor, ...more } });
  return { candidate: hostile, relay, announce };
}

test('an announcement is accepted once its URL serves the same address; newer ones then at once', async (t) => {
  const { candidate, relay, announce } = await announcing(t);
  candidate.serve(() => [candidate.own()]);
  const first = candidate.own();
  const { status, body } = await announce(first);
  assert.deepEqual([status, body.data], [200, { protocol_version: '5', accepted: true }]);
  assert.equal((await listed(relay))[1]!.address, candidate.wallet.address);
  const requests = candidate.requests;
  const newer = candidate.own({ issued_at: new Date(Date.now() + 1000).toISOString(), active_connections: 77 });
  candidate.serve(() => [newer]);
  assert.equal((await announce(newer)).body.data.accepted, true);
  assert.equal((await listed(relay))[1]!.active_connections, 77);
  // Only its turn can have brought a visit.
  assert.ok(candidate.requests <= requests + 2);
  // Somebody who recorded the first one plays it again.
  assert.equal((await announce(first)).body.data.accepted, false);
  assert.equal((await listed(relay))[1]!.active_connections, 77);
  assert.equal(relay.relay.discovery?.().refused.older, 1);
});

test('an announcement whose URL serves another address, or nothing, is rejected and not fetched again soon', async (t) => {
  const { candidate, relay, announce } = await announcing(t);
  candidate.answer = (_request, response) => void response.writeHead(404).end();
  for (let round = 0; round < 3; round++) assert.equal((await announce(candidate.own())).body.data.accepted, false);
  assert.equal(candidate.requests, 1);
  assert.equal((await listed(relay)).length, 1);

  const other = await announcing(t);
  other.candidate.serve(() => [other.candidate.own()]);
  const thief = descriptorOf(other.candidate.url.origin, freshWallet());
  assert.equal((await other.announce(thief)).body.data.accepted, false);
  assert.ok(!(await listed(other.relay)).some(({ address }) => address === thief.address));
});

test('an invalid announcement is refused with its error code', async (t) => {
  const { candidate, relay, announce } = await announcing(t);
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const own = candidate.own();
  for (const [descriptor, status, code] of [
    [{ ...own, active_connections: 5 }, 401, 'unauthorized'],
    [{ ...own, address: freshWallet().address }, 401, 'unauthorized'],
    [candidate.own({ issued_at: at(-400_000), expires_at: at(-100_000) }), 400, 'invalid_request'],
    [candidate.own({ expires_at: at(3_600_000) }), 400, 'invalid_request'],
    [candidate.own({ version: '4' }), 400, 'invalid_request'],
    [candidate.own({ api_https_addr: 'https://candidate.localhost/path' }), 400, 'invalid_request'],
    [{ ...own, address: '0x12' }, 400, 'invalid_address'],
    [{ ...own, signature: 'none' }, 400, 'invalid_request'],
  ] as const) {
    const answer = await announce(descriptor);
    assert.deepEqual([answer.status, answer.body.error?.code], [status, code], JSON.stringify(descriptor));
  }
  assert.equal((await announce(own, { protocol_version: '4' })).body.error.code, 'invalid_request');
  assert.equal(candidate.connections, 0);
  assert.equal((await listed(relay)).length, 1);
});

test('a relay does not list itself as another relay', async (t) => {
  const { relay, announce } = await announcing(t);
  const [own] = await listed(relay);
  assert.equal((await announce(own)).body.data.accepted, false);
  assert.equal((await announce(descriptorOf(relay.url, freshWallet()))).body.data.accepted, false);
  assert.equal((await listed(relay)).length, 1);
  assert.equal(relay.relay.discovery?.().refused.self, 2);
});

test('announcements are limited to a burst of 10 for a source address, valid or not', async (t) => {
  const { announce } = await announcing(t);
  const wrong = { ...descriptorOf('https://a.example'), active_connections: 9 };
  for (let round = 0; round < 10; round++) assert.equal((await announce(wrong)).status, 401);
  const { status, headers, body } = await announce(wrong);
  assert.deepEqual([status, body.error.code, headers['retry-after']], [429, 'rate_limited', '12']);
});

test('listings are limited for a source address', async (t) => {
  const [site] = await makeSites(t, ['asked']);
  const relay = await startSite(t, site!, { bootstraps: [], ca: site!.caPem });
  const statuses = new Set<number>();
  while (!statuses.has(429)) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(relay, 'GET', '/discovery')));
    for (const { status } of answers) statuses.add(status);
  }
  assert.deepEqual([...statuses].sort(), [200, 429]);
});
