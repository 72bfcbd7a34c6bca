import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, createServer } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  connect,
  constants,
} from 'node:http2';
import { type TestContext, test } from 'node:test';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import type { RequestListener } from 'node:http';
import { WebSocketServer } from 'ws';
import type { ExposeOptions, RequestReport } from '../../src/tunnel/index.js';
import { certificateFiles } from '../support/certificates.js';
import { sharedRelay } from '../support/relay.js';
import { startBrowser } from '../support/trusting-browser.js';
import { requireTool } from '../support/tools.js';
import { get, listening, openTunnel, startHttpService } from '../support/tunnel.js';
import { until } from '../support/until.js';

// Visitors that speak HTTP/2, to services that speak HTTP/1.1.

const relay = sharedRelay({ ownCertificates: true });
let names = 0;

interface Place {
  hostname: string;
  /** PEM. */
  ca: string;
  caFile: string;
  reports: RequestReport[];
  /** Another connection of the visitor. */
  visit(): Promise<ClientHttp2Session>;
  /** The same, of bytes. */
  visitRaw(): Promise<TLSSocket>;
}

async function expose(t: TestContext, target: number, options: Partial<ExposeOptions> = {}): Promise<Place> {
  const name = `h2-${names++}`;
  const hostname = `${name}.${relay.rootHost}`;
  const { certFile, keyFile, certPem: ca, remove } = await certificateFiles(hostname);
  t.after(remove);
  const reports: RequestReport[] = [];
  await openTunnel(t, relay, target, {
    name,
    ownCertificate: { cert: certFile, key: keyFile },
    http: true,
    onRequest: (report) => reports.push(report),
    ...options,
  });
  const to = { maxSessionMemory: 1_000, host: '127.0.0.1', port: relay.publicPort, servername: hostname, ca };
  return {
    hostname,
    ca,
    caFile: certFile,
    reports,
    async visit() {
      const session = connect(`https://${hostname}:${relay.publicPort}`, to);
      t.after(() => session.destroy());
      session.on('error', () => {});
      await once(session, 'remoteSettings');
      return session;
    },
    async visitRaw() {
      const socket = connectTls({ ...to, ALPNProtocols: ['h2'] });
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      return socket;
    },
  };
}

const serve = async (t: TestContext, listener: RequestListener, options: Partial<ExposeOptions> = {}) =>
  await expose(t, (await startHttpService(t, listener)).port, options);

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  body: Buffer;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on('response', (fields) => (headers = fields));
  stream.on('trailers', (fields) => (trailers = fields));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'close');
  if (stream.rstCode !== 0) throw new Error(`reset by ${stream.rstCode}`);
  return { status: Number(headers[':status']), headers, trailers, body: Buffer.concat(chunks) };
}

const ask = async (session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string | Buffer) =>
  await answerOf(session.request(headers, { endStream: body === undefined }).end(body));

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
test('a request of HTTP/2 reaches the service as one of HTTP/1.1, with its fields and its bytes', async (t) => {
  let seen: IncomingMessage | undefined;
  const { visit, hostname, reports } = await serve(t, (request, response) => {
    seen = request;
    response.writeHead(418, { 'Set-Cookie': ['a=1', 'b=2'], 'X-Bytes': '\xe4', 'Keep-Alive': 'timeout=1' }).end('body');
  });
  const answer = await ask(await visit(), {
    ':method': 'DELETE',
    ':path': '/a%20b?c=d',
    cookie: ['c=3', 'd=4'],
    'x-forwarded-for': '192.0.2.1',
    'x-portal-user': 'forged',
    'x-twice': ['1', '2'],
  });
  assert.deepEqual([answer.status, String(answer.body)], [418, 'body']);
  assert.deepEqual([answer.headers['set-cookie'], answer.headers['x-bytes']], [['a=1', 'b=2'], '\xe4']);
  assert.deepEqual([answer.headers['keep-alive'], answer.headers.connection], [undefined, undefined]);
  assert.deepEqual([seen?.method, seen?.url, seen?.httpVersion], ['DELETE', '/a%20b?c=d', '1.1']);
  const { host, cookie } = seen!.headers;
  assert.deepEqual([host, cookie], [`${hostname}:${relay.publicPort}`, 'c=3; d=4']);
  assert.deepEqual([seen?.headers['x-forwarded-for'], seen?.headers['x-forwarded-proto']], ['127.0.0.1', 'https']);
  assert.deepEqual([seen?.headers['x-portal-user'], seen?.headers['x-twice']], [undefined, '1, 2']);
  assert.equal(reports.length, 1);
});

