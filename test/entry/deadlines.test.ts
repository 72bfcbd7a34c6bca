import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadlines } from '../../src/entry/deadlines.js';
import { Timers } from '../../src/entry/timers.js';

test('deadlines expire once and in order, unless they are cleared or set anew', () => {
  const expired: string[] = [];
  const deadlines = new Deadlines<{ name: string }>(100, ({ name }) => expired.push(name));
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => ({ name })) as [
    { name: string },
    { name: string },
    { name: string },
    { name: string },
  ];
  assert.equal(deadlines.next, undefined);
  [a, b, c, d].forEach((item, index) => deadlines.set(item, index));
  deadlines.clear(b);
  deadlines.set(a, 50);
  assert.equal(deadlines.next, 102);
  deadlines.expire(101.9);
  assert.deepEqual(expired, []);
  deadlines.expire(103);
  assert.deepEqual(expired, ['c', 'd']);
  assert.equal(deadlines.next, 150);
  deadlines.expire(1_000);
  assert.deepEqual(expired, ['c', 'd', 'a']);
  assert.equal(deadlines.next, undefined);
});

test('what expires may set its deadline again', () => {
  let count = 0;
  const item = {};
  const deadlines: Deadlines<object> = new Deadlines<object>(10, () => {
    count++;
    deadlines.set(item, 10 * count);
  });
  deadlines.set(item, 0);
  deadlines.expire(10);
  assert.equal(count, 1);
  assert.equal(deadlines.next, 20);
});

test('timers run when they are due, and not once they are cancelled', () => {
  const timers = new Timers();
  const ran: number[] = [];
  const start = timers.now();
  const cancel = timers.after(5, () => ran.push(5));
  timers.after(10, () => ran.push(10));
  timers.after(1_000, () => ran.push(1_000));
  cancel();
  assert.ok(timers.next! >= start + 10 && timers.next! < start + 900);
  timers.run(start + 900);
  assert.deepEqual(ran, [10]);
  timers.run(start + 5_000);
  assert.deepEqual(ran, [10, 1_000]);
  assert.equal(timers.next, undefined);
});
