import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { before, describe, it } from 'node:test';
import { TlsAlertError } from '../../src/tls/codec/alerts.js';
import { type AlertName, contentType, extensionType, namedGroup, tls12 } from '../../src/tls/codec/constants.js';
import { TlsError, type TlsErrorCode } from '../../src/tls/codec/errors.js';
import { parseCertificate, parseEncryptedExtensions, splitHandshakeMessages } from '../../src/tls/codec/messages.js';
import { signWithScheme } from '../../src/tls/codec/schemes.js';
import { type SignRequest, type TlsServerOptions } from '../../src/tls/server/server.js';
import { certificateVerifyContent, transcriptHash } from '../../src/tls/codec/transcript.js';
import { type TestCertificate, makeCertificate } from './certificate.js';
import {
  type HelloParts,
  encodeHello,
  fragmented,
  helloParts,
  keyShares,
  makeKeyPair,
  plainRecord,
  postQuantumGroup,
  uint16s,
} from './client-hello.js';
import { type Connection, connectInMemory, connectSecurely } from './connection.js';

const { x25519, secp256r1 } = namedGroup;
const { keyShare, earlyData, serverName, supportedVersions, signatureAlgorithms, supportedGroups } = extensionType;
const alpnType = extensionType.applicationLayerProtocolNegotiation;

let certificate: TestCertificate;
before(async () => {
  certificate = await makeCertificate();
});

function assertFault(connection: Connection, alert: AlertName): void {
  const [error, ...more] = connection.errors;
  assert(error instanceof TlsAlertError, `no fault but ${String(error)}`);
  assert.equal(error.alert, alert, error.message);
  assert.equal(more.length, 0);
}

function assertError(connection: Connection, code: TlsErrorCode): void {
  const [error, ...more] = connection.errors;
  assert(error instanceof TlsError, `no TlsError but ${String(error)}`);
  assert.equal(error.code, code);
  assert.equal(more.length, 0);
}

/** A promise to be settled from outside. */
function deferred<T>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** Nothing of ours is left on the transport once the stream is closed. */
async function assertReleased({ client, transport, stream }: Connection): Promise<void> {
  assert.equal(stream.destroyed, true);
  if (!transport.closed) await once(transport, 'close');
  for (const event of ['data', 'error', 'close', 'drain', 'finish', 'readable']) {
    assert.equal(transport.listenerCount(event), 0, event);
  }
  // A side of duplexPair that ends listens to the other.
  assert.equal(transport.listenerCount('end'), client.transport.writableEnded ? 1 : 0);
}

