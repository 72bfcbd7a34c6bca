import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  call,
  ended,
  freshWallet,
  openSession,
  readAll,
  readBytes,
  register,
  sessionHeaders,
} from '../support/by-hand.js';
import { type TestRelay, freePort, startTestRelay } from '../support/relay.js';
import { clientHello, dialPublic, readOpening } from '../support/tenant.js';

const never = new AbortController().signal;

async function joined(relay: TestRelay, name: string) {
  const lease = await register(relay, { name, ttl: 600 });
  const { socket: tunnel } = await openSession(relay, sessionHeaders(lease.token));
  const hello = await clientHello(lease.hostname);
  const visitor = await dialPublic(relay);
  visitor.write(hello);
  await readOpening(tunnel);
  await readBytes(tunnel, hello.length);
  return { lease, tunnel, visitor };
}

test('a draining relay refuses new work with its error code, and lets live connections finish', async () => {
  const relay = await startTestRelay();
  try {
    const { lease, tunnel, visitor } = await joined(relay, 'live');
    const { socket: waiting } = await openSession(relay, sessionHeaders(lease.token));
    let isDrained = false;
    const drained = relay.relay.drain(never).then(() => (isDrained = true));
    await ended(waiting);

    const health = await call(relay, 'GET', '/healthz');
    assert.deepEqual([health.status, health.body.error.code], [503, 'feature_unavailable']);
    const challenge = await call(relay, 'POST', '/sdk/register/challenge', {
      body: { identity: { name: 'late', address: freshWallet().address } },
    });
    assert.deepEqual([challenge.status, challenge.body.error.code], [429, 'rate_limited']);
    const session = await openSession(relay, sessionHeaders(lease.token));
    assert.deepEqual([session.status, session.body.error.code], [429, 'rate_limited']);
    assert.match(session.head, /\r\nRetry-After: 5\r\n/);
    session.socket.destroy();
    const late = await dialPublic(relay);
    late.write(await clientHello(lease.hostname));
    assert.equal((await buffer(late))[0], 21, 'an alert');
    assert.equal((await call(relay, 'POST', '/sdk/renew', { body: {}, token: lease.token })).status, 200);

    assert.equal(isDrained, false);
    tunnel.end('last words');
    assert.equal(String(await readAll(visitor)), 'last words');
    visitor.end();
    await drained;
  } finally {
    await relay.stop();
  }
});

test('draining ends with its signal, and stop() closes remaining connections', async () => {
  const relay = await startTestRelay();
  const { visitor, tunnel } = await joined(relay, 'stays');
  const enough = new AbortController();
  const drained = relay.relay.drain(enough.signal);
  enough.abort();
  await drained;
  await relay.stop();
  await Promise.all([ended(visitor), ended(tunnel)]);
});

test('SIGTERM drains the process, a second one stops it, and the exit code is 0', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'portal-drain-'));
  const port = await freePort();
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  const flags = [
    '--portal-url',
    `https://portal.localhost:${port}`,
    '--state-dir',
    dir,
    '--host',
    '127.0.0.1',
    '--api-port',
    '0',
  ];
  const child = spawn(process.execPath, [main, 'relay', ...flags, '--sni-port', String(port)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    const log: Record<string, unknown>[] = [];
    const lines = createInterface({ input: child.stderr });
    const logged = async (msg: string) => {
      for (;;) {
        const found = log.find((entry) => String(entry['msg']).startsWith(msg));
        if (found) return found;
        await once(lines, 'line');
      }
    };
    lines.on('line', (line) => log.push(JSON.parse(line)));
    const { apiPort } = await logged('relay started');
    const relay = {
      apiPort,
      publicPort: port,
      rootHost: 'portal.localhost',
      ca: readFileSync(join(dir, 'development-ca.pem'), 'utf8'),
    } as TestRelay;
    const { lease, tunnel, visitor } = await joined(relay, 'live');
    child.kill('SIGTERM');
    await logged('relay draining');
    assert.equal((await call(relay, 'GET', '/healthz')).status, 503);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await Promise.all([ended(visitor), ended(tunnel)]);
    assert.deepEqual(await exited, [0, null]);
    assert.ok(!JSON.stringify(log).includes(lease.token));
  } finally {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a relay whose port is in use exits with a one-line error', async () => {
  const relay = await startTestRelay();
  const dir = mkdtempSync(join(tmpdir(), 'portal-taken-'));
  try {
    const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
    const flags = ['--portal-url', relay.url, '--state-dir', dir, '--host', '127.0.0.1', '--api-port', '0'];
    const child = spawn(process.execPath, [main, 'relay', ...flags, '--sni-port', String(relay.publicPort)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [[code], said] = await Promise.all([once(child, 'exit'), buffer(child.stderr)]);
    assert.equal(code, 1);
    assert.match(said.toString(), /^portal relay: .*EADDRINUSE.*\n$/);
  } finally {
    await relay.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
