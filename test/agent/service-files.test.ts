import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { launchdPlist, systemdUnit, windowsTask } from '../../src/agent/install/service-files.js';
import { portalMain } from '../support/processes.js';
import { runProgram } from '../support/programs.js';
import { requireTool } from '../support/tools.js';
import { temporaryDirectory } from '../support/tunnel.js';

const odd = ['agent', 'run', '--config', '/home/ada/my "own" 100% $HOME \\ services.toml', "it's", '<&>'];
const command = [process.execPath, portalMain, ...odd];

test('systemd takes the units, and their words as they are', async (t) => {
  const analyze = await requireTool('systemd-analyze');
  for (const scope of ['user', 'system'] as const) {
    const file = join(temporaryDirectory(t), 'portal-agent.service');
    writeFileSync(file, systemdUnit({ command, env: { PORTAL_AGENT_STATE: '/var/lib/a b' } }, scope));
    const { code, stderr } = await runProgram(analyze, ['verify', ...(scope === 'user' ? ['--user'] : []), file], {
      env: { XDG_RUNTIME_DIR: temporaryDirectory(t) },
    });
    const ours = stderr.split('\n').filter((line) => line.includes('portal-agent.service'));
    assert.deepEqual([code, ours], [0, []], stderr);
  }
  assert.throws(() => systemdUnit({ command: ['/bin/a\nExecStart=/bin/b'] }, 'user'), /line break/);
});

test('a property list and a task are well-formed, with the words as they are', async () => {
  const read = async (script: string, text: string) => {
    const { code, stdout, stderr } = await runProgram(await requireTool('python3'), ['-c', script], { input: text });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout.toString()) as Record<string, unknown>;
  };
  const plist = launchdPlist({ command, env: { A: '<b>' } }, '/tmp/log & more');
  const parsed = await read(
    'import plistlib, sys, json; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))',
    plist,
  );
  assert.deepEqual(parsed['ProgramArguments'], command);
  assert.deepEqual([parsed['KeepAlive'], parsed['EnvironmentVariables']], [true, { A: '<b>' }]);
  const names = '{"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}';
  const script = `import xml.etree.ElementTree as tree, sys, json
root = tree.fromstring(sys.stdin.buffer.read())
print(json.dumps({each: root.find(".//t:" + each, ${names}).text for each in ["Command", "Arguments"]}))`;
  const task = await read(script, windowsTask({ command: ['C:\\node.exe', 'a b', 'c\\', 'd"e'] }));
  assert.deepEqual(task, { Command: 'C:\\node.exe', Arguments: '"a b" "c\\\\" "d\\"e"' });
});

test(
  'install writes the file of this system, and uninstall removes it and nothing else',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const home = temporaryDirectory(t);
    const env = { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: join(home, '.config') };
    const run = async (...args: string[]) =>
      await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
        execFile(process.execPath, [portalMain, 'agent', ...args], { env }, (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
        );
      });
    const file = join(home, '.config/systemd/user/portal-agent.service');
    const other = join(home, '.config/systemd/user/other.service');
    const installed = await run('install', '--no-start', '--state-dir', join(home, 'state'), '--port', '4020');
    assert.deepEqual([installed.code, installed.stderr], [0, '']);
    const unit = readFileSync(file, 'utf8');
    assert.match(
      unit,
      new RegExp(`ExecStart="${process.execPath}" .*"agent" "run" "--state-dir" "${home}/state" "--port" "4020"`),
    );
    assert.equal(statSync(file).mode & 0o022, 0);
    writeFileSync(other, '[Unit]\n');
    // There is no systemd of this user here: it says what to run.
    const started = await run('install');
    if (started.code !== 0)
      assert.match(
        started.stderr,
        /run yourself: systemctl --user daemon-reload && systemctl --user enable --now portal-agent\.service/,
      );
    const removed = await run('uninstall', '--no-start');
    assert.deepEqual([removed.code, existsSync(file), existsSync(other)], [0, false, true]);
  },
);