describe('a full handshake', () => {
  for (const group of [x25519, secp256r1]) {
    for (const suite of [0x1301, 0x1302, 0x1303]) {
      it(`with group ${group} and suite 0x${suite.toString(16)} carries data both ways`, async () => {
        const connection = connectInMemory(certificate);
        const { client, stream } = connection;
        const pair = makeKeyPair(group);
        client.sendHello(encodeHello(helloParts([pair], { cipherSuites: [suite] })));
        const hello = await client.readFlight(pair);
        assert.equal(hello.cipherSuite, suite);
        client.finish();
        client.send(23, Buffer.from('ping'));
        stream.write('pong');
        assert.deepEqual(await client.data(4), Buffer.from('pong'));
        const [chunk] = (await once(stream, 'data')) as [Buffer];
        assert.equal(chunk.toString(), 'ping');
        assert.equal(stream.cipherSuite?.id, suite);
        assert.equal(stream.serverName, 'a.test');
        assert.equal(stream.resumed, false);
        stream.destroy();
        await connection.closed;
      });
    }
  }

  it('asks for one signature, over exactly the messages from ClientHello to Certificate', async () => {
    const { client, signed, stream } = await connectSecurely(
      certificate,
      { alpn: ['http/1.1'] },
      { alpn: ['http/1.1'] },
    );
    assert.equal(signed.length, 1);
    const [request] = signed;
    const upToCertificate = client.messages.slice(0, 4);
    assert.deepEqual(splitHandshakeMessages(request!.transcript), upToCertificate);
    assert.equal(request!.schemeName, 'ecdsa_secp256r1_sha256');
    assert.equal(request!.serverName, 'a.test');
    assert.equal(request!.signal.aborted, false);
    const { hash } = client.suite!;
    assert.deepEqual(request!.content, certificateVerifyContent(transcriptHash(hash, upToCertificate)));
    assert.equal(parseEncryptedExtensions(upToCertificate[2]!).alpn, 'http/1.1');
    const { context, entries } = parseCertificate(upToCertificate[3]!);
    assert.equal(context.length, 0);
    assert.deepEqual(entries[0]?.certificate, certificate.chain[0]);
    stream.destroy();
  });

  it('prefers a client’s ChaCha20 when that comes first, else its own order', async () => {
    for (const [offered, chosen] of [
      [[0x1303, 0x1301], 0x1303],
      [[0x0a0a, 0x1303, 0x1301], 0x1303],
      [[0x1302, 0x1303, 0x1301], 0x1301],
      [[0x1302, 0xc02b], 0x1302],
    ] as const) {
      const { client, stream } = await connectSecurely(certificate, {}, { cipherSuites: [...offered] });
      assert.equal(client.suite?.id, chosen);
      stream.destroy();
    }
  });

  it('sends change_cipher_spec only to a client with a session id', async () => {
    for (const [sessionId, expected] of [
      [randomBytes(32), 1],
      [Buffer.alloc(0), 0],
    ] as const) {
      const { client, stream } = connectInMemory(certificate);
      const pair = makeKeyPair(secp256r1);
      client.sendHello(encodeHello(helloParts([pair], { sessionId })));
      assert.equal((await client.next())?.type, contentType.handshake);
      assert.equal((await client.next())?.type === contentType.changeCipherSpec ? 1 : 0, expected);
      stream.destroy();
    }
  });

  it('reads a hello in any fragments: post-quantum size, byte by byte, in tiny records', async () => {
    for (const size of [1, 33, 16_384]) {
      const { client, stream, secured } = connectInMemory(certificate);
      const pair = makeKeyPair(x25519);
      const hello = encodeHello(helloParts([makeKeyPair(postQuantumGroup), pair]));
      assert(hello.length > 1_400);
      client.messages.push(hello);
      for (const byte of fragmented(hello, size)) client.write(Buffer.from([byte]));
      await client.readFlight(pair);
      client.finish();
      await secured;
      stream.destroy();
    }
  });

  it('takes messages of the client with padding and a Finished in fragments', async () => {
    const connection = connectInMemory(certificate);
    const { client, stream } = connection;
    const pair = makeKeyPair(secp256r1);
    client.sendHello(encodeHello(helloParts([pair])));
    await client.readFlight(pair);
    const finished = client.finished();
    client.write(plainRecord(20, Buffer.from([1])));
    client.send(22, finished.subarray(0, 3));
    client.send(22, finished.subarray(3, 20));
    client.send(22, finished.subarray(20));
    client.useApplicationKeys();
    client.send(23, Buffer.from('after fragments'));
    const [chunk] = (await once(stream, 'data')) as [Buffer];
    assert.equal(chunk.toString(), 'after fragments');
    stream.destroy();
  });

  it('selects the ALPN protocol in server order, and none if the client offers none', async () => {
    const options = { alpn: ['h2', 'http/1.1'] };
    const both = await connectSecurely(certificate, options, { alpn: ['http/1.1', 'h2'] });
    assert.equal(both.stream.alpnProtocol, 'h2');
    const none = await connectSecurely(certificate, options);
    assert.equal(none.stream.alpnProtocol, undefined);
    const unasked = await connectSecurely(certificate, {}, { alpn: ['h2'] });
    assert.equal(unasked.stream.alpnProtocol, undefined);
    for (const { stream } of [both, none, unasked]) stream.destroy();
  });
});

