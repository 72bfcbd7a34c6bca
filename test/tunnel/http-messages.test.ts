import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { readAll } from '../support/by-hand.js';
import { parseMessage } from '../support/http-message.js';
import { sharedRelay } from '../support/relay.js';
import { get, listening, openTunnel, startHttpService, startTcpService, visitTls } from '../support/tunnel.js';
import { BodyReader } from '../../src/tunnel/services/http/message/message-body.js';
import {
  HeadReader,
  MessageError,
  parseRequestHead,
  parseResponseHead,
} from '../../src/tunnel/services/http/message/message-head.js';

// HTTP/1.1 messages as they come: in any pieces, valid, loose and hostile.

const relay = sharedRelay();

const messages = {
  request: [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n',
    '\r\nPOST /p?q HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhellorest',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;ext="a"\r\nhello\r\n00a\r\n0123456789\r\n0\r\nX-T: 1\r\nX-U:\t2 \r\n\r\nrest',
    'PUT /ä%2F HTTP/1.0\r\nConnection: keep-alive, X\r\nEmpty:\r\nContent-Length: 0\r\n\r\n',
  ],
  response: [
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcrest',
    'HTTP/1.1 200 OK\nContent-Length: 3\n\nabc\r\n\r\n',
    'HTTP/1.0 404\r\nA : b\r\nC: d\r\n e\r\n\r\nuntil the end',
    'ICY 200 OK\r\nicy-name: x\r\n\r\nmusic',
    'HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nrest',
    'HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\nrest',
  ],
} as const;

for (const kind of ['request', 'response'] as const)
  for (const message of messages[kind])
    test(`a ${kind} is the same, cut at every byte: ${JSON.stringify(message.slice(0, 40))}`, () => {
      const bytes = Buffer.from(message);
      const whole = parseMessage([bytes], kind);
      for (let at = 1; at < bytes.length; at++)
        assert.deepEqual(parseMessage([bytes.subarray(0, at), bytes.subarray(at)], kind), whole, `cut at ${at}`);
      const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
      assert.deepEqual(parseMessage(single, kind), whole, 'byte by byte');
    });

test('chunks, trailers, folded lines and loose heads are parsed as meant', () => {
  const [, , chunked] = messages.request;
  const request = parseMessage([Buffer.from(chunked)], 'request');
  assert.equal(request.body, 'hello0123456789');
  assert.equal(request.left, 'rest');
  assert.deepEqual(
    request.trailers?.map(({ name, value }) => [name, value]),
    [
      ['X-T', '1'],
      ['X-U', '2'],
    ],
  );
  const folded = parseResponseHead('HTTP/1.0 404\r\nA : b\r\nC: d\r\n e\r');
  assert.deepEqual(
    folded.fields.map(({ key, value }) => [key, value]),
    [
      ['a', 'b'],
      ['c', 'd e'],
    ],
  );
  assert.equal(parseMessage([Buffer.from(messages.response[1])], 'response').body, 'abc');
});

