import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { ExposeOptions } from '../../src/tunnel/index.js';
import { readAll } from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';
import { get, openTunnel, startHttpService, temporaryDirectory, visitTls } from '../support/tunnel.js';

const relay = sharedRelay();

async function exposed(t: TestContext, options: Partial<ExposeOptions> = {}) {
  const outside = temporaryDirectory(t);
  const folder = join(outside, 'site');
  mkdirSync(join(folder, 'docs'), { recursive: true });
  mkdirSync(join(folder, 'empty'));
  mkdirSync(join(folder, '.git'));
  mkdirSync(join(folder, '.well-known'));
  for (const [name, content] of Object.entries({
    'index.html': '<h1>home</h1>',
    'docs/index.html': '<h1>docs</h1>',
    'app.js': 'let a = 1;',
    'ä b%20.txt': 'odd name',
    'empty/<x>.txt': 'x',
    '.env': 'SECRET=1',
    '.git/config': 'secret',
    '.well-known/security.txt': 'Contact: x',
    '../outside.txt': 'outside',
  }))
    writeFileSync(join(folder, name), content);
  symlinkSync('../outside.txt', join(folder, 'link.txt'));
  symlinkSync(outside, join(folder, 'up'));
  symlinkSync('.env', join(folder, 'env.txt'));
  symlinkSync('app.js', join(folder, 'same.js'));
  symlinkSync('app.js', join(folder, '.hidden.js'));
  const open = await openTunnel(t, relay, folder, options);
  return { folder, ...open, ask: (path: string, headers = {}) => get(relay, open.hostname, path, { headers }) };
}

test('a folder is served: index, types, odd names, .well-known, and links that stay inside', async (t) => {
  const { ask } = await exposed(t);
  for (const [path, type, body] of [
    ['/', 'text/html', '<h1>home</h1>'],
    ['/index.html?x=1', 'text/html', '<h1>home</h1>'],
    ['/docs/', 'text/html', '<h1>docs</h1>'],
    ['/app.js', 'text/javascript', 'let a = 1;'],
    ['/same.js', 'text/javascript', 'let a = 1;'],
    ['/%C3%A4%20b%2520.txt', 'text/plain', 'odd name'],
    ['/.well-known/security.txt', 'text/plain', 'Contact: x'],
  ] as const) {
    const answer = await ask(path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.body, body, path);
    assert.ok(answer.headers['content-type']?.startsWith(type), `${path} ${answer.headers['content-type']}`);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  }
});

test('nothing outside of the folder, and nothing hidden, is served', async (t) => {
  const { ask, hostname } = await exposed(t, { listing: true });
  for (const path of [
    ...['/link.txt', '/up/', '/up/outside.txt', '/env.txt', '/.hidden.js', '/.env', '/.git/config', '/.git/'],
    ...[
      '/docs/..%2f..%2foutside.txt',
      '/%2e%2e/outside.txt',
      '/..%5coutside.txt',
      '/app.js/',
      '/%00',
      '/%ff',
      '/missing',
    ],
    ...['/docs/%2e%2e/%2e%2e/outside.txt', `/${'a'.repeat(5_000)}`],
  ]) {
    const { status, body } = await ask(path);
    assert.ok(status === 404 || status === 400, `${path} ${status}`);
    assert.ok(!/outside|secret/i.test(body), path);
  }
  // As it stands, without a client that takes the dots out.
  const visitor = await visitTls(relay, hostname);
  visitor.write(`GET /../outside.txt HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  assert.match(String(await readAll(visitor)), /^HTTP\/1\.1 400 /);
});

test('a path of a folder without its slash leads there, and nowhere else', async (t) => {
  const { ask } = await exposed(t);
  for (const [path, location] of [
    ['/docs', './docs/'],
    ['/docs?a=b', './docs/?a=b'],
    ['//docs', './docs/'],
    ['///docs', './docs/'],
  ] as const) {
    const { status, headers } = await ask(path);
    assert.equal(status, 301, path);
    assert.equal(headers.location, location);
  }
});

test('ranges, ETag and HEAD work as curl asks for them; other methods are refused', async (t) => {
  const { hostname, folder } = await exposed(t);
  writeFileSync(join(folder, 'big.bin'), Buffer.alloc(3_000_000, 'abc'));
  const out = join(temporaryDirectory(t), 'big.bin');
  const curl = async (...rest: string[]) => {
    const args = [
      '-s',
      '--max-time',
      '20',
      '--resolve',
      `${hostname}:${relay.publicPort}:127.0.0.1`,
      '--cacert',
      relay.caFile,
    ];
    const url = `https://${hostname}:${relay.publicPort}/big.bin`;
    return (await promisify(execFile)('curl', [...args, ...rest, url])).stdout;
  };
  await curl('-o', out);
  truncateSync(out, 1_000_001);
  // Resumes the download where it was cut.
  await curl('-C', '-', '-o', out);
  execFileSync('cmp', [out, join(folder, 'big.bin')]);
  assert.match(
    await curl('-D', '-', '-o', '/dev/null', '-r', '4000000-'),
    /^HTTP\/1\.1 416 .*\r\n(.*\r\n)*Content-Range: bytes \*\/3000000\r\n/i,
  );
  const etag = /^etag: (.*)\r$/im.exec(await curl('-I'))?.[1];
  assert.ok(etag);
  assert.match(await curl('-I', '-H', `If-None-Match: ${etag}`), /^HTTP\/1\.1 304 /);
  assert.match(
    await curl('-X', 'DELETE', '-D', '-', '-o', '/dev/null'),
    /^HTTP\/1\.1 405 .*\r\n(.*\r\n)*Allow: GET, HEAD\r\n/,
  );
  // A body is read away, so that the connection goes on.
  assert.match(await curl('-D', '-', '-o', '/dev/null', '--data', 'x'.repeat(100_000)), /^HTTP\/1\.1 405 /);
});

