import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { before, describe, it } from 'node:test';
import { TlsAlertError } from '../../src/tls/codec/alerts.js';
import { type AlertName, cipherSuites } from '../../src/tls/codec/constants.js';
import { TlsError, type TlsErrorCode } from '../../src/tls/codec/errors.js';
import { RecordOpener, RecordSealer } from '../../src/tls/records/record-protection.js';
import { type TestCertificate, makeCertificate } from './certificate.js';
import { encodeHello, helloParts, makeKeyPair, plainRecord } from './client-hello.js';
import { type Connection, connectInMemory, connectSecurely } from './connection.js';

const closeNotify = Buffer.from([1, 0]);
const keyUpdate = (request: number): Buffer => Buffer.from([24, 0, 0, 1, request]);
const p256 = 0x17;

let certificate: TestCertificate;
before(async () => {
  certificate = await makeCertificate();
});

async function assertFault(connection: Connection, alert: AlertName): Promise<void> {
  assert.equal(await connection.client.alert(), alert);
  connection.client.transport.end();
  await connection.closed;
  const [error, ...more] = connection.errors;
  assert(error instanceof TlsAlertError, String(error));
  assert.equal(error.alert, alert);
  assert.equal(more.length, 0);
}

async function assertError(connection: Connection, code: TlsErrorCode): Promise<TlsError> {
  await connection.closed;
  const [error, ...more] = connection.errors;
  assert(error instanceof TlsError, String(error));
  assert.equal(error.code, code);
  assert.equal(more.length, 0);
  return error;
}

/** The next so many bytes the server's side reads. */
async function read({ stream }: Connection, length: number): Promise<Buffer> {
  for (;;) {
    const chunk = stream.read(length) as Buffer | null;
    if (chunk !== null) return chunk;
    await once(stream, 'readable');
  }
}

describe('a transport read in bulk', () => {
  it('may reuse its chunks once they are released, in any fragmentation and with a slow reader', async () => {
    let isBulk = false;
    const connection = await connectSecurely(certificate, {
      readBulk(transport, take) {
        isBulk = true;
        transport.removeAllListeners('data').on('data', (chunk: Buffer) => {
          // Cut anywhere, within headers too; what was released is written over.
          for (let at = 0; at < chunk.length; at += 5_003) {
            const piece = Buffer.from(chunk.subarray(at, at + 5_003));
            take(piece, () => piece.fill(0));
          }
        });
        return { flush: () => {} };
      },
    });
    const { client, stream } = connection;
    const sent = randomBytes(2_000_000);
    for (let at = 0; at < sent.length; at += 16_000) client.send(23, sent.subarray(at, at + 16_000));
    const received: Buffer[] = [];
    for (let got = 0; got < sent.length;) {
      const bite = await read(connection, Math.min(10_007, sent.length - got));
      received.push(bite);
      got += bite.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(Buffer.concat(received).equals(sent));
    assert.ok(isBulk);
    assert.deepEqual(connection.errors, []);
    stream.destroy();
  });
});

describe('a flood of one-byte records', () => {
  it('pauses the transport by number of records while nobody reads, and arrives intact afterwards', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream } = connection;
    const sent = Buffer.alloc(5_000, 'flood');
    for (const byte of sent) client.send(23, Buffer.from([byte]));
    client.send(21, closeNotify);
    client.transport.end();
    const first = await read(connection, 1);
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(stream.readableLength <= 512, `${stream.readableLength} records wait`);
    const received = [first];
    stream.on('data', (chunk: Buffer) => received.push(chunk));
    stream.resume();
    await once(stream, 'end');
    assert.ok(Buffer.concat(received).equals(sent));
    stream.destroy();
  });
});

