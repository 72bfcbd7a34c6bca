import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { Socket as UdpSocket } from 'node:dgram';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { Server, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Lifecycle } from '../../src/util/lifecycle.js';
import type { QuicPackage } from '../../src/streams/quic/quic-package.js';
import { call, register } from '../support/by-hand.js';
import { type TestCertificate, certificateFiles } from '../support/certificates.js';
import { kill, startPortal, startRelayProcess } from '../support/processes.js';
import { freePort, startTestRelay, withPorts } from '../support/relay.js';
import { temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

const inUse = /the state directory .* is in use by another relay: stop it, or choose another --state-dir/;

test('parts are stopped in reverse order, each once, even if one throws', async () => {
  const told: unknown[] = [];
  const stopped: string[] = [];
  const lifecycle = new Lifecycle((error) => told.push(error));
  const [early, late] = [new Error('early'), new Error('late')];
  lifecycle.onStop(() => stopped.push('first'));
  lifecycle.onStop(() => Promise.reject(early));
  lifecycle.onStop(() => stopped.push('second'));
  lifecycle.onStop(() => {
    throw late;
  });
  await assert.rejects(lifecycle.stop(), late);
  assert.deepEqual(stopped, ['second', 'first']);
  assert.deepEqual(told, [late, early]);
  await lifecycle.stop();
  assert.equal(stopped.length, 2);
});

test('a state directory is locked by one relay within a process', async (t) => {
  const stateDir = temporaryDirectory(t);
  const relay = await startTestRelay({ stateDir });
  await assert.rejects(startTestRelay({ stateDir }), inUse);
  assert.equal((await call(relay, 'GET', '/healthz')).status, 200);
  await relay.stop();
  await (await startTestRelay({ stateDir })).stop();
});

test('a state directory is locked by one relay across processes, and free after kill -9', async (t) => {
  const dir = join(temporaryDirectory(t), 'state');
  const { child } = await startRelayProcess(t, dir, await freePort());
  const port = await freePort();
  const flags = ['--portal-url', `https://portal.localhost:${port}`, '--state-dir', dir, '--host', '127.0.0.1'];
  const second = startPortal(t, ['relay', ...flags, '--sni-port', String(port), '--api-port', '0']);
  let said = '';
  second.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(second, 'close')) as [number];
  assert.equal(code, 1);
  assert.match(said, new RegExp(`^portal relay: ${inUse.source}\n$`));
  await kill(child, 'SIGKILL');
  await startRelayProcess(t, dir, port);
});

test('a failed start leaves nothing open, and the state directory unlocked', async (t) => {
  const stateDir = temporaryDirectory(t);
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  let closed = 0;
  const wrapStore: NonNullable<Parameters<typeof startTestRelay>[1]>['wrapStore'] = (store) =>
    new Proxy(store, {
      get(target, name) {
        if (name === 'close') return async () => (closed++, await target.close());
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? (member as () => unknown).bind(target) : member;
      },
    });
  await assert.rejects(startTestRelay({ stateDir, apiPort: port }, { wrapStore }), { code: 'EADDRINUSE' });
  assert.equal(closed, 1);
  const wrapHandlers = () => {
    throw new Error('parts that do not fit');
  };
  await assert.rejects(startTestRelay({ stateDir }, { wrapStore, wrapHandlers }), /do not fit/);
  assert.equal(closed, 2);
  await (await startTestRelay({ stateDir })).stop();
});

test('a damaged database is reported with what to do', async (t) => {
  const stateDir = temporaryDirectory(t);
  const file = join(stateDir, 'portal.db');
  writeFileSync(file, 'this is no database. '.repeat(1_000));
  await assert.rejects(startTestRelay({ stateDir }), (error: Error) => {
    assert.ok(error.message.startsWith(`${file} is damaged (SQLITE_NOTADB): restore a backup, or move it away`));
    return true;
  });
  assert.ok(existsSync(file));
});

test('every listening socket has an error listener', async (t) => {
  const handles = () => (process as unknown as { _getActiveHandles(): object[] })._getActiveHandles();
  const before = new Set(handles());
  const relay = await startTestRelay({ ...(await withPorts(2)), metricsPort: await freePort() });
  t.after(() => relay.stop());
  await register(relay, { name: 'with-ports', tcp: true, udp: true });
  const listening = handles().filter(
    (handle): handle is Server | UdpSocket =>
      !before.has(handle) && (handle instanceof Server || handle instanceof UdpSocket),
  );
  // Public and API port, metrics, and a TCP and a UDP port of the lease.
  assert.equal(listening.length, 5);
  for (const each of listening) each.emit('error', Object.assign(new Error('no descriptor left'), { code: 'EMFILE' }));
  assert.equal((await call(relay, 'GET', '/healthz')).status, 200);
});

test('a QUIC listener that fails to close does not block the next one', async (t) => {
  const certificates: TestCertificate[] = [];
  for (let count = 0; count < 3; count++) certificates.push(await certificateFiles('portal.localhost'));
  t.after(() => Promise.all(certificates.map((each) => each.remove())));
  const [inUse, ...next] = certificates as [TestCertificate, TestCertificate, TestCertificate];
  let [opened, closed] = [0, 0];
  class Unclosable extends EventEmitter {
    // What guardServerErrors() looks for inside.
    _onNewSession = () => undefined;
    _sessions = new Map();
    listen = async () => void opened++;
    close = () => (closed++ === 0 ? Promise.reject(new Error('it will not close')) : Promise.resolve());
  }
  const loadQuic = async () =>
    ({ createQuicServer: () => new Unclosable(), connectQuic: () => assert.fail() }) as unknown as QuicPackage;
  const config = { ...(await withPorts(1)), certificateFiles: inUse, certificateReloadIntervalMs: 20 };
  const relay = await startTestRelay(config, { loadQuic });
  t.after(() => relay.stop());
  assert.deepEqual([opened, closed], [1, 0]);
  // The first renewal fails as the listener is closed, and the second opens another.
  for (const [index, { certFile, keyFile }] of next.entries()) {
    copyFileSync(keyFile, inUse.keyFile);
    copyFileSync(certFile, inUse.certFile);
    await until(() => opened + closed === 2 + index);
  }
  assert.deepEqual([opened, closed], [2, 1]);
});
