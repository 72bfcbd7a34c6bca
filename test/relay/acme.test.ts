import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { ChallengeDns } from '../../src/relay/certs/acme/challenge-dns.js';
import { OrderedCertificate } from '../../src/relay/certs/acme/ordered-certificate.js';
import type { Certificate } from '../../src/relay/certs/certificate.js';
import { createLogger } from '../../src/util/logger.js';
import { startDns } from '../support/dns.js';
import { startPebble, type TestCa, withRenewalInfo } from '../support/pebble.js';
import { startPortal, startServer } from '../support/processes.js';
import { runProgram } from '../support/programs.js';
import { freePort } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import { temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

const rootHost = 'portal.example.test';
const zone = `_acme-challenge.${rootHost}`;

async function startChallengeDns(t: TestContext): Promise<ChallengeDns> {
  const dns = new ChallengeDns({ zone, rootHost, host: '127.0.0.1', port: 0 });
  await dns.start();
  t.after(() => dns.stop());
  return dns;
}

async function dig({ port }: ChallengeDns, ...question: string[]): Promise<string> {
  const args = ['@127.0.0.1', '-p', String(port), '+norecurse', '+tries=1', '+time=2', ...question];
  const { stdout } = await runProgram(await requireTool('dig'), args);
  return stdout.toString();
}

test('dig gets the records of the challenge, over UDP and TCP, and nothing of any other name', async (t) => {
  const dns = await startChallengeDns(t);
  assert.match(await dig(dns, zone, 'TXT'), /status: NOERROR.*flags: qr aa;.*ANSWER: 0, AUTHORITY: 1/s);
  await dns.add(zone, 'first');
  await dns.add(zone, 'second');
  for (const how of ['+notcp', '+tcp', '+noedns', '+qr']) {
    const answer = await dig(dns, zone, 'TXT', how);
    assert.match(answer, /status: NOERROR/, how);
    assert.match(answer, /TXT\s+"first"\n.*TXT\s+"second"/, how);
  }
  // The case of the question comes back as it came (0x20), which resolvers hold answers against.
  assert.match(await dig(dns, zone.toUpperCase(), 'TXT'), /_ACME-CHALLENGE\.PORTAL\.EXAMPLE\.TEST\.\s+1\s+IN\s+TXT/);
  assert.match(await dig(dns, zone, 'SOA'), new RegExp(`SOA\\s+${rootHost}\\. hostmaster\\.${rootHost}\\.`));
  assert.match(await dig(dns, zone, 'NS'), new RegExp(`NS\\s+${rootHost}\\.`));
  assert.match(await dig(dns, zone, 'A'), /status: NOERROR.*ANSWER: 0, AUTHORITY: 1/s);
  assert.match(await dig(dns, `below.${zone}`, 'TXT'), /status: NXDOMAIN/);
  for (const other of [rootHost, 'example.com', `x${zone}`, '.'])
    assert.match(await dig(dns, other, 'TXT'), /status: REFUSED.*ANSWER: 0, AUTHORITY: 0/s, other);
  assert.match(await dig(dns, zone, 'TXT', '-c', 'CH'), /status: REFUSED/);
  await dns.remove(zone, 'first');
  assert.doesNotMatch(await dig(dns, zone, 'TXT'), /"first"/);
});

test('an answer that is too long for UDP comes over TCP, and an update is not implemented', async (t) => {
  const dns = await startChallengeDns(t);
  for (let index = 0; index < 8; index++) await dns.add(zone, `${index}`.repeat(200));
  assert.match(await dig(dns, zone, 'TXT', '+ignore'), /flags: qr aa tc;.*ANSWER: 0/s);
  assert.equal((await dig(dns, zone, 'TXT')).match(/\sTXT\s+"/g)?.length, 8);
  const update = ['server 127.0.0.1 ' + dns.port, `zone ${zone}`, `update add ${zone} 60 TXT "forged"`, 'send', ''];
  const file = join(temporaryDirectory(t), 'update');
  writeFileSync(file, update.join('\n'));
  const { code, stderr } = await runProgram(await requireTool('nsupdate'), [file]);
  assert.notEqual(code, 0);
  assert.match(stderr, /NOTIMP/);
});

test('junk, responses, slow and greedy connections neither end the name server nor hold it', async (t) => {
  const dns = await startChallengeDns(t);
  await dns.add(zone, 'value');
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  const send = (bytes: Buffer) => socket.send(bytes, dns.port, '127.0.0.1');
  for (const length of [0, 1, 11, 12, 13, 600, 9_000]) send(Buffer.alloc(length, 0x41));
  send(Buffer.concat([Buffer.from([0, 1, 0x80, 0]), Buffer.alloc(20)]));
  const half = connectTcp(dns.port, '127.0.0.1');
  half.write(Buffer.from([0]));
  const long = connectTcp(dns.port, '127.0.0.1');
  long.on('error', () => undefined);
  long.write(Buffer.from([0xff, 0xff, 1, 2, 3]));
  await once(long, 'close');
  // So many of one address, and no more.
  const many = Array.from({ length: 20 }, () => connectTcp(dns.port, '127.0.0.1').on('error', () => undefined));
  const closed = many.map(async (each) => await once(each, 'close'));
  await Promise.race(closed);
  for (const each of [...many, half]) each.destroy();
  assert.match(await dig(dns, zone, 'TXT', '+tcp'), /"value"/);
  assert.match(await dig(dns, zone, 'TXT'), /"value"/);
  // A flood from one address, which may be forged: its owner is led to TCP, and answered there.
  const query = Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 16, 0, 1])]);
  await until(async () => {
    for (let index = 0; index < 400; index++) send(query);
    return /flags: qr tc;|flags: qr aa tc;/.test(await dig(dns, zone, 'TXT', '+ignore'));
  });
  assert.match(await dig(dns, zone, 'TXT'), /"value"/);
});

