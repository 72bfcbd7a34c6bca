import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { certificateFiles } from '../support/certificates.js';
import { portalMain, startRelayProcess } from '../support/processes.js';
import { runProgram } from '../support/programs.js';
import { startRedis } from '../support/redis.js';
import { freePort } from '../support/relay.js';
import { listening, temporaryDirectory } from '../support/tunnel.js';

interface Checked {
  code: number | null;
  stdout: string;
  stderr: string;
  /** What is told, by what it is about. */
  told: Map<string, { level: string; message: string }>;
  settings: Map<string, { value: string; from: string }>;
}

async function check(flags: string[], env: Record<string, string> = {}): Promise<Checked> {
  const { code, stdout, stderr } = await runProgram(
    process.execPath,
    [portalMain, 'relay', 'check', '--json', ...flags],
    {
      env,
    },
  );
  const lines = stdout
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, string>);
  return {
    code,
    stdout: stdout.toString(),
    stderr,
    told: new Map(
      lines
        .filter(({ about }) => about !== undefined)
        .map(({ about, level, message }) => [about!, { level: level!, message: message! }]),
    ),
    settings: new Map(
      lines
        .filter(({ setting }) => setting !== undefined)
        .map(({ setting, value, from }) => [setting!, { value: value!, from: from! }]),
    ),
  };
}

const local = (t: TestContext, port: number) => [
  ...['--portal-url', `https://portal.localhost:${port}`, '--sni-port', String(port), '--host', '127.0.0.1'],
  ...['--api-port', '0', '--state-dir', temporaryDirectory(t)],
];

test('settings are printed with where each comes from, and nothing is left behind', async (t) => {
  const [port, folder] = [await freePort(), temporaryDirectory(t)];
  const file = join(folder, 'relay.toml');
  writeFileSync(file, 'drain_timeout = 7\nmax_lease_ttl = 60\n');
  const state = temporaryDirectory(t);
  const flags = [...local(t, port).slice(0, -1), state, '--config', file, '--max-lease-ttl', '120'];
  const { code, settings, told, stderr } = await check(flags, { APPROVAL_MODE: 'manual' });
  assert.equal(code, 0, stderr);
  assert.deepEqual(settings.get('drain-timeout'), { value: '7', from: file });
  assert.deepEqual(settings.get('max-lease-ttl')?.from, '--max-lease-ttl');
  assert.deepEqual(settings.get('approval-mode')?.from, 'APPROVAL_MODE');
  assert.deepEqual(settings.get('log-level')?.from, 'default');
  assert.equal(told.get(`TCP port ${port}`)?.level, 'ok');
  assert.match(told.get('certificate')!.message, /one for development/);
  assert.deepEqual(readdirSync(state), [], 'the state directory is untouched');
});

test('a relay that runs is asked by its public name, in place of its ports', async (t) => {
  const [port, state] = [await freePort(), temporaryDirectory(t)];
  await startRelayProcess(t, state, port);
  const flags = [...local(t, port).slice(0, -1), state];
  const { code, told, stdout } = await check(flags);
  assert.equal(code, 0, stdout);
  assert.match(told.get('state directory')!.message, /in use by a relay that runs/);
  assert.deepEqual(told.get(`https://portal.localhost:${port}`), {
    level: 'ok',
    message: 'is up, and reached by its public name',
  });
  assert.equal(told.has(`TCP port ${port}`), false);
  const text = await runProgram(process.execPath, [portalMain, 'relay', 'check', ...flags]);
  assert.match(text.stdout.toString(), /^SETTING +VALUE +FROM\nportal-url .*\n\n?ok {7}state directory: /ms);
});

test('what keeps a relay from working is a problem, with what to do', async (t) => {
  const taken = createServer();
  const { port } = await listening(t, taken, 0);
  const certificate = await certificateFiles('other.example');
  t.after(() => certificate.remove());
  const { code, told } = await check([
    ...['--portal-url', 'https://relay.invalid', '--sni-port', String(port), '--api-port', '0', '--host', '127.0.0.1'],
    ...['--cert-file', certificate.certFile, '--key-file', certificate.keyFile, '--state-dir', temporaryDirectory(t)],
    ...['--chromium', '/nowhere/chromium'],
  ]);
  assert.equal(code, 1);
  const problem = (about: string, message: RegExp) => {
    assert.equal(told.get(about)?.level, 'problem', about);
    assert.match(told.get(about)!.message, message);
  };
  problem(`TCP port ${port}`, /for visitors is taken by another program: stop it, or choose another \(--sni-port\)/);
  problem('certificate', /not valid for both relay\.invalid and \*\.relay\.invalid: give a chain for both names/);
  problem('relay.invalid', /no address in DNS: set an A or AAAA record of relay\.invalid/);
  problem('*.relay.invalid', /so no tenant is reached/);
  problem('pictures', /\/nowhere\/chromium does not run \(ENOENT\): install it/);
});

test('an address that the machine does not have, and a name server that nobody delegates to, are found', async (t) => {
  const { code, told } = await check([
    ...['--portal-url', 'https://relay.invalid', '--host', '192.0.2.77', '--state-dir', temporaryDirectory(t)],
    ...['--acme', '--acme-dns-port', String(await freePort())],
  ]);
  assert.equal(code, 1);
  assert.match(told.get('TCP port 443')!.message, /of an address that this machine does not have: look at --host/);
  const delegation = told.get('_acme-challenge.relay.invalid')!;
  assert.match(delegation.message, /set the record "_acme-challenge\.relay\.invalid\. NS relay\.invalid\."/);
  assert.match(told.get('certificate')!.message, /is ordered at the first start/);
});

test('settings that are not valid are refused as by the relay itself', async () => {
  const { code, stdout, stderr } = await check(['--portal-url', 'http://relay.example.com', '--sni-port', 'x']);
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(stderr, /^portal relay check: --portal-url .*\n(.*\n)*portal relay check: --sni-port/m);
});

test('the store of several nodes is looked at, and its password is not printed', async (t) => {
  const redis = await startRedis(t, ['--requirepass', 'not-for-everybody']);
  const certificate = await certificateFiles('portal.localhost');
  t.after(() => certificate.remove());
  const withStore = async (url: string) =>
    await check([
      ...local(t, await freePort()),
      ...['--cert-file', certificate.certFile, '--key-file', certificate.keyFile, '--node-address', '127.0.0.1:4019'],
      ...['--store', url],
    ]);
  const good = await withStore(`redis://:not-for-everybody@127.0.0.1:${redis.port}`);
  assert.match(good.told.get('store')!.message, /^Redis [0-9.]+ answers, with 0 nodes, which keeps nothing on disk/);
  assert.equal(good.stdout.includes('not-for-everybody'), false);
  assert.equal(good.settings.get('store')!.value, `redis://:***@127.0.0.1:${redis.port}`);
  const refused = await withStore(`redis://:wrong@127.0.0.1:${redis.port}`);
  assert.equal(refused.told.get('store')!.level, 'problem');
  assert.equal(refused.code, 1);
  const closed = await withStore(`redis://127.0.0.1:${await freePort()}`);
  assert.equal(closed.told.get('store')!.level, 'problem');
});
