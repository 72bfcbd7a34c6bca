/** The server against Node's own TLS client. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { type Duplex } from 'node:stream';
import { before, describe, it } from 'node:test';
import {
  type ConnectionOptions,
  type TLSSocket,
  connect as connectTls,
  createServer as createTlsServer,
} from 'node:tls';
import { type TlsServerOptions, TlsServerStream } from '../../src/tls/server/server.js';
import { TicketKeys } from '../../src/tls/handshake/tickets.js';
import { type TestCertificate, makeCertificate } from './certificate.js';
import { type TestServer, echo, signingOptions, startTestServer } from './test-server.js';

let certificate: TestCertificate;
before(async () => {
  certificate = await makeCertificate();
});

function clientOptions(overrides: ConnectionOptions = {}): ConnectionOptions {
  return { host: '127.0.0.1', servername: 'a.test', ca: certificate.pem, ...overrides };
}

async function withServer(
  options: Partial<TlsServerOptions>,
  serve: (stream: TlsServerStream) => void,
  run: (server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await startTestServer(certificate, options, serve);
  try {
    await run(server);
  } finally {
    await server.stop();
  }
}

async function connect(server: TestServer, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls(clientOptions({ port: server.port, ...options }));
  await once(socket, 'secureConnect');
  return socket;
}

/** All of a stream, as its SHA-256 and length. */
async function digestOf(stream: Duplex): Promise<{ hash: string; length: number }> {
  const hash = createHash('sha256');
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    length += chunk.length;
  });
  await once(stream, 'end');
  return { hash: hash.digest('hex'), length };
}

/** Writes `blocks` blocks of random bytes, waiting where it has to, then ends; the SHA-256 of all. */
async function pour(stream: NodeJS.WritableStream, blocks: number): Promise<string> {
  const hash = createHash('sha256');
  const block = randomBytes(256 * 1024);
  for (let index = 0; index < blocks; index++) {
    block.writeUInt32BE(index);
    const copy = Buffer.from(block);
    hash.update(copy);
    if (!stream.write(copy)) await once(stream, 'drain');
  }
  stream.end();
  return hash.digest('hex');
}