test('a query that says to have thousands of records is refused by its header, without reading them', async (t) => {
  const dns = await startChallengeDns(t);
  const formatError = 1;
  for (const at of [4, 6, 8, 10]) {
    const query = Buffer.alloc(600);
    query.writeUInt16BE(7, 0);
    query.writeUInt16BE(1, 4);
    query.writeUInt16BE(0xffff, at);
    const answer = dns.answer(query)!;
    // The header alone: id, a response, and the code.
    assert.deepEqual([answer.length, answer.readUInt16BE(0), answer.readUInt16BE(2)], [12, 7, 0x8000 | formatError]);
  }
});

interface Ordering {
  ca: TestCa;
  /** Flags of the relay. */
  flags: string[];
  stateDir: string;
  port: number;
}

function orderingFrom(t: TestContext, ca: TestCa, port: number, more: string[]): Ordering {
  const stateDir = temporaryDirectory(t);
  const flags = [
    ...['--portal-url', `https://${rootHost}:${port}`, '--state-dir', stateDir, '--host', '127.0.0.1'],
    ...['--sni-port', String(port), '--api-port', '0'],
    ...['--acme', '--acme-directory', ca.directory, '--acme-ca', ca.apiCaFile, ...more],
  ];
  return { ca, flags, stateDir, port };
}

/** Its log so far, once it has something in it. */
async function logged(child: ChildProcess, what: string): Promise<string> {
  let log = '';
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
  return await until(() => (log.includes(what) ? log : undefined));
}

async function handshake({ port, ca }: Ordering, servername: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca: ca.root });
  await once(socket, 'secureConnect');
  return socket;
}

const certificateFile = (stateDir: string) => {
  const folder = join(stateDir, 'acme');
  return join(folder, readdirSync(folder)[0]!, `${rootHost}.pem`);
};

test('a relay orders its certificate by a delegated challenge, and a restart uses it again', async (t) => {
  const [port, dnsPort] = [await freePort(), await freePort()];
  const ca = await startPebble(t, { dns: { address: `127.0.0.1:${dnsPort}` }, tlsPort: port });
  const ordering = orderingFrom(t, ca, port, ['--acme-dns-port', String(dnsPort), '--acme-email', 'ops@example.test']);
  const first = startPortal(t, ['relay', ...ordering.flags]);
  const log = await logged(first, 'relay started');
  assert.match(log, new RegExp(`ordering a certificate for ${rootHost}, \\*\\.${rootHost} from localhost:`));
  const socket = await handshake(ordering, rootHost);
  const { subjectaltname } = socket.getPeerCertificate();
  assert.equal(subjectaltname, `DNS:${rootHost}, DNS:*.${rootHost}`);
  socket.destroy();
  const curl = await runProgram(await requireTool('curl'), [
    ...['--silent', '--cacert', await written(t, ca.root), '--resolve', `${rootHost}:${port}:127.0.0.1`],
    `https://${rootHost}:${port}/healthz`,
  ]);
  assert.equal((JSON.parse(curl.stdout.toString()) as { ok: boolean }).ok, true);
  const file = certificateFile(ordering.stateDir);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!log.includes(readFileSync(file, 'utf8').split('\n')[1]!), 'the key is not in the log');
  first.kill('SIGTERM');
  await once(first, 'exit');
  // The CA is gone, as far as this one knows.
  const offline = ordering.flags.map((flag) => (flag === ca.apiCaFile ? file : flag));
  const again = startPortal(t, ['relay', ...offline]);
  assert.doesNotMatch(await logged(again, 'relay started'), /ordering/);
  (await handshake(ordering, rootHost)).destroy();
});