test('bodies of 8 MB go both ways on ten streams of one connection at once', async (t) => {
  const { visit } = await serve(t, (request, response) => request.pipe(response));
  const session = await visit();
  const bodies = Array.from({ length: 10 }, () => randomBytes(8_000_000));
  const answers = await Promise.all(bodies.map((body) => ask(session, { ':method': 'POST' }, body)));
  assert.deepEqual(
    answers.map(({ body }) => hashOf(body)),
    bodies.map(hashOf),
  );
});

test('trailers go both ways', async (t) => {
  let trailers: NodeJS.Dict<string> = {};
  const { visit } = await serve(t, (request, response) => {
    request.resume().once('end', () => {
      trailers = request.trailers;
      response.writeHead(200, { Trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers({ 'X-Sum': 'abc' });
      response.end();
    });
  });
  const stream = (await visit()).request({ ':method': 'POST' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-check': '1' }));
  const answer = await answerOf(stream.end('body'));
  assert.equal(answer.trailers['x-sum'], 'abc');
  assert.equal(trailers['x-check'], '1');
});

test('responses without a body end with their head', async (t) => {
  const { visit } = await serve(t, (request, response) => {
    const status = Number(request.url!.slice(1));
    response.writeHead(status, status === 200 ? { 'Content-Length': 5 } : {});
    response.end(request.method === 'HEAD' || status !== 200 ? undefined : 'hello');
  });
  const session = await visit();
  const head = await ask(session, { ':method': 'HEAD', ':path': '/200' });
  assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, '5', 0]);
  for (const status of [204, 304]) assert.deepEqual((await ask(session, { ':path': `/${status}` })).status, status);
});

test('a response may begin before its request has ended, and twenty event streams share a connection', async (t) => {
  const { visit } = await serve(t, (request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.flushHeaders();
    request.on('data', (chunk: Buffer) => response.write(`data: ${chunk}\n\n`));
    request.on('end', () => response.end());
  });
  const session = await visit();
  const streams = Array.from({ length: 20 }, () => session.request({ ':method': 'POST' }));
  await Promise.all(streams.map((stream) => once(stream, 'response')));
  for (const word of ['one', 'two']) {
    for (const stream of streams) stream.write(word);
    const events = await Promise.all(streams.map(async (stream) => String((await once(stream, 'data'))[0])));
    assert.deepEqual(new Set(events), new Set([`data: ${word}\n\n`]));
  }
  for (const stream of streams) stream.end();
  await Promise.all(streams.map((stream) => once(stream.resume(), 'close')));
});

test('a visitor that does not read holds the service back, and no other request of its connection', async (t) => {
  let written = 0;
  let isBlocked = false;
  const { visit } = await serve(t, (request, response) => {
    if (request.url === '/small') return void response.end('small');
    const chunk = Buffer.alloc(65_536);
    const write = (): void => {
      while (written < 200 * chunk.length) {
        written += chunk.length;
        if (!response.write(chunk)) {
          isBlocked = true;
          return void response.once('drain', write);
        }
      }
      response.end();
    };
    write();
  });
  const session = await visit();
  const large = session.request({ ':path': '/large' });
  await once(large, 'response');
  assert.equal(String((await ask(session, { ':path': '/small' })).body), 'small');
  assert.ok(isBlocked && written < 200 * 65_536, `${written} bytes were taken`);
  let length = 0;
  large.on('data', (chunk: Buffer) => (length += chunk.length));
  await once(large, 'close');
  assert.equal(length, 200 * 65_536);
});

test('a request that the visitor resets ends at the service, and one that the service breaks off is reset', async (t) => {
  const closed: string[] = [];
  const { visit } = await serve(t, (request, response) => {
    request.once('close', () => closed.push(request.url!));
    if (request.url === '/fine') return void response.end('fine');
    response.writeHead(200, request.url === '/sized' ? { 'Content-Length': 100 } : {});
    response.write('begun');
    if (request.url !== '/waits') setImmediate(() => response.destroy());
  });
  const session = await visit();
  const waiting = session.request({ ':path': '/waits' });
  await once(waiting, 'response');
  waiting.close(constants.NGHTTP2_CANCEL);
  await until(() => closed.includes('/waits'));
  for (const path of ['/sized', '/chunked'])
    await assert.rejects(ask(session, { ':path': path }), /reset by 2|Stream closed with error code/);
  assert.equal(String((await ask(session, { ':path': '/fine' })).body), 'fine');
});

test('a request whose response ends before it has is let go at the service', async (t) => {
  let isClosed = false;
  const { visit } = await serve(t, (request, response) => {
    request.once('close', () => (isClosed = true));
    response.end('enough');
  });
  const stream = (await visit()).request({ ':method': 'POST' });
  stream.write('a part');
  assert.equal(String((await once(stream, 'data'))[0]), 'enough');
  stream.close();
  await until(() => isClosed, { deadlineMs: 10_000 });
});

test('100 (Continue) and early hints are passed on', async (t) => {
  const server = createServer((_request, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' });
    response.end('done');
  });
  const { visit } = await expose(t, (await listening(t, server, 0)).port);
  const session = await visit();
  const stream = session.request({ ':method': 'POST', expect: '100-continue' });
  const informational: (string | undefined)[] = [];
  stream.on('headers', (headers) => informational.push(`${headers[':status']} ${headers.link ?? ''}`.trim()));
  await once(stream, 'continue');
  const answer = await answerOf(stream.end('body'));
  assert.equal(String(answer.body), 'done');
  assert.deepEqual(
    informational.filter((each) => !each?.startsWith('100')),
    ['103 </a.css>; rel=preload'],
  );
});

test('a WebSocket comes by extended CONNECT, and its bytes go both ways', async (t) => {
  let seen: IncomingHttpHeaders = {};
  const server = createServer((_request, response) => response.writeHead(404).end());
  server.on('upgrade', (request, socket) => {
    seen = request.headers;
    if (request.url !== '/socket') return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    const head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
    socket.write(`${head}Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\nfirst`);
    socket.pipe(socket);
  });
  const { visit } = await expose(t, (await listening(t, server, 0)).port);
  const session = await visit();
  assert.equal(session.remoteSettings.enableConnectProtocol, true);
  const asked = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    'sec-websocket-version': '13',
    origin: 'https://a.test',
  };
  const stream = session.request({ ...asked, ':path': '/socket', 'sec-websocket-protocol': 'chat' });
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  assert.deepEqual([headers[':status'], headers['sec-websocket-protocol']], [200, 'chat']);
  assert.deepEqual([headers['sec-websocket-accept'], headers.upgrade], [undefined, undefined]);
  assert.equal(String((await once(stream, 'data'))[0]), 'first');
  stream.write('ping');
  assert.equal(String((await once(stream, 'data'))[0]), 'ping');
  assert.deepEqual([seen.upgrade, seen['sec-websocket-version'], seen.origin], ['websocket', '13', 'https://a.test']);
  assert.equal(Buffer.from(seen['sec-websocket-key'] ?? '', 'base64').length, 16);
  stream.end();
  await once(stream.resume(), 'close');
  const refused = await ask(session, { ...asked, ':path': '/other' });
  assert.deepEqual([refused.status, String(refused.body)], [403, 'no']);
});

test('requests that could mean two things, or another host, are refused', async (t) => {
  const reached: string[] = [];
  const { visit, hostname } = await serve(t, (request, response) => {
    reached.push(request.url!);
    response.end('reached');
  });
  const session = await visit();
  const cases: [OutgoingHttpHeaders, string][] = [
    [{ ':authority': 'other.example' }, '421'],
    [{ ':authority': hostname, host: 'other.example' }, '400'],
    [{ ':path': 'nowhere' }, 'reset'],
    [{ ':path': '/a b' }, 'reset'],
    [{ ':path': 'https://other.example/' }, 'reset'],
    [{ ':method': 'CONNECT', ':protocol': 'connect-udp', ':path': '/' }, '400'],
  ];
  for (const [headers, expected] of cases) {
    const answer = await ask(session, headers).catch(() => undefined);
    assert.equal(String(answer?.status ?? 'reset'), expected, JSON.stringify(headers));
  }
  assert.deepEqual(reached, []);
  assert.equal((await ask(session, { host: `${hostname}:${relay.publicPort}` })).status, 200);
});

test('what is decided by address, by password or by the service’s health is the same by HTTP/2', async (t) => {
  const { port, stop } = await startHttpService(t, (_request, response) => response.end('in'));
  const denied = await expose(t, port, { denyIp: ['127.0.0.0/8'] });
  assert.equal((await ask(await denied.visit(), {})).status, 403);
  // user:secret
  const basicAuth = 'user:$2b$04$Q1pZ0iXkQ0mM7bT4Qw1G1uYqkq8cV2wM4qk3Y7m2nN5d6cV0hJb1W';
  const guarded = await expose(t, port, { basicAuth });
  const asked = await ask(await guarded.visit(), {});
  assert.deepEqual([asked.status, /^Basic /.test(String(asked.headers['www-authenticate']))], [401, true]);
  const open = await expose(t, port);
  const session = await open.visit();
  assert.equal((await ask(session, {})).status, 200);
  await stop();
  const down = await ask(session, {});
  assert.equal(down.status, 503);
});

test('curl uses HTTP/2, and HTTP/1.1 where it is told to', async (t) => {
  const { hostname, caFile } = await serve(t, (_request, response) => response.end('hello'));
  const curl = await requireTool('curl');
  for (const [flag, version] of [
    ['--http2', '2'],
    ['--http1.1', '1.1'],
  ] as const) {
    const args = ['-sS', flag, '--cacert', caFile, '--resolve', `${hostname}:${relay.publicPort}:127.0.0.1`];
    const url = `https://${hostname}:${relay.publicPort}/`;
    const { stdout } = await promisify(execFile)(curl, [...args, '-w', ' %{http_version}', url]);
    assert.equal(stdout, `hello ${version}`);
  }
});

test('Chromium has ten event streams, a WebSocket and a request on one connection', async (t) => {
  const { port } = await startHttpService(t, (request, response) => {
    if (request.url !== '/events') return void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>page');
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: event\n\n');
  });
  const webSockets = createServer();
  new WebSocketServer({ server: webSockets }).on('connection', (socket) =>
    socket.on('message', (data: Buffer) => socket.send(data.toString())),
  );
  const { port: webSocketPort } = await listening(t, webSockets, 0);
  const { hostname, ca } = await expose(t, port, { routes: [`/socket=http://127.0.0.1:${webSocketPort}`] });
  const browser = await startBrowser(t, { ...relay, certificatePem: ca });
  const page = await browser.newPage();
  await page.goto(`https://${hostname}:${relay.publicPort}/`);
  const seen = await page.evaluate(`(async () => {
    const events = Array.from({ length: 10 }, async () => {
      const source = new EventSource('/events');
      return await new Promise((resolve) => (source.onmessage = ({ data }) => resolve(data)));
    });
    const heard = await Promise.all(events);
    const socket = new WebSocket('wss://' + location.host + '/socket');
    const echoed = await new Promise((resolve) => {
      socket.onopen = () => socket.send('ping');
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = () => resolve('failed');
    });
    await fetch('/other');
    const entries = performance.getEntriesByType('resource');
    return { heard, echoed, protocols: [...new Set(entries.map((entry) => entry.nextHopProtocol))] };
  })()`);
  assert.deepEqual(seen, { heard: Array.from({ length: 10 }, () => 'event'), echoed: 'ping', protocols: ['h2'] });
});

test('requests that never end are bounded by source, and the one past the limit is refused', async (t) => {
  const { visit, hostname, ca } = await serve(t, (request, response) => {
    if (request.url === '/now') response.end('now');
  });
  const sessions = [await visit(), await visit(), await visit()];
  const refused: ClientHttp2Stream[] = [];
  for (const session of sessions) {
    for (let each = 0; each < 90; each++) {
      const stream = session.request({ ':path': '/never' });
      stream.on('error', () => {});
      stream.once('close', () => refused.push(stream));
    }
  }
  await until(() => refused.length >= 270 - 256);
  assert.deepEqual(new Set(refused.map(({ rstCode }) => rstCode)), new Set([constants.NGHTTP2_REFUSED_STREAM]));
  // Others, here by HTTP/1.1, are not concerned; nor is this visitor any more, once it lets go.
  assert.equal((await get({ ...relay, ca }, hostname, '/now')).body, 'now');
  sessions[0]!.destroy();
  await until(async () => (await ask(sessions[1]!, { ':path': '/now' }).catch(() => undefined))?.status === 200);
});

/** A frame (RFC 9113 4.1). */
function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]);
const [endHeaders, endStream] = [4, 1];
/** GET https://HOST/ in HPACK, of the static table. */
const requestHead = (hostname: string) =>
  Buffer.concat([Buffer.from([0x82, 0x84, 0x87, 0x41, hostname.length]), Buffer.from(hostname)]);
