import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCatalogue, operationErrors } from '../../src/contract/index.js';
import { contract, resolve, testedOperations, withoutJsonAnswer } from './support/document.js';
import { projectRoot } from './support/project.js';

const endpoints: Record<string, string> = {
  'GET /sdk/domain': 'getDomain',
  'POST /sdk/register/challenge': 'createRegisterChallenge',
  'POST /sdk/register': 'registerLease',
  'POST /sdk/renew': 'renewLease',
  'POST /sdk/unregister': 'unregisterLease',
  'GET /sdk/connect': 'openReverseSession',
  'POST /admin/auth/challenge': 'createAdminChallenge',
  'POST /admin/auth/login': 'loginAdmin',
  'POST /admin/logout': 'logoutAdmin',
  'GET /admin/auth/status': 'getAdminStatus',
  'GET /admin/snapshot': 'getSnapshot',
  'GET /admin': 'getConsole',
  'GET /admin/assets/{file}': 'getConsoleAsset',
  'GET /admin/overview': 'getOverview',
  'GET /admin/events': 'followRelay',
  'GET /admin/leases': 'listLeases',
  'GET /admin/leases/{name}/{addr}': 'getLease',
  'GET /admin/identities': 'listIdentities',
  'GET /admin/ips': 'listBannedIps',
  'GET /admin/overlay': 'listOverlayPeers',
  'GET /admin/audit': 'listAuditEntries',
  'GET /admin/sessions': 'listAdminSessions',
  'DELETE /admin/sessions/{id}': 'endAdminSession',
  'POST /admin/settings/landing-page': 'setLandingPage',
  'POST /admin/settings/udp': 'setUdpSettings',
  'POST /admin/settings/tcp-port': 'setTcpPortSettings',
  'POST /admin/settings/approval-mode': 'setApprovalMode',
  'POST /admin/leases/{name}/{addr}/ban': 'banLease',
  'DELETE /admin/leases/{name}/{addr}/ban': 'unbanLease',
  'POST /admin/leases/{name}/{addr}/bps': 'setLeaseBps',
  'DELETE /admin/leases/{name}/{addr}/bps': 'removeLeaseBps',
  'POST /admin/leases/{name}/{addr}/approve': 'approveLease',
  'DELETE /admin/leases/{name}/{addr}/approve': 'revokeLeaseApproval',
  'POST /admin/leases/{name}/{addr}/deny': 'denyLease',
  'DELETE /admin/leases/{name}/{addr}/deny': 'removeLeaseDenial',
  'POST /admin/ips/{ip}/ban': 'banIp',
  'DELETE /admin/ips/{ip}/ban': 'unbanIp',
  'GET /': 'getLandingPage', // beside those of Portal's reference
  'GET /healthz': 'getHealth',
  'GET /discovery': 'getDiscovery',
  'POST /discovery/announce': 'announceRelay',
  'POST /v1/sign': 'signHandshake',
  'GET /thumbnail/{hostname}': 'getThumbnail',
  'GET /tunnel/status': 'getTunnelStatus',
  // beside those of Portal's reference
  'GET /openapi.json': 'getOpenapiDocument',
  'GET /docs': 'getReference',
  'GET /docs/reference.js': 'getReferenceScript',
  'GET /docs/errors': 'getErrorReference',
  'GET /docs/{page}': 'getDocumentationPage',
};

const statuses: Record<string, number> = {
  feature_unavailable: 503,
  hijack_failed: 500,
  hijack_unsupported: 500,
  hostname_conflict: 409,
  http11_only: 505,
  invalid_address: 400,
  invalid_ip: 400,
  invalid_json: 400,
  invalid_mode: 400,
  invalid_request: 400,
  internal: 500,
  ip_banned: 403,
  lease_not_found: 404,
  lease_rejected: 403,
  method_not_allowed: 405,
  unauthorized: 401,
  udp_port_exhausted: 503,
  udp_disabled: 403,
  udp_capacity_exceeded: 503,
  tcp_port_exhausted: 503,
  tcp_port_disabled: 403,
  domain_not_proven: 403,
  tcp_port_capacity_exceeded: 503,
  transport_mismatch: 409,
  // beside those of Portal's reference
  not_found: 404,
  rate_limited: 429,
};

const operations = testedOperations();

test('the contract has exactly the expected endpoints and operation ids', () => {
  const found = Object.fromEntries(operations.map((o) => [`${o.method.toUpperCase()} ${o.path}`, o.operationId]));
  assert.deepEqual(found, endpoints);
});

test('the catalogue has exactly the codes of the protocol, with their statuses', () => {
  const found = Object.fromEntries(Object.entries(errorCatalogue).map(([code, { status }]) => [code, status]));
  assert.deepEqual(found, statuses);
});

test('every error code has a meaning and retry advice', () => {
  for (const [code, entry] of Object.entries(errorCatalogue)) {
    assert.ok(entry.meaning.length > 10 && entry.action.length > 3, code);
    assert.ok(['never', 'after_delay', 'reauthenticate', 'new_connection'].includes(entry.retry), code);
    assert.equal('retryAfterSeconds' in entry, entry.retry === 'after_delay', code);
  }
});

