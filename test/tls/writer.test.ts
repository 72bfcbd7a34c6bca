import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Reader } from '../../src/tls/codec/reader.js';
import { Writer } from '../../src/tls/codec/writer.js';

describe('Writer', () => {
  it('writes the same bytes with any initial capacity', () => {
    const write = (capacity: number): Buffer =>
      new Writer(capacity)
        .uint8(0x01)
        .uint16(0x0203)
        .uint32(0x04050607)
        .vector(1, (w) => w.bytes(Buffer.from('short')))
        .vector(2, (w) => w.uint8(9).vector(3, (inner) => inner.bytes(Buffer.alloc(300, 8))))
        .finish();
    const expected = write(1_000);
    assert.equal(expected.length, 1 + 2 + 4 + 1 + 5 + 2 + 1 + 3 + 300);
    for (let capacity = 0; capacity < expected.length + 2; capacity++) assert.deepEqual(write(capacity), expected);
    const reader = new Reader(expected);
    assert.deepEqual([reader.uint8(), reader.uint16(), reader.uint32()], [1, 0x0203, 0x04050607]);
    assert.equal(reader.vector8().toString(), 'short');
    const inner = new Reader(reader.vector16());
    assert.equal(inner.uint8(), 9);
    assert.deepEqual(inner.vector24(), Buffer.alloc(300, 8));
    reader.end('all');
  });

  it('refuses a vector that is too long for its length field', () => {
    assert.throws(() => new Writer().vector(1, (w) => w.bytes(Buffer.alloc(256))), RangeError);
  });
});