test('a file that is cut while it is sent ends the connection, so that no later answer is taken for its rest', async (t) => {
  const { hostname, folder } = await exposed(t);
  const file = join(folder, 'cut.bin');
  writeFileSync(file, Buffer.alloc(64_000_000));
  const visitor = await visitTls(relay, hostname);
  visitor.on('error', () => {});
  visitor.write(`GET /cut.bin HTTP/1.1\r\nHost: ${hostname}\r\n\r\nGET /app.js HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  await once(visitor, 'readable');
  truncateSync(file, 1_000);
  const answer = await readAll(visitor);
  assert.ok(answer.length < 64_000_000);
  assert.ok(!answer.includes('let a = 1;'));
});

test('a folder that is a link is followed anew at each request', async (t) => {
  const directory = temporaryDirectory(t);
  for (const release of ['one', 'two']) {
    mkdirSync(join(directory, release));
    writeFileSync(join(directory, release, 'index.html'), release);
  }
  const current = join(directory, 'current');
  symlinkSync('one', current);
  const { hostname } = await openTunnel(t, relay, current);
  assert.equal((await get(relay, hostname)).body, 'one');
  rmSync(current);
  symlinkSync('two', current);
  assert.equal((await get(relay, hostname)).body, 'two');
});

test('a body that waits for 100 is not asked for, and the connection ends', async (t) => {
  const { hostname } = await exposed(t);
  const visitor = await visitTls(relay, hostname);
  visitor.write(`POST / HTTP/1.1\r\nHost: ${hostname}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
  const answer = String(await readAll(visitor));
  assert.match(answer, /^HTTP\/1\.1 405 /);
  assert.match(answer, /\r\nConnection: close\r\n/i);
});

test('with spa, navigations to paths without a file get index.html, and missing files do not', async (t) => {
  const { ask } = await exposed(t, { spa: true });
  const page = { Accept: 'text/html,*/*' };
  assert.equal((await ask('/users/7', page)).body, '<h1>home</h1>');
  assert.equal((await ask('/docs/', page)).body, '<h1>docs</h1>');
  for (const [path, headers] of [
    ['/missing.js', page],
    ['/users/7', { Accept: 'application/json' }],
  ] as const)
    assert.equal((await ask(path, headers)).status, 404, path);
});

test('a folder without index.html is listed only where that is asked for, and names are escaped', async (t) => {
  const { ask } = await exposed(t);
  assert.equal((await ask('/empty/')).status, 404);
  const listed = await exposed(t, { listing: true });
  rmSync(join(listed.folder, 'index.html'));
  const { body } = await listed.ask('/empty/');
  assert.match(body, /<a href="\.\/%3Cx%3E\.txt">&lt;x&gt;\.txt<\/a>/);
  const root = (await listed.ask('/')).body;
  for (const hidden of ['.env', '.git', '.hidden']) assert.ok(!root.includes(hidden), hidden);
});

test('a folder of more files than fit is listed in part, and says so', async (t) => {
  const folder = temporaryDirectory(t);
  for (let count = 0; count < 1_001; count++) writeFileSync(join(folder, `${count}.txt`), '');
  const { hostname } = await openTunnel(t, relay, folder, { listing: true });
  const { body } = await get(relay, hostname);
  assert.equal(body.split('<li>').length - 1, 1_000);
  assert.match(body, /There are more files/);
});

test('pipelined requests for files are answered in order, one open file at a time', async (t) => {
  const { hostname, folder } = await exposed(t);
  writeFileSync(join(folder, 'slow.bin'), Buffer.alloc(30_000_000));
  const visitor = await visitTls(relay, hostname);
  visitor.on('error', () => {});
  const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
      } catch {
        return false;
      }
    }).length;
  const last = `GET /app.js HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`;
  visitor.write(ask('/slow.bin') + ask('/app.js').repeat(199) + last);
  await once(visitor, 'readable');
  assert.ok(process.platform !== 'linux' || openFiles() === 1, `${openFiles()} files`);
  const answer = String(await readAll(visitor));
  assert.equal(answer.split('let a = 1;').length - 1, 200);
});

test('an upgrade to a folder is answered as a request', async (t) => {
  const { ask } = await exposed(t);
  const { status, body } = await ask('/app.js', { Connection: 'Upgrade', Upgrade: 'websocket' });
  assert.deepEqual([status, body], [200, 'let a = 1;']);
});

test('a route may lead to a folder beside a service, which keeps its requests', async (t) => {
  const service = await startHttpService(t, (request, response) => {
    request.resume();
    response.end(`service ${request.method}`);
  });
  const folder = temporaryDirectory(t);
  writeFileSync(join(folder, 'a.txt'), 'from the folder');
  const { hostname } = await openTunnel(t, relay, service.port, { routes: [`/static=${folder}`], stripPrefix: true });
  assert.equal((await get(relay, hostname, '/static/a.txt')).body, 'from the folder');
  assert.equal((await get(relay, hostname, '/static/b.txt')).status, 404);
  assert.equal((await get(relay, hostname, '/b.txt', { method: 'POST' })).body, 'service POST');
});
