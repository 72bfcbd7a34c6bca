import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { identityFromPrivateKey, NoRelayLeftError, type RelayTimes, type Tunnel } from '../../src/tunnel/index.js';
import { freshWallet, register } from '../support/by-hand.js';
import { descriptorOf, HostileRelay, makeSites, SilentPort, startSite, type Site } from '../support/discovery.js';
import { startInterceptedRelay } from '../support/interceptor.js';
import { startTestRelay, type TestRelay } from '../support/relay.js';
import { get, open, openTunnel, startHttpService, startTunnel, statusWhere } from '../support/tunnel.js';
import { until } from '../support/until.js';

/** So that a test need not wait. */
const relayTimes: Partial<RelayTimes> = {
  lossPatienceMs: 50,
  releaseSpareAfterMs: 100,
  scoutSpacingMs: 50,
  scoutIntervalMs: 500,
};

interface Scene {
  sites: Site[];
  ca: string;
  /** By URL. */
  relays: Map<string, TestRelay>;
  start(site: Site): Promise<TestRelay>;
  stop(url: string): Promise<void>;
}

async function scene(t: TestContext, names: string[]): Promise<Scene> {
  const sites = await makeSites(t, names);
  const relays = new Map<string, TestRelay>();
  const made: Scene = {
    sites,
    ca: sites.map(({ caPem }) => caPem).join(''),
    relays,
    async start({ url, stateDir }) {
      const relay = await startTestRelay({ portalUrl: url, sniPort: Number(url.port), stateDir });
      t.after(() => relay.stop());
      relays.set(url.origin, relay);
      return relay;
    },
    async stop(url) {
      await relays.get(url)?.relay.stop();
      relays.delete(url);
    },
  };
  for (const site of sites) await made.start(site);
  return made;
}

const urlsOf = (sites: Site[]) => sites.map(({ url }) => url.origin);
const relaysOf = (tunnel: Tunnel) => tunnel.places.map(({ relay }) => relay).sort();

/** A service that answers who it is, and under /stream never ends. */
async function startService(t: TestContext) {
  const streams = new Set<ServerResponse>();
  const service = await startHttpService(t, (request: IncomingMessage, response) => {
    if (request.url !== '/stream') return void response.end('here');
    response.write('begun');
    streams.add(response);
  });
  return { ...service, say: (word: string) => streams.forEach((stream) => stream.write(word)) };
}

test('a service has a URL on each relay, with the same name, and is served at each', async (t) => {
  const { sites, ca, relays } = await scene(t, ['one', 'two', 'three']);
  const service = await startService(t);
  const { tunnel, statuses } = startTunnel(t, { url: '', ca }, service.port, { relay: urlsOf(sites), name: 'shop' });
  await until(() => tunnel.places.length === 3);
  assert.deepEqual(relaysOf(tunnel), urlsOf(sites).sort());
  for (const { relay, hostname, url } of tunnel.places) {
    assert.equal(url, relay.replace('https://', 'https://shop.'));
    assert.equal((await get(relays.get(relay)!, hostname)).body, 'here');
  }
  const connecting = statuses.filter(({ state }) => state === 'connecting');
  assert.deepEqual(connecting.map(({ relay }) => relay).sort(), urlsOf(sites).sort());
  await tunnel.close();
  for (const [url, relay] of relays)
    await assert.rejects(get(relay, `shop.${new URL(url).hostname}`), /unrecognized name/);
});

test('losing a relay does not affect the others, and it is used again when back', async (t) => {
  const { sites, ca, relays, start, stop } = await scene(t, ['one', 'two']);
  const service = await startService(t);
  const { tunnel } = startTunnel(t, { url: '', ca }, service.port, { relay: urlsOf(sites), name: 'shop' });
  await until(() => tunnel.places.length === 2);
  const [one, two] = urlsOf(sites) as [string, string];
  const stream = await open(relays.get(two)!, 'shop.two.localhost', '/stream');
  await once(stream, 'data');
  for (let round = 0; round < 2; round++) {
    await stop(one);
    await until(() => tunnel.places.length === 1);
    assert.equal(tunnel.current?.relay, two);
    const said = once(stream, 'data');
    service.say(`round ${round}`);
    assert.equal(String((await said)[0]), `round ${round}`);
    await start(sites[0]!);
    await until(() => tunnel.places.length === 2);
    assert.equal((await get(relays.get(one)!, 'shop.one.localhost')).body, 'here');
  }
  stream.destroy();
});