describe('the ends of a connection', () => {
  it('end() sends close_notify and ends writing; reading goes on', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream } = connection;
    stream.end('last');
    assert.deepEqual(await client.data(4), Buffer.from('last'));
    assert.deepEqual(await client.next(), { type: 21, content: closeNotify });
    assert.equal(await client.next(), undefined);
    client.send(23, Buffer.from('still'));
    assert.deepEqual(await read(connection, 5), Buffer.from('still'));
    client.send(21, closeNotify);
    client.transport.end();
    stream.resume();
    await connection.closed;
    assert.deepEqual(connection.errors, []);
    assert.equal(stream.readableEnded, true);
  });

  it('the peer’s close_notify is the end of reading; writing goes on', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream } = connection;
    client.send(23, Buffer.from('request'));
    client.send(21, closeNotify);
    client.transport.end();
    let received = '';
    stream.on('data', (chunk: Buffer) => (received += chunk.toString()));
    await once(stream, 'end');
    assert.equal(received, 'request');
    stream.write('response');
    assert.deepEqual(await client.data(8), Buffer.from('response'));
    stream.end();
    assert.deepEqual(await client.next(), { type: 21, content: closeNotify });
    assert.equal(await client.next(), undefined);
    await connection.closed;
    assert.deepEqual(connection.errors, []);
  });

  it('bytes after close_notify are discarded', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream } = connection;
    client.send(21, closeNotify);
    client.write(plainRecord(23, Buffer.alloc(100)));
    client.write(Buffer.alloc(1_000_000));
    stream.resume();
    await once(stream, 'end');
    stream.end('answer');
    assert.deepEqual(await client.data(6), Buffer.from('answer'));
    assert.deepEqual(await client.next(), { type: 21, content: closeNotify });
    assert.equal(await client.next(), undefined);
    await connection.closed;
    assert.deepEqual(connection.errors, []);
  });

  it('a transport that ends without close_notify is an error after the data, never an end', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream } = connection;
    client.send(23, Buffer.alloc(40_000, 1));
    client.transport.end();
    await once(stream, 'readable');
    await new Promise(setImmediate);
    assert.deepEqual(connection.errors, []);
    let ended = false;
    let received = 0;
    stream.on('end', () => (ended = true));
    stream.on('data', (chunk: Buffer) => (received += chunk.length));
    await assertError(connection, 'ERR_TLS_TRUNCATED');
    assert.equal(received, 40_000);
    assert.equal(ended, false);
  });

  it('a truncated record is an error too, also for iterators', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream } = connection;
    client.send(23, Buffer.from('whole'));
    client.write(client.seal(23, Buffer.from('cut')).subarray(0, -1));
    client.transport.end();
    let received = '';
    await assert.rejects(
      async () => {
        for await (const chunk of stream) received += String(chunk);
      },
      { code: 'ERR_TLS_TRUNCATED' },
    );
    assert.equal(received, 'whole');
    await connection.closed;
  });

  it('a fatal alert of the peer is an error with its name', async () => {
    const connection = await connectSecurely(certificate);
    connection.stream.resume();
    connection.client.send(21, Buffer.from([2, 80]));
    const error = await assertError(connection, 'ERR_TLS_ALERT_RECEIVED');
    assert.equal(error.alert, 'internal_error');
    assert.equal(connection.client.transport.readableLength, 0, 'an alert was answered');
  });

  it('an unknown alert is fatal', async () => {
    const connection = await connectSecurely(certificate);
    connection.stream.resume();
    connection.client.send(21, Buffer.from([1, 200]));
    assert.equal((await assertError(connection, 'ERR_TLS_ALERT_RECEIVED')).alert, undefined);
  });

  it('user_canceled alone does not close', async () => {
    const connection = await connectSecurely(certificate);
    const { client } = connection;
    client.send(21, Buffer.from([1, 90]));
    client.send(23, Buffer.from('go on'));
    assert.deepEqual(await read(connection, 5), Buffer.from('go on'));
    for (let count = 0; count < 10; count++) client.send(21, Buffer.from([1, 90]));
    connection.stream.resume();
    await assertFault(connection, 'unexpected_message');
  });

  it('a transport reset is an error', async () => {
    const connection = await connectSecurely(certificate);
    connection.transport.destroy();
    await assertError(connection, 'ERR_TLS_TRANSPORT_CLOSED');
  });

  it('destroy() fails pending writes and destroys the transport', async () => {
    const connection = connectInMemory(certificate);
    const failed = new Promise((resolve) => connection.stream.write('never', resolve));
    connection.stream.destroy();
    assert((await failed) instanceof Error);
    await connection.closed;
    assert.equal(connection.transport.destroyed, true);
    assert.deepEqual(connection.errors, []);
  });
});