/** A field that is not to be indexed. */
const literal = (name: string, value: string) =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);

const floods: [string, (hostname: string) => Buffer[]][] = [
  [
    'a rapid reset',
    (hostname) =>
      Array.from({ length: 20_000 }, (_, each) =>
        Buffer.concat([
          frame(1, endHeaders | endStream, 2 * each + 1, requestHead(hostname)),
          frame(3, 0, 2 * each + 1, Buffer.from([0, 0, 0, 8])),
        ]),
      ),
  ],
  [
    'a head that CONTINUATION never ends',
    (hostname) => [
      frame(1, endStream, 1, requestHead(hostname)),
      ...Array.from({ length: 5_000 }, (_, each) => frame(9, 0, 1, literal(`x-${each}`, 'y'.repeat(100)))),
    ],
  ],
  [
    'a head of 1 MB',
    (hostname) => [
      frame(1, endStream, 1, requestHead(hostname)),
      ...Array.from({ length: 100 }, () => frame(9, 0, 1, literal('x-large', 'y'.repeat(100)))),
      ...Array.from({ length: 100 }, (_, each) =>
        frame(
          9,
          each === 99 ? endHeaders : 0,
          1,
          Buffer.concat(Array.from({ length: 100 }, () => literal('x', 'y'.repeat(100)))),
        ),
      ),
    ],
  ],
  [
    'an HPACK bomb',
    (hostname) => [
      // An entry of 4,000 bytes in the dynamic table, then thousands of references to it.
      frame(
        1,
        endHeaders | endStream,
        1,
        Buffer.concat([
          requestHead(hostname),
          Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]),
          Buffer.alloc(4_000, 0x79),
          Buffer.alloc(12_000, 0xbe),
        ]),
      ),
    ],
  ],
  ['a flood of SETTINGS', () => Array.from({ length: 100_000 }, () => frame(4, 0, 0))],
  ['a flood of PING', () => Array.from({ length: 100_000 }, () => frame(6, 0, 0, Buffer.alloc(8)))],
  [
    'a flood of empty DATA',
    (hostname) => [
      frame(1, endHeaders, 1, requestHead(hostname)),
      ...Array.from({ length: 100_000 }, () => frame(0, 0, 1)),
    ],
  ],
  [
    'frames of a stream that was never opened',
    () => Array.from({ length: 1_000 }, () => frame(0, 0, 7, Buffer.alloc(100))),
  ],
  [
    'a window that overflows',
    () => [
      frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
      frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
    ],
  ],
  ['a frame of 16 MB', () => [Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]), Buffer.alloc(100_000)]],
  ['a request of HTTP/1.1', () => [Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')]],
];

test('floods and malformed frames end their own connection at most, and others are served meanwhile', async (t) => {
  const { visit, visitRaw, hostname } = await serve(t, (_request, response) => response.end('hello'));
  const other = await visit();
  for (const [what, frames] of floods) {
    const socket = await visitRaw();
    socket.resume();
    if (what !== 'a request of HTTP/1.1') socket.write(preface);
    socket.write(Buffer.concat(frames(hostname)));
    // As long as it takes to be read, or refused.
    for (let round = 0; round < 20; round++) assert.equal(String((await ask(other, {})).body), 'hello', what);
    socket.destroy();
    assert.equal(String((await ask(other, {})).body), 'hello', what);
  }
});

test('a body that is not as long as it says ends with a reset, and reaches the service as no whole request', async (t) => {
  const whole: string[] = [];
  const { visitRaw, visit, hostname } = await serve(t, (request, response) => {
    request.once('end', () => whole.push(request.url!));
    request.resume();
    request.once('end', () => response.end('whole'));
  });
  const head = Buffer.concat([
    Buffer.from([0x83, 0x84, 0x87, 0x41, hostname.length]),
    Buffer.from(hostname),
    literal('content-length', '5'),
  ]);
  for (const data of ['abc', 'abcdefghi', 'abcdeGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n']) {
    const socket = await visitRaw();
    socket.write(Buffer.concat([preface, frame(1, endHeaders, 1, head), frame(0, endStream, 1, Buffer.from(data))]));
    let got = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => (got = Buffer.concat([got, chunk])));
    // RST_STREAM of stream 1, or GOAWAY.
    await until(
      () =>
        got.includes(frame(3, 0, 1, Buffer.alloc(4)).subarray(3, 9)) || got.includes(Buffer.from([7, 0, 0, 0, 0, 0])),
    );
    socket.destroy();
  }
  assert.deepEqual(whole, []);
  assert.equal(String((await ask(await visit(), { ':method': 'POST' }, 'abcde')).body), 'whole');
});
