import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ConfigFile } from '../../src/agent/configuration/config-file.js';
import { UsageError } from '../../src/sdk/calls/errors.js';
import { temporaryDirectory } from '../support/tunnel.js';

// The configuration is edited by the agent and by hand, and nothing of either is lost.

function makeFile(t: TestContext, text: string) {
  const folder = temporaryDirectory(t);
  const path = join(folder, 'agent.toml');
  writeFileSync(path, text, { mode: 0o640 });
  const parse = (from: string) => {
    const read = readFileSync(from, 'utf8');
    if (read.includes('bad')) throw new UsageError('it is bad');
    return read;
  };
  return { folder, path, file: new ConfigFile(path, parse), text: () => readFileSync(path, 'utf8') };
}

const nothing = async () => {};

test('what somebody writes while an edit takes effect is kept, beside the edit', async (t) => {
  const { file, path, text, folder } = makeFile(t, 'first\n');
  const applied: string[] = [];
  await file.edit((before) => `${before}edited\n`, {
    apply: async (read) => {
      applied.push(read);
      if (applied.length === 1) appendFileSync(path, 'by hand\n');
    },
    undo: nothing,
  });
  assert.equal(text(), 'first\nby hand\nedited\n');
  assert.deepEqual(applied, ['first\nedited\n', 'first\nby hand\nedited\n']);
  assert.deepEqual([statSync(path).mode & 0o777, readdirSync(folder)], [0o640, ['agent.toml']]);
});

test('a file that is written all the time is left to its writer', async (t) => {
  const { file, path, text, folder } = makeFile(t, '');
  const edit = file.edit((before) => `${before}edited\n`, {
    apply: async () => appendFileSync(path, '.'),
    undo: nothing,
  });
  await assert.rejects(edit, { code: 'invalid_request', message: /written by others: try again/ });
  assert.equal(text(), '.....');
  assert.deepEqual(readdirSync(folder), ['agent.toml']);
});

test('what does not hold, and what cannot be written, changes nothing', async (t) => {
  const { file, path, text, folder } = makeFile(t, 'first\n');
  const apply = () => assert.fail('it is not put in force');
  await assert.rejects(
    file.edit(() => 'bad', { apply, undo: nothing }),
    { code: 'invalid_request', message: 'it is bad' },
  );
  const gone = new ConfigFile(join(path, 'below'), () => '');
  await assert.rejects(
    gone.edit(() => '', { apply, undo: nothing }),
    { code: 'internal', message: /cannot be changed \(ENOTDIR\)/ },
  );
  assert.equal(text(), 'first\n');
  assert.deepEqual(readdirSync(folder), ['agent.toml']);
});

test('a link stays a link, and a new file is its owner’s alone', async (t) => {
  const { folder, path, text } = makeFile(t, 'first\n');
  chmodSync(path, 0o600);
  const link = join(folder, 'link.toml');
  symlinkSync(path, link);
  await new ConfigFile(link, () => '').edit(() => 'edited\n', { apply: nothing, undo: nothing });
  assert.equal(text(), 'edited\n');
  const made = join(folder, 'new.toml');
  await new ConfigFile(made, () => '').edit(() => 'made\n', { apply: nothing, undo: nothing });
  assert.deepEqual([readFileSync(made, 'utf8'), statSync(made).mode & 0o777], ['made\n', 0o600]);
});
