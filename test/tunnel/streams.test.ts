import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, createServer } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { lookupWithLoopback } from '../../src/sdk/transport/loopback.js';
import { readAll } from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import {
  get,
  listening,
  open,
  openTunnel,
  startHttpService,
  startTcpService,
  visitorOptions,
  visitTls,
} from '../support/tunnel.js';

const mebibyte = 1024 * 1024;

const relay = sharedRelay();

/** Writes `total` bytes that can be told by their hash, at the reader's pace. @returns the hash */
async function writePatterned(
  sink: NodeJS.WritableStream,
  total: number,
  onWritten?: (bytes: number) => void,
): Promise<string> {
  const hash = createHash('sha256');
  const block = randomBytes(mebibyte);
  for (let written = 0; written < total; written += block.length) {
    block.writeUInt32BE(written / block.length, 0);
    const chunk = Buffer.from(block);
    hash.update(chunk);
    onWritten?.(written + chunk.length);
    if (!sink.write(chunk)) await once(sink, 'drain');
  }
  sink.end();
  return hash.digest('hex');
}

async function hashOf(source: AsyncIterable<unknown>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of source) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The most memory that buffers take while `run` goes on. */
async function peakBuffers(run: () => Promise<void>): Promise<number> {
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().arrayBuffers)), 20);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  return peak;
}

test('256 MB each way arrive intact, with constant memory', async (t) => {
  const total = 256 * mebibyte;
  let sent: string | undefined;
  const service = await startHttpService(t, (incoming, response) => {
    if (incoming.method === 'GET') void writePatterned(response, total).then((hash) => (sent = hash));
    else void hashOf(incoming).then((hash) => response.end(hash));
  });
  const { hostname } = await openTunnel(t, relay, service.port);
  const peak = await peakBuffers(async () => {
    const received = await hashOf(await open(relay, hostname));
    assert.equal(received, sent);

    const upload = request(visitorOptions(relay, hostname, '/', { method: 'POST' }));
    const answered = once(upload, 'response');
    const uploaded = await writePatterned(upload, total);
    const [response] = (await answered) as [IncomingMessage];
    let echoed = '';
    for await (const chunk of response) echoed += String(chunk);
    assert.equal(echoed, uploaded);
  });
  // Visitor, relay, tunnel and service share this process.
  assert.ok(peak < 128 * mebibyte, `buffers took ${Math.round(peak / mebibyte)} MiB`);
});

test('a visitor who does not read applies backpressure to the service, and gets every byte', async (t) => {
  const total = 64 * mebibyte;
  let accepted = 0;
  let sent: string | undefined;
  const service = await startHttpService(t, (incoming, response) => {
    if (incoming.url === '/other') response.end('ok');
    else void writePatterned(response, total, (bytes) => (accepted = bytes)).then((hash) => (sent = hash));
  });
  const { hostname } = await openTunnel(t, relay, service.port);
  const stalled = await open(relay, hostname);
  // Others are served meanwhile, and what the service gets rid of comes to a stand.
  let before = -1;
  while (accepted > before) {
    before = accepted;
    for (let visit = 0; visit < 20; visit++) assert.equal((await get(relay, hostname, '/other')).body, 'ok');
  }
  assert.ok(accepted < total / 2, `${accepted} bytes went somewhere`);
  assert.equal(await hashOf(stalled), sent);
});

test('200 connections at once are all served', async (t) => {
  const total = 200;
  const waiting: (() => void)[] = [];
  const service = await startHttpService(t, (incoming, response) => {
    waiting.push(() => response.end(incoming.url));
    // Nobody is answered until all are there.
    if (waiting.length === total) for (const answer of waiting) answer();
  });
  const { hostname } = await openTunnel(t, relay, service.port);
  const paths = Array.from({ length: total }, (_, index) => `/${index}`);
  const answers = await Promise.all(paths.map((path) => get(relay, hostname, path)));
  assert.deepEqual(
    answers.map(({ body }) => body),
    paths,
  );
});

test('a visitor may half-close and still get a response', async (t) => {
  const service = await startTcpService(t, (socket) => {
    void readAll(socket).then((bytes) => socket.end(Buffer.concat([Buffer.from('got '), bytes])));
  });
  const { hostname } = await openTunnel(t, relay, service.port);
  const visitor = await visitTls(relay, hostname);
  visitor.end('all of this');
  assert.equal((await readAll(visitor)).toString(), 'got all of this');
});