test('a spare replaces a lost relay, and is released when that is back and the spare is idle', async (t) => {
  const { sites, ca, relays, start, stop } = await scene(t, ['one', 'two', 'three']);
  const service = await startService(t);
  const options = { relay: urlsOf(sites), maxRelays: 2, name: 'shop', relayTimes };
  const { tunnel, statuses } = startTunnel(t, { url: '', ca }, service.port, options);
  await until(() => tunnel.places.length === 2);
  const [lost, other] = relaysOf(tunnel) as [string, string];
  const spare = urlsOf(sites).find((url) => url !== lost && url !== other) as string;
  await stop(lost);
  await until(() => relaysOf(tunnel).includes(spare));
  assert.deepEqual(relaysOf(tunnel), [other, spare].sort());
  assert.equal(statuses.find(({ state }) => state === 'spare_taken')?.relay, spare);
  const stream = await open(relays.get(spare)!, `shop.${new URL(spare).hostname}`, '/stream');
  await once(stream, 'data');

  const released = statusWhere(tunnel, ({ state }) => state === 'relay_left');
  await start(sites.find(({ url }) => url.origin === lost)!);
  await until(() => relaysOf(tunnel).includes(lost));
  // All three serve for as long as somebody is there.
  const said = once(stream, 'data');
  service.say('still here');
  assert.equal(String((await said)[0]), 'still here');
  assert.deepEqual(relaysOf(tunnel), urlsOf(sites).sort());
  stream.destroy();
  assert.equal((await released).relay, spare);
  await until(() => tunnel.places.length === 2);
  assert.deepEqual(relaysOf(tunnel), [lost, other].sort());
});

test('a relay that refuses the name does not affect the others, and is not retried', async (t) => {
  const { sites, ca, relays } = await scene(t, ['one', 'two']);
  const [one, two] = urlsOf(sites) as [string, string];
  await register(relays.get(one)!, { name: 'shop' });
  const service = await startService(t);
  const { tunnel, statuses } = startTunnel(t, { url: '', ca }, service.port, { relay: [one, two], name: 'shop' });
  const refused = await statusWhere(tunnel, ({ state }) => state === 'relay_refused');
  assert.equal(refused.relay, one);
  await until(() => tunnel.places.length === 1);
  assert.equal((await get(relays.get(two)!, 'shop.two.localhost')).body, 'here');
  assert.equal(statuses.filter(({ state, relay }) => state === 'connecting' && relay === one).length, 1);
});

test('a tunnel ends only when every relay has refused, with all reasons', async (t) => {
  const { sites, ca, relays } = await scene(t, ['one', 'two']);
  for (const relay of relays.values()) await register(relay, { name: 'shop' });
  const { tunnel } = startTunnel(t, { url: '', ca }, 1, { relay: urlsOf(sites), name: 'shop' });
  const { error } = await tunnel.closed;
  assert.ok(error instanceof NoRelayLeftError);
  assert.deepEqual([...error.refusals.keys()].sort(), urlsOf(sites).sort());
  for (const { url } of sites)
    assert.ok(error.message.includes(`${url.host}: shop.${url.hostname} belongs to another`));
});

