import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { AnswerError, NetworkError } from '../../src/sdk/index.js';
import { retryDecision } from '../../src/sdk/lease/retry-policy.js';
import { proxyHeader } from '../../src/protocol/proxy-protocol.js';
import { RelayTransport } from '../../src/sdk/transport/relay-transport.js';
import { awaitOpening } from '../../src/tunnel/link/read-opening.js';
import { RawCarrier } from '../../src/tunnel/carriers/raw-carrier.js';
import { readAll, readBytes } from '../support/by-hand.js';
import { certificateFiles } from '../support/certificates.js';

const open = new AbortController().signal;
const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: portal-reverse\r\n\r\n';
const addresses = {
  source: { address: '203.0.113.50', port: 51234 },
  destination: { address: '198.51.100.10', port: 443 },
};
const proxy = proxyHeader(addresses);
const binding = Buffer.from('9708e85fdfcef0ad1e8526ce6a42a23e', 'hex');

/** A TLS server that says what it is told to once it has the request's head, and a carrier that dials it. */
async function carrierTo(
  t: TestContext,
  answer: (socket: TLSSocket, head: string) => void,
): Promise<{ carrier: RawCarrier; heads: string[] }> {
  const certificate = await certificateFiles('portal.localhost');
  t.after(() => certificate.remove());
  const heads: string[] = [];
  const sockets: TLSSocket[] = [];
  const server = createServer({ cert: certificate.certPem, key: readFileSync(certificate.keyFile) }, (socket) => {
    sockets.push(socket);
    let head = '';
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      head += chunk.toString('latin1');
      if (!head.endsWith('\r\n\r\n')) return;
      heads.push(head);
      answer(socket, head);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const transport = new RelayTransport({ ca: certificate.certPem });
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await transport.close();
    server.close();
    await once(server, 'close');
  });
  const relay = new URL(`https://portal.localhost:${(server.address() as AddressInfo).port}`);
  return { carrier: new RawCarrier(relay, transport, { unwrap: false }), heads };
}

const dial = async (carrier: RawCarrier, signal = open) =>
  (await carrier.dial({ accessToken: 'the-token', signal })).stream;

test('a session request follows the protocol, and bytes after the response head belong to the session', async (t) => {
  const { carrier, heads } = await carrierTo(t, (socket) => socket.write(`${switched}\0\0`));
  const stream = await dial(carrier);
  assert.deepEqual(await readBytes(stream, 2), Buffer.from([0, 0]));
  stream.destroy();
  const [requestLine, ...headers] = heads[0]!.trimEnd().split('\r\n');
  assert.equal(requestLine, 'GET /sdk/connect HTTP/1.1');
  assert.deepEqual(headers.map((line) => line.replace(/^Host: .*/, 'Host')).sort(), [
    'Connection: Upgrade',
    'Host',
    'Upgrade: portal-reverse',
    'X-Portal-Access-Token: the-token',
    'X-Portal-Binding: 1',
    'X-Portal-Proxy: 2',
    'X-Portal-Recycle: 1',
    'X-Portal-Sign: 1',
  ]);
});

test('the response head may arrive one byte at a time', async (t) => {
  const { carrier } = await carrierTo(t, (socket) => {
    const bytes = [...`${switched}\0`];
    const next = () => bytes.length > 0 && socket.write(bytes.shift()!, next);
    next();
  });
  const stream = await dial(carrier);
  assert.deepEqual(await readBytes(stream, 1), Buffer.from([0]));
  stream.destroy();
});

