import assert from 'node:assert/strict';
import { once } from 'node:events';
import { webcrypto } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import * as x509 from '@peculiar/x509';
import type { AgentNotice } from '../../src/agent/contract.js';
import { Outage } from '../../src/agent/notices/outage.js';
import { NoticeOutlets } from '../../src/agent/notices/outlets.js';
import { startAgent } from '../support/agent.js';
import { startInterceptedRelay } from '../support/interceptor.js';
import { freePort, relayFor, sharedRelay } from '../support/relay.js';
import { get, listening, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

// What people should know is told once.

const relay = sharedRelay();
const notice: AgentNotice = {
  time: '2026-03-01T12:00:00.000Z',
  kind: 'service_failed',
  service: 'shop',
  message: 'shop "does" $(not) answer',
};

test('a service that does not answer is told once, and once that it is back', async (t) => {
  const port = await freePort();
  const { agent } = await startAgent(t, relay, `[services.down]\ntarget = "http://127.0.0.1:${port}"\n`);
  await agent.start();
  const all = () => agent.notices.all;
  // A start may take longer than the patience: that is told, and its end.
  await until(() => agent.tunnel('down').state === 'running' && all().length % 2 === 0);
  const before = all().length;
  const kinds = () =>
    all()
      .slice(before)
      .map(({ kind, service }) => `${kind} ${service}`);
  for (let count = 3; count > 0; count--) assert.equal((await get(relay, 'down.portal.localhost')).status, 503);
  await until(() => kinds().length === 1);
  assert.match(all()[before]!.message, /^down: 127\.0\.0\.1:\d+ does not answer/);
  const server = createServer((_request, response) => response.end('back')).listen(port, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  assert.equal((await get(relay, 'down.portal.localhost')).body, 'back');
  await until(() => kinds().length === 2);
  assert.deepEqual(kinds(), ['service_failed down', 'service_recovered down']);
  assert.equal(agent.tunnel('down').last_error, undefined);
});

test('a service that is refused is told at once, and one that somebody stopped is no failure', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  // Nobody leases a name that is reserved.
  const tables = `[services.www]\ntarget = ${service.port}\n[services.fine]\ntarget = ${service.port}\n`;
  const { agent } = await startAgent(t, relay, tables, { noticePatienceMs: 3_600_000 });
  await agent.start();
  await until(() => agent.notices.all.length === 1);
  assert.match(agent.notices.all[0]!.message, /^www: has ended: /);
  assert.equal(agent.tunnel('www').state, 'error');
  await agent.set('www', { disabled: true });
  await agent.set('fine', { disabled: true });
  await until(() => agent.tunnel('fine').state === 'stopped');
  assert.equal(agent.notices.all.filter(({ kind }) => kind === 'service_failed').length, 1);
});

test('a certificate that is near its end is told once', async (t) => {
  const folder = temporaryDirectory(t);
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const day = 86_400_000;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=portal.localhost',
    notBefore: new Date(Date.now() - 85 * day),
    notAfter: new Date(Date.now() + 5 * day),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'portal.localhost' },
        { type: 'dns', value: '*.portal.localhost' },
      ]),
    ],
  });
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  writeFileSync(certFile, certificate.toString('pem'));
  writeFileSync(keyFile, `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`);
  const old = await relayFor(t, { certificateFiles: { certFile, keyFile } });
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const tables = `[services.one]\ntarget = ${service.port}\n`;
  const { agent } = await startAgent(t, old, tables, { noticePatienceMs: 3_600_000 });
  await agent.start();
  await until(() => agent.notices.all.length === 1);
  const [{ kind, message }] = agent.notices.all as [AgentNotice];
  assert.equal(kind, 'certificate_expiring');
  assert.match(message, /^one: its certificate ends on \d{4}-\d\d-\d\d$/);
  await agent.restart('one');
  await until(() => agent.tunnel('one').certificate_expires_at !== undefined);
  assert.equal(agent.notices.all.length, 1);
});

