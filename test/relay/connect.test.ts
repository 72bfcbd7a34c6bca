import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { Agent, request } from 'undici';
import {
  call,
  connectTls,
  ended,
  openSession,
  readAll,
  readBytes,
  register,
  sessionHeaders,
} from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';

const relay = sharedRelay();

const alive = async (token: string, hostname: string) =>
  (await call(relay, 'GET', `/tunnel/status?hostname=${hostname}`, { token })).body.data.service_alive as boolean;

test('a plain GET becomes a session in place, and is ready', async () => {
  const lease = await register(relay, { name: 'plain' });
  assert.equal(await alive(lease.token, lease.hostname), false);
  const { socket, status, head } = await openSession(relay, sessionHeaders(lease.token));
  assert.equal(status, 200);
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(head, /\r\nContent-Length: 0\r\n/);
  assert.match(head, /\r\nConnection: keep-alive\r\n/);
  assert.equal(await alive(lease.token, lease.hostname), true);
  socket.destroy();
});

test('Upgrade: portal-reverse gets a 101, on the public port too', async () => {
  const lease = await register(relay, { name: 'upgrade' });
  const headers = { ...sessionHeaders(lease.token), Connection: 'Upgrade', Upgrade: 'portal-reverse' };
  for (const port of [relay.apiPort, relay.publicPort]) {
    const { socket, status, head } = await openSession(relay, headers, port);
    assert.equal(status, 101);
    assert.match(head, /\r\nUpgrade: portal-reverse\r\n/);
    socket.destroy();
  }
});

test('Content-Length: 0, and Upgrade without Connection, are treated as a plain GET', async () => {
  const lease = await register(relay, { name: 'plainer' });
  const additions: Record<string, string>[] = [
    { 'Content-Length': '0' },
    { Upgrade: 'portal-reverse' },
    { Upgrade: 'portal-reverse', Connection: 'keep-alive' },
  ];
  for (const more of additions) {
    const { socket, status } = await openSession(relay, {
      ...sessionHeaders(lease.token),
      ...more,
    });
    assert.equal(status, 200, JSON.stringify(more));
    socket.destroy();
  }
});

test('requests without Host, with Expect, and CONNECT get responses of the contract', async () => {
  for (const [request, answer] of [
    ['GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 200 [\s\S]*"ok":true/],
    [
      'GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n',
      /^HTTP\/1\.1 200 [\s\S]*"ok":true/,
    ],
    ['CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n', /^HTTP\/1\.1 400 [\s\S]*"invalid_request"/],
  ] as const) {
    const socket = await connectTls(relay);
    socket.write(request);
    assert.match(await text(socket), answer, request);
  }
});

test('a request head that arrives one byte at a time is read', async () => {
  const lease = await register(relay, { name: 'slow-head' });
  const socket = await connectTls(relay);
  const head = `GET /sdk/connect HTTP/1.1\r\nHost: x\r\nX-Portal-Access-Token: ${lease.token}\r\nX-Portal-Binding: 1\r\n\r\n`;
  for (const byte of head) await new Promise((resolve) => socket.write(byte, resolve));
  assert.equal((await readBytes(socket, 12)).toString(), 'HTTP/1.1 200');
  socket.destroy();
});

test('refusals before the switch are ordinary error responses', async () => {
  const lease = await register(relay, { name: 'refused' });
  const cases: [Record<string, string>, number, string][] = [
    [{}, 401, 'unauthorized'],
    [{ 'X-Portal-Access-Token': 'nonsense', 'X-Portal-Binding': '1' }, 401, 'unauthorized'],
    [{ 'X-Portal-Access-Token': lease.token }, 503, 'feature_unavailable'],
    [{ ...sessionHeaders(lease.token), 'X-Portal-Binding': '2' }, 400, 'invalid_request'],
    [{ ...sessionHeaders(lease.token), 'X-Portal-Proxy': '1' }, 400, 'invalid_request'],
    [{ ...sessionHeaders(lease.token), Connection: 'Upgrade', Upgrade: 'spdy' }, 400, 'invalid_request'],
  ];
  for (const [headers, status, code] of cases) {
    const answer = await openSession(relay, headers);
    assert.deepEqual([answer.status, answer.body?.error.code], [status, code], JSON.stringify(headers));
    await ended(answer.socket);
  }
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token: lease.token });
  const gone = await openSession(relay, sessionHeaders(lease.token));
  assert.deepEqual([gone.status, gone.body.error.code], [404, 'lease_not_found']);
  gone.socket.destroy();
});

