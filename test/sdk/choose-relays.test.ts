import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseRelays, type FoundRelay, type RelayFacts } from '../../src/sdk/index.js';

const facts = (changes: Partial<RelayFacts> = {}): RelayFacts => ({
  address: `0x${'1'.repeat(40)}`,
  version: '2',
  supportsUdp: false,
  supportsTcp: false,
  activeConnections: 0,
  tcpBps: 0,
  issuedAt: '2026-03-01T12:00:00Z',
  expiresAt: '2026-03-01T12:05:00Z',
  ...changes,
});

const relay = (name: string, latencyMs: number, changes: Partial<FoundRelay> = {}): FoundRelay => ({
  url: `https://${name}`,
  named: false,
  reachable: true,
  latencyMs,
  facts: facts(),
  ...changes,
});

const names = (found: FoundRelay[], needs: Parameters<typeof chooseRelays>[1]) =>
  chooseRelays(found, needs).map(({ url }) => url.slice('https://'.length));

test('the nearest relays are chosen, up to the wanted number', () => {
  const found = [relay('far', 90), relay('near', 5), relay('middle', 40)];
  assert.deepEqual(names(found, { count: 2 }), ['near', 'middle']);
  assert.deepEqual(names(found, { count: 9 }), ['near', 'middle', 'far']);
  assert.deepEqual(names(found, { count: 0 }), []);
  assert.deepEqual(names([], { count: 3 }), []);
});

test('relays that do not respond, or are excluded, are not chosen', () => {
  const found = [relay('dead', 1, { reachable: false }), relay('used', 1), relay('left', 2)];
  assert.deepEqual(names(found, { count: 3, except: ['https://used'] }), ['left']);
});

test('load counts as up to four times the latency; claims of low load gain nothing', () => {
  const busy = (activeConnections: number, tcpBps = 0) => ({ facts: facts({ activeConnections, tcpBps }) });
  assert.deepEqual(names([relay('busy', 10, busy(1_500)), relay('idle', 20)], { count: 2 }), ['idle', 'busy']);
  assert.deepEqual(names([relay('full', 10, busy(0, 1e9)), relay('idle', 39)], { count: 1 }), ['idle']);
  assert.deepEqual(names([relay('full', 10, busy(1e15, 1e18)), relay('idle', 41)], { count: 1 }), ['full']);
  assert.deepEqual(names([relay('silent', 10, { facts: undefined }), relay('idle', 10)], { count: 1 }), ['idle']);
});

test('named relays are chosen first, even if others are nearer', () => {
  assert.deepEqual(names([relay('near', 1), relay('mine', 50, { named: true })], { count: 2 }), ['mine', 'near']);
});

test('relays on one host count as one while there are others', () => {
  const found = [relay('a:1001', 1), relay('a:1002', 2), relay('b', 30)];
  assert.deepEqual(names(found, { count: 2 }), ['a:1001', 'b']);
  assert.deepEqual(names(found, { count: 3 }), ['a:1001', 'b', 'a:1002']);
});

test('a relay that advertises no such ports is not chosen; one that advertises nothing is', () => {
  const found = [
    relay('none', 1),
    relay('tcp', 2, { facts: facts({ supportsTcp: true }) }),
    relay('both', 3, { facts: facts({ supportsTcp: true, supportsUdp: true }) }),
    relay('mute', 4, { facts: undefined }),
  ];
  assert.deepEqual(names(found, { count: 4, tcp: true }), ['tcp', 'both', 'mute']);
  assert.deepEqual(names(found, { count: 4, tcp: true, udp: true }), ['both', 'mute']);
});

test('the choice does not depend on the input order, and does not modify the input', () => {
  const found = [relay('b', 0.1), relay('a', 1.9), relay('c', 1)];
  const before = structuredClone(found);
  assert.deepEqual(names(found, { count: 3 }), ['a', 'b', 'c']);
  assert.deepEqual(names([...found].reverse(), { count: 3 }), ['a', 'b', 'c']);
  assert.deepEqual(found, before);
});
