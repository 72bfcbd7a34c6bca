import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FoundRelay } from '../../src/sdk/index.js';
import { relayTimes as times } from '../../src/tunnel/options/relay-times.js';
import { type MemberState, planRelays, type Situation } from '../../src/tunnel/relays/relay-plan.js';

const now = 10_000_000;

const found = (name: string, changes: Partial<FoundRelay> = {}): FoundRelay => ({
  url: `https://${name}`,
  named: true,
  reachable: true,
  latencyMs: name.charCodeAt(0),
  ...changes,
});

const member = (name: string, changes: Partial<MemberState> = {}): MemberState => ({
  url: `https://${name}`,
  named: true,
  home: true,
  hasServed: true,
  isUp: true,
  since: now - 3_600_000,
  liveConnections: 0,
  ...changes,
});

const down = (name: string, forMs: number, changes: Partial<MemberState> = {}) =>
  member(name, { isUp: false, since: now - forMs, ...changes });

const letters = (urls: string[]) => urls.map((url) => url.slice('https://'.length)).join('');

function plan(situation: Partial<Situation>) {
  const { take, leave, reviewAt } = planRelays({
    members: [],
    known: [...'abcdef'].map((name) => found(name)),
    barred: [],
    maxRelays: 2,
    now,
    times,
    ...situation,
  });
  return {
    take: letters(take.map(({ url }) => url)),
    homes: letters(take.filter(({ home }) => home).map(({ url }) => url)),
    leave: letters(leave),
    reviewIn: reviewAt - now,
  };
}

test('the best relays are taken first, up to the wanted number', () => {
  assert.deepEqual(plan({}), { take: 'ab', homes: 'ab', leave: '', reviewIn: Infinity });
  assert.deepEqual(plan({ members: [member('c'), member('d')] }), {
    take: '',
    homes: '',
    leave: '',
    reviewIn: Infinity,
  });
});

test('a lost relay is replaced by a spare after a delay, and kept', () => {
  const { lossPatienceMs } = times;
  assert.deepEqual(plan({ members: [member('a'), down('b', lossPatienceMs - 1)] }), {
    take: '',
    homes: '',
    leave: '',
    reviewIn: 1,
  });
  const { take, homes, leave } = plan({ members: [member('a'), down('b', lossPatienceMs)] });
  assert.deepEqual([take, homes, leave], ['c', '', '']);
});

test('a spare that does not come up gets another spare after a short delay', () => {
  const members = (triedMs: number) => [
    member('a'),
    down('b', 60_000),
    down('c', triedMs, { hasServed: false, home: false }),
  ];
  assert.equal(plan({ members: members(times.joinPatienceMs - 1) }).take, '');
  assert.equal(plan({ members: members(times.joinPatienceMs) }).take, 'd');
});

test('once a lost relay has served again for a while its spare is released, unless visitors use it', () => {
  const back = (forMs: number, liveConnections: number) => [
    member('a'),
    member('b', { since: now - forMs }),
    member('c', { home: false, liveConnections }),
  ];
  assert.deepEqual(plan({ members: back(times.releaseSpareAfterMs - 5, 0) }), {
    take: '',
    homes: '',
    leave: '',
    reviewIn: 5,
  });
  assert.equal(plan({ members: back(times.releaseSpareAfterMs, 0) }).leave, 'c');
  assert.equal(plan({ members: back(times.releaseSpareAfterMs, 1) }).leave, '');
});

test('a flapping relay does not affect other relays', () => {
  const members = [member('a'), member('c', { home: false })];
  for (const flapping of [down('b', 100), member('b', { since: now - 100 }), down('b', 1), down('b', 60_000)]) {
    const { take, leave } = plan({ members: [...members, flapping] });
    assert.deepEqual([take, leave], ['', '']);
  }
});

test('refused relays are not taken, nor unresponsive ones unless named and without alternative', () => {
  assert.equal(plan({ barred: ['https://a', 'https://c'] }).take, 'bd');
  const known = [found('a', { reachable: false }), found('b', { named: false, reachable: false }), found('c')];
  assert.equal(plan({ known }).take, 'ca');
  assert.equal(plan({ known: known.slice(1) }).take, 'c');
});

test('relays without UDP ports are not taken for a UDP service', () => {
  const facts = {
    address: `0x${'1'.repeat(40)}`,
    version: '2',
    supportsUdp: false,
    supportsTcp: true,
    activeConnections: 0,
    tcpBps: 0,
    issuedAt: '',
    expiresAt: '',
  };
  const known = [found('a', { facts }), found('b', { facts: { ...facts, supportsUdp: true } })];
  assert.equal(plan({ known, udp: true }).take, 'b');
  assert.equal(plan({ known, tcp: true }).take, 'ab');
});

test('the number of held relays is bounded, however many are lost', () => {
  const known = Array.from({ length: 40 }, (_, index) => found(`relay-${index}`));
  let members: MemberState[] = [];
  // Every relay is dead: all that is taken stays down, and time goes on.
  let most = 0;
  for (let round = 0; round < 100; round++) {
    const at = now + round * times.joinPatienceMs;
    const { take, leave } = planRelays({ members, known, barred: [], maxRelays: 2, now: at, times });
    members = members.filter(({ url }) => !leave.includes(url));
    for (const { url, home } of take) members.push(down(url.slice(8), 0, { since: at, home, hasServed: false }));
    most = Math.max(most, members.length);
  }
  assert.equal(most, 6);
  assert.equal(members.filter(({ home }) => home).length, 2);
});

test('a discovered relay is given up when it stays down, a named one never', () => {
  const members = [down('a', times.forgetLostAfterMs), down('b', times.forgetLostAfterMs, { named: false })];
  assert.equal(plan({ members, known: [] }).leave, 'b');
});

test('with fewer relays wanted the surplus is released when idle', () => {
  const members = [member('a'), member('b', { liveConnections: 2 }), member('c', { liveConnections: 0 })];
  assert.equal(plan({ members, maxRelays: 1 }).leave, 'c');
});
