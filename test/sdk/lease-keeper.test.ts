import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { ApiError, createPortalClient } from '../../src/sdk/index.js';
import { LeaseKeeper, type Registration } from '../../src/sdk/lease/lease-keeper.js';
import { RelayTransport } from '../../src/sdk/transport/relay-transport.js';
import { freshWallet } from '../support/by-hand.js';
import { fail, hangUp, say, ScriptedRelay, succeed } from '../support/scripted-relay.js';

interface Bench {
  relay: ScriptedRelay;
  keeper: LeaseKeeper;
  /** Starts it; resolves when it has ended by itself or by `stop`. */
  run(): Promise<void>;
  stop(): void;
}

async function bench(t: TestContext, name = 'kept'): Promise<Bench> {
  const relay = await ScriptedRelay.start(t);
  const transport = new RelayTransport({ ca: relay.ca });
  const client = createPortalClient({ relay: relay.url, fetch: transport.fetch });
  const keeper = new LeaseKeeper({ client, identity: freshWallet(), name });
  const leaving = new AbortController();
  let running: Promise<void> | undefined;
  t.after(async () => {
    leaving.abort();
    await running?.catch(() => undefined);
    await transport.close();
  });
  return {
    relay,
    keeper,
    run: () => (running = keeper.run(leaving.signal)),
    stop: () => leaving.abort(),
  };
}

test('a lease is renewed in time, each time with the latest token', async (t) => {
  const { relay, keeper, run, stop } = await bench(t);
  relay.ttl = 1;
  const over = run();
  const [registration] = (await once(keeper, 'registered')) as [Registration];
  assert.equal(registration.hostname, 'kept.portal.localhost');
  assert.equal(registration.url, 'https://kept.portal.localhost');
  for (let renewal = 0; renewal < 3; renewal++) await once(keeper, 'renewed');
  stop();
  await over;
  await keeper.unregister();
  const tokens = relay.calls
    .filter(({ token }) => token !== undefined)
    .map(({ operation, token }) => `${operation} ${token}`);
  assert.deepEqual(tokens, ['renew token-1', 'renew token-2', 'renew token-3', 'unregister token-4']);
  assert.equal(relay.count('register'), 1);
});

test('a lease is renewed in time although the system clock is set back', async (t) => {
  const { relay, keeper, run } = await bench(t);
  relay.ttl = 1;
  void run();
  await once(keeper, 'registered');
  // The relay's clock goes with it: what it grants lives as long as before.
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
  for (let renewal = 0; renewal < 2; renewal++) await once(keeper, 'renewed');
});

test('a lease that is not found is registered again', async (t) => {
  const { relay, keeper, run } = await bench(t);
  relay.ttl = 1;
  relay.next('renew', fail('lease_not_found'));
  void run();
  const [first] = (await once(keeper, 'registered')) as [Registration];
  const [lost] = (await once(keeper, 'lost')) as [Registration, Error];
  assert.equal(lost, first);
  await once(keeper, 'registered');
  assert.equal(relay.count('register'), 2);
});

test('a refused token is replaced once; a second refusal is fatal', async (t) => {
  const { relay, run } = await bench(t);
  relay.ttl = 1;
  relay.next('renew', fail('unauthorized')).next('renew', fail('unauthorized'));
  await assert.rejects(run(), { code: 'unauthorized' });
  assert.equal(relay.count('register'), 2);
});

test('an accepted token resets the count of refusals', async (t) => {
  const { relay, keeper, run } = await bench(t);
  relay.ttl = 1;
  relay.next('renew', fail('unauthorized'));
  void run();
  await once(keeper, 'registered');
  await once(keeper, 'registered');
  await once(keeper, 'renewed');
  relay.next('renew', fail('unauthorized'));
  await once(keeper, 'registered');
  assert.equal(relay.count('register'), 3);
});

for (const code of ['hostname_conflict', 'lease_rejected', 'ip_banned', 'invalid_request'] as const) {
  test(`${code} at a renewal is fatal`, async (t) => {
    const { relay, run } = await bench(t);
    relay.ttl = 1;
    relay.next('renew', fail(code));
    await assert.rejects(run(), { code });
    assert.equal(relay.count('register'), 1);
  });
}

