import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { copyContract, projectRoot, runScript } from './support/project.js';

const check = ['scripts/generate.mjs', '--check'];

test('generated/ is what openapi/ gives, and the contract lints', async () => {
  const { code, output } = await runScript(projectRoot, check);
  assert.equal(code, 0, output);
});

type Alteration = [file: string, passage: string, replacement: string];

/** Replaces passages in files of a copy of the contract, then checks the copy. */
async function checkAltered(t: TestContext, ...alterations: Alteration[]): Promise<string> {
  const copy = await copyContract();
  t.after(copy.remove);
  for (const [file, passage, replacement] of alterations) {
    const text = await readFile(join(copy.root, file), 'utf8');
    assert.ok(text.includes(passage), `${file} has no ${passage}`);
    await writeFile(join(copy.root, file), text.replace(passage, replacement));
  }
  const { code, output } = await runScript(copy.root, check);
  assert.notEqual(code, 0, 'the check passed');
  return output;
}

test('a change to openapi/ without generate is reported as stale', async (t) => {
  const output = await checkAltered(t, ['openapi/openapi.yaml', 'title: Portal relay API', 'title: Another API']);
  assert.match(output, /stale: generated\/openapi\.json/);
});

test('examples of a wrong type, with a field too few, against an enum and with another code are each caught', async (t) => {
  const output = await checkAltered(
    t,
    ['openapi/examples/sdk.yaml', 'sni_port: 443', 'sni_port: https'],
    ['openapi/examples/system.yaml', 'registered: true, ', ''],
    ['openapi/examples/admin.yaml', 'value: { mode: manual }', 'value: { mode: never }'],
    ['openapi/examples/errors.yaml', 'code: ip_banned', 'code: lease_rejected'],
  );
  assert.match(output, /no-invalid-media-type-examples/);
  assert.match(output, /sni_port/);
  assert.match(output, /registered/);
  assert.match(output, /admin\.yaml[\s\S]*allowed values/);
  assert.match(output, /errors\.yaml[\s\S]*`code` property must be equal to constant/);
});

test('a response example with a misspelt field is caught', async (t) => {
  const output = await checkAltered(t, ['openapi/examples/sdk.yaml', 'sni_port: 443', 'sni_prot: 443']);
  assert.match(output, /no-invalid-media-type-examples/);
  assert.match(output, /sni_prot/);
});

test('a declared code without its example is caught', async (t) => {
  const example = /^ +udp_disabled: \{ \$ref: .*\}\n/m.exec(
    await readFile(join(projectRoot, 'openapi/responses/errors.yaml'), 'utf8'),
  );
  assert.ok(example);
  const output = await checkAltered(t, ['openapi/responses/errors.yaml', example[0], '']);
  assert.match(output, /createRegisterChallenge 403: codes .*udp_disabled.* but examples/);
});

test('an error code under a status that differs from the catalogue is caught', async (t) => {
  const output = await checkAltered(t, ['openapi/schemas/errors.yaml', 'status: 505', 'status: 500']);
  assert.match(output, /openReverseSession 505: http11_only does not have this status/);
});

test('an operation id that is not in camel case is caught', async (t) => {
  const output = await checkAltered(t, [
    'openapi/paths/system.yaml',
    'operationId: getHealth',
    'operationId: get_health',
  ]);
  assert.match(output, /operation-id-camel-case/);
});

/** Every value of the key, in the order of the document. */
function* valuesOf(node: unknown, key: string): Iterable<unknown> {
  if (typeof node !== 'object' || node === null) return;
  for (const [name, value] of Object.entries(node)) {
    if (name === key) yield value;
    yield* valuesOf(value, key);
  }
}

test('the document for generators has what a tunnel calls, and the requests and errors of the exact one', async () => {
  const [exact, clients] = (await Promise.all(
    ['openapi.json', 'openapi.clients.json'].map(
      async (file) => JSON.parse(await readFile(join(projectRoot, 'generated', file), 'utf8')) as unknown,
    ),
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
  )) as [any, any];
  assert.equal(clients.openapi, '3.0.3');
  const operations = Object.values(clients.paths).flatMap((item) => [...valuesOf(item, 'operationId')]);
  assert.deepEqual(operations.sort(), [
    ...['announceRelay', 'createRegisterChallenge', 'getDiscovery', 'getDomain', 'getHealth', 'getTunnelStatus'],
    ...['registerLease', 'renewLease', 'signHandshake', 'unregisterLease'],
  ]);
  // Nothing that 3.0 does not have, or that generators trip over.
  for (const key of ['const', 'examples', 'discriminator']) assert.deepEqual([...valuesOf(clients, key)], [], key);
  assert.ok(![...valuesOf(clients, 'type')].includes('null'));
  assert.ok(![...valuesOf(clients, 'deprecated')].includes(true));
  const refs = new Set([...valuesOf(clients, '$ref')] as string[]);
  const schemas = Object.keys(clients.components.schemas);
  assert.deepEqual(
    schemas.toSorted(),
    [...refs].flatMap((ref) => /^#\/components\/schemas\/(.*)/.exec(ref)?.[1] ?? []).toSorted(),
  );
  assert.ok(schemas.length < 120, `${schemas.length} types`);

  for (const name of schemas) {
    const [before, after] = [exact.components.schemas[name], clients.components.schemas[name]];
    const kept = Object.keys(before.properties ?? {}).filter((field) => before.properties[field].type !== 'null');
    assert.deepEqual(Object.keys(after.properties ?? {}), kept, name);
    assert.deepEqual(after.required, before.required, name);
    if (/Error$/.test(name)) assert.deepEqual(after.properties.code.enum, [before.properties.code.const], name);
  }
  for (const [path, item] of Object.entries(clients.paths as Record<string, Record<string, { responses: object }>>))
    for (const [method, { responses }] of Object.entries(item))
      assert.deepEqual(Object.keys(responses), Object.keys(exact.paths[path][method].responses), path);
});
