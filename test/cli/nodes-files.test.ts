import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { relaySettings } from '../../src/relay/config/settings.js';
import { projectRoot } from '../contract/support/project.js';
import { runProgram } from '../support/programs.js';
import { requireTool } from '../support/tools.js';

const folder = join(projectRoot, 'docs/nodes');

test('docker-compose reads compose.yaml, whose variables are settings of the relay', async () => {
  const compose = await requireTool('docker-compose');
  const { code, stdout, stderr } = await runProgram(compose, ['--file', join(folder, 'compose.yaml'), 'config']);
  assert.equal(code, 0, stderr);
  const variables = [...stdout.toString().matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name]) => name!);
  const known = new Set<string>(Object.values(relaySettings).map(({ env }) => env));
  assert.deepEqual(
    variables.filter((name) => !known.has(name)),
    [],
  );
  assert.ok(variables.includes('STORE_URL') && variables.includes('NODE_ADDRESS'));
});

test('haproxy accepts its configurations', async () => {
  const haproxy = await requireTool('haproxy');
  for (const file of ['haproxy.cfg', 'haproxy.compose.cfg']) {
    const { code, stderr } = await runProgram(haproxy, ['-c', '-f', join(folder, file)]);
    assert.equal(code, 0, stderr);
  }
});
