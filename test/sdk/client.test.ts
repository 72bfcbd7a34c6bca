import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import {
  AnswerError,
  ApiError,
  createPortalClient,
  type FailureCode,
  isApiError,
  NetworkError,
  type PortalClient,
  UsageError,
} from '../../src/sdk/index.js';
import { RelayTransport } from '../../src/sdk/transport/relay-transport.js';
import { expose } from '../../src/tunnel/index.js';
import { freshWallet } from '../support/by-hand.js';
import { freePort } from '../support/relay.js';
import { fail, hangUp, say, ScriptedRelay, succeed } from '../support/scripted-relay.js';

interface Bench {
  relay: ScriptedRelay;
  client: PortalClient;
}

async function bench(t: TestContext): Promise<Bench> {
  const relay = await ScriptedRelay.start(t);
  const transport = new RelayTransport({ ca: relay.ca });
  t.after(() => transport.close());
  return { relay, client: createPortalClient({ relay: relay.url, fetch: transport.fetch }) };
}

test('an error response is thrown with code, status and advice', async (t) => {
  const { relay, client } = await bench(t);
  relay.next('domain', fail('ip_banned')).next('domain', fail('rate_limited', { 'Retry-After': '7' }));
  await assert.rejects(client.getDomain(), { name: 'ApiError', code: 'ip_banned', status: 403, retry: 'never' });
  await assert.rejects(client.getDomain(), { code: 'rate_limited', retry: 'after_delay', retryAfterSeconds: 7 });
});

test('Retry-After may be a date', async (t) => {
  const { relay, client } = await bench(t);
  const inAMinute = new Date(Date.now() + 60_000).toUTCString();
  relay.next('domain', fail('rate_limited', { 'Retry-After': inAMinute }));
  const error = await client.getDomain().catch((thrown: ApiError) => thrown);
  assert.ok(error instanceof ApiError);
  assert.ok(error.retryAfterSeconds! >= 58 && error.retryAfterSeconds! <= 61, `${error.retryAfterSeconds}`);
});