test('where the first CA gives no certificate another does, and a restart uses that one', async (t) => {
  const [port, dnsPort, nobody] = [await freePort(), await freePort(), await freePort()];
  const ca = await startPebble(t, { dns: { address: `127.0.0.1:${dnsPort}` }, tlsPort: port });
  const first = `https://localhost:${nobody}/dir`;
  const ordering = orderingFrom(t, ca, port, ['--acme-dns-port', String(dnsPort), '--acme-fallback', ca.directory]);
  const flags = ordering.flags.map((flag, at, all) => (all[at - 1] === '--acme-directory' ? first : flag));
  const relay = startPortal(t, ['relay', ...flags]);
  const log = await logged(relay, 'relay started');
  assert.match(log, new RegExp(`localhost:${nobody} gives no certificate: .*; asking ${new URL(ca.directory).host}`));
  (await handshake(ordering, rootHost)).destroy();
  relay.kill('SIGTERM');
  await once(relay, 'exit');
  const again = startPortal(t, ['relay', ...flags]);
  assert.doesNotMatch(await logged(again, 'relay started'), /ordering|gives no certificate/);
  (await handshake(ordering, rootHost)).destroy();
});

async function written(t: TestContext, pem: string): Promise<string> {
  const path = join(temporaryDirectory(t), 'root.pem');
  writeFileSync(path, pem);
  return path;
}

/** A name server for a zone, which takes updates that are signed by a key (RFC 2136, RFC 8945). */
async function startKnot(t: TestContext): Promise<{ port: number; keyFile: string }> {
  const folder = temporaryDirectory(t);
  const [port, key] = [await freePort(), Buffer.alloc(32, 7).toString('base64')];
  writeFileSync(
    join(folder, 'example.test.zone'),
    '@ 60 SOA ns.example.test. hostmaster.example.test. 1 60 60 600 1\n@ 60 NS ns.example.test.\nns 60 A 127.0.0.1\n',
  );
  const config = `
server:
  rundir: ${folder}
  listen: 127.0.0.1@${port}
database:
  storage: ${folder}
key:
  - id: relay
    algorithm: hmac-sha256
    secret: ${key}
acl:
  - id: relay
    key: relay
    action: update
    update-owner: name
    update-owner-match: equal
    update-owner-name: [_acme-challenge.portal]
zone:
  - domain: example.test
    storage: ${folder}
    file: example.test.zone
    zonefile-load: whole
    zonefile-sync: -1
    acl: relay
`;
  writeFileSync(join(folder, 'knot.conf'), config);
  await startServer(t, await requireTool('knotd'), ['-c', join(folder, 'knot.conf')], 'server started');
  const keyFile = join(folder, 'relay.key');
  writeFileSync(keyFile, `key "relay" { algorithm hmac-sha256; secret "${key}"; };\n`, { mode: 0o600 });
  return { port, keyFile };
}

/** The example of docs/operations.md. */
function nsupdateHook(t: TestContext, nsupdate: string, server: string, keyFile: string): string {
  const guide = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const script = /^ *#!\/bin\/sh\n *# \/usr\/local\/bin\/portal-dns[\s\S]+?(?=^ *```)/m
    .exec(guide)?.[0]
    .replace(/^ +/gm, '');
  assert.ok(script, 'docs/operations.md has the hook');
  const path = join(temporaryDirectory(t), 'portal-dns');
  const adapted = script
    .replace('nsupdate -k', `${nsupdate} -k`)
    .replace('/etc/portal/dns.key', keyFile)
    .replace('server ns1.example.com', server);
  assert.ok(adapted.includes(server) && adapted.includes(keyFile) && adapted.includes(`${nsupdate} -k`), adapted);
  writeFileSync(path, adapted);
  chmodSync(path, 0o755);
  return path;
}

test('a hook sets the records by nsupdate in a zone of Knot DNS, and takes them away again', async (t) => {
  const knot = await startKnot(t);
  const hook = nsupdateHook(t, await requireTool('nsupdate'), `server 127.0.0.1 ${knot.port}`, knot.keyFile);
  const port = await freePort();
  const ca = await startPebble(t, { dns: { address: `127.0.0.1:${knot.port}` }, tlsPort: port });
  const ordering = orderingFrom(t, ca, port, ['--acme-dns-hook', hook, '--acme-dns-wait', '0']);
  await logged(startPortal(t, ['relay', ...ordering.flags]), 'relay started');
  (await handshake(ordering, rootHost)).destroy();
  const args = ['@127.0.0.1', '-p', String(knot.port), '+short', zone, 'TXT'];
  assert.equal((await runProgram(await requireTool('dig'), args)).stdout.toString(), '');
});

