import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, freshWallet } from '../support/by-hand.js';
import { exchangeRaw } from '../contract/support/http.js';
import { sharedRelay } from '../support/relay.js';

// What random requests found, once each.

const relay = sharedRelay();

test('a conditional request gets a full response, since the contract declares no 304', async () => {
  const headers = { 'if-none-match': '*', 'if-modified-since': 'Sun, 01 Mar 2099 12:00:00 GMT' };
  for (const [name, value] of Object.entries(headers))
    for (const path of ['/sdk/domain', '/healthz', '/docs', '/openapi.json'])
      assert.equal((await call(relay, 'HEAD', path, { headers: { [name]: value } })).status, 200, path);
});

test('a body where none is declared is ignored', async () => {
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

/** A request as no HTTP library would write it. */
async function raw(head: string): Promise<{
  status: number;
  code: string | undefined;
  data: Record<string, unknown> | undefined;
  allow: string | undefined;
}> {
  const { status, headers, body } = await exchangeRaw(relay, `${head}\r\nHost: ${relay.rootHost}\r\n\r\n`);
  const { error, data } = JSON.parse(body.toString()) as { error?: { code: string }; data?: Record<string, unknown> };
  return { status, code: error?.code, data, allow: headers['allow'] as string | undefined };
}

test('a path has exactly one spelling for every client and method', async () => {
  for (const path of [
    '/SDK/domain',
    '/sdk/domain/',
    '/openapi.json/',
    '/SDK/connect',
    '/sdk/connect/',
    '/Admin/snapshot',
  ])
    for (const header of ['A: b', 'Origin: https://page.example', 'Connection: Upgrade\r\nUpgrade: portal-reverse']) {
      const { status, code } = await raw(`GET ${path} HTTP/1.1\r\n${header}`);
      assert.deepEqual([status, code], [404, 'not_found'], path);
    }
});

test('a request target may be in absolute form (RFC 9112 3.2.2)', async () => {
  for (const target of [`${relay.url}/sdk/domain`, 'http://other.example/sdk/domain', `${relay.url}/sdk/domain?a=/b`])
    assert.equal((await raw(`GET ${target} HTTP/1.1`)).data?.['root_host'], relay.rootHost, target);
  for (const target of [relay.url, `${relay.url}/`, `${relay.url}?a`])
    assert.equal((await raw(`GET ${target} HTTP/1.1`)).code, 'not_found', target);
  assert.equal((await raw(`GET http:// HTTP/1.1`)).code, 'invalid_request');
  assert.equal((await raw(`PATCH ${relay.url}/sdk/domain HTTP/1.1`)).allow, 'GET, HEAD');
});

test('HEAD on an upgrade endpoint is method_not_allowed', async () => {
  const answer = await call(relay, 'HEAD', '/sdk/connect');
  assert.deepEqual([answer.status, answer.headers['allow']], [405, 'GET']);
});

test('an address may begin with 0X, as the contract allows', async () => {
  const { address } = freshWallet();
  const body = { identity: { name: 'shouting', address: address.toUpperCase() } };
  assert.equal((await call(relay, 'POST', '/sdk/register/challenge', { body })).status, 201);
});

test('another spelling of Content-Type does not recompile schemas', async (t) => {
  const bodyless = ['GET', '/healthz'] as const;
  const withBody = ['POST', '/sdk/register/challenge', { body: { identity: { name: '-', address: '-' } } }] as const;
  const withoutBody = ['POST', '/sdk/renew'] as const;
  const ask = async (
    [method, path, options]: readonly [string, string, { body: unknown }?],
    type: string,
    status: number,
  ) => {
    const answer = await call(relay, method, path, { ...options, headers: { 'content-type': type } });
    assert.equal(answer.status, status, `${method} ${path} ${type}`);
  };
  const askAll = async (parameters: string, anyType: string) => {
    await ask(bodyless, anyType, 200);
    await ask(withBody, `application/json${parameters}`, 400);
    await ask(withoutBody, `application/json${parameters}`, 401);
    await ask(withoutBody, anyType, 415);
  };
  await askAll('', 'text/plain');
  // The validator's schemas become functions by this constructor.
  const compiled = t.mock.method(globalThis, 'Function');
  await askAll(';charset=utf-8', 'text/plain; a=b');
  await askAll('; charset="UTF-8"', 'image/png');
  await askAll(' ;  charset = utf-8', 'multipart/form-data; boundary=x');
  assert.equal(compiled.mock.callCount(), 0);
});

test('an idle connection is kept for a minute, as its Keep-Alive header says', async () => {
  const { headers } = await call(relay, 'GET', '/healthz');
  assert.equal(headers['keep-alive'], 'timeout=60');
});