test('control characters in relay messages are replaced', async (t) => {
  const { relay, client } = await bench(t);
  const message = `\u001b[2Jgone\u202e${'x'.repeat(1000)}`;
  relay.next('domain', say(403, JSON.stringify({ ok: false, error: { code: 'ip_banned', message } })));
  const error = await client.getDomain().catch((thrown: Error) => thrown);
  assert.match((error as Error).message, /^\?\[2Jgone\?x+$/);
  assert.ok((error as Error).message.length <= 300);
});

const outside: [string, Parameters<ScriptedRelay['next']>[1], number | undefined][] = [
  ['a page of HTML', say(502, '<h1>Bad gateway</h1>'), 502],
  ['a page of HTML with status 200', say(200, '<h1>Welcome</h1>'), undefined],
  ['an empty answer', say(200, ''), 200],
  ['null', say(200, 'null'), 200],
  ['JSON that breaks off', say(200, '{"ok":true,"data":{'), undefined],
  ['a success without data', say(200, '{"ok":true}'), 200],
  ['a code that is not of the catalogue', say(400, '{"ok":false,"error":{"code":"toString","message":""}}'), 400],
  ['a redirect', say(307, '', { Location: 'https://other.example.com/sdk/domain' }), 307],
  ['an answer that does not end', endless, 200],
  ['a field of the wrong type', succeed(200, { root_host: 5, transports: [] }), undefined],
  ['a host name that is none', succeed(200, { root_host: 'a\u001b[2J', transports: [] }), undefined],
];

for (const [what, answer, status] of outside) {
  test(`${what} is outside the contract`, async (t) => {
    const { relay, client } = await bench(t);
    relay.next('domain', answer);
    await assert.rejects(client.getDomain(), (error: Error) => {
      assert.ok(error instanceof AnswerError, String(error));
      assert.equal(error.status, status);
      return true;
    });
    assert.equal(relay.calls.length, 1);
  });
}

test('a token that would break a header line is refused', async (t) => {
  const { relay, client } = await bench(t);
  const expires_at = new Date(Date.now() + 30_000).toISOString();
  relay.next('renew', succeed(200, { access_token: 'a\r\nX-Other: b', expires_at }));
  await assert.rejects(client.renewLease('token'), AnswerError);
});

test('broken and refused connections are network errors with a cause', async (t) => {
  const { relay, client } = await bench(t);
  relay.next('domain', hangUp);
  await assert.rejects(client.getDomain(), { name: 'NetworkError', reason: 'unreachable' });

  const nobody = createPortalClient({
    relay: `https://portal.localhost:${await freePort()}`,
    fetch: new RelayTransport().fetch,
  });
  const error = await nobody.getDomain().catch((thrown: Error) => thrown);
  assert.ok(error instanceof NetworkError && error.cause instanceof Error);
  assert.match(error.message, /ECONNREFUSED/);
});

test('a truncated body is a network error', async (t) => {
  const { relay, client } = await bench(t);
  relay.next('domain', (_call, response) => {
    response.writeHead(200, { 'Content-Length': 1000 });
    response.write('{"ok":true,');
    response.write('"data":{}}', () => response.destroy());
  });
  await assert.rejects(client.getDomain(), { name: 'NetworkError' });
});

test('a late response is a timeout error, and an abort has the reason of the caller', async (t) => {
  const { relay, client } = await bench(t);
  const silent = () => {};
  relay.next('domain', silent).next('domain', silent);
  await assert.rejects(client.getDomain({ timeoutMs: 50 }), { name: 'NetworkError', reason: 'timeout' });
  const reason = new Error('enough');
  await assert.rejects(client.getDomain({ signal: AbortSignal.abort(reason) }), reason);
  const controller = new AbortController();
  const pending = client.getDomain({ signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(pending, reason);
});

test('a timeout works even if fetch ignores its signal', async () => {
  const client = createPortalClient({ relay: 'portal.example.com', fetch: () => new Promise(() => {}) });
  await assert.rejects(client.getDomain({ timeoutMs: 20 }), { name: 'NetworkError', reason: 'timeout' });
});

test('the certificate must match the name and come from a trusted authority', async (t) => {
  const { relay } = await bench(t);
  const strangers = new RelayTransport();
  t.after(() => strangers.close());
  const distrustful = createPortalClient({ relay: relay.url, fetch: strangers.fetch });
  await assert.rejects(distrustful.getDomain(), { name: 'NetworkError', reason: 'certificate' });

  const transport = new RelayTransport({ ca: relay.ca });
  t.after(() => transport.close());
  const misnamed = createPortalClient({ relay: relay.url.replace('portal', 'other'), fetch: transport.fetch });
  await assert.rejects(misnamed.getDomain(), { name: 'NetworkError', reason: 'certificate' });
  assert.equal(relay.calls.length, 0);
});

test('the token is sent in its header, and every operation of the contract can be called', async (t) => {
  const { relay, client } = await bench(t);
  await client.unregisterLease('the-token');
  assert.deepEqual(relay.calls, [{ operation: 'unregister', token: 'the-token', body: {} }]);
  const { data } = await client.http.GET('/sdk/domain');
  assert.equal(data?.ok && data.data.root_host, 'portal.localhost');
});

test('lease expiry follows the clock of the relay, whatever the local clock', async (t) => {
  const { relay, client } = await bench(t);
  const anHourOff = Date.now() + 3_600_000;
  relay.next('renew', (_call, response) => {
    response.setHeader('Date', new Date(anHourOff).toUTCString());
    const data = { access_token: 'token', expires_at: new Date(anHourOff + 30_000).toISOString() };
    response.end(JSON.stringify({ ok: true, data }));
  });
  const { lifetimeMs } = await client.renewLease('token');
  assert.ok(lifetimeMs > 28_000 && lifetimeMs <= 31_000, `${lifetimeMs}`);
});

test('a relay URL is https:// and an authority, and nothing else', () => {
  assert.equal(createPortalClient({ relay: 'portal.example.com' }).relay.href, 'https://portal.example.com/');
  for (const relay of [
    'http://a.example',
    'http://127.0.0.1.example',
    'http://portal.localhost',
    'https://a.example/x',
    'https://u:p@a.example',
    'https://a.example?x',
    'ftp://a',
    '',
    '://',
  ]) {
    assert.throws(() => createPortalClient({ relay }), UsageError, relay);
  }
});

test('the client accepts plain HTTP for a mock on this machine, a tunnel never does', async () => {
  for (const relay of ['http://127.0.0.1:4010', 'http://[::1]:4010', 'http://localhost:4010']) {
    assert.equal(createPortalClient({ relay }).relay.origin, relay);
    const { error } = await expose({ target: 1, relay, identity: freshWallet() }).closed;
    assert.ok(error instanceof UsageError);
  }
});

test('send resolves to the envelope of any operation, narrowed by ok, with retry advice', async (t) => {
  const { relay, client } = await bench(t);
  relay.next('renew', fail('rate_limited', { 'Retry-After': '7' })).next('renew', fail('hostname_conflict'));
  const domain = await client.send('getDomain');
  assert.ok(domain.ok);
  assert.equal(domain.status, 200);
  assert.equal(domain.data.root_host satisfies string, 'portal.localhost');

  const hurried = await client.send('renewLease', { accessToken: 'token', body: { ttl: 30 } });
  assert.ok(!hurried.ok);
  assert.equal(hurried.error.code satisfies FailureCode<'renewLease'>, 'rate_limited');
  assert.deepEqual([hurried.status, hurried.retry, hurried.retryAfterSeconds], [429, 'after_delay', 7]);
  const superseded = await client.send('renewLease', { accessToken: 'token', body: {} });
  assert.deepEqual(superseded.ok ? 'ok' : [superseded.error.code, superseded.retry], ['hostname_conflict', 'never']);

  // Compiles only as long as the contract's types reach the caller.
  const neverCalled = () => [
    // @ts-expect-error: the query is required
    client.send('getTunnelStatus', { accessToken: 'token' }),
    // @ts-expect-error: so is the body
    client.send('registerLease'),
    // @ts-expect-error: its answer is no envelope
    client.send('openReverseSession'),
  ];
  assert.equal(neverCalled.length, 0);
});

test('send throws if there is no envelope', async (t) => {
  const { relay, client } = await bench(t);
  relay.next('domain', say(502, '<h1>Bad gateway</h1>')).next('domain', hangUp).next('domain', say(200, '[]'));
  await assert.rejects(client.send('getDomain'), { name: 'AnswerError', status: 502 });
  await assert.rejects(client.send('getDomain'), { name: 'NetworkError' });
  await assert.rejects(client.send('getDomain'), { name: 'AnswerError', status: 200 });
});

test('thrown errors have codes, and the envelope as cause', async (t) => {
  const { relay, client } = await bench(t);
  relay.next('renew', fail('lease_not_found'));
  const error: unknown = await client.renewLease('token').catch((thrown: unknown) => thrown);
  assert.ok(isApiError(error, 'lease_not_found', 'unauthorized'));
  assert.equal(error.code satisfies 'lease_not_found' | 'unauthorized', 'lease_not_found');
  assert.equal(error.retry, 'reauthenticate');
  assert.equal((error.cause as { error: { code: string } }).error.code, 'lease_not_found');
  assert.ok(isApiError(error));
  assert.ok(!isApiError(error, 'rate_limited'));
  assert.ok(!isApiError(new Error('lease_not_found'), 'lease_not_found'));
});

/** Sends more than any answer may have, for as long as it is read. */
function endless(_call: unknown, response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  };
  response.on('drain', more);
  more();
}