for (const [what, head] of [
  ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n'],
  ['a bare line feed amid', 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n'],
  ['a bare carriage return', 'GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n'],
  ['NUL', 'GET / HTTP/1.1\r\nHost: a\0\r\n\r\n'],
  ['space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
  ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n'],
  ['a line without colon', 'GET / HTTP/1.1\r\nHost\r\n\r\n'],
  ['an empty name', 'GET / HTTP/1.1\r\n: a\r\n\r\n'],
  ['two spaces', 'GET  / HTTP/1.1\r\n\r\n'],
  ['a tab in the target', 'GET /\t HTTP/1.1\r\n\r\n'],
  ['no version', 'GET /\r\n\r\n'],
  ['a lower-case version', 'GET / http/1.1\r\n\r\n'],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\n\r\n'],
  ['a method with a slash', 'GE/T / HTTP/1.1\r\n\r\n'],
  ['too many fields', `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(1_001)}\r\n`],
] as const)
  test(`a request head with ${what} is refused`, () => {
    const found = new HeadReader().read(Buffer.from(head, 'latin1'));
    assert.ok(found);
    assert.throws(() => parseRequestHead(found.head), MessageError);
  });

for (const [what, body] of [
  ['no length', '\r\nx'],
  ['a sign', '+1\r\nx\r\n0\r\n\r\n'],
  ['hexadecimal prefix', '0x1\r\nx\r\n0\r\n\r\n'],
  ['a length without carriage return', '1\nx\r\n0\r\n\r\n'],
  ['more bytes than its length', '1\r\nxy\r\n0\r\n\r\n'],
  ['too large a length', 'fffffffffffffff\r\nx'],
  ['an endless extension', `1;${'a'.repeat(5_000)}\r\nx\r\n0\r\n\r\n`],
  ['a control character in the extension', '1;a\0\r\nx\r\n0\r\n\r\n'],
  ['an invalid trailer', '0\r\nno colon\r\n\r\n'],
  ['endless trailers', `0\r\n${'X: y\r\n'.repeat(20_000)}\r\n`],
] as const)
  test(`a chunk with ${what} is refused`, () => {
    const reader = new BodyReader('chunked');
    assert.throws(() => reader.read(Buffer.from(body)), MessageError);
  });

test('a head that never ends is refused, and its pieces are bounded', () => {
  const reader = new HeadReader();
  assert.throws(
    () => {
      for (let at = 0; at < 70_000; at++) reader.read(Buffer.from('a'));
    },
    (error) => error instanceof MessageError && error.isTooLarge,
  );
});

test('paths keep their bytes: UTF-8, and characters that browsers encode', async (t) => {
  const asked: string[] = [];
  const service = await startTcpService(t, (socket) => {
    socket.on('data', (chunk: Buffer) => {
      asked.push(chunk.toString('latin1').split('\r\n')[0] as string);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
  const visitor = await visitTls(relay, hostname);
  const path = Buffer.from('/ä/日本?q=<"{|}>`^\\').toString('latin1');
  visitor.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`, 'latin1');
  assert.match(String(await readAll(visitor)), /^HTTP\/1\.1 200 /);
  assert.deepEqual(asked, [`GET ${path} HTTP/1.1`]);
});

for (const [what, answer, status, body] of [
  ['bare line feeds', 'HTTP/1.0 200 OK\nContent-Type: text/plain\n\nhello', 200, 'hello'],
  ['space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello', 200, 'hello'],
  ['ICY', 'ICY 200 OK\r\nicy-name: radio\r\n\r\nhello', 200, 'hello'],
  ['no reason phrase', 'HTTP/1.1 299\r\nContent-Length: 5\r\n\r\nhello', 299, 'hello'],
  ['a folded line', 'HTTP/1.1 200 OK\r\nX-A: b\r\n\tc\r\nContent-Length: 5\r\n\r\nhello', 200, 'hello'],
  ['the same length twice', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello', 200, 'hello'],
  [
    'chunks and a length',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    200,
    'hello',
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello', 502, undefined],
  ['a bare carriage return', 'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\nhello', 502, undefined],
  ['no HTTP', 'SSH-2.0-x\r\n\r\n', 502, undefined],
  ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello', 502, undefined],
] as const)
  test(`a service that answers with ${what} gets ${status} to its visitor`, async (t) => {
    const service = await startTcpService(t, (socket) => {
      socket.once('data', () => socket.end(answer));
    });
    const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
    const got = await get(relay, hostname);
    assert.equal(got.status, status);
    if (body !== undefined) assert.equal(got.body, body);
    else assert.match(got.body, /--raw/);
  });

test('requests that come at once are answered in order, whatever their bodies', async (t) => {
  const service = await startHttpService(t, (request, response) => {
    void text(request).then((body) => {
      setTimeout(() => response.end(`${request.method} ${request.url} ${body};`), request.url === '/0' ? 20 : 0);
    });
  });
  const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
  const visitor = await visitTls(relay, hostname);
  const requests = Array.from({ length: 300 }, (_, at) => {
    const head = `Host: ${hostname}\r\n${at === 299 ? 'Connection: close\r\n' : ''}`;
    if (at % 3 === 0) return `GET /${at} HTTP/1.1\r\n${head}\r\n`;
    if (at % 3 === 1) return `POST /${at} HTTP/1.1\r\n${head}Content-Length: 3\r\n\r\nabc`;
    return `PUT /${at} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n`;
  });
  visitor.write(requests.join(''));
  const answers = String(await readAll(visitor)).match(/(?:GET|POST|PUT) [^;]*;/g);
  assert.deepEqual(
    answers,
    requests.map((_, at) => ['GET /0 ;', 'POST /0 abc;', 'PUT /0 def;'][at % 3]?.replace('0', String(at))),
  );
});

test('a response before the end of its request is delivered, and the next request is answered', async (t) => {
  const service = await startHttpService(t, (request, response) => {
    request.resume();
    response.end(`early ${request.url}`);
  });
  const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
  const visitor = await visitTls(relay, hostname);
  visitor.write(`POST /a HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 100000\r\n\r\n`);
  let seen = '';
  await new Promise<void>((resolve) => {
    visitor.on('data', (chunk: Buffer) => {
      seen += String(chunk);
      if (seen.includes('early /a')) resolve();
    });
  });
  visitor.write(Buffer.alloc(100_000));
  visitor.write(`GET /b HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  await new Promise((resolve) => visitor.once('end', resolve));
  assert.match(seen, /early \/a[^]*early \/b/);
});

test('what a service sends without being asked is never taken for the response to a later request', async (t) => {
  const server = createHttpServer((request, response) => {
    response.end(`real ${request.url}`, () => {
      (request.socket as Socket).write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged');
    });
  });
  const service = await listening(t, server, 0);
  const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
  const visitor = await visitTls(relay, hostname);
  let seen = '';
  visitor.on('data', (chunk: Buffer) => (seen += String(chunk)));
  for (const path of ['/1', '/2', '/3']) {
    visitor.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    while (!seen.includes(`real ${path}`)) await new Promise((resolve) => visitor.once('data', resolve));
  }
  assert.doesNotMatch(seen, /forged/);
});
