import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { expose, UsageError } from '../../src/tunnel/index.js';
import { freePort, startTestRelay, sharedRelay } from '../support/relay.js';
import {
  get,
  openTunnel,
  startHttpService,
  startTunnel,
  statusWhere,
  temporaryDirectory,
  visitorOptions,
} from '../support/tunnel.js';

const relay = sharedRelay();

test('a local service is served under its public name, and gets that name as Host', async (t) => {
  const service = await startHttpService(t, (request, response) => {
    response.end(`${request.method} ${request.headers.host}`);
  });
  const { hostname, url } = await openTunnel(t, relay, service.port, { name: 'My-App' });
  assert.equal(hostname, 'my-app.portal.localhost');
  assert.equal(url, `https://my-app.portal.localhost:${relay.publicPort}`);
  const answer = await get(relay, hostname);
  assert.equal(answer.status, 200);
  assert.equal(answer.body, `GET my-app.portal.localhost:${relay.publicPort}`);
});

test('it is told how long the relay takes to answer, at registering and at each renewal', async (t) => {
  const { tunnel } = startTunnel(t, relay, 1, { ttl: 1 });
  for (let answers = 0; answers < 3; answers++) {
    const [{ relay: url, ms }] = (await once(tunnel, 'latency')) as [{ relay: string; ms: number }];
    assert.equal(url, relay.url);
    assert.ok(ms > 0 && ms < 60_000);
  }
});

test('without a name the tunnel uses one derived from its identity', async (t) => {
  const identityFile = join(temporaryDirectory(t), 'deep', 'identity.json');
  const names: string[] = [];
  for (let run = 0; run < 2; run++) {
    const { tunnel, hostname } = await openTunnel(t, relay, 1, { identity: undefined, identityFile });
    names.push(hostname);
    await tunnel.close();
  }
  assert.equal(names[0], names[1]);
  assert.match(names[0]!, /^[a-z]+-[a-z]+-[0-9a-f]{4}\.portal\.localhost$/);
  assert.equal(statSync(identityFile).mode & 0o777, 0o600);
});

test('tunnels of two identities each serve their own name only', async (t) => {
  const hostnames = await Promise.all(
    ['one', 'two'].map(async (text) => {
      const service = await startHttpService(t, (_request, response) => response.end(text));
      return (await openTunnel(t, relay, service.port)).hostname;
    }),
  );
  const bodies = await Promise.all(hostnames.map(async (hostname) => (await get(relay, hostname)).body));
  assert.deepEqual(bodies, ['one', 'two']);
});

test('while the local service is down visitors get a 503 page, and its responses again afterwards', async (t) => {
  const port = await freePort();
  const { tunnel, hostname } = await openTunnel(t, relay, port);
  const down = statusWhere(tunnel, ({ state }) => state === 'target_down');
  const report = once(tunnel, 'connection');
  const answer = await get(relay, hostname);
  assert.equal(answer.status, 503);
  assert.equal(answer.headers['connection'], 'close');
  assert.match(answer.headers['content-type']!, /^text\/html/);
  assert.match(answer.body, /Service unavailable/);
  assert.match((await down).message, new RegExp(`localhost:${port}`));
  assert.deepEqual([(await report)[0].unavailable, (await report)[0].error], [true, undefined]);

  const head = await get(relay, hostname, '/', { method: 'HEAD' });
  assert.equal(head.status, 503);
  assert.equal(head.body, '');
  assert.equal(head.headers['content-length'], answer.headers['content-length']);

  const up = statusWhere(tunnel, ({ state }) => state === 'target_up');
  await startHttpService(t, (_request, response) => response.end('back'), port);
  assert.equal((await get(relay, hostname)).body, 'back');
  await up;
});

test('an upload to a service that is down gets the 503 page too', async (t) => {
  const { hostname } = await openTunnel(t, relay, await freePort());
  const upload = request(visitorOptions(relay, hostname, '/', { method: 'POST' }));
  upload.on('error', () => {});
  upload.write(Buffer.alloc(100_000));
  const [response] = await once(upload, 'response');
  assert.equal(response.statusCode, 503);
  upload.destroy();
});

test('a second connection resumes the TLS session without a signature of the relay', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('ok'));
  const { tunnel, hostname } = await openTunnel(t, relay, service.port);
  const resumed: (boolean | undefined)[] = [];
  let session: Buffer | undefined;
  for (let visit = 0; visit < 2; visit++) {
    const outgoing = request(visitorOptions(relay, hostname, '/', { session }));
    const done = once(tunnel, 'connection');
    outgoing.on('socket', (socket) => socket.on('session', (ticket: Buffer) => (session = ticket)));
    outgoing.end();
    const [response] = await once(outgoing, 'response');
    response.resume();
    resumed.push((await done)[0].resumed);
  }
  assert.deepEqual(resumed, [false, true]);
});

