import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { plainAnswer } from '../../src/tunnel/services/http/local-answer.js';
import { serveAnswer } from '../../src/tunnel/services/http/serve-answer.js';
import { readAll } from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';
import {
  get,
  listening,
  type OpenTunnel,
  openTunnel,
  startHttpService,
  startTcpService,
  visitTls,
} from '../support/tunnel.js';

// Requests through `--http` that once ended the tunnel, or reached the service as another request than was seen here.

const relay = sharedRelay();

async function exchange({ hostname }: OpenTunnel, bytes: string): Promise<string> {
  const visitor = await visitTls(relay, hostname);
  visitor.on('error', () => {});
  visitor.write(bytes.replaceAll('HOST', hostname));
  const answer = await readAll(visitor);
  visitor.destroy();
  return answer.toString('latin1');
}

const upgrade = 'GET /ws HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

for (const [what, first] of [
  ['an unanswered request', 'GET /slow HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['a request with an unknown expectation', 'GET /slow HTTP/1.1\r\nHost: HOST\r\nExpect: x\r\n\r\n'],
  [
    'a request that waits for 100',
    'POST /slow HTTP/1.1\r\nHost: HOST\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx',
  ],
] as const)
  test(`an upgrade behind ${what} waits its turn, and the tunnel keeps serving`, async (t) => {
    const service = await startHttpService(t, (request, response) => {
      request.resume();
      setImmediate(() => response.end('answer'));
    });
    const open = await openTunnel(t, relay, service.port, { http: true });
    const answer = await exchange(open, first + upgrade);
    // The service does not know WebSocket and answers as to any request; nothing is read after that.
    assert.match(
      answer,
      /^(HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 (200|417) [^]*HTTP\/1\.1 200 OK[^]*Connection: close/,
    );
    assert.equal((await get(relay, open.hostname)).body, 'answer');
  });

test('a service that switches to another protocol than WebSocket is disconnected with its visitor', async (t) => {
  const server = createServer((_request, response) => response.end('answer'));
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nsecret');
  });
  const service = await listening(t, server, 0);
  const open = await openTunnel(t, relay, service.port, { http: true });
  const answer = await exchange(open, upgrade);
  assert.match(answer, /^HTTP\/1\.1 502 /);
  assert.doesNotMatch(answer, /secret/);
  assert.equal((await get(relay, open.hostname)).body, 'answer');
});

test('a Connection header cannot remove framing, Host or forwarded headers', async (t) => {
  const seen: string[] = [];
  const service = await startHttpService(t, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume().once('end', () => response.end('done'));
  });
  const open = await openTunnel(t, relay, service.port, { http: true });
  const inner = 'GET /inner HTTP/1.1\r\nHost: evil\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n';
  for (const method of ['GET', 'DELETE', 'OPTIONS', 'POST'])
    for (const named of [
      'content-length',
      'Content-Length',
      'close, content-length',
      'host',
      'transfer-encoding',
      'x-forwarded-for',
      'X_Forwarded_For',
      'forwarded',
      'expect',
    ]) {
      const answer = await exchange(
        open,
        `${method} /outer HTTP/1.1\r\nHost: HOST\r\nConnection: ${named}\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
      );
      assert.match(answer, /^HTTP\/1\.1 400 /, `${method} ${named}`);
    }
  assert.deepEqual(seen, []);
  const body = await exchange(
    open,
    `DELETE /outer HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  );
  assert.match(body, /^HTTP\/1\.1 200 /);
  assert.deepEqual(seen, ['DELETE /outer']);
});

test('requests of other versions than HTTP/1.0 and 1.1 do not reach the service', async (t) => {
  let requests = 0;
  const service = await startHttpService(t, (_request, response) => {
    requests++;
    response.end('done');
  });
  const open = await openTunnel(t, relay, service.port, { http: true });
  for (const line of ['GET /\r\n', 'GET / HTTP/0.9\r\nHost: HOST\r\n\r\n', 'GET / HTTP/2.0\r\nHost: HOST\r\n\r\n'])
    assert.match(await exchange(open, line + '\r\n'), /^HTTP\/1\.1 400 /, JSON.stringify(line));
  assert.equal(requests, 0);
  assert.match(await exchange(open, 'GET / HTTP/1.0\r\nHost: HOST\r\n\r\n'), / 200 /);
});

test('a request for another host than the public name gets 421', async (t) => {
  const seen: string[] = [];
  const service = await startHttpService(t, (request, response) => {
    seen.push(String(request.headers.host));
    response.end('done');
  });
  const open = await openTunnel(t, relay, service.port, { http: true });
  const { hostname } = open;
  for (const host of [
    'evil.example',
    'localhost',
    '127.0.0.1:80',
    `x.${hostname}`,
    `${hostname}:0`,
    `${hostname}:99999`,
    `${hostname}:a`,
    `${hostname}..`,
    `u@${hostname}`,
    '',
  ])
    for (const more of ['', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'])
      assert.match(await exchange(open, `GET / HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`), /^HTTP\/1\.1 421 /, host);
  assert.deepEqual(seen, []);
  for (const host of [
    hostname,
    `${hostname[0]?.toUpperCase()}${hostname.slice(1)}`,
    `${hostname}:8443`,
    `${hostname}.`,
  ])
    assert.match(
      await exchange(open, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
      /^HTTP\/1\.1 200 /,
      host,
    );
  assert.match(await exchange(open, 'GET / HTTP/1.0\r\n\r\n'), / 200 /);
  assert.equal(seen.at(-1), hostname);
});

test('a visitor who resets a WebSocket amid a message has its service see a reset', async (t) => {
  const seen = new EventEmitter<{ over: [code: string | undefined] }>();
  const service = await startTcpService(t, (socket) => {
    socket.once('error', ({ code }: NodeJS.ErrnoException) => seen.emit('over', code));
    socket.once('end', () => seen.emit('over', 'an end'));
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.once('data', () => visitor.destroy());
    });
  });
  const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
  const visitor = await visitTls(relay, hostname);
  visitor.on('error', () => {});
  const over = once(seen, 'over');
  visitor.write(upgrade.replace('HOST', hostname));
  await once(visitor, 'data');
  visitor.write('half a message');
  assert.deepEqual(await over, ['ECONNRESET']);
});

test('a visitor that has closed already is done with at once', async () => {
  const [visitor] = duplexPair();
  visitor.destroy();
  await once(visitor, 'close');
  await serveAnswer(visitor, plainAnswer(503, 'down'));
});
