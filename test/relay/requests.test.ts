import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call } from '../support/by-hand.js';
import { type TestRelay, startTestRelay } from '../support/relay.js';

// What random requests found, once each.

let relay: TestRelay;
before(async () => {
  relay = await startTestRelay();
});
after(() => relay.stop());

test('a conditional request is answered in full: 304 is no answer of the contract', async () => {
  const headers = { 'if-none-match': '*', 'if-modified-since': 'Sun, 01 Mar 2099 12:00:00 GMT' };
  for (const [name, value] of Object.entries(headers))
    for (const path of ['/sdk/domain', '/healthz', '/docs', '/openapi.json'])
      assert.equal((await call(relay, 'HEAD', path, { headers: { [name]: value } })).status, 200, path);
});

test('a body where none is declared means nothing, whatever it is', async () => {
  const answer = await call(relay, 'POST', '/admin/logout');
  for (const [body, type] of [
    ['{', 'application/json'],
    ['x', 'text/plain'],
    ['x'.repeat(200_000), 'application/json'],
  ] as const) {
    const headers = { 'content-type': type };
    assert.deepEqual((await call(relay, 'POST', '/admin/logout', { body, headers })).body, answer.body);
  }
  const unknown = await call(relay, 'POST', '/nowhere', { body: '{', headers: { 'content-type': 'text/plain' } });
  assert.equal(unknown.body.error.code, 'not_found');
});