describe('writing', () => {
  it('waits for the handshake, and so does end()', async () => {
    const connection = connectInMemory(certificate);
    const { client, stream, secured } = connection;
    stream.write('first ');
    stream.write('second');
    stream.end();
    const pair = makeKeyPair(p256);
    client.sendHello(encodeHello(helloParts([pair])));
    await client.readFlight(pair);
    client.finish();
    await secured;
    assert.equal((await client.data(12)).toString(), 'first second');
    assert.deepEqual(await client.next(), { type: 21, content: closeNotify });
    stream.destroy();
  });

  it('puts small writes into one record and fills records of large ones', async () => {
    const { client, stream } = await connectSecurely(certificate);
    stream.cork();
    for (let count = 0; count < 1_000; count++) stream.write('ten bytes ');
    stream.uncork();
    const small = await client.next();
    assert.equal(small?.content.length, 10_000);
    stream.cork();
    for (const length of [100, 40_000, 100, 20_000]) stream.write(Buffer.alloc(length));
    stream.uncork();
    const lengths: number[] = [];
    for (let rest = 60_200; rest > 0; rest -= lengths.at(-1)!) lengths.push((await client.next())!.content.length);
    assert.deepEqual(lengths, [16_384, 16_384, 16_384, 60_200 - 3 * 16_384]);
    stream.destroy();
  });

  it('keeps every byte in order, whatever the sizes', async () => {
    const { client, stream } = await connectSecurely(certificate);
    const sizes = [1, 16_383, 16_384, 16_385, 5, 2_047, 2_048, 100_000, 32_768, 3];
    const chunks = sizes.map((size, index) => Buffer.alloc(size, index + 1));
    stream.cork();
    for (const chunk of chunks) stream.write(chunk);
    stream.uncork();
    const whole = Buffer.concat(chunks);
    assert.deepEqual(await client.data(whole.length), whole);
    stream.destroy();
  });

  it('waits for backpressure of the transport', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream } = connection;
    let taken = 0;
    let writable = true;
    for (let count = 0; count < 64; count++) {
      writable = stream.write(Buffer.alloc(65_536), () => taken++);
    }
    assert.equal(writable, false);
    await new Promise(setImmediate);
    // The client reads nothing: what is under way is one batch, not all of it.
    assert(taken < 64, `${taken} writes were taken by a transport that nobody reads`);
    assert(stream.writableNeedDrain);
    const drained = once(stream, 'drain');
    assert.equal((await client.data(64 * 65_536)).length, 64 * 65_536);
    await drained;
    assert.equal(taken, 64);
    stream.destroy();
  });
});

