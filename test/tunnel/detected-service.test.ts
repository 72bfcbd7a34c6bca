import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { certificateFiles } from '../support/certificates.js';
import { readAll } from '../support/by-hand.js';
import { freePort, sharedRelay } from '../support/relay.js';
import {
  get,
  listening,
  openTunnel,
  startHttpService,
  startTcpService,
  startTunnel,
  statusWhere,
  visitTls,
} from '../support/tunnel.js';

// Without --http and --raw the service is asked what it speaks.

const relay = sharedRelay();
const detected = { http: undefined, probe: false } as const;

function protocolOf(t: TestContext, port: number) {
  const { tunnel } = startTunnel(t, relay, port, detected);
  return statusWhere(tunnel, ({ state }) => state === 'target_protocol');
}

test('a service that answers in HTTP gets requests, after one HEAD request that asks it', async (t) => {
  const seen: string[] = [];
  const service = await startHttpService(t, (request, response) => {
    seen.push(`${request.method} ${request.headers['x-forwarded-proto'] ?? request.headers.host}`);
    response.end('hello');
  });
  const { hostname, tunnel, statuses } = await openTunnel(t, relay, service.port, detected);
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => get(relay, hostname, '/', { headers: { 'X-Forwarded-Proto': 'forged' } })),
  );
  assert.deepEqual(new Set(answers.map(({ body }) => body)), new Set(['hello']));
  assert.deepEqual(seen.sort(), [...Array<string>(5).fill('GET https'), `HEAD localhost:${service.port}`]);
  const [said] = statuses.filter(({ state }) => state === 'target_protocol');
  assert.match(String(said?.message), /^localhost:\d+ speaks HTTP: requests are forwarded/);
  await tunnel.close();
});

test('a visitor cannot have its bytes passed on to a service that speaks HTTP', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { hostname } = await openTunnel(t, relay, service.port, detected);
  const visitor = await visitTls(relay, hostname);
  visitor.on('error', () => {});
  visitor.write('\0\0GET / HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n');
  assert.match(String(await readAll(visitor)), /^HTTP\/1\.1 400 /);
});

for (const [what, greet, answer] of [
  ['speaks first', '220 mail\r\n', undefined],
  ['answers something else', undefined, '-ERR unknown command\r\n'],
  ['answers in a later HTTP', undefined, 'HTTP/2 200\r\n\r\n'],
  ['closes the connection', undefined, ''],
] as const)
  test(`a service that ${what} gets bytes`, async (t) => {
    const service = await startTcpService(t, (socket) => {
      if (greet) socket.write(greet);
      socket.once('data', (chunk: Buffer) => {
        if (!String(chunk).startsWith('HEAD ')) socket.end(`got ${String(chunk)}`);
        else if (answer !== undefined) socket.end(answer);
      });
    });
    const said = protocolOf(t, service.port);
    assert.match((await said).message, /does not answer HTTP requests: bytes are passed on/);
    const { hostname } = await openTunnel(t, relay, service.port, detected);
    const visitor = await visitTls(relay, hostname);
    visitor.write('\x01\x02hello');
    assert.equal(String(await readAll(visitor)), `${greet ?? ''}got \x01\x02hello`);
  });

test('a service that speaks TLS is said to need https://', async (t) => {
  const certificate = await certificateFiles('localhost');
  t.after(() => certificate.remove());
  const keys = { key: readFileSync(certificate.keyFile), cert: readFileSync(certificate.certFile) };
  const alerts = await listening(t, createServer(keys), 0);
  const pages = await startTcpService(t, (socket) => {
    socket.once('data', () =>
      socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'),
    );
  });
  assert.match((await protocolOf(t, pages.port)).message, /speaks TLS.*expose it as https:\/\//);
  // Some close without a word, which tells nothing.
  assert.match((await protocolOf(t, alerts.port)).message, /speaks TLS|does not answer HTTP/);
});

test('a service that is down at the start, or changes while it is down, is asked again', async (t) => {
  const port = await freePort();
  const { hostname, tunnel } = await openTunnel(t, relay, port, detected);
  assert.equal((await get(relay, hostname)).status, 503);
  const first = await startHttpService(
    t,
    (request, response) => response.end(request.headers['x-forwarded-proto']),
    port,
  );
  assert.equal((await get(relay, hostname)).body, 'https');
  await first.stop();
  assert.equal((await get(relay, hostname)).status, 503);
  const said = statusWhere(tunnel, ({ state }) => state === 'target_protocol');
  const second = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (chunk: Buffer) => socket.end(`bytes ${chunk.length}`));
  });
  second.listen(port, '127.0.0.1');
  await once(second, 'listening');
  t.after(() => new Promise((resolve) => second.close(resolve)));
  const visitor = await visitTls(relay, hostname);
  visitor.write('abc');
  assert.equal(String(await readAll(visitor)), 'bytes 3');
  assert.match((await said).message, /bytes are passed on/);
});

test('with http: false the service is not asked', async (t) => {
  let connections = 0;
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const counting = await startTcpService(t, (socket) => {
    connections++;
    socket.end();
  });
  const { tunnel } = await openTunnel(t, relay, counting.port, { http: false, probe: false });
  const other = await openTunnel(t, relay, service.port, detected);
  await get(relay, other.hostname);
  await tunnel.close();
  assert.equal(connections, 0);
});
