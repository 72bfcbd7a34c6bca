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

/** Replaces a passage in one file of a copy of the contract, then checks the copy. */
async function checkAltered(t: TestContext, file: string, passage: string, replacement: string): Promise<string> {
  const copy = await copyContract();
  t.after(copy.remove);
  const text = await readFile(join(copy.root, file), 'utf8');
  assert.ok(text.includes(passage), `${file} has no ${passage}`);
  await writeFile(join(copy.root, file), text.replace(passage, replacement));
  const { code, output } = await runScript(copy.root, check);
  assert.notEqual(code, 0, 'the check passed');
  return output;
}

test('a change to openapi/ without generate is reported as stale', async (t) => {
  const output = await checkAltered(t, 'openapi/openapi.yaml', 'title: Portal relay API', 'title: Another API');
  assert.match(output, /stale: generated\/openapi\.json/);
});

test('a response example of a wrong type is caught', async (t) => {
  const output = await checkAltered(t, 'openapi/examples/sdk.yaml', 'sni_port: 443', 'sni_port: https');
  assert.match(output, /no-invalid-media-type-examples/);
  assert.match(output, /sni_port/);
});

test('a response example with a misspelt field is caught', async (t) => {
  const output = await checkAltered(t, 'openapi/examples/sdk.yaml', 'sni_port: 443', 'sni_prot: 443');
  assert.match(output, /no-invalid-media-type-examples/);
});

test('a response example without a required field is caught', async (t) => {
  const output = await checkAltered(t, 'openapi/examples/system.yaml', 'registered: true, ', '');
  assert.match(output, /no-invalid-media-type-examples/);
  assert.match(output, /registered/);
});

test('a request example that breaks its schema is caught', async (t) => {
  const output = await checkAltered(
    t,
    'openapi/examples/admin.yaml',
    'value: { mode: manual }',
    'value: { mode: never }',
  );
  assert.match(output, /no-invalid-media-type-examples/);
});

test('an error example that shows another code is caught', async (t) => {
  const output = await checkAltered(t, 'openapi/examples/errors.yaml', 'code: ip_banned', 'code: lease_rejected');
  assert.match(output, /errors\.yaml[\s\S]*`code` property must be equal to constant/);
});

test('a declared code without its example is caught', async (t) => {
  const example = /^ +udp_disabled: \{ \$ref: .*\}\n/m.exec(
    await readFile(join(projectRoot, 'openapi/responses/errors.yaml'), 'utf8'),
  );
  assert.ok(example);
  const output = await checkAltered(t, 'openapi/responses/errors.yaml', example[0], '');
  assert.match(output, /createRegisterChallenge 403: codes .*udp_disabled.* but examples/);
});

test('an error code under a status that differs from the catalogue is caught', async (t) => {
  const output = await checkAltered(t, 'openapi/schemas/errors.yaml', 'status: 505', 'status: 500');
  assert.match(output, /openReverseSession 505: http11_only does not have this status/);
});

test('an operation id that is not in camel case is caught', async (t) => {
  const output = await checkAltered(
    t,
    'openapi/paths/system.yaml',
    'operationId: getHealth',
    'operationId: get_health',
  );
  assert.match(output, /operation-id-camel-case/);
});
