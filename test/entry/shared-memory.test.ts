import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { LeaseSlot, OwnedDescriptors, SharedCounts } from '../../src/entry/shared-memory.js';
import { sourceOf } from '../../src/net/source-network.js';

const limit = 3;
const few = fc.constantFrom(
  '',
  ...['192.0.2.1', '192.0.2.2', '255.255.255.255', '0.0.0.1', '2001:db8::1', '2001:db8:0:1::1', '::'].map(sourceOf),
);
const many = fc.nat(4_000).map((number) => `10.0.${number >> 8}.${number & 255}`);

test('counts by source are those of a plain map, whatever is added and removed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ source: fc.oneof(few, many), isAdded: fc.boolean() }), { maxLength: 400 }),
      fc.integer(),
      (steps, seed) => {
        const counts = new SharedCounts(SharedCounts.allocate(512, seed), limit);
        const model = new Map<string, number>();
        for (const { source, isAdded } of steps) {
          const held = model.get(source) ?? 0;
          if (isAdded) {
            assert.equal(counts.add(source), held < limit);
            model.set(source, Math.min(held + 1, limit));
          } else {
            counts.remove(source);
            model.set(source, Math.max(held - 1, 0));
          }
        }
        for (const [source, held] of model) assert.equal(counts.count(source), held, source);
        assert.equal(
          counts.total,
          [...model.values()].reduce((sum, held) => sum + held, 0),
        );
      },
    ),
  );
});

test('a table that is full of sources takes no other, and the known ones go on', () => {
  const counts = new SharedCounts(SharedCounts.allocate(8, 1), limit);
  for (let number = 0; number < 8; number++) assert.ok(counts.add(`10.0.0.${number}`));
  assert.equal(counts.add('10.0.1.1'), false);
  assert.ok(counts.add('10.0.0.7'));
  counts.remove('10.0.0.0');
  assert.ok(counts.add('10.0.1.1'));
  assert.equal(counts.total, 9);
});

test('two threads that count at once lose nothing', async () => {
  const rounds = 20_000;
  const counts = new SharedCounts(SharedCounts.allocate(64, 7), 1e9);
  const slot = new LeaseSlot();
  const work = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.module).then(({ SharedCounts, LeaseSlot }) => {
      const counts = new SharedCounts(workerData.memory, 1e9);
      const slot = new LeaseSlot(workerData.slot);
      for (let round = 0; round < ${rounds}; round++) {
        counts.add('192.0.2.' + (round % 50));
        slot.addLive(1);
      }
      for (let round = 0; round < ${rounds}; round += 2) counts.remove('192.0.2.' + (round % 50));
    });`;
  const module = new URL('../../src/entry/shared-memory.js', import.meta.url).href;
  const workerData = { module, memory: counts.memory, slot: slot.memory };
  const threads = [1, 2].map(() => new Worker(work, { eval: true, workerData }));
  await Promise.all(threads.map(async (thread) => await once(thread, 'exit')));
  assert.equal(slot.live, 2 * rounds);
  assert.equal(counts.total, rounds);
  assert.equal(counts.count('192.0.2.1'), (2 * rounds) / 50);
  assert.equal(counts.count('192.0.2.0'), 0);
});

test('what a worker has left open is found once', () => {
  const owned = new OwnedDescriptors(new SharedArrayBuffer(100));
  for (const fd of [0, 7, 8, 99]) assert.ok(owned.add(fd));
  assert.equal(owned.add(100), false, 'beyond what can be told');
  owned.remove(8);
  assert.deepEqual(owned.take(), [0, 7, 99]);
  assert.deepEqual(owned.take(), []);
});
