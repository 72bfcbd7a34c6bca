import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TlsAlertError } from '../../src/tls/codec/alerts.js';
import { ClientHelloReader } from '../../src/tls/records/client-hello-reader.js';
import { type AlertName, namedGroup } from '../../src/tls/codec/constants.js';
import { encodeHello, fragmented, helloParts, makeKeyPair, plainRecord, postQuantumGroup } from './client-hello.js';

const hello = encodeHello(
  helloParts([makeKeyPair(postQuantumGroup), makeKeyPair(namedGroup.x25519)], { serverName: 'name.relay.test' }),
);

function throwsAlert(run: () => unknown, alert: AlertName): void {
  assert.throws(run, (error) => error instanceof TlsAlertError && error.alert === alert);
}

describe('ClientHelloReader', () => {
  it('reads a hello in one piece', () => {
    const reader = new ClientHelloReader();
    const bytes = plainRecord(22, hello);
    const read = reader.push(bytes);
    assert.deepEqual(read?.raw, hello);
    assert.equal(read?.serverName, 'name.relay.test');
    assert.deepEqual(reader.buffered(), bytes);
  });

  it('reads a hello of post-quantum size byte by byte, over many records', () => {
    assert(hello.length > 1_400);
    for (const size of [1, 7, 500, 16_384]) {
      const reader = new ClientHelloReader();
      const bytes = fragmented(hello, size);
      for (const byte of bytes.subarray(0, -1)) assert.equal(reader.push(Buffer.from([byte])), undefined);
      assert.deepEqual(reader.push(bytes.subarray(-1))?.raw, hello);
      assert.deepEqual(reader.buffered(), bytes);
    }
  });

  it('keeps the bytes after the ClientHello for the replay', () => {
    const reader = new ClientHelloReader();
    const following = Buffer.alloc(100_000, 23);
    const bytes = Buffer.concat([plainRecord(22, hello), following]);
    reader.push(bytes.subarray(0, 900));
    assert.deepEqual(reader.push(bytes.subarray(900))?.raw, hello);
    assert.deepEqual(reader.push(Buffer.from('more'))?.raw, hello);
    assert.deepEqual(reader.buffered(), Buffer.concat([bytes, Buffer.from('more')]));
  });

  it('does not change the chunks it was given', () => {
    const reader = new ClientHelloReader();
    const pool = Buffer.alloc(4_096, 0x55);
    const bytes = plainRecord(22, hello);
    bytes.copy(pool, 0, 0, 100);
    reader.push(pool.subarray(0, 100));
    reader.push(bytes.subarray(100));
    assert(pool.subarray(100).every((byte) => byte === 0x55));
  });

  it('fails at the first byte that is not a TLS handshake record', () => {
    for (const first of ['G', '\x00', '\x80', '\x15', '\x17', '\x14']) {
      throwsAlert(() => new ClientHelloReader().push(Buffer.from(first, 'latin1')), 'unexpected_message');
    }
  });

  it('fails at another record, another message, another major version and an empty fragment', () => {
    const start = plainRecord(22, hello.subarray(0, 100));
    const pushAfterStart = (bytes: Buffer) => () => {
      const reader = new ClientHelloReader();
      reader.push(start);
      reader.push(bytes);
    };
    throwsAlert(pushAfterStart(plainRecord(23, Buffer.alloc(10))), 'unexpected_message');
    throwsAlert(pushAfterStart(plainRecord(20, Buffer.from([1]))), 'unexpected_message');
    throwsAlert(pushAfterStart(plainRecord(22, Buffer.alloc(0))), 'unexpected_message');
    throwsAlert(() => new ClientHelloReader().push(plainRecord(22, Buffer.from([2, 0, 0, 1]))), 'unexpected_message');
    throwsAlert(() => new ClientHelloReader().push(Buffer.from([22, 2, 0, 0, 5])), 'protocol_version');
  });

  it('limits the size of a record, of a message and of all records together', () => {
    throwsAlert(() => new ClientHelloReader().push(Buffer.from([22, 3, 1, 0x40, 0x01])), 'record_overflow');
    const announced = Buffer.from([1, 0, 0x40, 0x00]);
    throwsAlert(() => new ClientHelloReader().push(plainRecord(22, announced)), 'decode_error');
    const tiny = new ClientHelloReader(2_000);
    throwsAlert(() => tiny.push(fragmented(hello, 4)), 'decode_error');
    assert(new ClientHelloReader(hello.length + 5).push(plainRecord(22, hello)));
    throwsAlert(() => new ClientHelloReader(hello.length + 4).push(plainRecord(22, hello)), 'decode_error');
    const slow = new ClientHelloReader(1_000);
    throwsAlert(() => slow.push(plainRecord(22, hello).subarray(0, 1_001)), 'decode_error');
  });

  it('fails at a ClientHello that does not parse', () => {
    const broken = Buffer.from(hello);
    broken[4 + 2 + 32] = 33;
    throwsAlert(() => new ClientHelloReader().push(plainRecord(22, broken)), 'decode_error');
  });
});
