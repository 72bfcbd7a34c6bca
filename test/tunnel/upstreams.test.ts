import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { UsageError } from '../../src/tunnel/index.js';
import { certificateFiles } from '../support/certificates.js';
import { relayFor, sharedRelay, withPorts } from '../support/relay.js';
import {
  get,
  listening,
  openTunnel,
  startHttpService,
  startTunnel,
  temporaryDirectory,
  visitPort,
  visitorOptions,
  visitTls,
} from '../support/tunnel.js';

// Services that are not a plain TCP port: HTTPS, Unix sockets, several behind one name.

const relay = sharedRelay();

async function httpsService(t: TestContext, host: string, onName?: (name: string | false | null) => void) {
  const certificate = await certificateFiles(host);
  t.after(() => certificate.remove());
  const keys = { key: readFileSync(certificate.keyFile), cert: readFileSync(certificate.certFile) };
  const server = createHttpsServer(keys, (request, response) => {
    onName?.((request.socket as { servername?: string | false }).servername ?? null);
    response.end(`secure ${request.headers.host}`);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data as Buffer))));
  const service = await listening(t, server, 0);
  return { port: service.port, ca: readFileSync(certificate.certFile) };
}

test('an https:// service is reached with its CA, by name and by WebSocket', async (t) => {
  const names: unknown[] = [];
  const { port, ca } = await httpsService(t, 'localhost', (name) => names.push(name));
  const target = `https://localhost:${port}`;
  const { hostname } = await openTunnel(t, relay, target, { upstreamCa: ca, hostHeader: 'rewrite' });
  assert.equal((await get(relay, hostname)).body, `secure localhost:${port}`);
  assert.deepEqual(names, ['localhost']);

  const socket = new WebSocket(`wss://127.0.0.1:${relay.publicPort}/`, {
    ...visitorOptions(relay, hostname, '/'),
  } as object as ClientOptions);
  await once(socket, 'open');
  socket.send('over TLS');
  const [data] = (await once(socket, 'message')) as [Buffer];
  assert.equal(String(data), 'over TLS');
  socket.close();
  await once(socket, 'close');
});

test('a visitor who resets a WebSocket to an https:// service amid a message ends that connection alone', async (t) => {
  const { port, ca } = await httpsService(t, 'localhost');
  const { hostname, tunnel } = await openTunnel(t, relay, `https://localhost:${port}`, { upstreamCa: ca });
  const visitor = await visitTls(relay, hostname);
  visitor.on('error', () => {});
  const key = Buffer.alloc(16).toString('base64');
  visitor.write(
    `GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  const [answer] = (await once(visitor, 'data')) as [Buffer];
  assert.match(String(answer), /^HTTP\/1\.1 101 /);
  // The head of a masked message of 100 bytes, and no more.
  visitor.write(Buffer.from([0x81, 0xe4, 0, 0, 0, 0, 0x61]));
  const over = once(tunnel, 'connection');
  setImmediate(() => visitor.destroy());
  await over;
  assert.equal((await get(relay, hostname)).status, 200);
});

test('an https:// service whose certificate is not trusted gives 503, and a status that says what to do', async (t) => {
  const { port } = await httpsService(t, 'localhost');
  const { hostname, statuses } = await openTunnel(t, relay, `https://localhost:${port}`);
  const { status, body } = await get(relay, hostname);
  assert.equal(status, 503);
  assert.ok(!body.includes('secure'));
  const down = statuses.find(({ state }) => state === 'target_down');
  assert.match(
    down?.message ?? '',
    /certificate of https:\/\/localhost:\d+ is not valid \(DEPTH_ZERO_SELF_SIGNED_CERT\): give its CA by --upstream-ca FILE/,
  );
});

test('a certificate for another name is not accepted, even with its CA; upstreamInsecure accepts it', async (t) => {
  const { port, ca } = await httpsService(t, 'other.example');
  const strict = await openTunnel(t, relay, `https://localhost:${port}`, { upstreamCa: ca });
  assert.equal((await get(relay, strict.hostname)).status, 503);
  assert.match(strict.statuses.at(-1)?.message ?? '', /ERR_TLS_CERT_ALTNAME_INVALID/);
  const insecure = await openTunnel(t, relay, `https://localhost:${port}`, { upstreamInsecure: true });
  assert.equal((await get(relay, insecure.hostname)).status, 200);
});

test('a plain service given as https:// gives 503, and a status that names http://', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('plain'));
  const { hostname, statuses } = await openTunnel(t, relay, `https://localhost:${service.port}`);
  assert.equal((await get(relay, hostname)).status, 503);
  assert.match(
    String(statuses.find(({ state }) => state === 'target_down')?.message),
    /^localhost:\d+ does not speak TLS: give it as http:\/\/; visitors get an error page$/,
  );
});

