import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { listOperations, loadContract } from '../../src/contract/index.js';
import { openPage, startBrowser } from '../support/browser.js';
import { call, register } from '../support/by-hand.js';
import { sharedRelay } from '../support/relay.js';

const relay = sharedRelay();

const origin = 'https://dashboard.example';
const contract = loadContract();
const operations = listOperations(contract).map((operation) => {
  const { 'x-cors': isOpen = false } = contract.paths[operation.path]![operation.method] as { 'x-cors'?: boolean };
  return { ...operation, isOpen, method: operation.method.toUpperCase() };
});
const paths = [...new Set(operations.map(({ path }) => path))];
const corsHeaders = (headers: object) => Object.keys(headers).filter((name) => name.startsWith('access-control-'));

test('exactly these operations are open to any origin', () => {
  assert.deepEqual(
    operations.filter(({ isOpen }) => isOpen).map(({ operationId }) => operationId),
    [
      'getDomain',
      'createRegisterChallenge',
      'registerLease',
      'renewLease',
      'unregisterLease',
      'getHealth',
      'getDiscovery',
      'signHandshake',
      'getTunnelStatus',
      'getOpenapiDocument',
    ],
  );
});

test('preflights get the same response for every origin, where the contract declares them', async () => {
  for (const path of paths) {
    const open = operations.filter((operation) => operation.path === path && operation.isOpen);
    const asked = {
      origin,
      'access-control-request-method': 'DELETE',
      'access-control-request-headers': 'x-portal-access-token, cookie, x-other',
      'access-control-request-private-network': 'true',
    };
    const target = path.replaceAll(/\{\w+\}/g, 'x');
    const { status, headers, body } = await call(relay, 'OPTIONS', target, { headers: asked });
    if (open.length === 0) {
      assert.equal(status, 405, path);
      assert.deepEqual(corsHeaders(headers), [], path);
      continue;
    }
    assert.equal(status, 204, path);
    assert.equal(body, undefined);
    const said = Object.fromEntries(corsHeaders(headers).map((name) => [name, headers[name]]));
    assert.deepEqual(said, {
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'Retry-After, Date, Link',
      'access-control-allow-methods': open.map(({ method }) => method).join(', '),
      'access-control-allow-headers': 'Content-Type, X-Portal-Access-Token',
      'access-control-max-age': '600',
    });
  }
});

test('OPTIONS without preflight headers is method_not_allowed like any other method', async () => {
  for (const headers of [{}, { origin }] as Record<string, string>[]) {
    const answer = await call(relay, 'OPTIONS', '/sdk/renew', { headers });
    assert.equal(answer.status, 405);
    assert.equal(answer.body.error.code, 'method_not_allowed');
    assert.equal(answer.headers['allow'], 'POST');
  }
});

test('error responses are readable cross-origin too: bad JSON, wrong method, no token', async () => {
  for (const [method, path, body] of [
    ['GET', '/healthz', undefined],
    ['POST', '/sdk/register/challenge', '{'],
    ['PUT', '/sdk/renew', undefined],
    ['POST', '/v1/sign', {}],
    ['GET', '/tunnel/status?hostname=a.portal.localhost', undefined],
    ['POST', '/sdk/register', 'x'.repeat(70_000)],
  ] as const) {
    const { headers } = await call(relay, method, path, { body, headers: { origin } });
    assert.equal(headers['access-control-allow-origin'], '*', path);
    assert.equal(headers['access-control-allow-credentials'], undefined);
  }
});

test('admin plane, reverse sessions, thumbnails and unknown paths send no CORS headers', async () => {
  for (const [method, path] of [
    ['GET', '/admin/auth/status'],
    ['GET', '/admin/snapshot'],
    ['POST', '/admin/auth/challenge'],
    ['GET', '/thumbnail/a.portal.localhost'],
    ['HEAD', '/docs'],
    ['POST', '/discovery/announce'],
    ['GET', '/nowhere'],
    ['GET', '/SDK/domain/'],
    ['GET', '/sdk/connect?x'],
  ] as const) {
    const { headers } = await call(relay, method, path, { headers: { origin } });
    assert.deepEqual(corsHeaders(headers), [], path);
  }
});

test('a page of another origin can call SDK operations in Chromium, but cannot read the admin plane', async (t) => {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>elsewhere</title>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const lease = await register(relay, { name: 'seen-by-a-page', ttl: 60 });

  const { page } = await openPage(await startBrowser(t));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const seen = await page.evaluate(
    `(async () => {
      const read = async (path, init) => {
        try {
          const response = await fetch('${relay.url}' + path, init);
          return [response.status, (await response.json()).ok, response.headers.get('Date') !== null];
        } catch (error) {
          return error.name;
        }
      };
      const token = { 'X-Portal-Access-Token': '${lease.token}' };
      return {
        domain: await read('/sdk/domain'),
        status: await read('/tunnel/status?hostname=${lease.hostname}', { headers: token }),
        renew: await read('/sdk/renew', {
          method: 'POST', headers: { ...token, 'Content-Type': 'application/json' }, body: '{"ttl":60}',
        }),
        refused: await read('/sdk/renew', { method: 'POST', headers: { 'X-Portal-Access-Token': 'other' } }),
        withCookies: await read('/sdk/domain', { credentials: 'include' }),
        otherHeader: await read('/sdk/domain', { headers: { 'X-Other': '1' } }),
        admin: await read('/admin/auth/status'),
        adminPost: await read('/admin/auth/challenge', {
          method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}',
        }),
      };
    })()`,
  );
  assert.deepEqual(seen, {
    domain: [200, true, true],
    status: [200, true, true],
    renew: [200, true, true],
    refused: [401, false, true],
    withCookies: 'TypeError',
    otherHeader: 'TypeError',
    admin: 'TypeError',
    adminPost: 'TypeError',
  });
});