describe('a retry', () => {
  async function retry(
    change: (parts: HelloParts) => void = () => undefined,
    changeFirst: (parts: HelloParts) => void = () => undefined,
  ): Promise<Connection & { pair: ReturnType<typeof makeKeyPair> }> {
    const connection = connectInMemory(certificate);
    const { client } = connection;
    const pair = makeKeyPair(x25519);
    const parts = helloParts([makeKeyPair(postQuantumGroup)], { groups: [postQuantumGroup, x25519, secp256r1] });
    changeFirst(parts);
    client.sendHello(encodeHello(parts));
    const request = await client.serverHello();
    assert.equal(request.isHelloRetryRequest, true);
    assert.equal(request.keyShareGroup, x25519);
    client.messages.push(request.raw);
    parts.extensions.delete(earlyData);
    parts.extensions.set(keyShare, keyShares([pair]));
    change(parts);
    client.write(plainRecord(20, Buffer.from([1])));
    client.sendHello(encodeHello(parts));
    return { ...connection, pair };
  }

  it('asks a client with only a post-quantum share for X25519, and signs both hellos', async () => {
    const { client, stream, secured, signed, pair } = await retry();
    await client.readFlight(pair);
    client.finish();
    await secured;
    assert.equal(signed.length, 1);
    assert.deepEqual(splitHandshakeMessages(signed[0]!.transcript), client.messages.slice(0, 6));
    stream.destroy();
  });

  it('sends one change_cipher_spec in all, after the retry', async () => {
    const { client, stream, pair } = await retry();
    const types: number[] = [];
    const next = client.next.bind(client);
    client.next = async () => {
      const record = await next();
      if (record !== undefined) types.push(record.type);
      return record;
    };
    await client.readFlight(pair);
    assert.equal(types.filter((type) => type === contentType.changeCipherSpec).length, 1);
    stream.destroy();
  });

  const changes: Record<string, (parts: HelloParts) => void> = {
    'another random': (parts) => (parts.random = randomBytes(32)),
    'another server name': (parts) => parts.extensions.delete(serverName),
    'other suites': (parts) => parts.cipherSuites.reverse(),
    'no share': (parts) => parts.extensions.set(keyShare, keyShares([])),
    'the share of another group': (parts) => parts.extensions.set(keyShare, keyShares([makeKeyPair(secp256r1)])),
    'early data': (parts) => parts.extensions.set(earlyData, Buffer.alloc(0)),
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`refuses a second hello with ${what}`, async () => {
      const connection = await retry(change);
      assert.equal(await connection.client.alert(), 'illegal_parameter');
      connection.client.transport.end();
      await connection.closed;
      assertFault(connection, 'illegal_parameter');
      assert.equal(connection.signed.length, 0);
    });
  }

  it('skips the early data that a client sent before the retry', async () => {
    const connection = connectInMemory(certificate);
    const { client, stream, secured } = connection;
    const parts = helloParts([makeKeyPair(postQuantumGroup)], { groups: [postQuantumGroup, secp256r1] });
    parts.extensions.set(earlyData, Buffer.alloc(0));
    client.sendHello(encodeHello(parts));
    for (let count = 0; count < 3; count++) client.write(plainRecord(23, randomBytes(16_401)));
    client.messages.push((await client.serverHello()).raw);
    parts.extensions.delete(earlyData);
    const pair = makeKeyPair(secp256r1);
    parts.extensions.set(keyShare, keyShares([pair]));
    client.sendHello(encodeHello(parts));
    await client.readFlight(pair);
    client.finish();
    await secured;
    stream.destroy();
  });
});

