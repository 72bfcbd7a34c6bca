import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { ExposeOptions } from '../../src/tunnel/index.js';
import { certificateFiles } from '../support/certificates.js';
import { EarlierRelay } from '../support/earlier-relay.js';
import { startPortal } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { startTestRelay } from '../support/relay.js';
import { ScriptedRelay } from '../support/scripted-relay.js';
import {
  openTunnel,
  startHttpService,
  startTcpService,
  startTunnel,
  statusWhere,
  temporaryDirectory,
} from '../support/tunnel.js';
import { until } from '../support/until.js';

const curl = promisify(execFile);

/** What curl gets, with the relay's certificate trusted. */
async function visit(t: TestContext, { ca }: EarlierRelay, url: string): Promise<Buffer> {
  const file = join(temporaryDirectory(t), 'ca.pem');
  writeFileSync(file, ca);
  const { hostname, port } = new URL(url);
  const args = ['-sS', '--fail', '--max-time', '20', '--cacert', file];
  args.push('--resolve', `${hostname}:${port}:127.0.0.1`, url);
  return (await curl('curl', args, { encoding: 'buffer', maxBuffer: 64e6 })).stdout as unknown as Buffer;
}

for (const kind of ['ec', 'rsa'] as const) {
  test(`a relay of an earlier release serves visitors, with a key of the kind ${kind}`, async (t) => {
    const relay = await EarlierRelay.start(t, kind);
    const bytes = randomBytes(2_000_000);
    const service = await startHttpService(t, (_request, response) => response.end(bytes));
    const { url, tunnel, statuses } = await openTunnel(t, relay, service.port);
    const hash = (data: Buffer) => createHash('sha256').update(data).digest('hex');
    const answers = await Promise.all(Array.from({ length: 20 }, () => visit(t, relay, url)));
    for (const answer of answers) assert.equal(hash(answer), hash(bytes));
    assert.ok(relay.counts.sign >= 20);
    // Only what such a relay knows is sent, and each session serves one visitor.
    assert.ok(relay.heads.every((head) => !/binding|recycle|upgrade|proxy/i.test(head)));
    assert.ok(relay.counts.connect >= 20);
    // What is weaker is said, in the log and of the place.
    const said = /another tenant could pass for this name/;
    assert.match(statuses.find(({ state }) => state === 'compat')?.message ?? '', said);
    assert.match(tunnel.places[0]?.compat ?? '', said);
    await tunnel.close();
    assert.equal(relay.counts.unregister, 1);
  });
}

