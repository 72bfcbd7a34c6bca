import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testedOperations } from './support/document.js';
import { startValidated, type ValidatedServer } from './support/validator.js';

/** What the server below answers with next. */
let answer: { status: number; body: unknown };
let server: ValidatedServer;

before(async () => {
  server = await startValidated((_request, response) => {
    response.status(answer.status).json(answer.body);
  });
});
after(() => server.stop());

async function call(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(server.url + path, {
    method: method.toUpperCase(),
    headers: {
      'X-Portal-Access-Token': 'token',
      Cookie: 'portal_admin=session',
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('a valid response passes, with error absent or null', async () => {
  for (const body of [
    { ok: true, data: { status: 'ok' } },
    { ok: true, data: { status: 'ok' }, error: null },
  ]) {
    answer = { status: 200, body };
    assert.deepEqual(await call('get', '/healthz'), { status: 200, body });
  }
});

const wrongAnswers: [string, string, number, unknown][] = [
  ['a wrong value', '/healthz', 200, { ok: true, data: { status: 'fine' } }],
  ['no data', '/healthz', 200, { ok: true }],
  ['data, but a failure', '/healthz', 200, { ok: false, data: { status: 'ok' } }],
  ['no envelope', '/healthz', 200, { status: 'ok' }],
  ['no message', '/sdk/domain', 429, { ok: false, error: { code: 'rate_limited' } }],
  ['a code that is none', '/sdk/domain', 429, { ok: false, error: { code: 'slow_down', message: 'slow down' } }],
  ['a code of another status', '/sdk/domain', 429, { ok: false, error: { code: 'ip_banned', message: 'banned' } }],
  [
    'a status that the operation does not give',
    '/healthz',
    404,
    { ok: false, error: { code: 'not_found', message: 'no' } },
  ],
];
for (const [what, path, status, body] of wrongAnswers) {
  test(`an answer with ${what} is found`, async () => {
    answer = { status, body };
    assert.ok('violation' in (await call('get', path)).body);
  });
}

const bounded: [string, string, string, unknown][] = [
  [
    'a name that is no label',
    'post',
    '/sdk/register/challenge',
    { identity: { name: '-x', address: `0x${'a'.repeat(40)}` } },
  ],
  [
    'a name of 246',
    'post',
    '/sdk/register/challenge',
    { identity: { name: 'x'.repeat(246), address: `0x${'a'.repeat(40)}` } },
  ],
  ['a short address', 'post', '/sdk/register/challenge', { identity: { name: 'x', address: '0xaa' } }],
  ['no identity', 'post', '/sdk/register/challenge', {}],
  ['a lease of no seconds', 'post', '/sdk/renew', { ttl: 0 }],
  ['seventeen tags', 'post', '/sdk/renew', { metadata: { tags: Array(17).fill('tag') } }],
  [
    'a signature that is not hex',
    'post',
    '/sdk/register',
    { challenge_id: 'c', siwe_message: 'm', siwe_signature: 'zz' },
  ],
  [
    'a limit of nothing',
    'post',
    '/admin/leases/bXktYXBw/MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk/bps',
    { bps: 0 },
  ],
  ['an unknown mode', 'post', '/admin/settings/approval-mode', { mode: 'never' }],
  ['an address that is no IP', 'post', '/admin/ips/localhost/ban', undefined],
  ['no hostname', 'get', '/tunnel/status', undefined],
  ['neither a transcript nor a digest', 'post', '/v1/sign', { key_id: 'relay-cert' }],
  [
    'a binding of 15 bytes',
    'post',
    '/v1/sign',
    { key_id: 'relay-cert', binding: 'AAAAAAAAAAAAAAAAAAAA', signature_scheme: 'ed25519', transcript: 'AAAA' },
  ],
];
for (const [what, method, path, body] of bounded) {
  test(`a request with ${what} is refused`, async () => {
    answer = { status: 200, body: { ok: true, data: {} } };
    const result = await call(method, path, body);
    assert.equal(result.status, 400, JSON.stringify(result.body));
    assert.ok('violation' in result.body);
  });
}

test('unknown fields and query parameters are ignored', async () => {
  answer = { status: 200, body: { ok: true, data: {} } };
  const result = await call('post', '/sdk/unregister?trace=1', { access_token: 'token', wireguard: true });
  assert.equal(result.status, 200, JSON.stringify(result.body));
});

test('a lease is renewed and ended by a token in the body alone, and without a body', async () => {
  answer = { status: 200, body: { ok: true, data: {} } };
  const calls: RequestInit[] = [
    { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ access_token: 'token' }) },
    { headers: { 'X-Portal-Access-Token': 'token' } },
  ];
  for (const init of calls) {
    const response = await fetch(`${server.url}/sdk/unregister`, { method: 'POST', ...init });
    assert.equal(response.status, 200, await response.text());
  }
});

test('a call without the credential that it needs is refused', async () => {
  for (const [method, path] of [
    ['GET', '/tunnel/status?hostname=a.example.com'],
    ['GET', '/admin/snapshot'],
    ['POST', '/admin/logout'],
  ]) {
    const response = await fetch(server.url + path, { method: String(method) });
    assert.equal(response.status, 401, path);
  }
});

test('another method on a known path is 405', async () => {
  const response = await fetch(`${server.url}/healthz`, { method: 'DELETE' });
  assert.equal(response.status, 405);
});

test('every example of the contract passes validation as request or response', async () => {
  let answers = 0;
  for (const { operationId, method, request, responses } of testedOperations()) {
    for (const { status, examples } of responses) {
      for (const [name, body] of Object.entries(examples)) {
        answer = { status, body };
        const result = await call(method, request.path, request.body);
        assert.deepEqual(result, { status, body }, `${operationId} ${status} ${name}`);
        answers++;
      }
    }
  }
  assert.ok(answers > 200, `${answers} examples`);
});