test('without a certificate the relay does not start: it says why, tries again, and ends at once when it is told to', async (t) => {
  const dns = await startDns(t);
  const ca = await startPebble(t, { dns, tlsPort: 1 });
  const hook = join(temporaryDirectory(t), 'hook');
  writeFileSync(
    hook,
    '#!/bin/sh\necho "$1 $2" >> "$0.calls"\n[ "$1" = remove ] || { echo "no \u001b[31mkey" >&2; exit 3; }\n',
  );
  chmodSync(hook, 0o755);
  const port = await freePort();
  const relay = startPortal(t, ['relay', ...orderingFrom(t, ca, port, ['--acme-dns-hook', hook]).flags]);
  const log = await logged(relay, 'no certificate for');
  assert.match(log, /the DNS hook could not add the record: no .*key; trying again in 2 min/);
  assert.ok(!log.includes('\u001b'));
  assert.equal(readFileSync(`${hook}.calls`, 'utf8'), `add ${zone}\nremove ${zone}\n`);
  const refused = once(connectTcp(port, '127.0.0.1'), 'error');
  assert.equal(((await refused)[0] as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  relay.kill('SIGTERM');
  assert.deepEqual(await once(relay, 'exit'), [0, null]);
});

test('a port for DNS that is taken ends the start with what to do', async (t) => {
  const dns = await startChallengeDns(t);
  const ca = { directory: 'https://ca.example/dir', apiCaFile: '' } as TestCa;
  const { flags } = orderingFrom(t, ca, await freePort(), ['--acme-dns-port', String(dns.port)]);
  const relay = startPortal(t, ['relay', ...flags.filter((flag) => !['--acme-ca', ''].includes(flag))]);
  const log = await logged(relay, 'cannot be used');
  assert.match(
    log,
    new RegExp(`^portal relay: port ${dns.port} for DNS cannot be used \\(EADDRINUSE\\): free it`, 'm'),
  );
  assert.deepEqual(await once(relay, 'exit'), [1, null]);
});

test('the certificate is renewed when the CA suggests it, and takes the place of the former', async (t) => {
  const dnsPort = await freePort();
  const ca = await startPebble(t, { dns: { address: `127.0.0.1:${dnsPort}` }, tlsPort: 1 });
  const hourMs = 3_600_000;
  const { asked, directory } = await withRenewalInfo(t, ca, ({ length }) =>
    length === 1 ? [-2 * hourMs, -hourMs] : [hourMs, 2 * hourMs],
  );
  const settings = { directory, ca: ca.apiCa, dns: { port: dnsPort }, times: { leastRenewalMs: 0 } };
  const options = { settings, rootHost, stateDir: temporaryDirectory(t), host: '127.0.0.1' };
  const ordered = new OrderedCertificate({ ...options, logger: createLogger('silent') });
  t.after(() => ordered.stop());
  const renewed: Certificate[] = [];
  const first = await ordered.start(new AbortController().signal);
  ordered.onChange((certificate) => renewed.push(certificate));
  await until(() => asked.length === 2);
  assert.equal(renewed.length, 1);
  assert.notEqual(renewed[0]!.leaf.serialNumber, first.leaf.serialNumber);
  assert.notEqual(asked[0], asked[1]);
});

test('settings of ACME that do not go together are refused with what to do', async (t) => {
  const base = ['relay', '--portal-url', `https://${rootHost}`, '--state-dir', temporaryDirectory(t)];
  const eabKey = await written(t, 'c2VjcmV0');
  for (const [flags, expected] of [
    [['--acme-email', 'a@b.test'], /--acme-email \(ACME_EMAIL\): is for certificates that are ordered: --acme/],
    [['--acme', '--acme-email', 'nobody'], /--acme \(ACME\): not an email address: "nobody"/],
    [['--acme', '--acme-directory', 'http://ca.test/'], /not the https URL of an ACME directory/],
    [['--acme', '--acme-eab-kid', 'x'], /--acme-eab-key \(ACME_EAB_KEY\): key id and key .* together/],
    [
      ['--acme-fallback', 'https://ca.test/'],
      /--acme-fallback \(ACME_FALLBACK\): is for certificates that are ordered/,
    ],
    [['--acme', '--acme-fallback', 'ca.test'], /--acme-fallback .*: not the https URL of an ACME directory: "ca.test"/],
    [
      ['--acme', '--acme-fallback-eab-kid', 'x', '--acme-fallback-eab-key', eabKey],
      /--acme-fallback-eab-kid .*: is for another CA: --acme-fallback/,
    ],
    [['--acme', '--acme-dns-hook', '/nowhere'], /--acme-dns-hook .*\/nowhere is not a file/],
    [['--acme', '--cert-file', '/etc/hosts', '--key-file', '/etc/hosts'], /--acme \(ACME\): orders a certificate/],
    [[], /--cert-file .* or have it ordered by --acme/],
  ] as const) {
    const child = startPortal(t, [...base, ...flags]);
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    assert.deepEqual(await once(child, 'exit'), [2, null], flags.join(' '));
    assert.match(said, expected);
  }
});