describe('reading', () => {
  it('a reader that pauses pauses the transport', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream, transport } = connection;
    const total = 200 * 16_384;
    for (let count = 0; count < 200; count++) client.send(23, Buffer.alloc(16_384, count));
    stream.once('readable', () => undefined);
    await new Promise(setImmediate);
    assert.equal(transport.isPaused(), true);
    assert(stream.readableLength < 200_000, `${stream.readableLength} bytes were read for nobody`);
    let received = 0;
    for await (const chunk of stream) {
      received += (chunk as Buffer).length;
      if (received === total) break;
    }
    assert.equal(received, total);
  });

  it('accepts padded records and a few empty ones', async () => {
    const connection = await connectSecurely(certificate);
    const { client } = connection;
    sealInner(client, Buffer.concat([Buffer.from('padded'), Buffer.from([23]), Buffer.alloc(1_000)]));
    for (let count = 0; count < 20; count++) sealInner(client, Buffer.from([23, 0, 0]));
    client.send(23, Buffer.from('end'));
    assert.equal((await read(connection, 9)).toString(), 'paddedend');
    connection.stream.destroy();
  });

  it('accepts a record of the maximum length', async () => {
    const connection = await connectSecurely(certificate);
    sealInner(connection.client, Buffer.concat([Buffer.alloc(16_384, 7), Buffer.from([23])]));
    assert.deepEqual(await read(connection, 16_384), Buffer.alloc(16_384, 7));
    connection.stream.destroy();
  });

  const faults: Record<string, [AlertName, (connection: Connection) => void]> = {
    'a tampered record': [
      'bad_record_mac',
      ({ client }) => {
        const record = client.seal(23, Buffer.from('tampered'));
        record[7]! ^= 1;
        client.write(record);
      },
    ],
    'a record out of order': [
      'bad_record_mac',
      ({ client }) => {
        client.seal(23, Buffer.from('lost'));
        client.send(23, Buffer.from('next'));
      },
    ],
    'a record with a changed header': [
      'bad_record_mac',
      ({ client }) => {
        const record = client.seal(23, Buffer.from('header'));
        record[2] = 1;
        client.write(record);
      },
    ],
    'a record too short for a tag': ['bad_record_mac', ({ client }) => client.write(plainRecord(23, Buffer.alloc(16)))],
    'a record longer than allowed': [
      'record_overflow',
      ({ client }) => client.write(Buffer.from([23, 3, 3, 0x41, 0x01])),
    ],
    'a record that holds more than allowed': [
      'record_overflow',
      ({ client }) => sealInner(client, Buffer.alloc(16_386, 23)),
    ],
    'a record of nothing but padding': ['unexpected_message', ({ client }) => sealInner(client, Buffer.alloc(50))],
    'a flood of empty records': [
      'unexpected_message',
      ({ client }) => {
        for (let count = 0; count < 40; count++) sealInner(client, Buffer.from([23]));
      },
    ],
    'an empty alert': ['unexpected_message', ({ client }) => sealInner(client, Buffer.from([21]))],
    'half an alert': ['decode_error', ({ client }) => client.send(21, Buffer.from([2]))],
    'a change_cipher_spec': ['unexpected_message', ({ client }) => client.write(plainRecord(20, Buffer.from([1])))],
    'a protected change_cipher_spec': ['unexpected_message', ({ client }) => sealInner(client, Buffer.from([1, 20]))],
    'an unprotected alert': ['unexpected_message', ({ client }) => client.write(plainRecord(21, Buffer.from([2, 40])))],
    'an unprotected record': ['unexpected_message', ({ client }) => client.write(plainRecord(22, keyUpdate(0)))],
    'a hello': ['unexpected_message', ({ client }) => client.send(22, encodeHello(helloParts([makeKeyPair(p256)])))],
    'a ticket from the client': ['unexpected_message', ({ client }) => client.send(22, Buffer.from([4, 0, 0, 0]))],
    'a KeyUpdate of an unknown kind': ['illegal_parameter', ({ client }) => client.send(22, keyUpdate(2))],
    'a KeyUpdate without content': ['decode_error', ({ client }) => client.send(22, Buffer.from([24, 0, 0, 0]))],
    'a KeyUpdate that is too long': ['decode_error', ({ client }) => client.send(22, Buffer.from([24, 0, 0, 2, 0, 0]))],
    'a KeyUpdate with something behind it': [
      'unexpected_message',
      ({ client }) => client.send(22, Buffer.concat([keyUpdate(0), keyUpdate(0)])),
    ],
    'data within a handshake message': [
      'unexpected_message',
      ({ client }) => {
        client.send(22, keyUpdate(0).subarray(0, 2));
        client.send(23, Buffer.from('between'));
      },
    ],
    'a flood of KeyUpdates': [
      'unexpected_message',
      ({ client }) => {
        for (let count = 0; count < 40; count++) {
          client.send(22, keyUpdate(0));
          client.sealer!.update();
        }
      },
    ],
  };
  for (const [what, [alert, run]] of Object.entries(faults)) {
    it(`${what} is answered with ${alert}`, async () => {
      const connection = await connectSecurely(certificate);
      connection.stream.resume();
      run(connection);
      await assertFault(connection, alert);
    });
  }
});

