import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { call, freshWallet, register } from '../support/by-hand.js';
import { type TestRelay, startTestRelay } from '../support/relay.js';
import { visit } from '../support/tenant.js';

let stateDir: string;
let relay: TestRelay;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'portal-restart-'));
  relay = await startTestRelay({ stateDir });
});
afterEach(async () => {
  mock.timers.reset();
  await relay.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

async function restart(downMs = 0): Promise<void> {
  await relay.stop();
  if (downMs > 0) mock.timers.enable({ apis: ['Date'], now: Date.now() + downMs });
  relay = await startTestRelay({ stateDir, sniPort: relay.publicPort });
}

const renew = async (token: string) => await call(relay, 'POST', '/sdk/renew', { body: {}, token });
const challenge = async (name: string, address = freshWallet().address) =>
  await call(relay, 'POST', '/sdk/register/challenge', { body: { identity: { name, address } } });

test('a start that fails because its port is in use leaves nothing running', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await assert.rejects(startTestRelay({ sniPort: relay.publicPort }), /EADDRINUSE/);
  assert.equal(timers(), before);
});

test('a lease that was valid at the last write renews after a restart, even with an expired token', async () => {
  const lease = await register(relay, { name: 'kept', ttl: 30 });
  await restart(120_000);
  assert.equal((await challenge('kept')).body.error.code, 'hostname_conflict');
  const answer = await renew(lease.token);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal((await renew(answer.body.data.access_token)).status, 200);
  assert.equal(
    (await renew(lease.token)).body.error.code,
    'lease_not_found',
    'renewed since: the expired token is just expired',
  );
});

test('how long visitors wait for a session survives a restart', { timeout: 8_000 }, async () => {
  const lease = await register(relay, { name: 'impatient', sessionWait: 0, ttl: 600 });
  await restart();
  await assert.rejects(once(visit(relay, lease.hostname), 'close'), /alert internal error/);
});

test('a lease survives two restarts in a row, with another lease renewed in between', async () => {
  const [lease, other] = [
    await register(relay, { name: 'kept', ttl: 30 }),
    await register(relay, { name: 'busy', ttl: 30 }),
  ];
  await restart(60_000);
  assert.equal((await renew(other.token)).status, 200);
  await restart();
  assert.equal((await renew(lease.token)).status, 200);
});

test('a lease not renewed after a restart expires after one fresh TTL, and its name is reserved for 5 minutes', async () => {
  const lease = await register(relay, { name: 'left', ttl: 5 });
  await restart();
  mock.timers.enable({ apis: ['Date'], now: Date.now() + 31_000 });
  assert.equal((await renew(lease.token)).body.error.code, 'lease_not_found');
  assert.equal((await challenge('left')).body.error.code, 'hostname_conflict');
  assert.equal((await challenge('left', lease.wallet.address)).status, 201);
  mock.timers.setTime(Date.now() + 301_000);
  assert.equal((await challenge('left')).status, 201);
});

test('a reservation survives a restart; an unregistered name and an open challenge do not', async () => {
  const expired = await register(relay, { name: 'expired', ttl: 1 });
  const freed = await register(relay, { name: 'freed' });
  await call(relay, 'POST', '/sdk/unregister', { body: {}, token: freed.token });
  const wallet = freshWallet();
  mock.timers.enable({ apis: ['Date'], now: Date.now() + 10_000 });
  const open = (await challenge('open', wallet.address)).body.data;
  await register(relay, { name: 'writes' });
  await relay.stop();
  relay = await startTestRelay({ stateDir, sniPort: relay.publicPort });
  assert.equal((await challenge('expired')).body.error.code, 'hostname_conflict');
  // It had ended before the restart, which does not bring it back.
  assert.equal((await renew(expired.token)).body.error.code, 'lease_not_found');
  assert.equal((await challenge('expired', expired.wallet.address)).status, 201);
  assert.equal((await renew(freed.token)).body.error.code, 'lease_not_found');
  assert.equal((await challenge('freed')).status, 201);
  const body = {
    challenge_id: open.challenge_id,
    siwe_message: open.siwe_message,
    siwe_signature: await wallet.signMessage(open.siwe_message),
  };
  assert.equal((await call(relay, 'POST', '/sdk/register', { body })).body.error.code, 'unauthorized');
  assert.equal((await register(relay, { name: 'open', wallet })).hostname, 'open.portal.localhost');
});

test('a challenge expires after two minutes', async () => {
  const wallet = freshWallet();
  const { challenge_id, siwe_message } = (await challenge('late', wallet.address)).body.data;
  mock.timers.enable({ apis: ['Date'], now: Date.now() + 121_000 });
  const body = { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
  assert.equal((await call(relay, 'POST', '/sdk/register', { body })).body.error.code, 'unauthorized');
});

test('the relay keeps its identity and its development CA in files with mode 0600', async () => {
  const { address } = relay.relay;
  const { ca } = relay;
  await restart();
  assert.equal(relay.relay.address, address);
  assert.equal(relay.ca, ca);
  for (const file of ['identity.json', 'portal.db', 'development-ca-key.pem', 'development-key.pem']) {
    assert.equal(statSync(join(stateDir, file)).mode & 0o777, 0o600, file);
  }
});