test('an intercepting relay is left permanently, and the others continue', async (t) => {
  const intercepted = await startInterceptedRelay(t);
  const { sites, ca, relays } = await scene(t, ['honest']);
  const service = await startService(t);
  const both = { relay: [intercepted.relay.url, sites[0]!.url.origin], ca: ca + intercepted.relay.ca };
  const probe = { intervalMs: 0, maxDelayMs: 0 };
  const { tunnel } = startTunnel(t, { url: '', ca: '' }, service.port, { ...both, name: 'shop', probe, banMitm: true });
  await until(() => tunnel.places.length === 2);
  const left = statusWhere(tunnel, ({ state }) => state === 'relay_refused');
  await get(intercepted.relay, 'shop.portal.localhost').catch(() => undefined);
  const { relay, error } = await left;
  assert.deepEqual([relay, error?.name], [intercepted.relay.url, 'InterceptionError']);
  assert.deepEqual(relaysOf(tunnel), [sites[0]!.url.origin]);
  assert.equal((await get(relays.get(sites[0]!.url.origin)!, 'shop.honest.localhost')).body, 'here');
});

test('relays can be changed while the tunnel runs; those that stay keep their connections', async (t) => {
  const { sites, ca, relays } = await scene(t, ['one', 'two', 'three']);
  const [one, two, three] = urlsOf(sites) as [string, string, string];
  const service = await startService(t);
  const { tunnel } = startTunnel(t, { url: '', ca }, service.port, { relay: [one, two], name: 'shop' });
  await until(() => tunnel.places.length === 2);
  const stream = await open(relays.get(one)!, 'shop.one.localhost', '/stream');
  await once(stream, 'data');
  assert.throws(() => tunnel.setRelays({ relay: ['http://x'] }), /begins with https/);
  tunnel.setRelays({ relay: [three, one] });
  await until(() => relaysOf(tunnel).join() === [one, three].sort().join());
  await assert.rejects(get(relays.get(two)!, 'shop.two.localhost'), /unrecognized name/);
  const said = once(stream, 'data');
  service.say('untouched');
  assert.equal(String((await said)[0]), 'untouched');
  stream.destroy();
});

test('with discovery an unnamed relay is used if allowed and wanted', async (t) => {
  const sites = await makeSites(t, ['here', 'there']);
  const ca = sites.map(({ caPem }) => caPem).join('');
  const [here, there] = [
    await startSite(t, sites[0]!, { bootstraps: [], ca }),
    await startSite(t, sites[1]!, { bootstraps: [sites[0]!.url], ca }),
  ];
  await until(() => here.relay.discovery!().believed.length === 1);
  const service = await startService(t);
  const options = { discovery: true, allowPrivate: true, name: 'shop', relayTimes };
  const { tunnel } = startTunnel(t, { url: here.url, ca }, service.port, options);
  await until(() => tunnel.places.length === 2);
  assert.equal((await get(there, 'shop.there.localhost')).body, 'here');
  // Discovery is a wish of its own: without it nobody else is asked.
  const { tunnel: alone } = await openTunnel(t, { url: here.url, ca }, service.port);
  assert.deepEqual(relaysOf(alone), [here.url]);
  // The relay that told of the other one goes; what it told stays known.
  await here.relay.stop();
  await until(() => tunnel.places.length === 1);
  assert.equal((await get(there, 'shop.there.localhost')).body, 'here');
});

test('a named relay serves before discovered ones have been checked', async (t) => {
  const teller = await HostileRelay.start(t, 'teller');
  const [site] = await makeSites(t, ['named']);
  const relay = await startTestRelay({
    portalUrl: site!.url,
    sniPort: Number(site!.url.port),
    stateDir: site!.stateDir,
  });
  t.after(() => relay.stop());
  const silent = await SilentPort.start(t);
  teller.serve(() => [teller.own(), descriptorOf(`https://silent.localhost:${silent.port}`)]);
  const service = await startService(t);
  const options = { relay: [relay.url, teller.url.origin], discovery: true, allowPrivate: true, name: 'shop' };
  const { tunnel } = startTunnel(t, { url: '', ca: site!.caPem + teller.caPem }, service.port, options);
  await tunnel.ready();
  assert.deepEqual([silent.connections, silent.open.size], [1, 1]);
  assert.deepEqual(relaysOf(tunnel), [relay.url]);
});

