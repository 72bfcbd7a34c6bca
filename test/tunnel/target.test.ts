import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../src/tunnel/index.js';
import { connectTarget } from '../../src/tunnel/services/upstream/connect-target.js';
import { describeTarget, parsePortTarget, parseTarget } from '../../src/tunnel/services/upstream/target.js';

const signal = new AbortController().signal;

test('a target is a port, host:port, [address]:port, a URL, a Unix socket or a folder', () => {
  for (const [text, host, port] of [
    ['3000', 'localhost', 3000],
    [3000, 'localhost', 3000],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['my-host.lan:8080', 'my-host.lan', 8080],
    ['[::1]:3000', '::1', 3000],
    ['http://localhost:3000', 'localhost', 3000],
    ['http://localhost:3000/', 'localhost', 3000],
    ['HTTP://host', 'host', 80],
    ['http://[::1]', '::1', 80],
    ['https://host', 'host', 443],
    ['https://localhost:8443/', 'localhost', 8443],
  ] as const) {
    const [, scheme] = /^(https?):/.exec(String(text).toLowerCase()) ?? [];
    assert.deepEqual(parseTarget(text), { host, port, ...(scheme && { scheme }) }, String(text));
  }
  assert.deepEqual(parseTarget('unix:/run/app.sock'), { socketPath: '/run/app.sock' });
  assert.deepEqual(parseTarget('unix:./app.sock'), { socketPath: './app.sock' });
  for (const folder of ['./dist', '../dist', '.', '..', '/srv/www']) assert.deepEqual(parseTarget(folder), { folder });
  assert.deepEqual(parseTarget('~/site'), { folder: join(homedir(), 'site') });
  assert.equal(describeTarget(parseTarget('[::1]:3000')), '[::1]:3000');
});

test('an invalid target is refused with one line', () => {
  for (const text of [
    ...[
      '',
      '0',
      '65536',
      '99999999999',
      '-1',
      '3000.5',
      'localhost',
      ':3000',
      'host:',
      'host:http',
      '::1:3000',
      '[::1]',
    ],
    ...['ftp://host:21', 'http://host:3000/path', 'http://user@host:3000', 'host:3000/', 'a b:1'],
    ...['http://', 'http://:80', 'unix:', 'unix:app', 'dist', 'unix:/a\0b', 'https://host/path'],
  ]) {
    assert.throws(
      () => parseTarget(text),
      (error: Error) => error instanceof UsageError && !error.message.includes('\n'),
      JSON.stringify(text),
    );
  }
});

for (const address of ['127.0.0.1', '::1']) {
  test(`localhost reaches a service that listens only on ${address}`, async (t) => {
    const server = createServer((socket) => socket.end('here'));
    server.listen(0, address);
    const listening = await once(server, 'listening').catch((error: NodeJS.ErrnoException) => error);
    if (listening instanceof Error) return t.skip('this machine has no such address');
    t.after(() => server.close());
    const socket = await connectTarget(parsePortTarget((server.address() as AddressInfo).port), signal);
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    assert.equal(bytes.toString(), 'here');
    socket.destroy();
  });
}

test('a blocked event loop does not report a running service as down', async (t) => {
  const server = createServer((socket) => socket.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const connecting = connectTarget(parsePortTarget((server.address() as AddressInfo).port), signal);
  // As many visitors' handshakes at once do: longer than Node gives an address.
  await new Promise((resolve) => setImmediate(resolve));
  for (const until = Date.now() + 400; Date.now() < until;);
  (await connecting).destroy();
});

test('a service that is down gives the system error', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  await assert.rejects(connectTarget({ host: '127.0.0.1', port }, signal), { code: 'ECONNREFUSED' });
  await assert.rejects(connectTarget(parsePortTarget(port), signal), {
    message: `localhost:${port} cannot be reached (ECONNREFUSED)`,
  });
  await assert.rejects(connectTarget({ host: '127.0.0.1', port }, AbortSignal.abort(new Error('no more'))), /no more/);
});
