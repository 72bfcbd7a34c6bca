import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import createClient from 'openapi-fetch';
import type { paths } from '../../src/contract/index.js';
import { startMock, type Mock } from './support/mock.js';

let mock: Mock;
before(async () => {
  mock = await startMock();
});
after(() => mock.stop());

test('the mock refuses a call without its credential as unauthorized', async () => {
  const response = await fetch(`${mock.url}/admin/snapshot`);
  assert.equal(response.status, 401);
  assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'unauthorized');
});

test('the typed client parses responses and errors of the mock', async () => {
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