test('closing a tunnel frees its name at once', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('ok'));
  const { tunnel, hostname } = await openTunnel(t, relay, service.port);
  await get(relay, hostname);
  await tunnel.close();
  assert.equal(tunnel.current, undefined);
  await assert.rejects(get(relay, hostname), /unrecognized name/);
});

test('an aborted signal closes the tunnel, before and while it serves', async (t) => {
  const early = startTunnel(t, relay, 1, { signal: AbortSignal.abort() });
  assert.deepEqual(await early.tunnel.closed, {});
  await assert.rejects(early.tunnel.ready(), /closed/);

  const controller = new AbortController();
  const { tunnel } = await openTunnel(t, relay, 1, { signal: controller.signal });
  controller.abort();
  assert.deepEqual(await tunnel.closed, {});
});

test('a second tunnel of the same identity takes over the name, and the first ends', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('ok'));
  const identityFile = join(temporaryDirectory(t), 'identity.json');
  const options = { name: 'twice', identity: undefined, identityFile };
  const first = await openTunnel(t, relay, service.port, options);
  const second = await openTunnel(t, relay, service.port, options);
  const { error } = await first.tunnel.closed;
  assert.equal((error as { code?: string }).code, 'hostname_conflict');
  assert.equal((await get(relay, second.hostname)).body, 'ok');
});

test('a name of another identity ends the tunnel with a clear error', async (t) => {
  await openTunnel(t, relay, 1, { name: 'taken' });
  const { tunnel } = startTunnel(t, relay, 1, { name: 'taken' });
  await assert.rejects(tunnel.ready(), { name: 'ApiError', code: 'hostname_conflict', status: 409 });
});

test('invalid options end the tunnel with a one-line error', async () => {
  for (const [options, message] of [
    [{ target: 'ftp://localhost:3000' }, /is not supported/],
    [{ target: 'nonsense' }, /is not 3000/],
    [{ relay: 'http://portal.localhost' }, /https:\/\//],
    [{ name: 'two.labels' }, /not a name/],
  ] as const) {
    const { error } = await expose({ target: 3000, relay: relay.url, ...(options as object) }).closed;
    assert.ok(error instanceof UsageError);
    assert.match(error.message, message);
  }
});

test('a relay with an untrusted certificate is refused', async (t) => {
  const { tunnel } = startTunnel(t, { url: relay.url, ca: undefined as never }, 1);
  await assert.rejects(tunnel.ready(), { name: 'NetworkError', reason: 'certificate' });
});

test('a tunnel started before its relay serves once the relay is up', async (t) => {
  const stateDir = temporaryDirectory(t);
  const first = await startTestRelay({ stateDir });
  const { sniPort, portalUrl } = first.config;
  await first.stop();
  const { tunnel } = startTunnel(t, first, 1, { name: 'early' });
  await statusWhere(tunnel, ({ state }) => state === 'retrying');
  const second = await startTestRelay({ stateDir, sniPort, portalUrl });
  t.after(() => second.stop());
  assert.equal((await tunnel.ready()).hostname, 'early.portal.localhost');
});

for (const [what, forgotten] of [
  ['', []],
  [' that has forgotten the lease', ['portal.db', 'portal.db-wal', 'portal.db-shm']],
  [' that has another key and knows no token', ['identity.json']],
] as const) {
  test(`a tunnel outlives a restart of its relay${what}, with the same name`, async (t) => {
    const stateDir = temporaryDirectory(t);
    const first = await startTestRelay({ stateDir });
    const { sniPort, portalUrl } = first.config;
    const service = await startHttpService(t, (_request, response) => response.end('ok'));
    const { tunnel, hostname, statuses } = await openTunnel(t, first, service.port);
    const lost = statusWhere(tunnel, ({ state }) => state === 'retrying');
    await first.stop();
    await lost;
    for (const file of forgotten) rmSync(join(stateDir, file), { force: true });
    const registered = statusWhere(tunnel, ({ state }) => state === 'registered');
    const second = await startTestRelay({ stateDir, sniPort, portalUrl });
    t.after(() => second.stop());
    // Where the lease lives on, a visitor may come before the tunnel: the relay lets him wait.
    if (forgotten.length > 0) await registered;
    assert.equal((await get(second, hostname)).body, 'ok');
    assert.equal(statuses.filter(({ state }) => state === 'lease_lost').length, forgotten.length > 0 ? 1 : 0);
  });
}
