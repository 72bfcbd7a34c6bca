import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { Agent, request } from 'undici';
import { kill, startRelayProcess, startTunnelProcess } from '../support/processes.js';
import { freePort, type TestRelay } from '../support/relay.js';
import { get, startHttpService, temporaryDirectory, visitTls } from '../support/tunnel.js';

test('relay and tunnel keep serving when their output has no reader', async (t) => {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const relay = await startRelayProcess(t, join(directory, 'state'), port, port, ['--log-level', 'debug']);
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const caFile = join(directory, 'state', 'development-ca.pem');
  const tunnel = await startTunnelProcess(t, {
    target: service.port,
    relayPort: port,
    name: 'quiet',
    identity: join(directory, 'me.json'),
    caFile,
    ttlSeconds: 30,
  });
  for (const { stdout, stderr } of [relay.child, tunnel]) {
    stdout?.destroy();
    stderr?.destroy();
  }
  const visited = { publicPort: port, ca: relay.ca } as TestRelay;
  const hostname = 'quiet.portal.localhost';
  // Both have something to say of each of these: a connection that broke, and those that are done.
  for (let round = 0; round < 5; round++) {
    const visitor = await visitTls(visited, hostname);
    visitor.on('error', () => {});
    visitor.write('GET / HT');
    visitor.destroy();
    await once(visitor, 'close');
    assert.equal((await get(visited, hostname)).body, 'here');
  }
  assert.deepEqual([relay.child.exitCode, tunnel.exitCode], [null, null]);
  // A closed terminal: the name is given back, so that another identity gets it at once.
  await kill(tunnel, 'SIGHUP');
  const next = await startTunnelProcess(t, {
    target: service.port,
    relayPort: port,
    name: 'quiet',
    identity: join(directory, 'other.json'),
    caFile,
    ttlSeconds: 30,
  });
  assert.equal((await get(visited, hostname)).body, 'here');
  await kill(next, 'SIGTERM');
});

test('relay: a log reader that stops reading loses lines; memory, service and exit are not affected', async (t) => {
  const directory = temporaryDirectory(t);
  const [port, metricsPort] = [await freePort(), await freePort()];
  const settings = ['--log-level', 'debug', '--metrics-port', String(metricsPort)];
  const { child, ca } = await startRelayProcess(t, join(directory, 'state'), port, port, settings);
  child.stderr?.pause();
  const dispatcher = new Agent({ connect: { ca, servername: 'portal.localhost' } });
  t.after(() => dispatcher.destroy());
  const dropped = async () => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return Number(/^portal_log_writes_dropped_total (\d+)/m.exec(text)![1]);
  };
  assert.equal(await dropped(), 0);
  while ((await dropped()) === 0)
    for (let count = 0; count < 200; count++)
      await (await request(`https://127.0.0.1:${port}/healthz`, { dispatcher })).body.dump();
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});