test('its TCP ports are served, and visitors that end one direction', async (t) => {
  const relay = await EarlierRelay.start(t);
  const service = await startTcpService(t, (socket) => socket.pipe(socket));
  const { url } = await openTunnel(t, relay, undefined, { tcp: service.port });
  assert.equal(url, `tcp://portal.localhost:${relay.tcpPort}`);
  const visitor = connect({ port: relay.tcpPort, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => visitor.destroy());
  visitor.end('to and fro');
  let text = '';
  visitor.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(visitor, 'end');
  assert.equal(text, 'to and fro');
});

test('`portal expose` says with the URL what is weaker', async (t) => {
  const relay = await EarlierRelay.start(t);
  const dir = temporaryDirectory(t);
  writeFileSync(join(dir, 'ca.pem'), relay.ca);
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const common = ['--relay', relay.url, '--ca', join(dir, 'ca.pem'), '--identity', join(dir, 'identity.json')];
  const json = startPortal(t, ['expose', String(service.port), ...common, '--json', '--raw']);
  const line = await printed(json, /^.*"url".*\n/m);
  assert.match((JSON.parse(line) as { compat: string }).compat, /earlier release/);
});

test('a relay of this release is used by its own ways, also one that signs digests', async (t) => {
  const relay = await startTestRelay({ digestSigning: true });
  t.after(() => relay.stop());
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const { tunnel, statuses } = await openTunnel(t, relay, service.port);
  assert.equal(tunnel.places[0]?.compat, undefined);
  assert.ok(!statuses.some(({ state }) => state === 'compat'));
});

test('what it does not have is refused by name, before anything is signed', async (t) => {
  const relay = await EarlierRelay.start(t);
  const cases: [Partial<ExposeOptions>, RegExp][] = [
    [{ group: 'workers' }, /no groups/],
    [{ ownCertificate: true }, /no domains and certificates/],
    [{ udp: 5353 }, /no carrier of datagrams/],
    [{ tcp: 3000, tcpPort: 25_565 }, /no choice of a TCP port/],
    [{ sessionWait: 5 }, /no choice of how long/],
  ];
  for (const [options, expected] of cases) {
    const { tunnel } = startTunnel(t, relay, 3000, { certificateFolder: temporaryDirectory(t), ...options });
    await assert.rejects(tunnel.ready(), { code: 'feature_unavailable', message: expected });
  }
  assert.equal(relay.counts.challenge, 0);
});

test('only its own statement is signed, and by a relay of this release none', async (t) => {
  const relay = await EarlierRelay.start(t);
  relay.statement = 'Transfer everything';
  const { tunnel } = startTunnel(t, relay, 3000);
  await assert.rejects(tunnel.ready(), { name: 'SigningRefusedError', message: /a statement/ });
  assert.equal(relay.counts.register, 0);

  const current = await ScriptedRelay.start(t);
  current.siwe = { statement: 'Register a portal lease' };
  await assert.rejects(startTunnel(t, current, 3000).tunnel.ready(), { name: 'SigningRefusedError' });
  assert.equal(current.count('register'), 0);
});

test('a relay of a later protocol, or with a certificate for its own name alone, is named as such', async (t) => {
  const relay = await EarlierRelay.start(t);
  for (const version of ['10', '"\u001b[2J', undefined]) {
    relay.domain = { protocol_version: version, release_version: 'v9' };
    await assert.rejects(startTunnel(t, relay, 3000).tunnel.ready(), {
      name: 'AnswerError',
      // eslint-disable-next-line no-control-regex
      message: /^[^\u001b]*speaks protocol/,
    });
  }
  const narrow = await EarlierRelay.start(t);
  const certificate = await certificateFiles('portal.localhost', 'ec', ['portal.localhost']);
  t.after(() => certificate.remove());
  narrow.replace(certificate);
  const { tunnel } = startTunnel(t, { url: narrow.url, ca: certificate.certPem }, 3000);
  await assert.rejects(tunnel.ready(), { name: 'AnswerError', message: /not for names under it/ });
});

test('a certificate that is replaced reaches visitors after one failed handshake', async (t) => {
  const relay = await EarlierRelay.start(t);
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const certificate = await certificateFiles('portal.localhost');
  t.after(() => certificate.remove());
  const { url } = await openTunnel(t, { url: relay.url, ca: relay.ca + certificate.certPem }, service.port);
  assert.equal((await visit(t, relay, url)).toString(), 'here');
  relay.replace(certificate);
  await assert.rejects(visit(t, relay, url));
  const renewed = { ...relay, ca: certificate.certPem } as unknown as EarlierRelay;
  const answer = await until(() => visit(t, renewed, url).catch(() => undefined), { deadlineMs: 15_000 });
  assert.equal(answer.toString(), 'here');
});

test('hostile answers to the GET of a session end that attempt alone', async (t) => {
  const relay = await EarlierRelay.start(t);
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const answers = [
    '',
    'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'HTTP/1.0 200 OK\r\n\r\n\0',
    'HTTP/1.1 200',
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    'HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'HTTP/1.1 503 Busy\r\nContent-Length: 999999\r\n\r\n{}',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\x07what is this',
  ];
  relay.connectAnswers.push(...answers);
  const { url, tunnel } = await openTunnel(t, relay, service.port);
  assert.equal((await visit(t, relay, url)).toString(), 'here');
  assert.equal(tunnel.places.length, 1);
  // A lease that is gone is registered anew.
  const gone = '{"ok":false,"error":{"code":"lease_not_found","message":"gone"}}';
  relay.connectAnswers.push(`HTTP/1.1 404 Not Found\r\nContent-Length: ${gone.length}\r\n\r\n${gone}`);
  const lost = statusWhere(tunnel, ({ state }) => state === 'lease_lost');
  await visit(t, relay, url).catch(() => undefined);
  await lost;
  await until(() => relay.counts.register === 2);
  await until(async () => (await visit(t, relay, url).catch(() => '')).toString() === 'here');
});