test('with discovery a tunnel ends when all found relays have refused once', async (t) => {
  const sites = await makeSites(t, ['here', 'there']);
  const ca = sites.map(({ caPem }) => caPem).join('');
  const here = await startSite(t, sites[0]!, { bootstraps: [], ca });
  const there = await startSite(t, sites[1]!, { bootstraps: [sites[0]!.url], ca });
  await until(() => here.relay.discovery!().believed.length === 1);
  for (const relay of [here, there]) await register(relay, { name: 'shop' });
  const options = { discovery: true, allowPrivate: true, name: 'shop', relayTimes };
  const { tunnel, statuses } = startTunnel(t, { url: here.url, ca }, 1, options);
  const { error } = await tunnel.closed;
  assert.ok(error instanceof NoRelayLeftError);
  assert.deepEqual([...error.refusals.keys()].sort(), [here.url, there.url].sort());
  assert.equal(statuses.filter(({ state }) => state === 'connecting').length, 2);
});

test('a discovered relay at a private address is never contacted', async (t) => {
  const hostile = await HostileRelay.start(t);
  const teller = await HostileRelay.start(t, 'teller');
  const [site] = await makeSites(t, ['named']);
  const relay = await startTestRelay({
    portalUrl: site!.url,
    sniPort: Number(site!.url.port),
    stateDir: site!.stateDir,
  });
  t.after(() => relay.stop());
  teller.serve(() => [teller.own(), descriptorOf(hostile.url.origin)]);
  const service = await startService(t);
  const options = { relay: [relay.url, teller.url.origin], discovery: true, maxRelays: 3, name: 'shop', relayTimes };
  const ca = site!.caPem + hostile.caPem + teller.caPem;
  const { tunnel } = startTunnel(t, { url: '', ca }, service.port, options);
  await tunnel.ready();
  // It has been told of more than once.
  await until(() => teller.requests > 4);
  assert.deepEqual(relaysOf(tunnel), [relay.url]);
  assert.equal(hostile.connections, 0);
});

test('without a relay with the requested ports the tunnel reports it and keeps searching', async (t) => {
  const sites = await makeSites(t, ['here', 'there']);
  const ca = sites.map(({ caPem }) => caPem).join('');
  for (const site of sites) await startSite(t, site, { bootstraps: [], ca });
  const options = { relay: urlsOf(sites), maxRelays: 1, udp: 53, relayTimes };
  const { tunnel, statuses } = startTunnel(t, { url: '', ca }, undefined, options);
  const says = ({ message }: { message: string }) =>
    message.includes('no known relay answers and offers the requested ports');
  await statusWhere(tunnel, says);
  await tunnel.close();
  assert.equal(statuses.filter(says).length, 1);
  assert.deepEqual(await tunnel.closed, {});
});

test('one identity has one name on all its relays, the same as on a single one', async (t) => {
  const { sites, ca } = await scene(t, ['one', 'two']);
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  const single = await openTunnel(t, { url: sites[0]!.url.origin, ca }, 1, { identity });
  await single.tunnel.close();
  const { tunnel } = startTunnel(t, { url: '', ca }, 1, { relay: urlsOf(sites), identity });
  await until(() => tunnel.places.length === 2);
  const labels = tunnel.places.map(({ hostname }) => hostname.split('.')[0]);
  assert.deepEqual(labels, [single.hostname.split('.')[0], single.hostname.split('.')[0]]);
});

test('options without a usable relay end the tunnel with a one-line error', async (t) => {
  for (const [options, message] of [
    [{ relay: [] }, /give one at least/],
    [{ relay: ['https://a.example', 'ftp://b.example'] }, /begins with https/],
    [{ maxRelays: 0 }, /1 to 16 relays, not 0/],
    [{ maxRelays: 1.5 }, /1 to 16 relays/],
    [{ relay: Array.from({ length: 65 }, (_, index) => `https://r${index}.example`) }, /64 relays/],
  ] as const) {
    const { tunnel } = startTunnel(t, { url: 'https://a.example', ca: '' }, 1, options as object);
    assert.match(String((await tunnel.closed).error?.message), message);
  }
});