test('every error code except method_not_allowed is declared by an operation', () => {
  const given = new Set(Object.values(operationErrors).flatMap((errors) => Object.keys(errors)));
  assert.deepEqual(
    [...given].sort(),
    Object.keys(statuses)
      .filter((code) => code !== 'method_not_allowed')
      .sort(),
  );
});

test('every operation has a success example, and an example for each declared error code', () => {
  for (const { operationId, responses } of operations) {
    const shown: Record<string, number[]> = {};
    for (const { status, examples } of responses) {
      if (status < 400) {
        if (!withoutJsonAnswer.includes(operationId)) assert.notEqual(Object.keys(examples).length, 0, operationId);
        continue;
      }
      for (const [name, value] of Object.entries(examples)) {
        assert.equal(value.ok, false);
        assert.equal(value.error.code, name);
        (shown[name] ??= []).push(status);
      }
    }
    assert.deepEqual(shown, operationErrors[operationId], operationId);
  }
});

test('every operation declares internal; those with a body also size, media type and syntax errors', () => {
  for (const { operationId, definition } of operations) {
    const errors: Record<string, readonly number[]> = operationErrors[operationId];
    assert.deepEqual(errors.internal, [500], operationId);
    assert.deepEqual(errors.invalid_json, definition.requestBody ? [400] : undefined, operationId);
    if (definition.requestBody) assert.deepEqual(errors.invalid_request, [400, 413, 415], operationId);
  }
});

test('SDK operations declare ban and rate limit errors; admin operations declare feature_unavailable', () => {
  for (const { operationId, definition } of operations) {
    const codes = Object.keys(operationErrors[operationId]);
    if (definition.tags[0] === 'sdk')
      assert.ok(codes.includes('ip_banned') && codes.includes('rate_limited'), operationId);
    if (definition.tags[0] === 'admin') assert.ok(codes.includes('feature_unavailable'), operationId);
  }
});

test('operations with a credential declare unauthorized', () => {
  for (const { operationId, definition } of operations) {
    if (definition.security.length > 0) assert.ok('unauthorized' in operationErrors[operationId], operationId);
  }
});

test('every schema of an answer has a name of its own, so that generators name types by it and not by operations', () => {
  const nameless = operations.flatMap(({ operationId, definition }) =>
    Object.entries(definition.responses as Record<string, unknown>)
      .map(([status, response]) => ({ status, schema: resolve(response).content?.['application/json']?.schema }))
      .filter(({ schema }) => schema && !schema.$ref && !schema.oneOf?.every((each: { $ref?: string }) => each.$ref))
      .map(({ status }) => `${operationId} ${status}`),
  );
  assert.deepEqual(nameless, []);
});

test('rate_limited carries Retry-After, method_not_allowed carries Allow', () => {
  assert.ok(contract.components.responses.RateLimited.headers['Retry-After'].required);
  assert.ok(contract.components.responses.MethodNotAllowed.headers.Allow.required);
});

test('every string, array and number of a request schema is bounded', () => {
  const unbounded: string[] = [];
  const visit = (node: unknown, where: string): void => {
    const schema = resolve(node);
    for (const branch of [...(schema.allOf ?? []), ...(schema.oneOf ?? [])]) visit(branch, where);
    for (const [name, property] of Object.entries(schema.properties ?? {})) visit(property, `${where}.${name}`);
    if (schema.items) visit(schema.items, `${where}[]`);
    if (schema.type === 'string' && !schema.maxLength && !schema.enum) unbounded.push(where);
    if (schema.type === 'array' && !schema.maxItems) unbounded.push(where);
    if (['integer', 'number'].includes(schema.type) && (schema.maximum === undefined || schema.minimum === undefined))
      unbounded.push(where);
  };
  for (const { operationId, path, definition } of operations) {
    const body = resolve(definition.requestBody)?.content['application/json'].schema;
    if (body) visit(body, operationId);
    for (const parameter of [...(contract.paths[path].parameters ?? []), ...(definition.parameters ?? [])])
      visit(resolve(parameter).schema, `${operationId} ${resolve(parameter).name}`);
  }
  assert.deepEqual(unbounded, []);
});

test('every definition in openapi/ is used in the bundle', async () => {
  const unused: string[] = [];
  for (const kind of ['schemas', 'responses', 'examples', 'parameters']) {
    const bundled = Object.keys(contract.components[kind]);
    for (const file of await readdir(join(projectRoot, 'openapi', kind))) {
      const text = await readFile(join(projectRoot, 'openapi', kind, file), 'utf8');
      for (const [, name] of text.matchAll(/^(\w+):/gm))
        if (!bundled.includes(name!)) unused.push(`${kind}/${file} ${name}`);
    }
  }
  assert.deepEqual(unused, []);
});

test('the bundle has no external references', () => {
  const references = [...JSON.stringify(contract).matchAll(/"\$ref":"([^"]*)"/g)].map(([, reference]) => reference!);
  assert.ok(references.length > 100);
  assert.deepEqual(
    references.filter((reference) => !reference.startsWith('#/')),
    [],
  );
});
