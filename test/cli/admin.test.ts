import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Wallet } from 'ethers';
import { rateOf } from '../../src/cli/admin/admin-commands.js';
import { snapshotText } from '../../src/cli/admin/admin-output.js';
import type { Snapshot } from '../../src/sdk/index.js';
import { call, freshWallet, register } from '../support/by-hand.js';
import { runProgram } from '../support/programs.js';
import { freePort, startTestRelay, type TestRelay, sharedRelay } from '../support/relay.js';
import { get, openTunnel, startHttpService, statusWhere, temporaryDirectory } from '../support/tunnel.js';

const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const wallet = freshWallet();

const relay = sharedRelay({ adminWallets: [wallet.address] });

interface Operator {
  /** Where the session is kept. */
  sessionFile: string;
  keyFile: string;
  /** `portal admin ...` to its end. */
  admin(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** A person at a shell, with a home of their own. */
function operator(t: TestContext, key: Wallet = wallet): Operator {
  const home = temporaryDirectory(t);
  const keyFile = join(home, 'wallet.json');
  writeFileSync(keyFile, JSON.stringify({ address: key.address, private_key: key.privateKey }), { mode: 0o600 });
  return {
    keyFile,
    sessionFile: join(home, 'portal', 'admin-session.json'),
    async admin(...args) {
      const env = { HOME: home, XDG_CONFIG_HOME: home, PORTAL_RELAY: '' };
      const { code, stdout, stderr } = await runProgram(process.execPath, [program, 'admin', ...args], { env });
      return { code, stdout: stdout.toString(), stderr };
    },
  };
}

async function signedIn(t: TestContext, at: TestRelay = relay): Promise<Operator> {
  const someone = operator(t);
  const { code, stderr } = await someone.admin(
    'login',
    ...['--relay', at.url, '--ca', at.caFile, '--key-file', someone.keyFile],
  );
  assert.equal(code, 0, stderr);
  return someone;
}

test('an admin session is stored with mode 0600, is used by later commands, and ends with logout', async (t) => {
  const { admin, sessionFile } = await signedIn(t);
  assert.equal(statSync(sessionFile).mode & 0o777, 0o600);
  const kept = JSON.parse(readFileSync(sessionFile, 'utf8'));
  assert.equal(kept.relay, relay.url);
  assert.ok(!readFileSync(sessionFile, 'utf8').includes(wallet.privateKey.slice(2)));

  const status = await admin('status');
  assert.equal(status.code, 0);
  assert.match(status.stdout, new RegExp(`^signed in to ${relay.url} as ${wallet.address} until \\d{4}-`));
  assert.ok(!status.stdout.includes(kept.session));
  assert.deepEqual(JSON.parse((await admin('status', '--json')).stdout), {
    relay: relay.url,
    wallet_address: wallet.address,
    expires_at: kept.expires_at,
  });

  const copy = readFileSync(sessionFile);
  assert.equal((await admin('logout')).code, 0);
  assert.equal(existsSync(sessionFile), false);
  assert.equal((await admin('status')).code, 3);
  // the relay has forgotten it as well
  writeFileSync(sessionFile, copy, { mode: 0o600 });
  const ended = await admin('snapshot');
  assert.deepEqual([ended.code, ended.stdout], [3, '']);
  assert.match(ended.stderr, /has ended: portal admin login\n$/);
  assert.equal((await admin('logout')).code, 0, 'what has ended there can still be forgotten here');
});

test('a link signs a browser in, once, and keeps no session here', async (t) => {
  const { admin, sessionFile, keyFile } = operator(t);
  const login = ['login', '--browser', '--relay', relay.url, '--ca', relay.caFile, '--key-file', keyFile];
  const { code, stdout } = await admin(...login, '--json');
  assert.equal(code, 0);
  const { link, expires_at } = JSON.parse(stdout) as { link: string; expires_at: string };
  assert.ok(Date.parse(expires_at) > Date.now());
  assert.equal(existsSync(sessionFile), false);
  const { origin, pathname, hash } = new URL(link);
  assert.deepEqual([origin, pathname], [relay.url, '/admin']);
  const body: unknown = JSON.parse(Buffer.from(hash.slice('#sign-in='.length), 'base64url').toString());
  const first = await call(relay, 'POST', '/admin/auth/login', { body });
  assert.deepEqual([first.status, first.body.data], [200, { wallet_address: wallet.address }]);
  assert.equal((await call(relay, 'POST', '/admin/auth/login', { body })).status, 401);
  const text = await admin(...login);
  assert.match(text.stdout, /^Open this link .+ once, until \d{4}-.+\n\nhttps:\/\/\S+\/admin#sign-in=\S+\n$/);
  const refused = await admin('status', '--browser');
  assert.deepEqual([refused.code, refused.stderr], [2, 'portal admin: --browser cannot be used with status\n']);
});

test('a ban stops the service, an unban restores it, and the snapshot shows both', async (t) => {
  const { admin } = await signedIn(t);
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const key = freshWallet();
  const metadata = { owner: 'ana', description: 'paper \u202e\u001b[31m& ink' };
  const { tunnel, hostname } = await openTunnel(t, relay, service.port, {
    name: 'banned-shop',
    identity: key,
    metadata,
    probe: false,
  });
  assert.equal((await get(relay, hostname)).body, 'here');
  const table = await admin('snapshot');
  assert.equal(table.code, 0);
  assert.match(table.stdout, new RegExp(`banned-shop {2}${key.address} {2}ready .* ana +paper \\?\\?\\[31m& ink\n`));

  const rejected = statusWhere(tunnel, ({ error }) => error !== undefined);
  const banned = await admin('ban', 'banned-shop', key.address);
  assert.deepEqual([banned.code, banned.stdout], [0, `banned banned-shop of ${key.address}\n`]);
  await assert.rejects(get(relay, hostname));
  await Promise.race([rejected, tunnel.closed]);
  const { leases, identities } = JSON.parse((await admin('snapshot', '--json')).stdout) as Snapshot;
  assert.ok(leases.every(({ name, is_banned }) => name !== 'banned-shop' || is_banned));
  assert.ok(identities.some(({ name, is_banned }) => name === 'banned-shop' && is_banned));
  assert.match((await admin('snapshot')).stdout, /Decisions\n[^]*banned-shop +0x\w+ +banned/);

  assert.equal((await admin('unban', 'banned-shop', key.address)).code, 0);
  const back = await openTunnel(t, relay, service.port, { name: 'banned-shop', identity: key, probe: false });
  assert.equal((await get(relay, back.hostname)).body, 'here');
});

test('every admin operation of the contract has a command', async (t) => {
  const own = await startTestRelay({ adminWallets: [wallet.address] });
  t.after(() => own.stop());
  const { admin } = await signedIn(t, own);
  const lease = await register(own, { name: 'shop', ttl: 600 });
  const who = ['shop', lease.wallet.address];
  const data = async (...args: string[]) => {
    const { code, stdout, stderr } = await admin(...args, '--json');
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    assert.equal(stdout.split('\n').length, 2);
    return JSON.parse(stdout) as unknown;
  };
  const now = async () => (await data('snapshot')) as Snapshot;
  const identity = async () => (await now()).identities.find(({ name }) => name === 'shop');

  assert.deepEqual(await data('landing-page', 'on'), { enabled: true });
  assert.deepEqual(await data('udp', 'on', '--max-leases', '5'), { enabled: true, max_leases: 5 });
  assert.deepEqual(await data('udp', 'off'), { enabled: false, max_leases: 5 });
  assert.deepEqual(await data('tcp-port', 'on', '--max-leases', '0'), { enabled: true, max_leases: 0 });
  assert.deepEqual(await data('approval-mode', 'manual'), { approval_mode: 'manual' });
  const { approval_mode, landing_page_enabled, udp, tcp_port } = await now();
  assert.deepEqual([approval_mode, landing_page_enabled], ['manual', true]);
  assert.deepEqual(
    [udp, tcp_port],
    [
      { enabled: false, max_leases: 5 },
      { enabled: true, max_leases: 0 },
    ],
  );

  assert.match((await admin('snapshot')).stdout, /shop +0x\w+ +to approve/);
  await data('approve', ...who);
  assert.equal((await identity())?.is_approved, true);
  await data('unapprove', ...who);
  assert.equal(await identity(), undefined);
  await data('deny', ...who);
  assert.equal((await identity())?.is_denied, true);
  await data('undeny', ...who);
  assert.equal(await identity(), undefined);
  assert.deepEqual(await data('bps', 'set', ...who, '2.5M'), { bps: 2_500_000 });
  assert.equal((await identity())?.bps, 2_500_000);
  await data('bps', 'clear', ...who);
  assert.equal(await identity(), undefined);
  await data('ip', 'ban', '::ffff:203.0.113.9');
  assert.deepEqual((await now()).banned_ips, ['203.0.113.9']);
  await data('ip', 'unban', '203.0.113.9');
  assert.deepEqual((await now()).banned_ips, []);
});

test('a usage error is one line and exit code 2, without a request to the relay', async (t) => {
  const { admin, keyFile, sessionFile } = await signedIn(t);
  const { address } = wallet;
  const openKey = join(temporaryDirectory(t), 'open.json');
  writeFileSync(openKey, readFileSync(keyFile));
  chmodSync(openKey, 0o644);
  const login = ['login', '--relay', relay.url];
  const cases: [string[], RegExp][] = [
    [[], /give a command/],
    [['frobnicate'], /no such command: "frobnicate"/],
    [['bps', 'double', 'shop', address, '1'], /no such command: "bps double"/],
    [['toString'], /no such command/],
    [['ban', 'shop'], /portal admin ban NAME ADDRESS/],
    [['ban', 'shop', address, 'more'], /portal admin ban NAME ADDRESS/],
    [['ban', 'a b', address], /not a name/],
    [['ban', 'shop', '0x12'], /not an Ethereum address/],
    [['landing-page', 'maybe'], /on or off/],
    [['approval-mode', 'off'], /auto or manual/],
    [['udp', 'on', '--max-leases', '-1'], /./],
    [['udp', 'on', '--max-leases', '70000'], /0 to 65535/],
    [['ban', 'shop', address, '--max-leases', '1'], /cannot be used with ban/],
    [['bps', 'set', 'shop', address, '1.5'], /whole number of bytes/],
    [['status', 'now'], /"now"/],
    [['--nonsense', 'status'], /nonsense/],
    [['login', '--key-file', keyFile], /--relay URL/],
    [login, /--key-file FILE/],
    [[...login, '--key-file', '/nowhere.json'], /\/nowhere\.json: ENOENT/],
    [[...login, '--key-file', openKey], /chmod 600/],
    [[...login, '--key-file', keyFile, '--ca', keyFile], /no PEM certificate/],
    [['login', '--relay', 'http://x', '--key-file', keyFile], /begins with https/],
  ];
  await Promise.all(
    cases.map(async ([args, message]) => {
      const { code, stdout, stderr } = await admin(...args);
      assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, message);
      assert.match(stderr, /^portal admin: .+\n$/);
    }),
  );
  assert.equal(existsSync('/nowhere.json'), false);
  chmodSync(sessionFile, 0o644);
  const open = await admin('status');
  assert.equal(open.code, 2);
  assert.match(open.stderr, /chmod 600/);
});

test('exit codes and JSON distinguish refused, not signed in and relay unreachable', async (t) => {
  const { admin } = await signedIn(t);
  const refused = await admin('ip', 'ban', 'localhost', '--json');
  assert.deepEqual([refused.code, refused.stdout], [1, '']);
  assert.equal(JSON.parse(refused.stderr).error.code, 'invalid_ip');

  const stranger = operator(t, freshWallet());
  const login = ['login', '--relay', relay.url, '--key-file', stranger.keyFile];
  const unknown = await stranger.admin(...login, '--ca', relay.caFile);
  assert.equal(unknown.code, 1, 'no admin wallet');
  assert.equal(existsSync(stranger.sessionFile), false);
  const distrusted = await stranger.admin(...login, '--json');
  assert.equal(distrusted.code, 4);
  assert.equal(JSON.parse(distrusted.stderr).error.code, 'certificate');
  const nobody = `https://portal.localhost:${await freePort()}`;
  assert.equal((await stranger.admin('login', '--relay', nobody, '--key-file', stranger.keyFile)).code, 4);
  assert.equal((await stranger.admin('snapshot')).code, 3);
  assert.equal((await admin('status', '--relay', nobody)).code, 3, 'a session is for its relay');

  const plain = await startTestRelay();
  t.after(() => plain.stop());
  const off = await stranger.admin('login', '--relay', plain.url, '--ca', plain.caFile, '--key-file', stranger.keyFile);
  assert.equal(off.code, 1);
  assert.match(off.stderr, /no admin wallets/);
});

test('help names every command', async (t) => {
  const { admin } = operator(t);
  const { code, stdout, stderr } = await admin('--help');
  assert.deepEqual([code, stderr], [0, '']);
  for (const command of [
    'login',
    'snapshot',
    'tcp-port on|off',
    'bps set NAME ADDRESS RATE',
    'ip unban IP',
    'Exit code',
  ])
    assert.ok(stdout.includes(command), command);
});

test('rates are printed with units', () => {
  assert.deepEqual(
    ['1', '500k', '2.5M', '1G', '0.001k', '1.005k'].map(rateOf),
    [1, 500_000, 2_500_000, 1_000_000_000, 1, 1_005],
  );
  for (const wrong of ['', '0', '-1', '1m', '1 M', '1e6', '0x10', '1.0001k', '9007199254740993', '1MB'])
    assert.throws(() => rateOf(wrong), /bytes per second/, wrong);
});

test('a narrow terminal hides columns from the right, but never name and address', () => {
  const { address } = wallet;
  const time = new Date(0).toISOString();
  const lease = {
    identity_key: `shop:${address.toLowerCase()}`,
    name: 'shop',
    address,
    hostname: 'shop.portal.localhost',
    expires_at: time,
    first_seen_at: time,
    last_seen_at: time,
    client_ip: '203.0.113.7',
    metadata: { description: 'd'.repeat(280) },
    ready: 3,
    is_approved: true,
    is_banned: false,
    is_denied: false,
    is_ip_banned: true,
  };
  const ports = { enabled: false, max_leases: 0 };
  const snapshot: Snapshot = {
    approval_mode: 'auto',
    landing_page_enabled: true,
    leases: [lease],
    udp: ports,
    tcp_port: ports,
    identities: [],
    banned_ips: [],
  };
  const narrow = snapshotText(snapshot, 90_000, 80);
  assert.ok(
    narrow.split('\n').every((line) => line.length <= 80),
    narrow,
  );
  assert.match(narrow, new RegExp(`shop {2}${address} {2}IP banned`));
  assert.doesNotMatch(narrow, /DESCRIPTION/);
  assert.match(snapshotText(snapshot, 90_000), /203\.0\.113\.7 +90 s ago +d{64}\n/);
});