test('a relay that intercepts is left, which is told once', async (t) => {
  const { relay: dishonest } = await startInterceptedRelay(t);
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const tables = `[services.spied]\ntarget = ${service.port}\nprobe = true\nban_mitm = true\n`;
  const { agent } = await startAgent(t, dishonest, tables, { noticePatienceMs: 3_600_000 });
  await agent.start();
  await until(() => agent.tunnel('spied').state === 'running');
  await get(dishonest, 'spied.portal.localhost');
  await until(() => agent.tunnel('spied').state === 'error', { deadlineMs: 50_000 });
  const kinds = () => agent.notices.all.map(({ kind }) => kind).sort();
  await until(() => kinds().length === 2);
  assert.deepEqual(kinds(), ['relay_left', 'service_failed']);
});

test('trouble that goes within the patience is not told, and what comes and goes is told as one', async () => {
  const told: (string | undefined)[] = [];
  const outage = new Outage((reason) => told.push(reason), 20);
  outage.set('away');
  outage.set(undefined);
  outage.set('away');
  outage.set('still away');
  await until(() => told.length === 1);
  outage.set(undefined);
  outage.set('away again');
  outage.set(undefined);
  await until(() => told.length === 2);
  outage.set('for good', true);
  // Somebody has stopped the service.
  outage.reset();
  outage.set(undefined, true);
  outage.set('again', true);
  outage.stop();
  outage.set(undefined, true);
  assert.deepEqual(told, ['still away', undefined, 'for good', 'again']);
});

/** Outlets, and what they say did not get there. */
function startOutlets(t: TestContext) {
  const faults: string[] = [];
  const outlets = new NoticeOutlets((outlet, reason) => faults.push(`${outlet}: ${reason}`));
  t.after(() => outlets.stop());
  return { outlets, faults };
}

test('a command gets the notice in its environment and as a line of JSON, and its words are no shell’s', async (t) => {
  const { outlets, faults } = startOutlets(t);
  const folder = temporaryDirectory(t);
  const script = join(folder, 'notify');
  writeFileSync(
    script,
    '#!/bin/sh\n{ echo "$PORTAL_NOTICE_KIND|$PORTAL_NOTICE_SERVICE|$PORTAL_NOTICE_MESSAGE|$1"; cat; } > "$2.new"\nmv "$2.new" "$2"\n',
  );
  chmodSync(script, 0o700);
  const made = join(folder, 'made');
  outlets.use({ notifyCommand: [script, '$(id)', made], notifyWebhook: undefined });
  outlets.send(notice);
  await until(() => existsSync(made));
  const [line, body] = readFileSync(made, 'utf8').split('\n');
  assert.equal(line, 'service_failed|shop|shop "does" $(not) answer|$(id)');
  assert.deepEqual(JSON.parse(body!), notice);
  for (const [command, expected] of [
    [['/nowhere/notify'], /^command: .*ENOENT/],
    [['false'], /^command: it ended with code 1/],
  ] as const) {
    faults.length = 0;
    outlets.use({ notifyCommand: [...command], notifyWebhook: undefined });
    outlets.send(notice);
    await until(() => faults.length === 1);
    assert.match(faults[0]!, expected);
  }
});

test('a webhook gets the notice, is asked again when it is out of order, and not when it refuses', async (t) => {
  const { outlets, faults } = startOutlets(t);
  const seen: unknown[] = [];
  const statuses = [500, 200, 403];
  const server = createServer((request: IncomingMessage, response) => {
    void json(request).then((body) => {
      seen.push(body);
      response.writeHead(statuses.shift()!).end();
    });
  });
  const { port } = await listening(t, server, 0);
  const url = `http://127.0.0.1:${port}/hook`;
  outlets.use({ notifyCommand: undefined, notifyWebhook: url });
  outlets.send(notice);
  outlets.send({ ...notice, service: 'other' });
  await until(() => faults.length === 1);
  assert.deepEqual(faults, ['webhook: it answers 403']);
  assert.deepEqual(seen, [notice, notice, { ...notice, service: 'other' }]);
});

test('a webhook that never answers holds up no more than a hundred notices, and no end', async (t) => {
  const { outlets, faults } = startOutlets(t);
  let connections = 0;
  const silent = createTcpServer(() => connections++);
  const { port } = await listening(t, silent, 0);
  outlets.use({ notifyCommand: undefined, notifyWebhook: `http://127.0.0.1:${port}/` });
  for (let count = 0; count < 1_000; count++) outlets.send(notice);
  await until(() => connections === 1);
  outlets.stop();
  assert.deepEqual(faults, []);
});
