import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { Discovery } from '../../src/relay/discovery/discovery.js';
import type { OverlayPlace } from '../../src/relay/discovery/overlay-place.js';
import { KnownPeers } from '../../src/relay/overlay/known-peers.js';
import { maxOverlayPeers, planPeers } from '../../src/relay/overlay/peer-plan.js';
import {
  overlayAddress,
  parseDescriptor,
  type RelayDescriptor,
  type WireDescriptor,
} from '../../src/sdk/discovery/relay-descriptor.js';
import { freshWallet } from '../support/by-hand.js';
import { descriptorOf, HostileRelay, quickTimes } from '../support/discovery.js';
import { temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

const randomKey = () => randomBytes(32).toString('base64');
const own = { publicKey: randomKey(), address: '100.64.0.1' };

function relayWith(changes: Partial<WireDescriptor>, host = `r${randomBytes(4).toString('hex')}.example`) {
  const overlay = { supports_overlay: true, wireguard_public_key: randomKey(), wireguard_port: 51820 };
  return parseDescriptor(descriptorOf(`https://${host}`, freshWallet(), { ...overlay, ...changes }));
}

test('the overlay address of a key is the one that other implementations take', () => {
  assert.equal(overlayAddress(Buffer.alloc(32, 1).toString('base64')), '100.114.205.111');
});

test('peers are the relays with an overlay, at the host of their URL', () => {
  const peer = relayWith({ wireguard_port: 1234 }, 'relay.example');
  const plain = parseDescriptor(descriptorOf('https://plain.example'));
  const publicKey = peer.wire.wireguard_public_key!;
  const { wanted, refused } = planPeers([plain, peer], own, []);
  const address = overlayAddress(publicKey);
  assert.deepEqual(wanted, [{ relay: peer.address, publicKey, address, host: 'relay.example', port: 1234 }]);
  assert.deepEqual(refused, []);
});

test('a relay that claims the key of another, or of this relay, is refused', () => {
  const [first, thief] = [relayWith({}), relayWith({})];
  const publicKey = first.wire.wireguard_public_key!;
  const forged = { ...thief, wire: { ...thief.wire, wireguard_public_key: publicKey } };
  const held = [{ relay: first.address, publicKey }];
  for (const believed of [
    [first, forged],
    [forged, first],
  ]) {
    const { wanted, refused } = planPeers(believed, own, held);
    assert.deepEqual(
      wanted.map(({ relay }) => relay),
      [first.address],
    );
    assert.deepEqual(refused, [{ relay: thief.address, reason: "its WireGuard key is another relay's" }]);
  }
  const mine = relayWith({ wireguard_public_key: own.publicKey });
  assert.deepEqual(planPeers([mine], own, []).wanted, []);
});

test('who had a key first is known after a restart, up to a bound', async (t) => {
  const file = join(temporaryDirectory(t), 'overlay-peers');
  const known = new KnownPeers(file);
  await known.load();
  const peers = Array.from({ length: 1_100 }, (_, index) => ({ relay: `0x${index}`, publicKey: randomKey() }));
  known.remember(peers.slice(0, 3), () => true);
  known.remember(peers.slice(1, 4), () => true);
  await known.save();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const again = new KnownPeers(file);
  await again.load();
  assert.deepEqual(again.all, peers.slice(0, 4));
  // Peers stay, and of the others the first goes.
  again.remember(peers, ({ relay }) => relay === '0x0');
  assert.deepEqual([again.all.length, again.all[0]], [1_024, peers[0]]);
  await again.save();
  const last = new KnownPeers(file);
  await last.load();
  assert.deepEqual(last.all, again.all);
  writeFileSync(file, 'nonsense\n\0\n');
  const spoilt = new KnownPeers(file);
  await spoilt.load();
  assert.deepEqual(spoilt.all, []);
});

test('of two keys with one overlay address the relay known longer keeps it', () => {
  const byAddress = new Map<string, string>();
  let pair: [string, string] | undefined;
  while (!pair) {
    const key = randomKey();
    const earlier = byAddress.get(overlayAddress(key));
    if (earlier !== undefined) pair = [earlier, key];
    byAddress.set(overlayAddress(key), key);
  }
  const [one, two] = pair.map((wireguard_public_key) => relayWith({ wireguard_public_key })) as [
    RelayDescriptor,
    RelayDescriptor,
  ];
  for (const longer of [one, two]) {
    const held = [{ relay: longer.address, publicKey: longer.wire.wireguard_public_key! }];
    const { wanted, refused } = planPeers([one, two], own, held);
    assert.deepEqual(
      wanted.map(({ relay }) => relay),
      [longer.address],
    );
    assert.match(refused[0]!.reason, /its overlay address 100\.\d+\.\d+\.\d+ is another relay's/);
  }
});

test('a new key of a relay known longer does not take the place of what another has', () => {
  const [changed, other] = [relayWith({}), relayWith({})];
  const held = [
    { relay: changed.address, publicKey: randomKey() },
    { relay: other.address, publicKey: other.wire.wireguard_public_key! },
  ];
  const stolen = { ...changed, wire: { ...changed.wire, wireguard_public_key: other.wire.wireguard_public_key! } };
  assert.deepEqual(
    planPeers([stolen, other], own, held).wanted.map(({ relay }) => relay),
    [other.address],
  );
});

test('a key that is written in another way than base64 writes it is no key, and peers are bounded', () => {
  const key = randomKey();
  // The last character before the padding has two bits that say nothing.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const odd = `${key.slice(0, 42)}${alphabet[alphabet.indexOf(key[42]!) ^ 1]!}=`;
  assert.deepEqual(planPeers([relayWith({ wireguard_public_key: odd })], own, []).wanted, []);
  const template = relayWith({});
  const many = Array.from({ length: maxOverlayPeers + 10 }, (_, index) => ({
    ...template,
    address: `0x${index}`,
    wire: { ...template.wire, wireguard_public_key: randomKey() },
  }));
  assert.equal(planPeers(many, own, []).wanted.length, maxOverlayPeers);
});

test('a peer is asked in the overlay first, and in public when it is not reached there', async (t) => {
  const peer = await HostileRelay.start(t);
  const descriptor = () => peer.own();
  peer.serve(() => [descriptor()]);
  const serve = peer.answer;
  let fetches = 0;
  peer.answer = (request, response) => {
    // Announcements are posted, and always in public.
    if (request.method === 'GET') fetches++;
    serve(request, response);
  };
  const asked: string[] = [];
  let isReached = true;
  const overlay: OverlayPlace = {
    facts: { wireguard_public_key: own.publicKey, wireguard_port: 51820 },
    ask: async (url, relay) => {
      asked.push(`${url.origin} ${relay}`);
      return isReached
        ? { descriptor: parseDescriptor(descriptor()), others: [], remoteAddress: undefined }
        : undefined;
    },
  };
  const { address, privateKey } = freshWallet();
  const discovery = new Discovery({
    portalUrl: new URL('https://here.example'),
    identity: { address, privateKey },
    bootstraps: [peer.url],
    ca: peer.caPem,
    allowPrivate: true,
    times: { ...quickTimes, announceIntervalMs: 600_000 },
    load: () => ({ connections: 0, bytes: 0 }),
    ports: () => ({ udp: false, tcp: false }),
    overlay,
    logger: pino({ level: 'silent' }),
  });
  discovery.start();
  t.after(() => discovery.stop());
  await until(() => asked.length > 0);
  assert.equal(asked[0], `${peer.url.origin} ${peer.wallet.address.toLowerCase()}`);
  await until(() => asked.length > 3);
  assert.equal(fetches, 1);
  isReached = false;
  await until(() => fetches > 1);
  assert.equal(discovery.report().believed.length, 1);
  const [mine] = discovery.list('192.0.2.1').relays;
  assert.deepEqual([mine?.supports_overlay, mine?.wireguard_port], [true, 51820]);
});