for (const code of [
  'hostname_conflict',
  'lease_rejected',
  'ip_banned',
  'invalid_request',
  'feature_unavailable',
] as const) {
  test(`${code} at registration is fatal`, async (t) => {
    const { relay, run } = await bench(t);
    relay.next('challenge', fail(code));
    await assert.rejects(run(), { code });
    assert.equal(relay.count('challenge'), 1);
  });
}

test('registration waits for a reserved name', async (t) => {
  const { relay, keeper, run } = await bench(t);
  relay.next('challenge', fail('hostname_conflict', { 'Retry-After': '1' }));
  void run();
  const [call, error, delayMs] = await once(keeper, 'waiting');
  assert.equal(call, 'register');
  assert.equal(error.code, 'hostname_conflict');
  assert.ok(delayMs >= 1000);
  await once(keeper, 'registered');
});

test('registration waits as long as Retry-After says', async (t) => {
  const { relay, keeper, run } = await bench(t);
  relay.next('register', fail('rate_limited', { 'Retry-After': '40' }));
  void run();
  const [, , delayMs] = await once(keeper, 'waiting');
  assert.ok(delayMs >= 40_000 && delayMs <= 60_000, `${delayMs}`);
});

test('an unreachable or failing relay is retried with exponential backoff', async (t) => {
  const { relay, keeper, run } = await bench(t);
  relay.next('challenge', hangUp).next('challenge', say(502, 'bad gateway')).next('register', hangUp);
  const delays: number[] = [];
  keeper.on('waiting', (_call, _error, delayMs) => delays.push(delayMs));
  void run();
  await once(keeper, 'registered');
  assert.equal(delays.length, 3);
  for (const [index, delay] of delays.entries()) assert.ok(delay <= 250 * 2 ** index, `${delay}`);
});

test('a failed renewal is retried with the same token, and the lease is kept', async (t) => {
  const { relay, keeper, run } = await bench(t);
  relay.ttl = 2;
  relay.next('renew', hangUp).next('renew', say(503, 'busy'));
  let lost = false;
  keeper.on('lost', () => (lost = true));
  void run();
  await once(keeper, 'renewed');
  const tokens = relay.calls.filter(({ operation }) => operation === 'renew').map(({ token }) => token);
  assert.deepEqual(tokens, ['token-1', 'token-1', 'token-1']);
  assert.equal(lost, false);
});

test('a server that is not a relay is not retried', async (t) => {
  const { relay, run } = await bench(t);
  relay.next('challenge', say(404, '<h1>Not found</h1>'));
  await assert.rejects(run(), { name: 'AnswerError', status: 404 });
});

test('a relay that grants another name than requested is refused', async (t) => {
  const { relay, run } = await bench(t);
  const expires_at = new Date(Date.now() + 30_000).toISOString();
  const identity = { name: 'kept', address: freshWallet().address };
  relay.next('register', succeed(201, { identity, hostname: 'bank.example.com', expires_at, access_token: 't' }));
  await assert.rejects(run(), { name: 'AnswerError', message: /bank\.example\.com/ });
});

test('a refusal reported by a session counts, unless it is about an earlier registration', async (t) => {
  const { relay, keeper, run } = await bench(t);
  const over = run();
  const [first] = (await once(keeper, 'registered')) as [Registration];
  keeper.refused(first, 'connect', new ApiError('lease_not_found'));
  const [second] = (await once(keeper, 'registered')) as [Registration];
  assert.notEqual(second, first);
  // Late news of the first: it was replaced by this very keeper.
  keeper.refused(first, 'connect', new ApiError('hostname_conflict'));
  keeper.refused(second, 'sign', new ApiError('ip_banned'));
  await assert.rejects(over, { code: 'ip_banned' });
  assert.equal(relay.count('register'), 2);
});

test('tokens that are granted and refused repeatedly are requested with exponential backoff', async (t) => {
  const { relay, keeper, run } = await bench(t);
  const delays: number[] = [];
  keeper.on('waiting', (_call, _error, delayMs) => delays.push(delayMs));
  keeper.on('registered', (registration) => {
    keeper.refused(registration, 'connect', new ApiError('lease_not_found'));
  });
  const waited = once(keeper, 'waiting');
  void run();
  await waited;
  // The first replacement came at once, the second has to wait.
  assert.equal(relay.count('register'), 2);
  assert.equal(delays.length, 1);
});