test('a token in the query string is ignored', async () => {
  const lease = await register(relay, { name: 'query' });
  const answer = await call(relay, 'GET', `/sdk/connect?access_token=${lease.token}`, {
    headers: { 'X-Portal-Binding': '1' },
  });
  assert.equal(answer.body.error.code, 'unauthorized');
});

test('a reverse session over HTTP/1.0 or HTTP/2 is refused as http11_only', async () => {
  const lease = await register(relay, { name: 'versions' });
  for (const bytes of [
    `GET /sdk/connect HTTP/1.0\r\nX-Portal-Access-Token: ${lease.token}\r\nX-Portal-Binding: 1\r\n\r\n`,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ]) {
    const socket = await connectTls(relay);
    socket.write(bytes);
    const answer = await text(socket);
    assert.match(answer, /^HTTP\/1\.1 505 /);
    assert.match(answer, /"http11_only"/);
  }
});

test('a plain GET that is not the first request of its connection is hijack_unsupported', async () => {
  const lease = await register(relay, { name: 'second' });
  const socket = await connectTls(relay);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await readBytes(socket, 10);
  socket.write(
    `GET /sdk/connect HTTP/1.1\r\nHost: x\r\nX-Portal-Access-Token: ${lease.token}\r\nX-Portal-Binding: 1\r\nConnection: close\r\n\r\n`,
  );
  const rest = await text(socket);
  assert.match(rest, /HTTP\/1\.1 500 Internal Server Error/);
  assert.match(rest, /"hijack_unsupported"/);
});

test('bytes after the request are refused: a tunnel may not send before the marker', async () => {
  const lease = await register(relay, { name: 'eager' });
  const socket = await connectTls(relay);
  socket.write(
    `GET /sdk/connect HTTP/1.1\r\nHost: x\r\nX-Portal-Access-Token: ${lease.token}\r\nX-Portal-Binding: 1\r\n\r\nearly`,
  );
  assert.match(await text(socket), /"invalid_request"/);
});

test('the ready queue is bounded: one more is rate_limited, until one leaves', async () => {
  const lease = await register(relay, { name: 'full' });
  const open = await Promise.all(Array.from({ length: 8 }, () => openSession(relay, sessionHeaders(lease.token))));
  assert.deepEqual(
    open.map(({ status }) => status),
    Array(8).fill(200),
  );
  const refused = await openSession(relay, sessionHeaders(lease.token));
  assert.deepEqual([refused.status, refused.body.error.code], [429, 'rate_limited']);
  assert.match(refused.head, /\r\nRetry-After: \d+\r\n/);
  open[0]?.socket.destroy();
  for (;;) {
    const again = await openSession(relay, sessionHeaders(lease.token));
    if (again.status === 200) break;
    assert.equal(again.body.error.code, 'rate_limited');
  }
  for (const { socket } of open) socket.destroy();
});

test('a new registration closes the sessions of the earlier one', async () => {
  const lease = await register(relay, { name: 'replaced' });
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  const closed = ended(socket);
  const again = await register(relay, { name: 'replaced', wallet: lease.wallet });
  await closed;
  assert.equal(await alive(again.token, again.hostname), false);
  const superseded = await openSession(relay, sessionHeaders(lease.token));
  assert.deepEqual([superseded.status, superseded.body.error.code], [409, 'hostname_conflict']);
});

test('a session whose tunnel sends before it is claimed is closed', async () => {
  const lease = await register(relay, { name: 'talker' });
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  socket.write('hello?');
  await ended(socket);
  assert.equal(await alive(lease.token, lease.hostname), false);
});

test('the tunnel status is shown to its own lease only', async () => {
  const lease = await register(relay, { name: 'status' });
  const other = await register(relay, { name: 'nosy' });
  const ask = (hostname: string, token?: string) =>
    call(relay, 'GET', `/tunnel/status?hostname=${hostname}`, { token });
  assert.deepEqual((await ask(lease.hostname, lease.token)).body.data, {
    hostname: lease.hostname,
    registered: true,
    service_alive: false,
    own_certificate: false,
  });
  assert.equal((await ask(lease.hostname, other.token)).body.error.code, 'unauthorized');
  assert.equal((await ask(lease.hostname)).body.error.code, 'unauthorized');
  assert.equal((await call(relay, 'GET', '/tunnel/status', { token: lease.token })).body.error.code, 'invalid_request');
});