test('a service may half-close and still receive', async (t) => {
  const heard = new Promise<Buffer>((resolve) => {
    void startTcpService(t, (socket) => {
      socket.end('that is all');
      void readAll(socket).then(resolve);
    }).then(async ({ port }) => {
      const { hostname } = await openTunnel(t, relay, port);
      const visitor = await visitTls(relay, hostname);
      assert.equal((await readAll(visitor)).toString(), 'that is all');
      visitor.write('one more');
      visitor.end(' thing');
    });
  });
  assert.equal((await heard).toString(), 'one more thing');
});

test('a reset of the service is not a clean end for the visitor', async (t) => {
  const service = await startTcpService(t, (socket) => {
    socket.write('half of it');
    socket.once('data', () => socket.resetAndDestroy());
  });
  const { tunnel, hostname } = await openTunnel(t, relay, service.port);
  const openssl = spawn(await requireTool('openssl'), [
    ...['s_client', '-quiet', '-connect', `127.0.0.1:${relay.publicPort}`],
    ...['-servername', hostname, '-CAfile', relay.caFile],
  ]);
  const said = text(openssl.stderr);
  await once(openssl.stdout, 'data');
  const over = once(tunnel, 'connection');
  openssl.stdin.write('go on');
  // OpenSSL tells an end without close_notify from one with it.
  assert.match(await said, /unexpected eof|reset by peer/i);
  assert.equal((await over)[0].error.code, 'ECONNRESET');
});

test('a reset during an upload resets the connection to the service', async (t) => {
  const broken = new Promise<string | undefined>((resolve) => {
    void startTcpService(t, (socket) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      socket.on('end', () => resolve('end'));
      socket.resume();
      socket.once('data', () => visitorReady());
    }).then(async ({ port }) => {
      const { hostname } = await openTunnel(t, relay, port);
      const visitor = await visitTls(relay, hostname);
      visitor.on('error', () => {});
      visitor.write('the first half');
      await reached;
      visitor.destroy();
    });
  });
  let visitorReady!: () => void;
  const reached = new Promise<void>((resolve) => (visitorReady = resolve));
  assert.equal(await broken, 'ECONNRESET');
});

test('server-sent events arrive one by one, as they are sent', async (t) => {
  let next!: () => void;
  const service = await startHttpService(t, (_incoming, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    let count = 0;
    next = () => response.write(`data: ${++count}\n\n`);
    next();
  });
  const { hostname } = await openTunnel(t, relay, service.port);
  const events = await open(relay, hostname);
  events.setEncoding('utf8');
  for (let count = 1; count <= 5; count++) {
    // The next is sent only when this one has come.
    assert.equal((await once(events, 'data'))[0], `data: ${count}\n\n`);
    next();
  }
  events.destroy();
});

test('a WebSocket carries large and small messages both ways, and its close code', async (t) => {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => {
      if (String(data) === 'bye') socket.close(4321, 'as asked');
      else socket.send(data, { binary: isBinary });
    });
  });
  const service = await listening(t, server, 0);
  const { hostname, url } = await openTunnel(t, relay, service.port);
  const options = { ca: relay.ca, servername: hostname, lookup: lookupWithLoopback };
  const socket = new WebSocket(url.replace('https:', 'wss:'), options);
  await once(socket, 'open');
  for (const size of [0, 1, 125, 65_536, 3 * mebibyte]) {
    const message = randomBytes(size);
    socket.send(message);
    const [echo] = (await once(socket, 'message')) as [Buffer];
    assert.ok(echo.equals(message), `${size} bytes`);
  }
  socket.send('bye');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  assert.deepEqual([code, reason.toString()], [4321, 'as asked']);
});

test('concurrent slow and fast connections each get their own bytes', async (t) => {
  const service = await startTcpService(t, (socket) => socket.pipe(socket));
  const { hostname } = await openTunnel(t, relay, service.port);
  await Promise.all(
    Array.from({ length: 24 }, async (_, index) => {
      const visitor = await visitTls(relay, hostname);
      const bytes = randomBytes(mebibyte + index * 1000);
      const received: Buffer[] = [];
      // Every third one reads in sips.
      if (index % 3 === 0) {
        visitor.on('data', (chunk: Buffer) => {
          received.push(chunk);
          visitor.pause();
          setImmediate(() => setImmediate(() => visitor.resume()));
        });
      } else visitor.on('data', (chunk: Buffer) => received.push(chunk));
      visitor.end(bytes);
      await once(visitor, 'end');
      assert.ok(Buffer.concat(received).equals(bytes), `visitor ${index}`);
    }),
  );
});