for (const http of [true, false]) {
  test(`a service on a Unix socket is reached ${http ? 'by requests' : 'by bytes'}, and is down while it is gone`, async (t) => {
    const path = join(temporaryDirectory(t), 'app.sock');
    const server = createServer((request, response) =>
      response.end(`unix ${request.headers['x-forwarded-proto'] ?? 'bytes'}`),
    );
    server.listen(path);
    await once(server, 'listening');
    const { hostname, statuses } = await openTunnel(t, relay, `unix:${path}`, { http });
    assert.equal((await get(relay, hostname)).body, `unix ${http ? 'https' : 'bytes'}`);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    assert.equal((await get(relay, hostname)).status, 503);
    assert.equal(statuses.at(-1)?.message, `unix:${path} does not answer: visitors get an error page`);
  });
}

test('a visitor who breaks off amid bytes to a Unix socket ends that connection, and not the tunnel', async (t) => {
  const ownRelay = await relayFor(t, await withPorts(2));
  const path = join(temporaryDirectory(t), 'echo.sock');
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket));
  server.listen(path);
  t.after(() => server.close());
  await once(server, 'listening');
  const { tunnel } = await openTunnel(t, ownRelay, undefined, { tcp: `unix:${path}` });
  for (let round = 0; round < 2; round++) {
    const visitor = await visitPort(t, tunnel.current?.urls[0]);
    visitor.write('hello');
    const [bytes] = (await once(visitor, 'data')) as [Buffer];
    assert.equal(String(bytes), 'hello');
    const over = once(tunnel, 'connection');
    visitor.resetAndDestroy();
    await over;
  }
});

test('routes lead by the longest prefix of whole segments, and keep or lose it', async (t) => {
  const named = (name: string) =>
    startHttpService(t, (request, response) =>
      response.end(`${name} ${request.url} ${request.headers['x-forwarded-prefix'] ?? ''}`.trim()),
    );
  const [main, api, users] = [await named('main'), await named('api'), await named('users')];
  const routes = [`/api=http://localhost:${api.port}`, `/api/users/=${users.port}`];
  const kept = await openTunnel(t, relay, main.port, { routes });
  for (const [path, answer] of [
    ['/', 'main /'],
    ['/apis', 'main /apis'],
    ['/%61pi', 'main /%61pi'],
    ['/api', 'api /api'],
    ['/api?q=/api/users', 'api /api?q=/api/users'],
    ['/api/x/../users', 'api /api/x/../users'],
    ['/api/users', 'users /api/users'],
    ['/api/users/7?a=b', 'users /api/users/7?a=b'],
  ]) {
    assert.equal((await get(relay, kept.hostname, path)).body, answer, path);
  }
  const stripped = await openTunnel(t, relay, main.port, { routes, stripPrefix: true });
  for (const [path, answer] of [
    ['/', 'main /'],
    ['/api', 'api / /api'],
    ['/api?q', 'api /?q /api'],
    ['/api//evil.example', 'api //evil.example /api'],
    ['/api/users/7', 'users /7 /api/users'],
  ]) {
    const headers = { 'X-Forwarded-Prefix': '/forged' };
    assert.equal((await get(relay, stripped.hostname, path, { headers })).body, answer, path);
  }
});

test('requests of one connection reach several routes, and a route that is down says so alone', async (t) => {
  const main = await startHttpService(t, (_request, response) => response.end('main'));
  const api = await startHttpService(t, (_request, response) => response.end('api'));
  const { hostname, statuses } = await openTunnel(t, relay, main.port, { routes: [`/api=localhost:${api.port}`] });
  await api.stop();
  assert.equal((await get(relay, hostname, '/api')).status, 503);
  assert.equal((await get(relay, hostname, '/')).body, 'main');
  assert.match(statuses.at(-1)?.message ?? '', new RegExp(`^localhost:${api.port} does not answer`));
});

test('options that contradict each other are refused with one line', async (t) => {
  for (const [target, options, message] of [
    [3000, { routes: ['api=3001'] }, /not a path and its target/],
    [3000, { routes: ['/api'] }, /not a path and its target/],
    [3000, { routes: ['/a?b=3001'] }, /not a path and its target/],
    [3000, { routes: ['/=3001'] }, /is the target itself/],
    [3000, { routes: ['/a=3001', '/a/=3002'] }, /given twice/],
    [3000, { routes: ['/a=ftp://x'] }, /ftp:\/\/ is not supported/],
    [3000, { http: false, routes: ['/a=3001'] }, /need requests/],
    ['https://localhost:1', { http: false }, /need requests/],
    [3000, { spa: true }, /no folder is exposed/],
    [3000, { upstreamInsecure: true }, /no https:\/\/ target is exposed/],
    ['/nowhere/at/all', {}, /cannot be read \(ENOENT\)/],
    ['/etc/hostname', {}, /is not a folder/],
    [3000, { allowIp: ['192.0.2.0/33'] }, /not an address or range/],
    [3000, { denyIp: ['example.com'] }, /not an address or range/],
    [undefined, { udp: 53, denyIp: ['192.0.2.1'] }, /UDP peers are not known/],
    [undefined, { tcp: './folder' }, /is not 22/],
    [undefined, { udp: 'unix:/x' }, /is not 22/],
  ] as const) {
    const { tunnel } = startTunnel(t, relay, target, options as object);
    await assert.rejects(
      tunnel.ready(),
      (error: Error) => error instanceof UsageError && message.test(error.message) && !error.message.includes('\n'),
      JSON.stringify([target, options]),
    );
  }
});
