import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import createClient from 'openapi-fetch';
import type { paths } from '../../src/contract/index.js';
import { testedOperations, withoutJsonAnswer, type TestedOperation } from './support/document.js';
import { startMock, type Mock } from './support/mock.js';

const operations = testedOperations();
let mock: Mock;
before(async () => {
  mock = await startMock();
});
after(() => mock.stop());

async function call({ method, request }: TestedOperation, prefer?: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(mock.url + request.path, {
    method: method.toUpperCase(),
    headers: {
      'X-Portal-Access-Token': 'token',
      Cookie: 'portal_admin=session',
      ...(prefer ? { Prefer: prefer } : {}),
      ...(request.body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    body: request.body === undefined ? undefined : JSON.stringify(request.body),
  });
  return { status: response.status, body: await response.json() };
}

test('the mock answers every operation with its success example', async () => {
  for (const operation of operations) {
    if (withoutJsonAnswer.includes(operation.operationId)) continue;
    const success = operation.responses.find(({ status }) => status < 300)!;
    const expected = { status: success.status, body: Object.values(success.examples)[0] };
    assert.deepEqual(await call(operation), expected, operation.operationId);
  }
});

test('the mock answers every operation with each of its errors on request', async () => {
  for (const operation of operations) {
    for (const { status, examples } of operation.responses.filter((response) => response.status >= 400)) {
      for (const [code, body] of Object.entries(examples)) {
        const answer = await call(operation, `code=${status}, example=${code}`);
        assert.deepEqual(answer, { status, body }, `${operation.operationId} ${status} ${code}`);
      }
    }
  }
});

test('the mock tells a caller in a hurry how long to wait', async () => {
  const response = await fetch(`${mock.url}/sdk/domain`, { headers: { Prefer: 'code=429' } });
  assert.equal(response.status, 429);
  assert.match(response.headers.get('Retry-After') ?? '', /^[1-9]\d*$/);
});

test('the mock refuses a call without its credential as unauthorized', async () => {
  const response = await fetch(`${mock.url}/admin/snapshot`);
  assert.equal(response.status, 401);
  assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'unauthorized');
});

test('a typed client reads answers and errors off the contract', async () => {
  const client = createClient<paths>({ baseUrl: mock.url });
  const renewed = await client.POST('/sdk/renew', { body: { access_token: 'token', ttl: 30 } });
  const expiresAt: string | undefined = renewed.data?.data.expires_at;
  assert.equal(expiresAt, '2026-03-01T12:00:50.000Z');

  const refused = await client.POST('/sdk/renew', { body: {}, headers: { Prefer: 'code=404' } });
  assert.equal(refused.error?.error.code, 'lease_not_found');

  const unknown = await client.GET('/admin/snapshot', { headers: { Prefer: 'code=401' } });
  assert.equal(
    unknown.error?.error.code satisfies 'unauthorized' | 'internal' | 'feature_unavailable' | undefined,
    'unauthorized',
  );
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`the mock stops cleanly on ${signal}`, async () => {
    const other = await startMock();
    assert.equal(await other.stop(signal), 0);
    await assert.rejects(fetch(`${other.url}/healthz`));
  });
}