describe('an unacceptable ClientHello', () => {
  const cases: [string, AlertName, (parts: HelloParts) => void, Partial<TlsServerOptions>?][] = [
    ['of TLS 1.2', 'protocol_version', (p) => p.extensions.delete(supportedVersions)],
    [
      'of versions we do not know',
      'protocol_version',
      (p) => p.extensions.set(supportedVersions, Buffer.from('04fafa0303', 'hex')),
    ],
    ['of SSL 3', 'protocol_version', (p) => (p.legacyVersion = 0x0300)],
    ['with compression', 'illegal_parameter', (p) => (p.compressionMethods = Buffer.from([0, 1]))],
    ['without a common suite', 'handshake_failure', (p) => (p.cipherSuites = [0x1304, 0xc02b])],
    [
      'without a common group',
      'handshake_failure',
      (p) => {
        p.extensions.set(supportedGroups, uint16s([postQuantumGroup]));
        p.extensions.set(keyShare, keyShares([makeKeyPair(postQuantumGroup)]));
      },
    ],
    [
      'without a common signature scheme',
      'handshake_failure',
      (p) => p.extensions.set(signatureAlgorithms, uint16s([0x0401])),
    ],
    ['without groups', 'missing_extension', (p) => p.extensions.delete(supportedGroups)],
    ['without shares', 'missing_extension', (p) => p.extensions.delete(keyShare)],
    ['without signature schemes', 'missing_extension', (p) => p.extensions.delete(signatureAlgorithms)],
    [
      'with a share of a group it does not offer',
      'illegal_parameter',
      (p) => p.extensions.set(supportedGroups, uint16s([x25519])),
    ],
    [
      'with a share that is no point',
      'illegal_parameter',
      (p) => {
        const share = Buffer.alloc(65, 1);
        share[0] = 4;
        p.extensions.set(keyShare, keyShares([{ group: secp256r1, share, agree: () => share }]));
      },
    ],
    [
      'with a share of the wrong length',
      'illegal_parameter',
      (p) => {
        const share = Buffer.alloc(64, 4);
        p.extensions.set(keyShare, keyShares([{ group: secp256r1, share, agree: () => share }]));
      },
    ],
    [
      'with an X25519 share of small order',
      'illegal_parameter',
      (p) => {
        const share = Buffer.alloc(32);
        p.extensions.set(supportedGroups, uint16s([x25519]));
        p.extensions.set(keyShare, keyShares([{ group: x25519, share, agree: () => share }]));
      },
    ],
    [
      'without a common protocol',
      'no_application_protocol',
      (p) => p.extensions.set(alpnType, Buffer.from('0003026832', 'hex')),
      { alpn: ['http/1.1'] },
    ],
    [
      'for a name we do not serve',
      'unrecognized_name',
      () => undefined,
      { acceptServerName: (name) => name !== 'a.test' },
    ],
    [
      'without the name we need',
      'unrecognized_name',
      (p) => p.extensions.delete(serverName),
      { acceptServerName: (name) => name !== undefined },
    ],
  ];
  for (const [what, alert, change, overrides] of cases) {
    it(`${what} is answered with ${alert}`, async () => {
      const connection = connectInMemory(certificate, overrides);
      const parts = helloParts([makeKeyPair(secp256r1)]);
      change(parts);
      connection.client.sendHello(encodeHello(parts));
      assert.equal(await connection.client.alert(), alert);
      connection.client.transport.end();
      await connection.closed;
      assertFault(connection, alert);
      await assertReleased(connection);
      assert.equal(connection.signed.length, 0);
    });
  }

  it('ignores legacy_version if supported_versions is present', async () => {
    const { client, stream } = connectInMemory(certificate);
    const pair = makeKeyPair(secp256r1);
    const parts = helloParts([pair]);
    parts.legacyVersion = tls12 - 2;
    client.sendHello(encodeHello(parts));
    await client.readFlight(pair);
    stream.destroy();
  });
});

