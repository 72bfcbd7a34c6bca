import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  maxCandidates,
  maxCandidatesPerTeller,
  maxPeers,
  maxPeersPerSource,
} from '../../src/relay/discovery/peer-store.js';
import { type Peer, PeerStore } from '../../src/relay/discovery/peer-store.js';
import { TrafficMeter } from '../../src/relay/discovery/traffic-meter.js';
import { DescriptorFetcher } from '../../src/relay/discovery/descriptor-fetcher.js';
import { parseDescriptor, type RelayDescriptor } from '../../src/sdk/discovery/relay-descriptor.js';
import { isPublicAddress } from '../../src/net/public-address.js';
import { freshWallet } from '../support/by-hand.js';
import { descriptorOf } from '../support/discovery.js';

const hour = 3_600_000;
const wallet = freshWallet();
const template = parseDescriptor(descriptorOf('https://relay0.example', wallet));

/** As read from the wire; the book is handed only what was verified before. */
function described(name: string, changes: Partial<RelayDescriptor> = {}): RelayDescriptor {
  const address = `0x${Buffer.from(name).toString('hex').padStart(40, '0').slice(-40)}`;
  return { ...template, url: new URL(`https://${name}.example`), address, ...changes };
}

function book(bootstraps: URL[] = []): PeerStore {
  return new PeerStore({
    self: { url: new URL('https://self.example'), address: `0x${'9'.repeat(40)}` },
    bootstraps,
    backoff: { firstMs: 1, longestMs: 2 },
    forgetAfterMs: hour,
    isCrowdable: isPublicAddress,
  });
}

function believe(into: PeerStore, descriptor: RelayDescriptor, ip: string, now?: number): Peer {
  const peer = into.at(descriptor.url) ?? into.draft(descriptor.url, now);
  into.believe(peer, descriptor, ip, now);
  return peer;
}

test('known relays are bounded in all and by address; bootstraps always have room', () => {
  const bootstrap = new URL('https://bootstrap.example');
  const known = book([bootstrap]);
  for (let at = 0; at < maxPeersPerSource; at++) believe(known, described(`near${at}`), '198.41.0.4');
  assert.throws(() => believe(known, described('crowd'), '198.41.0.4'), { refusal: 'no_room' });
  // Addresses that cost nothing to have many of count as one; those of this machine do not count.
  const block = (at: number) => `2a00:1450:4001:801::${(at + 1).toString(16)}`;
  for (let at = 0; at < maxPeersPerSource; at++) believe(known, described(`six${at}`), block(at));
  assert.throws(() => believe(known, described('crowd'), block(99)), { refusal: 'no_room' });
  for (let at = 2 * maxPeersPerSource; at < maxPeers; at++) believe(known, described(`far${at}`), '127.0.0.1');
  assert.throws(() => believe(known, described('late'), '127.0.0.1'), { refusal: 'no_room' });
  assert.equal(known.believed().length, maxPeers);
  believe(known, described('bootstrap'), '198.41.0.4');
  // One that is known already may say something new, also without a visit.
  const again = known.at(new URL('https://near0.example'))!;
  known.believe(again, described('near0', { issuedAtNano: template.issuedAtNano + 1n }), undefined);
  assert.equal(known.believed().length, maxPeers + 1);
});

test('a relay does not accept a descriptor of itself, by URL or by address', () => {
  const known = book([new URL('https://self.example')]);
  assert.equal(known.all().length, 0);
  assert.throws(() => believe(known, described('self'), '1.1.1.1'), { refusal: 'self' });
  const own = described('alias', { address: `0x${'9'.repeat(40)}` });
  assert.throws(() => believe(known, own, '1.1.1.1'), { refusal: 'self' });
});

test('a descriptor older than another of the same address is refused, even after that one has expired', () => {
  const known = book();
  const now = Date.now();
  const nano = (ms: number) => BigInt(now + ms) * 1_000_000n;
  const short = described('moving', { issuedAtNano: nano(0), expiresAtNano: nano(1_000) });
  believe(known, short, '1.1.1.1', now);
  const recorded = described('moving', { issuedAtNano: nano(-1), expiresAtNano: nano(800_000) });
  assert.equal(known.believed(now + 2_000).length, 0);
  assert.throws(() => believe(known, recorded, '1.1.1.1', now + 2_000), { refusal: 'older' });
  // Nothing older can be valid any more.
  known.believed(now + 901_000);
  believe(known, recorded, '1.1.1.1', now + 901_000);
});

test('a relay that moved is accepted at its new URL only', () => {
  const known = book();
  believe(known, described('old'), '1.1.1.1');
  believe(
    known,
    described('new', { address: described('old').address, issuedAtNano: template.issuedAtNano + 1n }),
    '1.1.1.1',
  );
  assert.deepEqual(
    known.believed().map(({ url }) => url.hostname),
    ['new.example'],
  );
});