describe('Node’s TLS client', () => {
  it('transfers 64 MB each way at once intact', () =>
    withServer(
      {},
      () => undefined,
      async (server) => {
        const socket = await connect(server, { allowHalfOpen: true } as ConnectionOptions);
        const [stream] = server.streams as [TlsServerStream];
        const [sentUp, sentDown, gotUp, gotDown] = await Promise.all([
          pour(socket, 256),
          pour(stream, 256),
          digestOf(stream),
          digestOf(socket),
        ]);
        assert.deepEqual(gotUp, { hash: sentUp, length: 64 * 1024 * 1024 });
        assert.deepEqual(gotDown, { hash: sentDown, length: 64 * 1024 * 1024 });
        assert.deepEqual(server.errors, []);
      },
    ));

  it('sends records of every size', () =>
    withServer({}, echo, async (server) => {
      for (const size of [512, 1_000, 16_384]) {
        const socket = await connect(server);
        socket.setMaxSendFragment(size);
        const data = randomBytes(300_000);
        socket.write(data);
        const chunks: Buffer[] = [];
        for (let length = 0; length < data.length; length += chunks.at(-1)!.length) {
          chunks.push(((await once(socket, 'data')) as [Buffer])[0]);
        }
        assert.deepEqual(Buffer.concat(chunks), data);
        socket.end();
        await once(socket, 'close');
      }
    }));

  it('resumes its session without a signature', () =>
    withServer({ tickets: new TicketKeys() }, echo, async (server) => {
      const first = connectTls(clientOptions({ port: server.port }));
      const [session] = (await once(first, 'session')) as [Buffer];
      first.end();
      const second = await connect(server, { session });
      assert.equal(second.isSessionReused(), true);
      second.write('again');
      assert.equal(String(((await once(second, 'data')) as [Buffer])[0]), 'again');
      assert.equal(server.streams[1]?.resumed, true);
      assert.equal(server.signed.length, 1);
      second.end();
      await once(second, 'close');
    }));

  it('exports the same keying material', () =>
    withServer({}, echo, async (server) => {
      const socket = await connect(server);
      socket.write('x');
      await once(socket, 'data');
      const [stream] = server.streams as [TlsServerStream];
      const context = Buffer.from('context');
      assert.deepEqual(
        stream.exportKeyingMaterial(128, 'label', context),
        socket.exportKeyingMaterial(128, 'label', context),
      );
      socket.end();
      await once(socket, 'close');
    }));

  it('can export before its client can', async () => {
    const noted: Buffer[] = [];
    const note = (stream: TlsServerStream) => {
      stream.once('keys', () => noted.push(stream.exportKeyingMaterial(32, 'label')));
    };
    await withServer({}, note, async (server) => {
      const socket = connectTls(clientOptions({ port: server.port }));
      await new Promise<void>((resolve) => {
        socket.once('secureConnect', () => {
          assert.deepEqual(noted, [socket.exportKeyingMaterial(32, 'label', Buffer.alloc(0))]);
          resolve();
        });
      });
      socket.destroy();
    });
  });

  it('can half-close, and so can the server', () =>
    withServer(
      {},
      () => undefined,
      async (server) => {
        const socket = await connect(server, { allowHalfOpen: true } as ConnectionOptions);
        const [stream] = server.streams as [TlsServerStream];
        socket.end('question');
        assert.equal((await digestOf(stream)).length, 8);
        stream.end('answer');
        assert.equal((await digestOf(socket)).length, 6);

        const other = await connect(server, { allowHalfOpen: true } as ConnectionOptions);
        const last = server.streams[1]!;
        last.end('greeting');
        assert.equal((await digestOf(other)).length, 8);
        other.end('reply');
        assert.equal((await digestOf(last)).length, 5);
        assert.deepEqual(server.errors, []);
      },
    ));

  it('gets a HelloRetryRequest for an unsupported key share', () =>
    withServer({}, echo, async (server) => {
      const socket = await connect(server, { ecdhCurve: 'secp521r1:prime256v1' });
      assert.equal((socket.getEphemeralKeyInfo() as { name?: string }).name, 'prime256v1');
      socket.end();
      await once(socket, 'close');
    }));

  it('sees the certificate and the protocol', () =>
    withServer({ alpn: ['http/1.1'] }, echo, async (server) => {
      const socket = await connect(server, { ALPNProtocols: ['h2', 'http/1.1'] });
      assert.equal(socket.alpnProtocol, 'http/1.1');
      assert.equal(socket.getProtocol(), 'TLSv1.3');
      assert.deepEqual(socket.getPeerCertificate().raw, certificate.chain[0]);
      socket.end();
      await once(socket, 'close');
    }));

  it('that is reset gives an error, not an end', () =>
    withServer(
      {},
      (stream) => stream.resume(),
      async (server) => {
        const transport = connectTcp({ port: server.port, host: '127.0.0.1' });
        const socket = connectTls(clientOptions({ socket: transport }));
        await once(socket, 'secureConnect');
        socket.write('some');
        const [stream] = server.streams as [TlsServerStream];
        await once(stream, 'data');
        const failed = once(stream, 'error');
        transport.end();
        const [error] = (await failed) as [NodeJS.ErrnoException];
        assert.equal(error.code, 'ERR_TLS_TRUNCATED');
        socket.destroy();
      },
    ));

  it('is served through another TLS connection as transport', async () => {
    const outer = createTlsServer({ key: certificate.keyPem, cert: certificate.pem }, (socket) => {
      const stream = new TlsServerStream(socket, signingOptions(certificate));
      stream.on('error', () => undefined);
      echo(stream);
    });
    outer.listen(0, '127.0.0.1');
    await once(outer, 'listening');
    const tunnel = connectTls(clientOptions({ port: (outer.address() as AddressInfo).port }));
    await once(tunnel, 'secureConnect');
    const socket = connectTls(clientOptions({ socket: tunnel }));
    const data = randomBytes(2_000_000);
    const received = digestOf(socket);
    socket.end(data);
    const { hash } = await received;
    assert.equal(hash, createHash('sha256').update(data).digest('hex'));
    tunnel.destroy();
    const closed = once(outer, 'close');
    outer.close();
    await closed;
  });

  it('is served on a socket with bytes put back by unshift', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.once('data', (chunk: Buffer) => {
        socket.pause();
        socket.unshift(chunk);
        echo(new TlsServerStream(socket, signingOptions(certificate)));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connectTls(clientOptions({ port: (server.address() as AddressInfo).port }));
    socket.write('peeked');
    assert.equal(String(((await once(socket, 'data')) as [Buffer])[0]), 'peeked');
    socket.end();
    await once(socket, 'close');
    const closed = once(server, 'close');
    server.close();
    await closed;
  });
});