describe('unexpected messages', () => {
  const hello = (): Buffer => encodeHello(helloParts([makeKeyPair(secp256r1)]));
  const cases: Record<string, [AlertName, (connection: Connection) => Promise<void> | void]> = {
    'plain HTTP': ['unexpected_message', ({ client }) => client.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))],
    'a record longer than allowed': [
      'record_overflow',
      ({ client }) => client.write(Buffer.from([22, 3, 1, 0x40, 0x01])),
    ],
    'a hello longer than allowed': [
      'decode_error',
      ({ client }) => client.write(plainRecord(22, Buffer.from([1, 0, 0x40, 0]))),
    ],
    'an empty handshake record': ['unexpected_message', ({ client }) => client.write(plainRecord(22, Buffer.alloc(0)))],
    'change_cipher_spec first': ['unexpected_message', ({ client }) => client.write(plainRecord(20, Buffer.from([1])))],
    'application data first': ['unexpected_message', ({ client }) => client.write(plainRecord(23, Buffer.alloc(40)))],
    'Finished first': [
      'unexpected_message',
      ({ client }) => client.write(plainRecord(22, Buffer.from([20, 0, 0, 1, 0]))),
    ],
    'something behind the hello in its record': [
      'unexpected_message',
      ({ client }) => client.write(plainRecord(22, Buffer.concat([hello(), Buffer.from([0])]))),
    ],
    'a hello that ends too early': [
      'decode_error',
      ({ client }) => {
        const message = hello().subarray(0, -10);
        message.writeUIntBE(message.length - 4, 1, 3);
        client.write(plainRecord(22, message));
      },
    ],
    'a second hello': [
      'unexpected_message',
      async ({ client }) => {
        const pair = makeKeyPair(secp256r1);
        client.sendHello(encodeHello(helloParts([pair])));
        await client.readFlight(pair);
        client.send(22, hello());
      },
    ],
    'a flood of change_cipher_spec': [
      'unexpected_message',
      async ({ client }) => {
        const pair = makeKeyPair(secp256r1);
        client.sendHello(encodeHello(helloParts([pair])));
        await client.readFlight(pair);
        for (let count = 0; count < 10; count++) client.write(plainRecord(20, Buffer.from([1])));
      },
    ],
    'a change_cipher_spec of another kind': [
      'unexpected_message',
      async ({ client }) => {
        const pair = makeKeyPair(secp256r1);
        client.sendHello(encodeHello(helloParts([pair])));
        await client.readFlight(pair);
        client.write(plainRecord(20, Buffer.from([2])));
      },
    ],
    'a wrong Finished': [
      'decrypt_error',
      async ({ client }) => {
        const pair = makeKeyPair(secp256r1);
        client.sendHello(encodeHello(helloParts([pair])));
        await client.readFlight(pair);
        const finished = client.finished();
        finished[10]! ^= 1;
        client.send(22, finished);
      },
    ],
    'a short Finished': [
      'decode_error',
      async ({ client }) => {
        const pair = makeKeyPair(secp256r1);
        client.sendHello(encodeHello(helloParts([pair])));
        await client.readFlight(pair);
        client.send(22, Buffer.from([20, 0, 0, 1, 0]));
      },
    ],
    'something behind Finished in its record': [
      'unexpected_message',
      async ({ client }) => {
        const pair = makeKeyPair(secp256r1);
        client.sendHello(encodeHello(helloParts([pair])));
        await client.readFlight(pair);
        client.send(22, Buffer.concat([client.finished(), Buffer.from([24, 0, 0, 1, 0])]));
      },
    ],
    'application data before Finished': [
      'unexpected_message',
      async ({ client }) => {
        const pair = makeKeyPair(secp256r1);
        client.sendHello(encodeHello(helloParts([pair])));
        await client.readFlight(pair);
        client.send(23, Buffer.from('early'));
      },
    ],
    'an unprotected Finished': [
      'unexpected_message',
      async ({ client }) => {
        const pair = makeKeyPair(secp256r1);
        client.sendHello(encodeHello(helloParts([pair])));
        await client.readFlight(pair);
        client.write(plainRecord(22, client.finished()));
      },
    ],
    'early data that was not offered': [
      'bad_record_mac',
      async ({ client }) => {
        const pair = makeKeyPair(secp256r1);
        client.sendHello(encodeHello(helloParts([pair])));
        await client.readFlight(pair);
        client.write(plainRecord(23, randomBytes(100)));
      },
    ],
  };
  for (const [what, [alert, run]] of Object.entries(cases)) {
    it(`${what} is answered with ${alert}`, async () => {
      const connection = connectInMemory(certificate);
      await run(connection);
      assert.equal(await connection.client.alert(), alert);
      connection.client.transport.end();
      await connection.closed;
      assertFault(connection, alert);
      await assertReleased(connection);
    });
  }
});

