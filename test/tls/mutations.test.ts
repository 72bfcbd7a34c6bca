/** Thousands of broken inputs: each must end in an alert or another clean error, none in an exception or a hang. */
import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { before, describe, it } from 'node:test';
import { TlsAlertError } from '../../src/tls/codec/alerts.js';
import { ClientHelloReader } from '../../src/tls/records/client-hello-reader.js';
import { extensionType, namedGroup } from '../../src/tls/codec/constants.js';
import { TlsError } from '../../src/tls/codec/errors.js';
import {
  parseCertificate,
  parseClientHello,
  parseEncryptedExtensions,
  parseServerHello,
  splitHandshakeMessages,
} from '../../src/tls/codec/messages.js';
import { checkRetriedClientHello } from '../../src/tls/handshake/retry-check.js';
import { encodeEncryptedExtensions, encodeHelloRetryRequest } from '../../src/tls/codec/server-messages.js';
import { type TlsServerOptions, TlsServerStream } from '../../src/tls/server/server.js';
import { TicketKeys } from '../../src/tls/handshake/tickets.js';
import { type TestCertificate, makeCertificate } from './certificate.js';
import {
  encodeHello,
  encodeHelloWithTicket,
  fragmented,
  helloParts,
  keyShares,
  makeKeyPair,
  plainRecord,
  postQuantumGroup,
} from './client-hello.js';
import { connectInMemory, connectSecurely } from './connection.js';
import { Random, inChunks, mutate } from './mutations.js';
import { offer } from './raw-client.js';
import { trace } from './rfc8448-trace.js';

const { secp256r1, x25519 } = namedGroup;
/** Bounds a hang; the work takes a few seconds. */
const timeout = 120_000;

