/** The self-probe against the real relay, honest and not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test, type TestContext } from 'node:test';
import {
  type ExposeOptions,
  InterceptionError,
  NetworkError,
  type ProbeReport,
  type Tunnel,
  UsageError,
} from '../../src/tunnel/index.js';
import { startInterceptedRelay } from '../support/interceptor.js';
import { type TestRelay, sharedRelay } from '../support/relay.js';
import { get, listening, openTunnel, startTunnel, visitTls } from '../support/tunnel.js';

const relay = sharedRelay();

/** Every visitor may be followed by a probe at once. */
const eager: Partial<ExposeOptions> = { probe: { intervalMs: 0, maxDelayMs: 0 } };

/** A service behind a tunnel, with what it and the tunnel saw. */
async function exposed(t: TestContext, at: TestRelay, options: Partial<ExposeOptions>) {
  const seen = { connections: 0, probes: [] as ProbeReport[], visits: 0 };
  const server = createServer((_request, response) => response.end('served'));
  server.on('connection', () => seen.connections++);
  const service = await listening(t, server, 0);
  const opened = await openTunnel(t, at, service.port, options);
  opened.tunnel.on('probe', (report) => seen.probes.push(report));
  opened.tunnel.on('connection', () => seen.visits++);
  return { ...opened, seen };
}

const probed = async (tunnel: Tunnel) => ((await once(tunnel, 'probe')) as [ProbeReport])[0];

test('after a visitor the self-probe confirms that TLS terminates in the tunnel', async (t) => {
  const { tunnel, hostname } = await exposed(t, relay, eager);
  const report = probed(tunnel);
  await get(relay, hostname);
  assert.deepEqual({ ...(await report), message: '' }, { result: 'pass', hostname, message: '' });
});

test('a self-probe does not reach the service, count as a visitor, or cause another probe', async (t) => {
  const { tunnel, hostname, seen } = await exposed(t, relay, eager);
  for (let visit = 1; visit <= 5; visit++) {
    const report = probed(tunnel);
    await get(relay, hostname);
    assert.equal((await report).result, 'pass');
  }
  await tunnel.close();
  assert.deepEqual({ ...seen, probes: seen.probes.length }, { connections: 5, probes: 5, visits: 5 });
});

test('self-probes keep their interval, however many visitors connect', async (t) => {
  const { tunnel, hostname, seen } = await exposed(t, relay, { probe: { intervalMs: 3_600_000, maxDelayMs: 0 } });
  const report = probed(tunnel);
  await get(relay, hostname);
  await report;
  for (let visit = 1; visit <= 5; visit++) await get(relay, hostname);
  await tunnel.close();
  assert.equal(seen.probes.length, 1);
});

test('a tunnel without visitors, or with probes off, does not probe', async (t) => {
  const idle = await exposed(t, relay, eager);
  const off = await exposed(t, relay, { probe: false });
  await get(relay, off.hostname);
  await Promise.all([idle.tunnel.close(), off.tunnel.close()]);
  assert.deepEqual([...idle.seen.probes, ...off.seen.probes], []);
  assert.equal(idle.seen.connections, 0);
});

test('an unreachable public name gives an inconclusive probe, not an interception', async (t) => {
  const intercepted = await startInterceptedRelay(t);
  intercepted.tenants = 'refuse';
  const { tunnel, hostname } = await exposed(t, intercepted.relay, { ...eager, banMitm: true });
  const report = probed(tunnel);
  await get(intercepted.relay, hostname, '/', { host: intercepted.relay.config.host });
  const { result, error } = await report;
  assert.equal(result, 'unknown');
  assert.ok(error instanceof NetworkError);
  assert.notEqual(tunnel.current, undefined);
});

test('a relay that terminates TLS itself is detected and reported, and the tunnel continues', async (t) => {
  const intercepted = await startInterceptedRelay(t);
  const { tunnel, hostname } = await exposed(t, intercepted.relay, eager);
  const report = probed(tunnel);
  assert.equal((await get(intercepted.relay, hostname, '/secret')).body, 'served');
  assert.match(intercepted.overheard, /GET \/secret/);
  const { result, error, message } = await report;
  assert.equal(result, 'mismatch');
  assert.ok(error instanceof InterceptionError);
  assert.equal(error.hostname, hostname);
  assert.match(message, new RegExp(`TLS for ${hostname} does not end in this tunnel`));
  assert.equal((await get(intercepted.relay, hostname)).body, 'served');
  assert.notEqual(tunnel.current, undefined);
});

test('a relay that starts to terminate TLS after a passed probe is detected too', async (t) => {
  const intercepted = await startInterceptedRelay(t);
  intercepted.tenants = 'pass';
  const { tunnel, hostname } = await exposed(t, intercepted.relay, eager);
  for (const [tenants, result] of [
    ['pass', 'pass'],
    ['intercept', 'mismatch'],
  ] as const) {
    intercepted.tenants = tenants;
    const report = probed(tunnel);
    await get(intercepted.relay, hostname);
    assert.equal((await report).result, result);
  }
});

test('with banMitm the tunnel releases the name, closes intercepted connections, and ends with a typed error', async (t) => {
  const intercepted = await startInterceptedRelay(t);
  const { tunnel, hostname } = await exposed(t, intercepted.relay, { ...eager, banMitm: true, closeGraceMs: 600_000 });
  const visitor = await visitTls(intercepted.relay, hostname);
  t.after(() => visitor.destroy());
  const cut = new Promise((resolve) => visitor.once('end', resolve).once('error', resolve).resume());
  const { error } = await tunnel.closed;
  assert.ok(error instanceof InterceptionError);
  await cut;
  intercepted.tenants = 'pass';
  await assert.rejects(get(intercepted.relay, hostname), /unrecognized name/);
});

test('banMitm without probes is a usage error', async (t) => {
  const { tunnel } = startTunnel(t, relay, 1, { probe: false, banMitm: true });
  assert.ok((await tunnel.closed).error instanceof UsageError);
});
