import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaseMinutes } from '../../src/relay/metrics/lease-minutes.js';

const minute = 60_000;
const identity = (name: string) => ({ name, address: '0xDb2F216439001033EBBE995570B66dfF5b17361d' });
const sessionsOf = (name: string) => ({ lease: { identity: identity(name) }, traffic: { up: 0, down: 0 } });

test('the minutes of a lease have what passed in each, and those without bytes are not told', () => {
  const minutes = new LeaseMinutes();
  const [shop, quiet] = [sessionsOf('shop'), sessionsOf('quiet')];
  Object.assign(shop.traffic, { up: 10, down: 100 });
  minutes.take([shop, quiet], 1 * minute);
  minutes.take([shop, quiet], 2 * minute);
  Object.assign(shop.traffic, { up: 11, down: 300 });
  minutes.take([shop, quiet], 3 * minute);
  assert.deepEqual(minutes.of(identity('shop'), 3 * minute), [
    { at: 1 * minute, received: 10, sent: 100 },
    { at: 3 * minute, received: 1, sent: 200 },
  ]);
  assert.deepEqual(minutes.of(identity('quiet'), 3 * minute), []);
});

test('a lease that is registered anew goes on with its minutes, together with connections of before', () => {
  const minutes = new LeaseMinutes();
  const [before, after] = [sessionsOf('shop'), sessionsOf('shop')];
  before.traffic.up = 5;
  minutes.take([before], 1 * minute);
  before.traffic.up = 7;
  after.traffic.up = 100;
  minutes.take([after, before], 2 * minute);
  assert.deepEqual(
    minutes.of(identity('shop'), 2 * minute).map(({ received }) => received),
    [5, 102],
  );
});

test('minutes are kept for an hour, also of a clock that was set back', () => {
  const minutes = new LeaseMinutes();
  const shop = sessionsOf('shop');
  const pass = (from: number, to: number) => {
    for (let now = from; now <= to; now++) {
      shop.traffic.up++;
      minutes.take([shop], now * minute);
    }
  };
  pass(1, 100);
  const kept = minutes.of(identity('shop'), 100 * minute);
  assert.deepEqual([kept.length, kept[0]?.at, kept.at(-1)?.at], [60, 41 * minute, 100 * minute]);
  pass(50, 53);
  const after = minutes.of(identity('shop'), 53 * minute);
  assert.equal(after.length, 60);
  assert.deepEqual(
    after.slice(-4).map(({ at }) => at / minute),
    [50, 51, 52, 53],
  );
  minutes.take([], 200 * minute);
  assert.deepEqual(minutes.of(identity('shop'), 53 * minute), []);
});

test('minutes of so many leases are kept, and the quietest makes room', () => {
  const minutes = new LeaseMinutes();
  const all = Array.from({ length: 10_001 }, (_, index) => sessionsOf(`name${index}`));
  for (const { traffic } of all) traffic.up = 1;
  minutes.take(all.slice(0, 10_000), 1 * minute);
  all[0]!.traffic.up = 2;
  minutes.take(all.slice(0, 1), 2 * minute);
  minutes.take(all.slice(10_000), 3 * minute);
  const kept = (index: number) => minutes.of(identity(`name${index}`), 3 * minute).length;
  assert.deepEqual([0, 1, 2, 9_999, 10_000].map(kept), [2, 0, 1, 1, 1]);
});
