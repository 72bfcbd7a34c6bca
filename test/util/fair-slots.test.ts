import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairSlots } from '../../src/util/fair-slots.js';

test('with all slots taken the oldest slot of the source with the most is evicted', () => {
  const slots = new FairSlots(4);
  const evicted: string[] = [];
  const take = (source: string, name: string) => slots.take(source, () => evicted.push(name));
  take('a', 'a1');
  take('a', 'a2');
  take('b', 'b1');
  take('b', 'b2');
  take('a', 'a3');
  assert.equal(evicted.length, 1);
  take('c', 'c1');
  take('d', 'd1');
  assert.equal(evicted.includes('c1'), false);
  assert.equal(slots.size, 4);
});

test('a source with few slots is never evicted while another has more, and no slot is lost', () => {
  const step = fc.record({ source: fc.nat(4), release: fc.option(fc.nat(20)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const limit = 8;
      const slots = new FairSlots(limit);
      const held: { source: string; release: () => void }[] = [];
      for (const { source, release } of steps) {
        if (release !== null && held.length > 0) held.splice(release % held.length, 1)[0]!.release();
        const own = { source: String(source), release: () => {} };
        own.release = slots.take(own.source, () => {
          const counts = new Map<string, number>();
          for (const slot of held) counts.set(slot.source, (counts.get(slot.source) ?? 0) + 1);
          assert.equal(counts.get(own.source), Math.max(...counts.values()));
          held.splice(held.indexOf(own), 1);
        });
        held.push(own);
        assert.equal(slots.size, held.length);
        assert.ok(held.length <= limit);
      }
    }),
  );
});