test('a relay that does not respond for an hour is removed, a bootstrap never', () => {
  const known = book([new URL('https://bootstrap.example')]);
  believe(known, described('gone'), '1.1.1.1');
  assert.equal(known.next(() => true, Date.now() + hour / 2) !== undefined && known.all().length, 2);
  assert.equal(known.next(() => true, Date.now() + hour + 1)?.isBootstrap, true);
  assert.equal(known.all().length, 1);
});

test('discovered URLs are bounded in all and by source, and fetched in order of due time', async () => {
  const tellers = Array.from(
    { length: maxCandidates / maxCandidatesPerTeller + 1 },
    (_, at) => new URL(`https://t${at}.example`),
  );
  const known = book(tellers);
  for (const [at, url] of tellers.entries()) {
    const listed = Array.from({ length: maxCandidatesPerTeller + 1 }, (_, of) =>
      descriptorOf(`https://c${at}-${of}.example`, wallet),
    );
    await known.hear(known.at(url)!, listed, AbortSignal.timeout(60_000));
  }
  assert.equal(known.all().length, tellers.length + maxCandidates);
  assert.equal(known.refused.all().no_room, tellers.length - 1 + maxCandidatesPerTeller + 1);
  for (const peer of known.all()) peer.dueAt = 10;
  known.at(tellers[3]!)!.dueAt = 5;
  assert.equal(known.next(() => true)?.url, tellers[3]);
});

test('relays behind one address share one limit of discovered URLs', async () => {
  const known = book();
  const hear = async (name: string, ip: string) => {
    const listed = Array.from({ length: maxCandidatesPerTeller }, (_, of) =>
      descriptorOf(`https://${name}-${of}.example`, wallet),
    );
    const before = known.all().length;
    await known.hear(known.at(believe(known, described(name), ip).url)!, listed, AbortSignal.timeout(60_000));
    return known.all().length - before - 1;
  };
  assert.equal(await hear('one', '1.1.1.1'), maxCandidatesPerTeller);
  assert.equal(await hear('two', '1.1.1.1'), 0);
  assert.equal(await hear('elsewhere', '1.1.1.2'), maxCandidatesPerTeller);
  // Relays of a closed network may well share an address.
  assert.equal(await hear('inside', '10.0.0.1'), maxCandidatesPerTeller);
  assert.equal(await hear('beside', '10.0.0.1'), maxCandidatesPerTeller);
});

test('a relay that does not respond is due again once for each newer descriptor', async () => {
  const teller = new URL('https://teller.example');
  const known = book([teller]);
  const issued = (ms: number) =>
    descriptorOf('https://dead.example', wallet, { issued_at: new Date(Date.now() + ms).toISOString() });
  const dead = believe(known, parseDescriptor(issued(0)), '1.1.1.1');
  const hear = async (descriptor: unknown) => {
    dead.dueAt = Infinity;
    await known.hear(known.at(teller)!, [descriptor], AbortSignal.timeout(60_000));
    return dead.dueAt < Infinity;
  };
  const newer = issued(1_000);
  assert.equal(await hear(newer), false, 'it answers: nothing to hurry for');
  dead.backoff.next();
  assert.equal(await hear({ ...newer, tcp_bps: 1 }), false, 'forged');
  assert.equal(await hear(newer), true);
  assert.equal(await hear(newer), false, 'again');
  assert.equal(await hear(issued(2_000)), true);
});

test('fetches from unknown relays are limited by address, known ones are not; private addresses need permission', () => {
  const visits = new DescriptorFetcher({ allowPrivate: false }, AbortSignal.timeout(60_000));
  const allowed = Array.from({ length: 30 }, () => visits.mayFetch('1.1.1.1', true, 0)).filter(Boolean);
  assert.equal(allowed.length, 10);
  assert.ok(visits.mayFetch('1.1.1.1', false, 0));
  assert.ok(visits.mayFetch('1.1.1.1', true, 5_000));
  assert.ok(!visits.mayFetch('192.168.0.1', false));
  assert.ok(new DescriptorFetcher({ allowPrivate: true }, AbortSignal.timeout(60_000)).mayFetch('192.168.0.1', true));
});

test('throughput is measured over the last 30 s', () => {
  const load = { connections: 3, bytes: 1_000_000 };
  let now = 0;
  const meter = new TrafficMeter(
    () => load,
    () => now,
  );
  meter.sample();
  assert.deepEqual(meter.read(), { connections: 3, bps: 0 });
  for (let second = 5; second <= 60; second += 5) {
    now = second * 1000;
    load.bytes += second <= 30 ? 50_000 : 5_000;
    meter.sample();
  }
  assert.equal(meter.read().bps, 1_000);
  now += 30_000;
  assert.equal(meter.read().bps, 500);
});
