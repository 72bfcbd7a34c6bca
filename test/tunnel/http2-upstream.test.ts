import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp1Server, type IncomingMessage } from 'node:http';
import {
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  constants,
  createSecureServer,
  createServer,
} from 'node:http2';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import type { RequestReport } from '../../src/tunnel/index.js';
import { certificateFiles } from '../support/certificates.js';
import { startServer } from '../support/processes.js';
import { freePort, sharedRelay } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import {
  get,
  listening,
  open,
  openTunnel,
  send,
  startTunnel,
  temporaryDirectory,
  visitorOptions,
} from '../support/tunnel.js';
import { until } from '../support/until.js';

const relay = sharedRelay();

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

async function start(t: TestContext, server: Http2Server, handler: Handler) {
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {}).once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    handler(stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => {
    server.close();
    for (const session of sessions) session.destroy();
  };
  t.after(stop);
  return { port: (server.address() as AddressInfo).port, sessions, stop };
}

/** A tunnel to a cleartext HTTP/2 service. */
async function setUp(t: TestContext, handler: Handler) {
  const service = await start(t, createServer(), handler);
  const tunnel = await openTunnel(t, relay, `h2c://127.0.0.1:${service.port}`);
  return { ...service, ...tunnel };
}

test('requests reach an h2c service with method, path, authority and fields, and answers come back', async (t) => {
  let seen: IncomingHttpHeaders = {};
  const { hostname } = await setUp(t, (stream, headers) => {
    seen = headers;
    stream.respond({ ':status': 418, 'set-cookie': ['a=1', 'b=2'], 'x-bytes': '\xe4', date: 'then' });
    stream.end('body');
  });
  const headers = { Cookie: 'c=3', 'X-Portal-User': 'forged', TE: 'gzip', 'X-Twice': ['1', '2'] };
  const answer = await get(relay, hostname, '/a%20b?c=d', { method: 'DELETE', headers });
  assert.deepEqual([answer.status, answer.body], [418, 'body']);
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  assert.deepEqual([answer.headers['x-bytes'], answer.headers.date], ['\xe4', 'then']);
  const { ':method': method, ':path': path, ':authority': authority, ':scheme': scheme } = seen;
  assert.deepEqual([method, path, scheme], ['DELETE', '/a%20b?c=d', 'http']);
  assert.equal(authority, `${hostname}:${relay.publicPort}`);
  assert.deepEqual([seen.cookie, seen['x-portal-user'], seen['te']], ['c=3', undefined, 'trailers']);
  assert.match(String(seen['x-forwarded-for']), /127\.0\.0\.1/);
  assert.equal(seen['x-twice'], '1, 2');
});

test('responses without a body keep their Content-Length, and a body that is cut short is no whole one', async (t) => {
  const { hostname } = await setUp(t, (stream, { ':method': method, ':path': path }) => {
    const status = path === '/same' ? 304 : 200;
    stream.respond({ ':status': status, 'content-length': 5 }, { endStream: method === 'HEAD' || status === 304 });
    if (path === '/short' && method === 'GET') stream.end('abc');
  });
  const head = await get(relay, hostname, '/', { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '5', '']);
  assert.equal((await get(relay, hostname, '/same')).status, 304);
  await assert.rejects(get(relay, hostname, '/short'), { code: 'ECONNRESET' });
});

test('bodies of many megabytes pass both ways, and trailers come after them', async (t) => {
  const { hostname } = await setUp(t, (stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.pipe(stream);
  });
  const body = randomBytes(8 << 20);
  const request = httpsRequest(visitorOptions(relay, hostname, '/', { method: 'POST' }));
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const hash = createHash('sha256');
  for await (const chunk of response) hash.update(chunk as Buffer);
  assert.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'));
  assert.equal(response.trailers['grpc-status'], '0');
});

test('all visitors share one session, and one who does not read delays no other', async (t) => {
  const { hostname, sessions } = await setUp(t, (stream, headers) => {
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/endless') {
      const more = () => {
        while (!stream.destroyed && stream.write(Buffer.alloc(65_536)));
      };
      stream.on('drain', more);
      more();
    } else stream.end('quick');
  });
  const slow = await open(relay, hostname, '/endless');
  slow.pause();
  for (let count = 0; count < 30; count++) assert.equal((await get(relay, hostname)).body, 'quick');
  assert.equal(sessions.size, 1);
  slow.destroy();
});

