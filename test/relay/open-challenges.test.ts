import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpenChallenges } from '../../src/relay/store/open-challenges.js';

let number = 0;
const challenge = (source: string, { expiresAt = 1_000, request = '{}' } = {}) => ({
  id: `id${number++}`,
  message: 'message',
  request,
  expiresAt,
  source,
});

test('a challenge can be taken once, and not after it expires', () => {
  const open = new OpenChallenges();
  const [good, late] = [challenge('a'), challenge('a')];
  open.put(good, 0);
  open.put(late, 0);
  assert.deepEqual(open.take(good.id, 999), good);
  assert.equal(open.take(good.id, 999), undefined);
  assert.equal(open.take(late.id, 1_000), undefined);
  assert.equal(open.take('unknown', 0), undefined);
  assert.equal(open.size, 0);
});

test('expired challenges are removed at the next challenge', () => {
  const open = new OpenChallenges();
  for (let count = 0; count < 100; count++) open.put(challenge('a'), 0);
  open.put(challenge('a', { expiresAt: 2_000 }), 1_000);
  assert.equal(open.size, 1);
});

test('sources with many challenges cannot block a source with few, by number or bytes', () => {
  for (const open of [new OpenChallenges(100), new OpenChallenges(1_000, 100 * 2 * 120)]) {
    const honest = challenge('honest');
    open.put(honest, 0);
    for (let count = 0; count < 5_000; count++)
      open.put(challenge(`hostile ${count % 20}`, { request: 'x'.repeat(107) }), 0);
    const late = challenge('late');
    open.put(late, 0);
    assert.ok(open.size <= 102, String(open.size));
    assert.deepEqual(open.take(honest.id, 0), honest);
    assert.deepEqual(open.take(late.id, 0), late);
  }
});
