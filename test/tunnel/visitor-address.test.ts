import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { parseProxyHeader } from '../../src/protocol/proxy-protocol.js';
import type { ConnectionReport } from '../../src/tunnel/index.js';
import { readAll } from '../support/by-hand.js';
import { runProgram } from '../support/programs.js';
import { sharedRelay } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import {
  get,
  listening,
  open,
  openTunnel,
  startHttpService,
  startTcpService,
  startTunnel,
  visitorOptions,
  visitTls,
} from '../support/tunnel.js';

const relay = sharedRelay();

const rawPairs = ({ rawHeaders }: IncomingMessage) =>
  rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
const spoofed = {
  'X-Forwarded-For': '6.6.6.6',
  'x-forwarded-host': 'evil.example',
  'X-Forwarded-Proto': 'http',
  'X-Forwarded-Port': '1',
  X_Forwarded_For: '6.6.6.6',
  Forwarded: 'for=6.6.6.6',
  'X-Real-IP': '6.6.6.6',
  Connection: 'keep-alive, X-Secret',
  'X-Secret': 'hop',
  'X-Kept': 'yes',
};

test('by default bytes are unchanged, and the event has the visitor address', async (t) => {
  const service = await startHttpService(t, (request, response) => response.end(rawPairs(request).join('\n')));
  const { tunnel, hostname } = await openTunnel(t, relay, service.port);
  const reported = once(tunnel, 'connection') as Promise<[ConnectionReport]>;
  const { body } = await get(relay, hostname, '/', { headers: spoofed, localAddress: '127.0.0.7' });
  assert.match(body, /X-Forwarded-For: 6\.6\.6\.6\n/);
  const [report] = await reported;
  assert.equal(report.visitor?.address, '127.0.0.7');
  assert.ok((report.visitor?.port ?? 0) > 0);
});

test('a PROXY header precedes the bytes of the visitor if requested', async (t) => {
  const service = await startTcpService(t, (socket) => void readAll(socket).then((bytes) => socket.end(bytes)));
  const { hostname } = await openTunnel(t, relay, service.port, { proxyProtocol: true });
  const visitor = await visitTls(relay, hostname);
  const { localPort } = visitor;
  visitor.end('hello');
  const bytes = await readAll(visitor);
  const header = parseProxyHeader(bytes, 'v2');
  assert.deepEqual(header?.addresses, {
    source: { address: '127.0.0.1', port: localPort },
    destination: { address: '127.0.0.1', port: relay.publicPort },
  });
  assert.equal(String(bytes.subarray(header?.length)), 'hello');
});

test('over HTTP the service gets the visitor address, and no forged headers', async (t) => {
  const service = await startHttpService(t, (request, response) => response.end(rawPairs(request).join('\n')));
  const { hostname } = await openTunnel(t, relay, `http://127.0.0.1:${service.port}`);
  const { body } = await get(relay, hostname, '/', { headers: spoofed, localAddress: '127.0.0.7' });
  const authority = `${hostname}:${relay.publicPort}`;
  assert.deepEqual(body.split('\n').sort(), [
    `Host: ${authority}`,
    'X-Forwarded-For: 127.0.0.7',
    `X-Forwarded-Host: ${authority}`,
    'X-Forwarded-Proto: https',
    'X-Kept: yes',
  ]);
});

test('the Host header for the service can be set, or be that of the target', async (t) => {
  const service = await startHttpService(t, (request, response) =>
    response.end(`${request.headers.host} ${request.headers['x-forwarded-host']}`),
  );
  for (const [hostHeader, expected] of [
    ['app.test:1', 'app.test:1'],
    ['rewrite', `127.0.0.1:${service.port}`],
  ] as const) {
    const { hostname } = await openTunnel(t, relay, `127.0.0.1:${service.port}`, { hostHeader });
    assert.equal((await get(relay, hostname)).body, `${expected} ${hostname}:${relay.publicPort}`);
  }
});

test('contradicting options are usage errors', async (t) => {
  for (const options of [{ hostHeader: 'a b' }, { hostHeader: 'a\r\nX: y' }, { hostHeader: 'a', http: false }]) {
    const { tunnel } = startTunnel(t, relay, 3000, options);
    assert.equal((await tunnel.closed).error?.name, 'UsageError');
  }
});

test('bodies, trailers, interim responses and connection reuse are forwarded', async (t) => {
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    sockets.add(request.socket);
    void text(request).then((body) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.writeHead(200, 'Fine', {
        'Content-Type': 'text/plain',
        Trailer: 'X-After',
        'Set-Cookie': ['a=1', 'b=2'],
      });
      response.write(`${request.method} ${request.url} ${body} ${request.trailers['x-sum']}`);
      response.addTrailers({ 'X-After': 'done' });
      response.end();
    });
  });
  const service = await listening(t, server, 0);
  const { hostname } = await openTunnel(t, relay, service.port, { http: true });
  const curl = await requireTool('curl');
  const url = `https://${hostname}:${relay.publicPort}`;
  const args = [
    '-sSv',
    '--max-time',
    '20',
    '--cacert',
    relay.caFile,
    '--resolve',
    `${hostname}:${relay.publicPort}:127.0.0.1`,
  ];
  const big = Buffer.alloc(3 << 20, 'x');
  const { stdout, stderr } = await runProgram(
    curl,
    [...args, '-H', 'Expect: 100-continue', '--data-binary', '@-', `${url}/a?b=c`, `${url}/d`],
    { input: big },
  );
  assert.ok(String(stdout).startsWith('POST /a?b=c xxx'));
  assert.match(stderr, /< HTTP\/1\.1 100 Continue/);
  assert.match(stderr, /< HTTP\/1\.1 102 /);
  assert.match(stderr, /< HTTP\/1\.1 103 /);
  assert.match(stderr, /< HTTP\/1\.1 200 Fine/);
  assert.match(stderr, /Re-using existing connection/);
  assert.equal(sockets.size, 1);

  const request = httpsRequest(visitorOptions(relay, hostname, '/t', { method: 'PUT', headers: { Trailer: 'X-Sum' } }));
  request.write('one');
  request.addTrailers({ 'X-Sum': '7' });
  request.end();
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  assert.equal(await text(answer), 'PUT /t one 7');
  assert.equal(answer.trailers['x-after'], 'done');
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
});