test('where the service allows few streams at once, further sessions are opened, and nobody waits', async (t) => {
  const server = createServer({ settings: { maxConcurrentStreams: 2 } });
  const service = await start(t, server, (stream) => {
    stream.respond({ ':status': 200 });
    stream.write('open');
  });
  const { hostname } = await openTunnel(t, relay, `h2c://127.0.0.1:${service.port}`);
  const responses = await Promise.all(Array.from({ length: 7 }, () => open(relay, hostname)));
  assert.equal(service.sessions.size, 4);
  for (const response of responses) response.destroy();
});

test('a visitor who leaves cancels the stream of its request', async (t) => {
  let code: number | undefined;
  const { hostname } = await setUp(t, (stream) => {
    stream.respond({ ':status': 200 });
    stream.write('begin');
    stream.once('close', () => (code = stream.rstCode));
  });
  (await open(relay, hostname)).destroy();
  await until(() => code !== undefined);
  assert.equal(code, constants.NGHTTP2_CANCEL);
});

test('a stream that is reset in the middle cuts the response, and before it gives 502; others go on', async (t) => {
  const { hostname, sessions } = await setUp(t, (stream, { ':path': path }) => {
    if (path === '/before') stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else {
      stream.respond({ ':status': 200 });
      if (path === '/middle') stream.write('half', () => stream.destroy(new Error('a bug')));
      else stream.end('whole');
    }
  });
  assert.equal((await get(relay, hostname, '/before')).status, 502);
  await assert.rejects(get(relay, hostname, '/middle'), { code: 'ECONNRESET' });
  assert.equal((await get(relay, hostname)).body, 'whole');
  assert.equal(sessions.size, 1);
});

/** A WebSocket that a visitor opens. */
function openWebSocket(t: TestContext, hostname: string, path: string): WebSocket {
  const socket = new WebSocket(`wss://127.0.0.1:${relay.publicPort}${path}`, ['chat'], {
    ...{ ca: relay.ca, servername: hostname },
    headers: { Host: hostname },
  });
  t.after(() => socket.terminate());
  return socket;
}

async function refusalOf(socket: WebSocket): Promise<{ status: number | undefined; body: string }> {
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode, body };
}

test('WebSockets go to an HTTP/2 service by extended CONNECT: Hypercorn', async (t) => {
  const hypercorn = await requireTool('hypercorn');
  const folder = temporaryDirectory(t);
  writeFileSync(
    join(folder, 'app.py'),
    `async def app(scope, receive, send):
    if scope['type'] != 'websocket':
        return
    await receive()
    await send({'type': 'websocket.accept', 'subprotocol': 'chat'})
    while True:
        event = await receive()
        if event['type'] != 'websocket.receive':
            return
        await send({'type': 'websocket.send', 'text': scope['http_version'] + ' ' + str(len(event['text']))})
`,
  );
  const port = await freePort();
  const args = ['--bind', `127.0.0.1:${port}`, `${join(folder, 'app.py')}:app`];
  await startServer(t, hypercorn, args, 'Running on');
  const { hostname } = await openTunnel(t, relay, `h2c://127.0.0.1:${port}`);
  const socket = openWebSocket(t, hostname, '/chat');
  await once(socket, 'open');
  assert.equal(socket.protocol, 'chat');
  for (const length of [3, 300_000]) {
    socket.send('x'.repeat(length));
    assert.equal(String((await once(socket, 'message'))[0]), `2 ${length}`);
  }
  socket.close(1000);
  assert.equal((await once(socket, 'close'))[0], 1000);
});

test('an HTTP/2 service without extended CONNECT refuses WebSockets, and either end may break one off', async (t) => {
  const plain = await setUp(t, (stream) => stream.respond({ ':status': 200 }, { endStream: true }));
  const { status, body } = await refusalOf(openWebSocket(t, plain.hostname, '/'));
  assert.deepEqual([status, /takes no WebSockets by HTTP\/2/.test(body)], [501, true]);
  const opened: ServerHttp2Stream[] = [];
  const service = await start(t, createServer({ settings: { enableConnectProtocol: true } }), (stream, headers) => {
    if (headers[':path'] === '/no') {
      stream.respond({ ':status': 403, 'x-why': 'not today' });
      return void stream.end('no');
    }
    opened.push(stream);
    assert.deepEqual([headers[':method'], headers[':protocol']], ['CONNECT', 'websocket']);
    assert.deepEqual([headers['sec-websocket-key'], headers['upgrade']], [undefined, undefined]);
    stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
  });
  const { hostname } = await openTunnel(t, relay, `h2c://127.0.0.1:${service.port}`);
  assert.deepEqual(await refusalOf(openWebSocket(t, hostname, '/no')), { status: 403, body: 'no' });
  const one = openWebSocket(t, hostname, '/');
  await once(one, 'open');
  opened[0]!.close(constants.NGHTTP2_INTERNAL_ERROR);
  assert.equal((await once(one, 'close'))[0], 1006);
  const two = openWebSocket(t, hostname, '/');
  await once(two, 'open');
  two.terminate();
  await until(() => opened[1]!.closed);
  assert.equal((await get(relay, plain.hostname)).status, 200);
});