describe('early data', () => {
  async function withEarlyData(records: Buffer[]): Promise<Connection & { pair: ReturnType<typeof makeKeyPair> }> {
    const connection = connectInMemory(certificate);
    const pair = makeKeyPair(secp256r1);
    const parts = helloParts([pair]);
    parts.extensions.set(earlyData, Buffer.alloc(0));
    connection.client.sendHello(encodeHello(parts));
    for (const record of records) connection.client.write(record);
    await connection.client.readFlight(pair);
    return { ...connection, pair };
  }

  it('is skipped, before and after the server flight, and the handshake continues', async () => {
    const before = [plainRecord(23, randomBytes(16_401)), plainRecord(23, randomBytes(30))];
    const { client, stream, secured } = await withEarlyData(before);
    client.write(plainRecord(23, randomBytes(16_401)));
    client.write(plainRecord(23, randomBytes(17)));
    client.finish();
    await secured;
    stream.destroy();
  });

  it('is skipped up to a limit', async () => {
    const connection = await withEarlyData([]);
    for (let count = 0; count < 5; count++) connection.client.write(plainRecord(23, randomBytes(16_401)));
    assert.equal(await connection.client.alert(), 'bad_record_mac');
    connection.client.transport.end();
    await connection.closed;
    assertFault(connection, 'bad_record_mac');
  });

  it('is not skipped after the first record that decrypts', async () => {
    const connection = await withEarlyData([]);
    const { client } = connection;
    const finished = client.finished();
    client.send(22, finished.subarray(0, 10));
    client.write(plainRecord(23, randomBytes(100)));
    assert.equal(await client.alert(), 'bad_record_mac');
    client.transport.end();
    await connection.closed;
  });
});

describe('the signature', () => {
  it('failing gives internal_error, and the cause is kept', async () => {
    for (const sign of [
      () => Promise.reject(new Error('refused')),
      () => {
        throw new Error('refused');
      },
    ]) {
      const connection = connectInMemory(certificate, { sign });
      connection.client.sendHello(encodeHello(helloParts([makeKeyPair(secp256r1)])));
      assert.equal(await connection.client.alert(), 'internal_error');
      connection.client.transport.end();
      await connection.closed;
      assertFault(connection, 'internal_error');
      assert.equal((connection.errors[0]!.cause as Error).message, 'refused');
      await assertReleased(connection);
    }
  });

  it('being invalid gives internal_error', async () => {
    const connection = connectInMemory(certificate, { sign: () => Promise.resolve('no' as unknown as Buffer) });
    connection.client.sendHello(encodeHello(helloParts([makeKeyPair(secp256r1)])));
    assert.equal(await connection.client.alert(), 'internal_error');
    connection.client.transport.end();
    await connection.closed;
  });

  it('is aborted when the client disconnects', async () => {
    for (const leave of [
      (connection: Connection) => connection.client.transport.end(),
      (connection: Connection) => connection.transport.destroy(),
      (connection: Connection) => connection.client.write(plainRecord(21, Buffer.from([2, 80]))),
      (connection: Connection) => connection.stream.destroy(),
    ]) {
      const asked = deferred<SignRequest>();
      const signature = deferred<Buffer>();
      const connection = connectInMemory(certificate, {
        sign(request) {
          asked.resolve(request);
          return signature.promise;
        },
      });
      connection.client.sendHello(encodeHello(helloParts([makeKeyPair(secp256r1)])));
      const { signal } = await asked.promise;
      assert.equal(signal.aborted, false);
      leave(connection);
      await connection.closed;
      assert.equal(signal.aborted, true);
      signature.resolve(Buffer.alloc(70));
      await new Promise(setImmediate);
      await assertReleased(connection);
    }
  });

  it('may be slow while the client sends allowed messages', async () => {
    const asked = deferred<SignRequest>();
    const signature = deferred<Buffer>();
    const { client, stream, secured } = connectInMemory(certificate, {
      sign(request) {
        asked.resolve(request);
        return signature.promise;
      },
    });
    const pair = makeKeyPair(secp256r1);
    client.sendHello(encodeHello(helloParts([pair])));
    const { scheme, content } = await asked.promise;
    client.write(plainRecord(20, Buffer.from([1])));
    await new Promise(setImmediate);
    signature.resolve(signWithScheme(scheme, certificate.key, content));
    await client.readFlight(pair);
    client.finish();
    await secured;
    stream.destroy();
  });

  it('is awaited before forbidden messages get their alert', async () => {
    const asked = deferred<SignRequest>();
    const connection = connectInMemory(certificate, {
      sign(request) {
        asked.resolve(request);
        return new Promise(() => undefined);
      },
    });
    connection.client.sendHello(encodeHello(helloParts([makeKeyPair(secp256r1)])));
    const { signal } = await asked.promise;
    connection.client.write(plainRecord(22, Buffer.from([20, 0, 0, 0])));
    assert.equal(await connection.client.alert(), 'unexpected_message');
    assert.equal(signal.aborted, true);
    connection.client.transport.end();
    await connection.closed;
  });
});