describe('mutated input', { timeout }, () => {
  let certificate: TestCertificate;
  let options: TlsServerOptions;
  let hellos: Buffer[];

  before(async () => {
    certificate = await makeCertificate();
    const tickets = new TicketKeys();
    options = {
      chain: certificate.chain,
      schemes: [0x0403],
      sign: () => Promise.resolve(Buffer.alloc(70, 1)),
      alpn: ['http/1.1'],
      acceptServerName: (name) => name?.endsWith('.test') ?? true,
      tickets,
    };
    const { client, stream } = await connectSecurely(certificate, { tickets }, { cipherSuites: [0x1301] });
    const ticket = offer(await client.ticket());
    stream.destroy();
    const pair = makeKeyPair(secp256r1);
    const plain = helloParts([pair], { alpn: ['h2', 'http/1.1'] });
    const early = helloParts([pair], { cipherSuites: [0x1301] });
    early.extensions.set(extensionType.earlyData, Buffer.alloc(0));
    hellos = [
      encodeHello(plain),
      encodeHello(helloParts([makeKeyPair(postQuantumGroup), pair])),
      encodeHello(helloParts([makeKeyPair(postQuantumGroup)], { groups: [postQuantumGroup, x25519] })),
      encodeHelloWithTicket(helloParts([pair], { cipherSuites: [0x1301] }), ticket),
      encodeHelloWithTicket(early, ticket),
    ];
  });

  function accept(transport: Duplex): { closed: Promise<void>; errors: Error[] } {
    const errors: Error[] = [];
    const stream = new TlsServerStream(transport, options);
    stream.on('error', (error: Error) => errors.push(error));
    stream.resume();
    return { errors, closed: new Promise((resolve) => stream.once('close', () => resolve())) };
  }

  function assertClean(errors: Error[], input: Buffer): void {
    const [error, ...more] = errors;
    const clean = error instanceof TlsError || (error instanceof TlsAlertError && error.alert !== 'internal_error');
    assert(clean, `${error?.stack} after ${input.toString('hex')}`);
    assert.equal(more.length, 0);
  }

  /** Sends bytes in chunks, ends, and waits until the server has closed. */
  async function send(bytes: Buffer, random: Random): Promise<void> {
    const [near, far] = duplexPair();
    const { closed, errors } = accept(far);
    near.on('error', () => undefined);
    near.resume();
    for (const chunk of inChunks(bytes, random)) near.write(chunk);
    near.end();
    await closed;
    assertClean(errors, bytes);
  }

  it('in ClientHellos ends cleanly', async () => {
    const random = new Random(1);
    for (let count = 0; count < 3_000; count++) {
      const hello = mutate(hellos[count % hellos.length]!, random);
      // Mostly with the right lengths around it, so that what is inside gets read.
      if (hello.length >= 4 && random.below(4) > 0) hello.writeUIntBE(hello.length - 4, 1, 3);
      await send(random.below(4) > 0 ? plainRecord(22, hello) : fragmented(hello, 1 + random.below(300)), random);
    }
  });

  it('in records ends cleanly', async () => {
    const random = new Random(2);
    const alert = plainRecord(21, Buffer.from([2, 40]));
    const changeCipherSpec = plainRecord(20, Buffer.from([1]));
    for (let count = 0; count < 1_500; count++) {
      const hello = fragmented(hellos[count % hellos.length]!, 1 + random.below(1_000));
      const rest = [alert, changeCipherSpec, plainRecord(23, random.bytes(50))][random.below(3)]!;
      await send(mutate(Buffer.concat([hello, rest]), random), random);
    }
  });

  it('in second ClientHellos ends cleanly', async () => {
    const random = new Random(3);
    const pair = makeKeyPair(x25519);
    const parts = helloParts([makeKeyPair(postQuantumGroup)], { groups: [postQuantumGroup, x25519] });
    const first = plainRecord(22, encodeHello(parts));
    parts.extensions.set(extensionType.keyShare, keyShares([pair]));
    const second = encodeHello(parts);
    for (let count = 0; count < 500; count++) {
      const mutated = mutate(second, random);
      if (mutated.length >= 4) mutated.writeUIntBE(mutated.length - 4, 1, 3);
      await send(Buffer.concat([first, plainRecord(22, mutated)]), random);
    }
  });

  it('after the ServerHello and in the connection ends cleanly', async () => {
    const random = new Random(4);
    for (let count = 0; count < 300; count++) {
      const { client, stream, closed, errors } = await connectSecurely(certificate);
      // A change may make an alert of it that ends the connection rightly.
      stream.resume().on('end', () => stream.end());
      const kind = ([21, 22, 23] as const)[random.below(3)]!;
      // Wrong content under right keys, and right content damaged on its way.
      const wrongContent = client.seal(kind, mutate(Buffer.from([24, 0, 0, 1, 0, 0, 0, 0]), random));
      const damaged = mutate(client.seal(23, random.bytes(100)), random);
      const bytes = Buffer.concat(random.below(2) === 0 ? [wrongContent, damaged] : [damaged]);
      for (const chunk of inChunks(bytes, random)) client.write(chunk);
      client.transport.end();
      void client.discard();
      await closed;
      if (!stream.readableEnded) assertClean(errors, bytes);
    }
  });

  it('of Finished ends cleanly', async () => {
    const random = new Random(5);
    for (let count = 0; count < 300; count++) {
      const { client, closed, errors, stream } = connectInMemory(certificate);
      stream.resume();
      const pair = makeKeyPair(secp256r1);
      client.sendHello(encodeHello(helloParts([pair])));
      await client.readFlight(pair);
      const finished = mutate(client.finished(), random);
      client.write(
        random.below(2) === 0 ? client.seal(22, finished) : mutate(client.seal(22, client.finished()), random),
      );
      client.transport.end();
      void client.discard();
      await closed;
      assertClean(errors, finished);
    }
  });

  it('for the reader of ClientHellos gives a hello or an alert', () => {
    const random = new Random(6);
    for (let count = 0; count < 5_000; count++) {
      const bytes = mutate(fragmented(hellos[count % hellos.length]!, 1 + random.below(2_000)), random);
      const reader = new ClientHelloReader();
      orAlert(() => {
        for (const chunk of inChunks(bytes, random)) reader.push(chunk);
        assert.deepEqual(reader.buffered(), bytes);
      });
    }
  });

  it('for the parsers gives a message or an alert', () => {
    const random = new Random(7);
    const retry = encodeHelloRetryRequest(Buffer.alloc(32), 0x1301, x25519);
    const first = parseClientHello(hellos[0]!);
    const extensions = encodeEncryptedExtensions('http/1.1', true);
    const row = Buffer.concat([hellos[0]!, retry, hellos[1]!, trace.serverHello, extensions, trace.certificate]);
    for (let count = 0; count < 3_000; count++) {
      orAlert(() => parseServerHello(mutate(random.below(2) === 0 ? retry : trace.serverHello, random)));
      orAlert(() => parseEncryptedExtensions(mutate(extensions, random)));
      orAlert(() => parseCertificate(mutate(trace.certificate, random)));
      orAlert(() => splitHandshakeMessages(mutate(row, random)));
      orAlert(() => {
        const second = parseClientHello(mutate(hellos[0]!, random));
        checkRetriedClientHello(first, second, parseServerHello(mutate(retry, random)));
      });
    }
  });
});

function orAlert(run: () => void): void {
  try {
    run();
  } catch (error) {
    assert(error instanceof TlsAlertError, String((error as Error).stack));
  }
}