test('an unknown Upgrade is ignored, as HTTP allows', async () => {
  const socket = await connectTls(relay);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  const answer = await text(socket);
  assert.match(answer, /^HTTP\/1\.1 200 OK/);
  assert.match(answer, /"status":"ok"/);
});

test('the relay does not wait for a client that keeps its side open after an error response', async () => {
  const socket = await connectTls(relay);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  await readAll(socket);
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const nudge = setInterval(() => socket.write('x'), 250);
  await closed;
  clearInterval(nudge);
});

test('an Upgrade pipelined behind a pending request is refused in order', async () => {
  const lease = await register(relay, { name: 'pipelined' });
  const token = `X-Portal-Access-Token: ${lease.token}\r\nX-Portal-Binding: 1\r\n`;
  for (const upgrade of [
    'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    `GET /sdk/connect HTTP/1.1\r\nHost: x\r\n${token}Connection: Upgrade\r\nUpgrade: portal-reverse\r\n\r\n`,
  ]) {
    const socket = await connectTls(relay);
    socket.write(`${'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2)}${upgrade}`);
    const answers = (await text(socket)).split('HTTP/1.1 ').slice(1);
    assert.deepEqual(
      answers.map((answer) => answer.slice(0, 3)),
      ['200', '200', '400'],
    );
    assert.match(answers[2] ?? '', /"invalid_request"/);
  }
});

test('non-HTTP bytes get an error response, and an endless head is too large', async () => {
  const nonsense = await connectTls(relay);
  nonsense.write('\x16\x03\x01 hello\r\n\r\n');
  assert.match(await text(nonsense), /^HTTP\/1\.1 400 [\s\S]*"invalid_request"/);
  for (const path of ['/healthz', '/sdk/connect']) {
    const endless = await connectTls(relay);
    endless.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(40_000)}`);
    assert.match(await text(endless), /^HTTP\/1\.1 413 [\s\S]*"invalid_request"/, path);
  }
});

test('a request head that never ends times out', async () => {
  const socket = await connectTls(relay);
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n');
  assert.match(await text(socket), /HTTP\/1\.1 400 [^]*did not arrive in time/);
});

test('HEAD gets the response of GET without the body', async () => {
  const socket = await connectTls(relay);
  socket.write('HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(await text(socket), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/);
});

test('a request target without a path gets an error response', async () => {
  const socket = await connectTls(relay);
  socket.write('GET http:// HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(await text(socket), /^HTTP\/1\.1 400 [^]*"invalid_request"/);
});

test('other methods, other paths and unimplemented parts get their error codes', async () => {
  const wrong = await call(relay, 'DELETE', '/sdk/register');
  assert.deepEqual([wrong.status, wrong.body.error.code, wrong.headers['allow']], [405, 'method_not_allowed', 'POST']);
  assert.equal((await call(relay, 'PUT', '/healthz')).headers['allow'], 'GET, HEAD');
  assert.deepEqual(
    [(await call(relay, 'GET', '/nowhere')).status, (await call(relay, 'GET', '/nowhere')).body.error.code],
    [404, 'not_found'],
  );
  for (const [method, path] of [
    ['GET', '/admin/snapshot'],
    ['POST', '/admin/auth/challenge'],
    ['DELETE', '/admin/ips/10.0.0.1/ban'],
    ['GET', '/discovery'],
    ['POST', '/discovery/announce'],
    ['GET', '/thumbnail/x.portal.localhost'],
  ] as const) {
    const answer = await call(relay, method, path);
    assert.deepEqual([answer.status, answer.body.error.code], [503, 'feature_unavailable'], path);
  }
});

test('the API is also served on the public port under the root host', async () => {
  const dispatcher = new Agent({ connect: { ca: relay.ca, servername: relay.rootHost } });
  const answer = await request(`https://127.0.0.1:${relay.publicPort}/healthz`, { dispatcher });
  assert.deepEqual([answer.statusCode, await answer.body.json()], [200, { ok: true, data: { status: 'ok' } }]);
  await dispatcher.close();
});
