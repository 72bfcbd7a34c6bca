import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CostlyValue } from '../../src/util/costly-value.js';

test('a costly value is made anew once that takes no more than its share of the time', () => {
  let [now, made, cost] = [0, 0, 10];
  const value = new CostlyValue(
    () => {
      now += cost;
      return ++made;
    },
    0.1,
    () => now,
  );
  assert.deepEqual([value.get(), value.get()], [1, 1]);
  now += 99;
  assert.equal(value.get(), 1);
  now += 1;
  assert.equal(value.get(), 2);
  cost = 0;
  now += 100;
  assert.deepEqual([value.get(), value.get()], [3, 4]);
});