describe('keys', () => {
  it('of the client can be updated, in fragments too, and update_requested is answered', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream } = connection;
    client.send(22, keyUpdate(0).subarray(0, 1));
    client.send(22, keyUpdate(0).subarray(1));
    client.sealer!.update();
    client.send(23, Buffer.from('one'));
    client.send(22, keyUpdate(1));
    client.sealer!.update();
    client.send(23, Buffer.from('two'));
    assert.equal((await read(connection, 6)).toString(), 'onetwo');
    assert.deepEqual(await client.next(), { type: 22, content: keyUpdate(0) });
    client.opener!.update();
    stream.write('answer');
    assert.equal((await client.data(6)).toString(), 'answer');
    stream.destroy();
  });

  it('of the server are updated on request', async () => {
    const { client, stream } = await connectSecurely(certificate);
    for (const request of [false, true]) {
      stream.updateKeys(request);
      assert.deepEqual(await client.next(), { type: 22, content: keyUpdate(request ? 1 : 0) });
      client.opener!.update();
      stream.write('next');
      assert.equal((await client.data(4)).toString(), 'next');
    }
    stream.end();
    assert.throws(() => stream.updateKeys(), { code: 'ERR_TLS_INVALID_STATE' });
    stream.destroy();
    const waiting = connectInMemory(certificate).stream;
    assert.throws(() => waiting.updateKeys(), { code: 'ERR_TLS_INVALID_STATE' });
    waiting.destroy();
  });

  it('of the server are updated before the record limit', async () => {
    const { client, stream } = await connectSecurely(certificate, { maxRecordsPerKey: 3 });
    let updates = 0;
    for (let count = 0; count < 10; count++) {
      stream.write('x');
      assert.equal((await client.next())?.type, 23);
      if (count % 3 !== 2) continue;
      assert.deepEqual(await client.next(), { type: 22, content: keyUpdate(0) });
      client.opener!.update();
      updates++;
    }
    assert.equal(updates, 3);
    stream.destroy();
  });

  it('update requests that arrive faster than responses are sent share one response', async () => {
    const connection = await connectSecurely(certificate);
    const { client, stream } = connection;
    // Fill the transport, which nobody reads.
    while (!connection.transport.writableNeedDrain) {
      stream.write(Buffer.alloc(65_536));
      await new Promise(setImmediate);
    }
    for (let count = 0; count < 20; count++) {
      client.send(22, keyUpdate(1));
      client.sealer!.update();
    }
    client.send(23, Buffer.from('after'));
    assert.equal((await read(connection, 5)).toString(), 'after');
    stream.end();
    let answers = 0;
    for (let record = await client.next(); record?.type !== 21; record = await client.next()) {
      if (record?.type !== 22) continue;
      client.opener!.update();
      answers++;
    }
    assert.equal(answers, 1);
    stream.destroy();
  });

  it('are exported after the handshake only, bound to label and context', async () => {
    const waiting = connectInMemory(certificate);
    assert.throws(() => waiting.stream.exportKeyingMaterial(32, 'EXPERIMENTAL'), { code: 'ERR_TLS_INVALID_STATE' });
    waiting.stream.destroy();
    const { stream } = await connectSecurely(certificate);
    const exported = stream.exportKeyingMaterial(80, 'EXPERIMENTAL', Buffer.from('context'));
    assert.equal(exported.length, 80);
    assert.deepEqual(stream.exportKeyingMaterial(80, 'EXPERIMENTAL', Buffer.from('context')), exported);
    assert.notDeepEqual(stream.exportKeyingMaterial(80, 'EXPERIMENTAL'), exported);
    stream.destroy();
  });

  it('encrypt the same content differently each time, and decrypt each record once', () => {
    const suite = cipherSuites.get(0x1301)!;
    const sealer = new RecordSealer(suite, Buffer.alloc(32, 1));
    const opener = new RecordOpener(suite, Buffer.alloc(32, 1));
    const seen = new Set<string>();
    for (let count = 0; count < 300; count++) {
      const pieces: Buffer[] = [];
      sealer.seal(23, Buffer.from('same'), pieces);
      const record = Buffer.concat(pieces);
      seen.add(record.toString('hex'));
      assert.equal(opener.open(record.subarray(0, 5), record.subarray(5))?.content.toString(), 'same');
      assert.equal(opener.open(record.subarray(0, 5), record.subarray(5)), undefined);
    }
    assert.equal(seen.size, 300);
    assert.equal(sealer.records, 300);
  });
});

/** Sends a record whose inner plaintext is given whole: content, type and padding. */
function sealInner(client: Connection['client'], inner: Buffer): void {
  client.write(client.sealer!.sealInner(inner));
}