describe('a handshake that never finishes', () => {
  it('ends at the deadline', async () => {
    for (const sign of [undefined, () => new Promise<Buffer>(() => undefined)]) {
      const connection = connectInMemory(certificate, { handshakeTimeoutMs: 30, ...(sign && { sign }) });
      const hello = plainRecord(22, encodeHello(helloParts([makeKeyPair(secp256r1)])));
      connection.client.write(sign === undefined ? hello.subarray(0, 50) : hello);
      await connection.closed;
      assertError(connection, 'ERR_TLS_HANDSHAKE_TIMEOUT');
      await assertReleased(connection);
    }
  });

  it('ends with the client’s close, alert or reset', async () => {
    const cut = connectInMemory(certificate);
    cut.client.write(Buffer.from([22, 3, 1]));
    cut.client.transport.end();
    await cut.closed;
    assertError(cut, 'ERR_TLS_TRUNCATED');

    const alerted = connectInMemory(certificate);
    alerted.client.write(plainRecord(21, Buffer.from([2, 48])));
    await alerted.closed;
    assertError(alerted, 'ERR_TLS_ALERT_RECEIVED');
    assert.equal((alerted.errors[0] as TlsError).alert, 'unknown_ca');

    const closing = connectInMemory(certificate);
    closing.client.write(plainRecord(21, Buffer.from([1, 0])));
    await closing.closed;
    assertError(closing, 'ERR_TLS_ALERT_RECEIVED');

    const lost = connectInMemory(certificate);
    lost.transport.destroy();
    await lost.closed;
    assertError(lost, 'ERR_TLS_TRANSPORT_CLOSED');

    const broken = connectInMemory(certificate);
    broken.transport.destroy(new Error('broken'));
    await broken.closed;
    assert.equal(broken.errors[0]?.message, 'broken');
    for (const connection of [cut, alerted, closing, lost, broken]) await assertReleased(connection);
  });

  it('an encrypted alert during the handshake is reported by name', async () => {
    const connection = connectInMemory(certificate);
    const pair = makeKeyPair(secp256r1);
    connection.client.sendHello(encodeHello(helloParts([pair])));
    await connection.client.readFlight(pair);
    connection.client.send(21, Buffer.from([2, 42]));
    await connection.closed;
    assert.equal((connection.errors[0] as TlsError).alert, 'bad_certificate');
  });
});