test('after GOAWAY, and when the service was away, a new session is opened', async (t) => {
  const handler: Handler = (stream) => {
    stream.respond({ ':status': 200 });
    stream.end('x');
  };
  const { hostname, sessions, port, stop, statuses } = await setUp(t, handler);
  assert.equal((await get(relay, hostname)).status, 200);
  const [first] = sessions;
  first!.goaway(constants.NGHTTP2_NO_ERROR);
  await until(async () => {
    assert.equal((await get(relay, hostname)).status, 200);
    return sessions.size === 2 || !sessions.has(first!);
  });
  stop();
  await until(async () => (await get(relay, hostname)).status === 503);
  assert.ok(statuses.some(({ state }) => state === 'target_down'));
  const again = createServer();
  again.on('stream', handler);
  again.listen(port, '127.0.0.1');
  t.after(() => again.close());
  await once(again, 'listening');
  await until(async () => (await get(relay, hostname)).status === 200);
  assert.ok(statuses.some(({ state }) => state === 'target_up'));
});

test('Expect: 100-continue is answered by the service, and a body that it refuses is not sent', async (t) => {
  const { hostname } = await setUp(t, (stream) => {
    stream.respond({ ':status': 413 });
    stream.end('too large');
  });
  const request = httpsRequest(
    visitorOptions(relay, hostname, '/', { method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 10 } }),
  );
  request.on('error', () => {}).flushHeaders();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 413);
  request.destroy();
  const accepting = await setUp(t, (stream) => {
    stream.additionalHeaders({ ':status': 100 });
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  const headers = { Expect: '100-continue' };
  assert.equal((await send(relay, accepting.hostname, '/', 'body', { method: 'POST', headers })).body, 'body');
});

test('h2:// speaks TLS with the ALPN protocol h2, and its certificate is checked', async (t) => {
  const { certFile, keyFile, remove } = await certificateFiles('localhost');
  t.after(remove);
  const server = createSecureServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  const service = await start(t, server as unknown as Http2Server, (stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end(String(headers[':scheme']));
  });
  const target = `h2://127.0.0.1:${service.port}`;
  const trusting = await openTunnel(t, relay, target, { upstreamInsecure: true });
  assert.equal((await get(relay, trusting.hostname)).body, 'https');
  const checking = await openTunnel(t, relay, target);
  assert.equal((await get(relay, checking.hostname)).status, 503);
});

test('a service that speaks HTTP/1.1 only is unavailable, and the status says what to give', async (t) => {
  const service = await listening(
    t,
    createHttp1Server((_request, response) => response.end()),
    0,
  );
  const { hostname, statuses } = await openTunnel(t, relay, `h2c://127.0.0.1:${service.port}`);
  assert.equal((await get(relay, hostname)).status, 503);
  const down = statuses.filter(({ state }) => state === 'target_down');
  assert.match(down[0]!.message, /does not speak HTTP\/2: give it as http:\/\//);
  assert.equal((await get(relay, hostname)).status, 503);
  assert.equal(statuses.filter(({ state }) => state === 'target_down' || state === 'target_up').length, 1);
});

test('--raw and --proxy-protocol are refused with an HTTP/2 target', async (t) => {
  for (const options of [{ http: false }, { proxyProtocol: true }]) {
    const { tunnel } = startTunnel(t, relay, 'h2c://127.0.0.1:9', options);
    await assert.rejects(tunnel.ready(), { name: 'UsageError' });
  }
});

test('the inspector and reports see requests of an HTTP/2 service as any others', async (t) => {
  const reports: RequestReport[] = [];
  const service = await start(t, createServer(), (stream) => {
    stream.respond({ ':status': 204 });
    stream.end();
  });
  const { hostname } = await openTunnel(t, relay, `h2c://127.0.0.1:${service.port}`, {
    onRequest: (report) => void reports.push(report),
  });
  assert.equal((await get(relay, hostname, '/x')).status, 204);
  await until(() => reports.length === 1);
  assert.deepEqual([reports[0]!.target, reports[0]!.status], ['/x', 204]);
});