test('a WebSocket is forwarded, with the visitor address', async (t) => {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    socket.send(String(request.headers['x-forwarded-for']));
    socket.on('message', (data) => socket.send(data, { binary: false }));
  });
  const service = await listening(t, server, 0);
  const { hostname } = await openTunnel(t, relay, service.port, { http: true });
  const client = new WebSocket(`wss://${hostname}:${relay.publicPort}`, {
    ca: relay.ca,
    lookup: (_name, _options, done) =>
      (done as (e: null, a: string | object[], f?: number) => void)(null, [{ address: '127.0.0.1', family: 4 }]),
    headers: { 'X-Forwarded-For': '6.6.6.6' },
  });
  const [first] = (await once(client, 'message')) as [Buffer];
  assert.equal(String(first), '127.0.0.1');
  client.send('ping');
  assert.equal(String(((await once(client, 'message')) as [Buffer])[0]), 'ping');
  client.close(4001);
  assert.equal((await once(client, 'close'))[0], 4001);
});

/** The statuses that bytes from a visitor get, as far as its connection lasts. */
async function say(hostname: string, bytes: string): Promise<string[]> {
  const visitor = await visitTls(relay, hostname);
  visitor.on('error', () => {});
  visitor.write(bytes.replaceAll('Host: a', `Host: ${hostname}`), 'latin1');
  const answer = await readAll(visitor).catch(() => Buffer.alloc(0));
  visitor.destroy();
  return [...String(answer).matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status as string);
}

test('ambiguous requests (request smuggling) never reach the service', async (t) => {
  const seen: string[] = [];
  const service = await startHttpService(t, (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.upgrade}`);
    response.end();
  });
  const { hostname } = await openTunnel(t, relay, service.port, { http: true });
  for (const head of [
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nX-A: b\rX-Forwarded-For: 6.6.6.6\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nabcd',
  ]) {
    // Told so, or cut off where the fault shows behind the head.
    assert.ok(['400', ''].includes((await say(hostname, head)).join()), head);
  }
  assert.deepEqual(seen, []);
  // A body behind a GET, whose end only its framing tells, is no second request.
  const smuggled = 'GET /inner HTTP/1.1\r\nHost: b\r\n\r\n';
  const chunked = `GET /outer HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
  assert.deepEqual(await say(hostname, chunked), ['200']);
  const h2c =
    'GET /h2c HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n';
  assert.deepEqual(await say(hostname, h2c), ['200']);
  assert.deepEqual(seen, ['GET /outer undefined', 'GET /h2c undefined']);
});

test('a service that is down, resets or sends invalid HTTP is reported, and recovers', async (t) => {
  const spare = await startTcpService(t, (socket) => void socket.once('data', () => socket.end('nonsense\r\n\r\n')));
  const { hostname } = await openTunnel(t, relay, spare.port, { http: true });
  assert.equal((await get(relay, hostname)).status, 502);
  await spare.stop();
  const down = await get(relay, hostname);
  assert.equal(down.status, 503);
  assert.match(down.body, /Service unavailable/);
  const service = await startHttpService(
    t,
    (request, response) => {
      if (request.url === '/whole') return void response.end('whole');
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('half', () => request.socket.destroy());
    },
    spare.port,
  );
  assert.equal((await get(relay, hostname, '/whole')).body, 'whole');
  await assert.rejects(get(relay, hostname, '/half'), { code: 'ECONNRESET' });
  await service.stop();
});

test('a visitor that disconnects aborts its request', async (t) => {
  let left: Promise<unknown> | undefined;
  const service = await startHttpService(t, (request, response) => {
    left = once(request.socket, 'close');
    response.write('begun');
  });
  const { hostname } = await openTunnel(t, relay, service.port, { http: true });
  const answer = await open(relay, hostname);
  await once(answer, 'data');
  answer.on('error', () => {});
  answer.destroy();
  await left;
});

test('a service that closes after each response is reconnected', async (t) => {
  const service = await startHttpService(t, (request, response) => {
    response.shouldKeepAlive = false;
    response.end(String(request.socket.remotePort));
  });
  const { hostname } = await openTunnel(t, relay, service.port, { http: true, proxyProtocol: false });
  const visitor = await visitTls(relay, hostname);
  const ask = `GET / HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
  // Pipelined, and answered in order.
  visitor.write(ask + ask + ask.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  const answers = String(await readAll(visitor));
  assert.equal(answers.match(/HTTP\/1\.1 200/g)?.length, 3);
  visitor.destroy();
});
