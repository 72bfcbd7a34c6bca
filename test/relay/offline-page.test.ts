import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { type TLSSocket, connect } from 'node:tls';
import { openSession, readAll, register, sessionHeaders } from '../support/by-hand.js';
import { runProgram } from '../support/programs.js';
import { parseScrape } from '../support/prometheus.js';
import { freePort, relayFor, sharedRelay } from '../support/relay.js';
import { readOpening, visit } from '../support/tenant.js';
import { requireTool } from '../support/tools.js';
import { startBrowser } from '../support/trusting-browser.js';

// `--offline-page-enabled`: what visitors of a name get that nobody serves.

const relay = sharedRelay({ offlinePage: true });

async function ask(hostname: string, request: string, options = {}): Promise<string> {
  const socket = visit(relay, hostname, options);
  await once(socket, 'secureConnect');
  socket.write(request);
  return String(await readAll(socket));
}

const codeOf = async (visitor: TLSSocket) => ((await once(visitor, 'error')) as [NodeJS.ErrnoException])[0].code;

test('a name without a lease gets a page of the relay, whatever is asked for', async () => {
  for (const request of ['GET / HTTP/1.1', 'POST /a/b HTTP/1.1', 'GET / HTTP/1.0', 'OPTIONS * HTTP/1.1']) {
    const answer = await ask(
      `nobody.${relay.rootHost}`,
      `${request}\r\nHost: evil.example\r\nCookie: a=secret\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 503 /);
    assert.match(answer, /^Connection: close\r$/m);
    assert.match(answer, /^Cache-Control: no-store\r$/m);
    assert.match(answer, /^Retry-After: 30\r$/m);
    assert.match(answer, /no service is connected under it/);
    assert.doesNotMatch(answer, /evil|secret/);
  }
});

test('curl and Chromium show it', async (t) => {
  const url = `https://nobody.${relay.rootHost}:${relay.publicPort}/`;
  const resolve = ['--resolve', `nobody.${relay.rootHost}:${relay.publicPort}:127.0.0.1`];
  const { stdout } = await runProgram(await requireTool('curl'), ['-sS', '--cacert', relay.caFile, ...resolve, url]);
  assert.match(String(stdout), /Nothing is served here now/);
  const page = await (await startBrowser(t, relay)).newPage();
  const response = await page.goto(url);
  assert.equal(response?.status(), 503);
  assert.equal(await page.title(), 'Nothing is served here now');
});

test('a lease whose tunnel is away gets it after a while, and the tunnel’s own visitors never', async (t) => {
  const lease = await register(relay, { name: 'away', ttl: 600 });
  const waiting = ask(lease.hostname, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(await waiting, /^HTTP\/1\.1 503 /);
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  t.after(() => socket.destroy());
  const visitor = visit(relay, lease.hostname);
  await readOpening(socket);
  visitor.destroy();
});

test('names that the relay’s certificate does not cover get the alert', async () => {
  for (const hostname of [`a.b.${relay.rootHost}`, 'shop.example.com', `x${relay.rootHost}`, `.${relay.rootHost}`])
    assert.equal(await codeOf(visit(relay, hostname)), 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME', hostname);
});

test('h2 is not spoken there, and a name with a certificate of its own gets the alert', async (t) => {
  const socket = visit(relay, `nobody.${relay.rootHost}`, { ALPNProtocols: ['h2', 'http/1.1'] });
  await once(socket, 'secureConnect');
  assert.equal(socket.alpnProtocol, 'http/1.1');
  socket.destroy();
  const strict = await relayFor(t, { offlinePage: true, ownCertificates: true });
  const lease = await register(strict, { name: 'own', ownCertificate: true, ttl: 600 });
  assert.equal(await codeOf(visit(strict, lease.hostname)), 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR');
});

test('connections that ask for nothing are bounded by source, and end', async () => {
  const idle = Array.from({ length: 16 }, () => visit(relay, `idle.${relay.rootHost}`));
  await Promise.all(idle.map((socket) => once(socket, 'secureConnect')));
  assert.equal(await codeOf(visit(relay, `idle.${relay.rootHost}`)), 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  await Promise.all(idle.map((socket) => once(socket.resume(), 'close')));
  assert.match(await ask(`idle.${relay.rootHost}`, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), / 503 /);
});

test('garbage instead of HTTP ends its connection alone', async () => {
  assert.equal(await ask(`nobody.${relay.rootHost}`, 'not http at all\r\n\r\n'), '');
  assert.equal(await ask(`nobody.${relay.rootHost}`, `GET / HTTP/1.1\r\nA: ${'a'.repeat(100_000)}`), '');
  assert.match(await ask(`nobody.${relay.rootHost}`, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), / 503 /);
});

test('visitors of a lease that do not speak TLS 1.3 are counted', async (t) => {
  const counting = await relayFor(t, { metricsPort: await freePort() });
  const lease = await register(counting, { name: 'modern', ttl: 600 });
  const { socket } = await openSession(counting, sessionHeaders(lease.token));
  t.after(() => socket.destroy());
  const options = { host: '127.0.0.1', port: counting.publicPort, servername: lease.hostname };
  const visitor = connect({ ...options, maxVersion: 'TLSv1.2' });
  visitor.on('error', () => {});
  await readOpening(socket);
  visitor.destroy();
  const text = await (await fetch(`http://127.0.0.1:${counting.config.metricsPort}/metrics`)).text();
  assert.equal(parseScrape(text).value('portal_visitors_without_tls13_total'), 1);
});
