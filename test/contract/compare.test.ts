import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { contractPath } from '../../src/contract/index.js';
import { temporaryDirectory } from '../support/tunnel.js';
import type { Node } from './support/document.js';
import { projectRoot, runScript } from './support/project.js';

const script = join(projectRoot, 'scripts/compare-contract.mjs');
const text = readFileSync(contractPath, 'utf8');

/** Compares the contract with what becomes of it. */
async function compare(t: TestContext, change: (contract: Node) => void, version = '2.999.0') {
  const dir = temporaryDirectory(t);
  const changed = JSON.parse(text) as Node;
  changed.info.version = version;
  change(changed);
  const [before, after] = [join(dir, 'before.json'), join(dir, 'after.json')];
  writeFileSync(before, text);
  writeFileSync(after, JSON.stringify(changed));
  const { code, output } = await runScript(projectRoot, [script, before, after]);
  const lines = output.split('\n').filter((line) => /^(BREAKING|fine|unstable) /.test(line));
  return { code, output, lines };
}

test('the contract is compatible with the last release', async () => {
  const { code, output } = await runScript(projectRoot, [script]);
  assert.equal(code, 0, output);
});

test('what was accepted as compatible is still a change', async () => {
  const { output } = await runScript(projectRoot, [script]);
  const accepted = JSON.parse(readFileSync(join(projectRoot, 'test/contract/released/accepted.json'), 'utf8')) as {
    change: string;
    why: string;
  }[];
  for (const { change, why } of accepted) {
    assert.ok(output.includes(`accepted  ${change}\n`), `${change}: take it out of accepted.json`);
    assert.ok(why.length > 20, change);
  }
});

test('an unchanged contract reports nothing and needs no new version', async (t) => {
  const { code, lines } = await compare(t, () => {}, (JSON.parse(text) as Node).info.version);
  assert.deepEqual([code, lines], [0, []]);
});

const renew = '/sdk/renew';
const breaks: [string, (contract: Node) => void, string][] = [
  ['an operation that is gone', (c) => delete c.paths[renew], 'renewLease: is gone'],
  [
    'an operation at another path',
    (c) => {
      c.paths['/sdk/renewal'] = c.paths[renew];
      delete c.paths[renew];
    },
    'renewLease: is now POST /sdk/renewal',
  ],
  [
    'a field that became required',
    (c) => (c.components.schemas.RenewRequest.required = ['ttl']),
    'renewLease body: ttl is now required',
  ],
  [
    'a bound that is tighter',
    (c) => (c.components.schemas.Ttl.maximum = 60),
    'body.ttl: maximum is 60, was 2147483647',
  ],
  [
    'a type that changed',
    (c) => (c.components.schemas.Ttl.type = 'string'),
    'renewLease body.ttl: type no longer has integer',
  ],
  [
    'a field of an answer that is gone',
    (c) => delete c.components.schemas.Renewal.properties.access_token,
    'renewLease 200.data: access_token is gone',
  ],
  [
    'a field of an answer that became optional',
    (c) => (c.components.schemas.Renewal.required = ['expires_at']),
    'renewLease 200.data: access_token is no longer required',
  ],
  [
    'a value that an answer did not have before',
    (c) => c.components.schemas.Keyless.properties.modes.items.enum.push('blind'),
    'getDomain 200.data.keyless.modes[]: value also has blind',
  ],
  [
    'a header that is no longer promised',
    (c) => (c.components.responses.RateLimited.headers['Retry-After'].required = false),
    'renewLease 429: no longer promises Retry-After',
  ],
  [
    'another status of success',
    (c) => {
      const { responses } = c.paths[renew].post;
      responses['202'] = responses['200'];
      delete responses['200'];
    },
    'renewLease 200: is gone',
  ],
  [
    'a credential that is needed now',
    (c) => (c.paths['/healthz'].get.security = [{ access_token: [] }]),
    'getHealth: now needs a credential',
  ],
  [
    'a way to bring a credential that is gone',
    (c) => (c.paths['/sdk/renew'].post.security = [{ access_token: [] }]),
    'renewLease: now needs a credential',
  ],
  [
    'an operation closed to pages',
    (c) => delete c.paths[renew].post['x-cors'],
    'renewLease: is closed to pages of other origins',
  ],
  [
    'an error with another status',
    (c) => (c.components.schemas.ErrorCode['x-error-catalogue'].ip_banned.status = 451),
    'error ip_banned: has status 451, had 403',
  ],
  [
    'a required parameter more',
    (c) =>
      (c.paths['/sdk/domain'].get.parameters = [
        { name: 'client', in: 'query', required: true, schema: { type: 'string' } },
      ]),
    'getDomain query client: is now required',
  ],
];
for (const [what, change, line] of breaks) {
  test(`${what} is named, and fails under the same major version`, async (t) => {
    const { code, lines, output } = await compare(t, change);
    assert.equal(code, 1, output);
    assert.ok(
      lines.some((said) => said.startsWith('BREAKING') && said.endsWith(line)),
      output,
    );
  });
}

test('a new major version may break', async (t) => {
  const { code, lines } = await compare(t, (c) => delete c.paths[renew], '3.0.0');
  assert.equal(code, 0);
  assert.deepEqual(lines, ['BREAKING  renewLease: is gone']);
});

test('a change of an unstable part is allowed and reported', async (t) => {
  const { code, lines } = await compare(t, (c) => delete c.paths['/admin/snapshot']);
  assert.equal(code, 0);
  assert.deepEqual(lines, ['unstable  getSnapshot: is gone']);
});

test('new optional parameters and response fields are compatible', async (t) => {
  const { code, lines, output } = await compare(t, (c) => {
    const { schemas, responses } = c.components;
    schemas.RenewRequest.properties.region = { type: 'string', maxLength: 16 };
    schemas.Ttl.minimum = 0;
    schemas.Renewal.properties.region = { type: 'string' };
    schemas.Renewal.required.push('region');
    c.paths['/sdk/regions'] = { get: { ...c.paths['/sdk/domain'].get, operationId: 'listRegions' } };
    c.paths[renew].post.responses['503'] = responses.FeatureUnavailable;
    c.paths['/healthz'].get.responses['429'] = responses.RateLimited;
  });
  assert.equal(code, 0, output);
  assert.ok(lines.length >= 4 && lines.every((line) => line.startsWith('fine')), output);
});

test('a changed contract needs a new version', async (t) => {
  const { version } = (JSON.parse(text) as Node).info;
  const { code, output } = await compare(
    t,
    (c) => (c.paths['/sdk/regions'] = { get: { ...c.paths['/sdk/domain'].get, operationId: 'listRegions' } }),
    version,
  );
  assert.equal(code, 1);
  assert.match(output, /give it a version after/);
});
