import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeDatagram, encodeDatagram, maxPayloadBytes } from '../../src/protocol/datagram-frame.js';

const hello = Buffer.from('hello');

test('flow ids of every length round-trip', () => {
  for (let bits = 0; bits <= 53; bits++) {
    for (const flow of [2 ** bits - 1, Math.min(2 ** bits, Number.MAX_SAFE_INTEGER)]) {
      assert.deepEqual(decodeDatagram(encodeDatagram(flow, hello)), { flow, payload: hello });
    }
  }
  assert.equal(encodeDatagram(300, hello).toString('hex'), 'ac0268656c6c6f');
  assert.equal(encodeDatagram(7, Buffer.alloc(0)).toString('hex'), '07');
});

test('invalid frames are reported: unterminated flow id, too large flow id, too large payload', () => {
  for (const hex of ['', '80', '8080', 'ffffffffffffff', 'ffffffffffffff7f', 'ffffffffffffffff01']) {
    assert.equal(decodeDatagram(Buffer.from(hex, 'hex')), undefined, hex);
  }
  const [fits, over] = [Buffer.alloc(1 + maxPayloadBytes), Buffer.alloc(2 + maxPayloadBytes)];
  assert.equal(decodeDatagram(fits)?.payload.length, maxPayloadBytes);
  assert.equal(decodeDatagram(over), undefined);
});

test('a flow id in a longer LEB128 encoding is the same id', () => {
  assert.equal(decodeDatagram(Buffer.from('8700', 'hex'))?.flow, 7);
});
