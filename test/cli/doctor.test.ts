import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { type TestContext, test } from 'node:test';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadIdentityFile } from '../../src/sdk/identity/identity-file.js';
import { certificateFiles } from '../support/certificates.js';
import { startNginx } from '../support/nginx.js';
import { freePort, relayFor, sharedRelay, withPorts } from '../support/relay.js';
import { fail, ScriptedRelay } from '../support/scripted-relay.js';
import { listening, startHttpService, temporaryDirectory } from '../support/tunnel.js';

const relay = sharedRelay();
const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

interface Found {
  code: number;
  findings: { level: string; about: string; message: string }[];
}

async function doctor(t: TestContext, args: string[], env: Record<string, string> = {}): Promise<Found> {
  const home = temporaryDirectory(t);
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, 'doctor', '--json', ...args],
      { env: { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: home, ...env } },
      (error, stdout) => {
        const findings = stdout
          .trim()
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as Found['findings'][0]);
        resolve({ code: error ? Number(error.code) : 0, findings });
      },
    );
  });
}

const problems = ({ findings }: Found) =>
  findings.filter(({ level }) => level !== 'ok').map(({ about, message }) => `${about}: ${message}`);

/** An HTTPS server that is no relay, or one whose clock is off. */
async function otherServer(t: TestContext, answer: string, headers: Record<string, string> = {}) {
  const certificate = await certificateFiles('localhost');
  t.after(() => certificate.remove());
  const keys = { key: readFileSync(certificate.keyFile), cert: readFileSync(certificate.certFile) };
  const server = createServer(keys, (_request, response) => response.writeHead(200, headers).end(answer));
  const { port } = await listening(t, server, 0);
  return ['--relay', `https://localhost:${port}`, '--ca', certificate.certFile];
}

test('nothing is wrong where nothing is', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const found = await doctor(t, [String(service.port), '--relay', relay.url, '--ca', relay.caFile]);
  assert.deepEqual(problems(found), []);
  assert.equal(found.code, 0);
  const about = new URL(relay.url).host;
  const said = found.findings.filter((finding) => finding.about === about).map(({ message }) => message);
  assert.match(
    said.join(),
    /certificate is valid.*clock and the one here agree.*is a relay, version.*sessions get through/,
  );
});

test('a relay that is missing, unknown, untrusted or not there is told apart, with what to do', async (t) => {
  const port = await freePort();
  for (const [args, fault] of [
    [[], /^settings: no relay is given: use --relay/],
    [['--relay', relay.url], /certificate.*--ca FILE/],
    [['--relay', `https://localhost:${port}`], /nothing listens there/],
    [['--relay', 'https://no-such-host.invalid'], /cannot be resolved/],
  ] as const) {
    const found = await doctor(t, [...args]);
    assert.equal(found.code, 1);
    assert.match(problems(found).join('\n'), fault);
  }
});

test('a relay that has too many requests says nothing of the network', async (t) => {
  const busy = await ScriptedRelay.start(t);
  busy.next('connect', fail('rate_limited')).next('connect', fail('rate_limited'));
  const ca = join(temporaryDirectory(t), 'ca.pem');
  writeFileSync(ca, busy.ca);
  const said = problems(await doctor(t, ['--relay', busy.url, '--ca', ca])).join('\n');
  assert.match(said, /too many requests from here: look again in a minute/);
  assert.doesNotMatch(said, /no session gets through|as WebSockets only/);
});

test('a network that lets only WebSockets through, or no session at all, is told', async (t) => {
  const found = async (passes: 'websocket' | 'none') => {
    const port = await freePort();
    const behind = await relayFor(t, { portalUrl: new URL(`https://portal.localhost:${port}`) });
    await startNginx(t, { port, relay: behind, passes });
    return await doctor(t, ['--relay', behind.url, '--ca', behind.caFile]);
  };
  const [webSockets, none] = [await found('websocket'), await found('none')];
  assert.match(problems(webSockets).join(), /sessions get through as WebSockets only/);
  assert.equal(webSockets.code, 0);
  assert.match(problems(none).join(), /no session gets through/);
  assert.equal(none.code, 1);
});

test('for a UDP service it is told whether the relay has ports for it', async (t) => {
  const messages = async ({ url, caFile }: { url: string; caFile: string }) =>
    (await doctor(t, ['--udp', '53', '--relay', url, '--ca', caFile])).findings.map(({ message }) => message).join();
  assert.match(await messages(relay), /has no UDP ports/);
  assert.match(await messages(await relayFor(t, await withPorts(2))), /datagrams go over (?:WebSocket|QUIC)/);
});

test('a captive portal, another server and a clock that is off are recognised', async (t) => {
  const portal = await doctor(t, await otherServer(t, '<html>Welcome to our network</html>'));
  assert.match(problems(portal).join(), /no relay \(a web page answers: a captive portal/);
  const other = await doctor(t, await otherServer(t, '{"data":{}}'));
  assert.match(problems(other).join(), /no relay \(it answers 200\)/);
  const domain = JSON.stringify({ ok: true, data: { root_host: 'localhost', release_version: '1' } });
  const past = new Date(Date.now() - 3_600_000).toUTCString();
  const late = await doctor(t, await otherServer(t, domain, { Date: past }));
  assert.match(problems(late).join(), /the clock here is 3\d\d\d seconds ahead of its clock/);
});

test('a service that is down, and an identity that others can read, are problems', async (t) => {
  const found = await doctor(t, [
    String(await freePort()),
    '--relay',
    relay.url,
    '--ca',
    relay.caFile,
    '--identity',
    '/etc/hostname',
  ]);
  assert.equal(found.code, 1);
  assert.match(
    problems(found).join('\n'),
    /identity: [^]*service: localhost:\d+ cannot be reached \(ECONNREFUSED\): start it/,
  );
});

test('a domain that does not lead to the relay, or does not name the identity, is told, with the records to set', async (t) => {
  const identity = join(temporaryDirectory(t), 'identity.json');
  const { address } = await loadIdentityFile(identity);
  const args = ['--relay', relay.url, '--ca', relay.caFile, '--identity', identity];
  const found = problems(await doctor(t, [...args, '--domain', 'shop.example.invalid']));
  assert.deepEqual(found, [
    'shop.example.invalid: has no address in DNS: set a CNAME record of shop.example.invalid to portal.localhost',
    `shop.example.invalid: does not name the identity: set the TXT record _portal.shop.example.invalid to portal-identity=${address}`,
    `${new URL(relay.url).host}: takes no domains: its operator has them off`,
  ]);
});

test('wrong usage exits with 2', async (t) => {
  assert.equal((await doctor(t, ['--nonsense'])).code, 2);
});