const envelope = (code: string) => JSON.stringify({ ok: false, error: { code, message: 'so it is' } });
const withBody = (status: string, body: string, headers = '') =>
  `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;

const refusals: [string, string, object][] = [
  ['an envelope', withBody('403 Forbidden', envelope('lease_rejected')), { code: 'lease_rejected', status: 403 }],
  [
    'an envelope with Retry-After',
    withBody('429 Too Many Requests', envelope('rate_limited'), 'Retry-After: 3\r\n'),
    { code: 'rate_limited', retryAfterSeconds: 3 },
  ],
  [
    'an envelope in chunks',
    `HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n${envelope('lease_not_found').length.toString(16)}\r\n${envelope('lease_not_found')}\r\n0\r\n\r\n`,
    { code: 'lease_not_found' },
  ],
  ['a page of HTML', withBody('502 Bad Gateway', '<h1>Bad gateway</h1>'), { name: 'AnswerError', status: 502 }],
  ['an answer that did not switch', withBody('200 OK', '{}'), { name: 'AnswerError', status: 200 }],
  ['another protocol', switched.replace('portal-reverse', 'websocket'), { name: 'AnswerError' }],
  [
    'a redirect',
    'HTTP/1.1 307 See\r\nLocation: https://other.example\r\nContent-Length: 0\r\n\r\n',
    { name: 'AnswerError' },
  ],
  ['something that is not HTTP', 'SSH-2.0-OpenSSH_9.9\r\n\r\n', { name: 'NetworkError' }],
  ['a head that is too long', `HTTP/1.1 101 S\r\n${'X-Y: z\r\n'.repeat(5000)}\r\n`, { name: 'NetworkError' }],
];

for (const [what, bytes, expected] of refusals) {
  test(`${what} in place of a session is an error`, async (t) => {
    const { carrier } = await carrierTo(t, (socket) => socket.write(bytes));
    await assert.rejects(dial(carrier), expected);
  });
}

test('an endless refusal is abandoned', async (t) => {
  const { carrier } = await carrierTo(t, (socket) => {
    socket.write('HTTP/1.1 500 Oh\r\n\r\n');
    const more = () => {
      while (!socket.destroyed && socket.write('x'.repeat(65_536)));
    };
    socket.on('drain', more);
    more();
  });
  await assert.rejects(dial(carrier), AnswerError);
});

test('a truncated refusal is a network error, which is retried', async (t) => {
  for (const part of ['{"ok":false,"error":{"code":"hostname_', '']) {
    const { carrier } = await carrierTo(t, (socket) => {
      socket.write(`HTTP/1.1 409 Conflict\r\nContent-Length: 60\r\n\r\n${part}`, () => socket.destroy());
    });
    await assert.rejects(dial(carrier), (error) => {
      assert.ok(error instanceof NetworkError, String(error));
      assert.equal(retryDecision(error, 'connect', true).do, 'wait');
      return true;
    });
  }
});

test('a connection closed without a response, and an aborted one, are errors', async (t) => {
  const { carrier } = await carrierTo(t, (socket) => socket.destroy());
  await assert.rejects(dial(carrier), { name: 'NetworkError' });

  const controller = new AbortController();
  const silent = await carrierTo(t, () => controller.abort(new Error('enough')));
  await assert.rejects(dial(silent.carrier, controller.signal), /enough/);
});

test('an opening is parsed in any fragmentation, and not a byte further', async () => {
  const bytes = Buffer.concat([Buffer.from([0, 0, 2]), binding, proxy, Buffer.from('ClientHello')]);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const stream = new PassThrough();
    const claimed = awaitOpening(stream, open);
    stream.write(bytes.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    stream.write(bytes.subarray(cut));
    const claim = await claimed;
    assert.deepEqual(claim.binding, binding);
    assert.deepEqual(claim.addresses, addresses);
    assert.equal((await readBytes(claim.stream, 11)).toString(), 'ClientHello');
    assert.equal(stream.readableLength, 0);
    stream.destroy();
  }
});

test('a zero byte in the binding is not a keepalive', async () => {
  const stream = new PassThrough();
  stream.write(Buffer.concat([Buffer.from([2]), Buffer.alloc(16), proxy, Buffer.from([0x16])]));
  const claim = await awaitOpening(stream, open);
  assert.deepEqual(claim.binding, Buffer.alloc(16));
  assert.deepEqual(claim.stream.read(), Buffer.from([0x16]));
});

test('a PROXY header may have no addresses, or TLVs', async () => {
  const tlv = Buffer.concat([
    proxy.subarray(0, 14),
    Buffer.from([0, 16]),
    proxy.subarray(16),
    Buffer.from([4, 0, 1, 0]),
  ]);
  for (const [header, expected] of [
    [proxyHeader(undefined), undefined],
    [tlv, addresses],
  ] as const) {
    const stream = new PassThrough();
    stream.write(Buffer.concat([Buffer.from([2]), binding, header, Buffer.from([0x16])]));
    const claim = await awaitOpening(stream, open);
    assert.deepEqual(claim.addresses, expected);
    assert.deepEqual(claim.stream.read(), Buffer.from([0x16]));
  }
});

test('anything but a TCP PROXY header after the binding closes the session', async () => {
  const broken = [
    Buffer.from([0x16, 3, 1]),
    Buffer.from('PROXY TCP4 203.0.113.50 198.51.100.10 51234 443\r\n'),
    Buffer.concat([proxy.subarray(0, 12), Buffer.from([0x22, 0x11, 0, 12])]),
    Buffer.concat([proxy.subarray(0, 12), Buffer.from([0x21, 0x12, 0, 12])]),
    Buffer.concat([proxy.subarray(0, 12), Buffer.from([0x21, 0x11, 2, 25])]),
    Buffer.concat([proxy.subarray(0, 12), Buffer.from([0x21, 0x21, 0, 12])]),
  ];
  for (const header of broken) {
    const stream = new PassThrough();
    stream.write(Buffer.concat([Buffer.from([2]), binding, header]));
    await assert.rejects(awaitOpening(stream, open), { name: 'ProxyProtocolError' });
    assert.ok(stream.destroyed);
  }
});

test('0x01 is followed by the PROXY header, without a binding', async () => {
  const stream = new PassThrough();
  const bytes = Buffer.concat([Buffer.from([0, 1]), proxy, Buffer.from('SSH-2.0')]);
  const claimed = awaitOpening(stream, open);
  for (const byte of bytes) stream.write(Buffer.from([byte]));
  const claim = await claimed;
  assert.equal(claim.binding, undefined);
  assert.deepEqual(claim.addresses, addresses);
  stream.end();
  assert.equal((await readAll(stream)).toString(), 'SSH-2.0');
});

test('any other first byte, an end or an error closes the session', async () => {
  for (const [bytes, message] of [
    [[0x04], /0x04/],
    [[0x03], /0x03/],
    [[0x00, 0x16, 0x03], /0x16/],
  ] as const) {
    const stream = new PassThrough();
    stream.write(Buffer.from(bytes));
    await assert.rejects(awaitOpening(stream, open), message);
    assert.ok(stream.destroyed);
  }
  const ended = new PassThrough();
  ended.end(Buffer.from([0, 2, 1, 2, 3]));
  await assert.rejects(awaitOpening(ended, open), /closed the session/);

  const broken = new PassThrough();
  broken.on('error', () => {});
  const failed = assert.rejects(awaitOpening(broken, open), /cut/);
  broken.destroy(new Error('cut'));
  await failed;
});

test('a session without keepalives is closed, one with them is not', async (t) => {
  // The wall clock alone jumps, as when a machine wakes up.
  t.mock.timers.enable({ apis: ['setInterval', 'Date'] });
  const [silent, kept] = [new PassThrough(), new PassThrough()];
  const dropped = assert.rejects(awaitOpening(silent, open), /no keepalive/);
  const leaving = new AbortController();
  const left = assert.rejects(awaitOpening(kept, leaving.signal), /enough/);
  for (let seconds = 0; seconds < 60; seconds += 15) {
    t.mock.timers.tick(15_000);
    kept.write(Buffer.from([0]));
    await once(kept, 'readable');
  }
  await dropped;
  assert.ok(silent.destroyed && !kept.destroyed);
  leaving.abort(new Error('enough'));
  await left;
  assert.ok((kept as Duplex).destroyed);
});
