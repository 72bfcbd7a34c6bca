import assert from 'node:assert/strict';
import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { portalMain, startPortal } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { sharedRelay } from '../support/relay.js';
import { get, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

const relay = sharedRelay();

interface Status {
  config_error?: string;
  tunnels: { id: string; name: string; address?: string; state: string; relays: { public_url?: string }[] }[];
}

/** A folder for an agent, and its configuration without services. */
function makeHome(t: TestContext) {
  const stateDir = join(temporaryDirectory(t), 'state');
  const config = join(temporaryDirectory(t), 'services.toml');
  const head = `# of this test\nrelays = ["${relay.url}"]\nca = "${relay.caFile}"\nidentity = "identity.json"\n`;
  writeFileSync(config, head, { mode: 0o640 });
  const env = { PORTAL_AGENT_STATE: stateDir, PORTAL_AGENT_CONFIG: config };
  const run = async (...args: string[]) =>
    await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(
        process.execPath,
        [portalMain, 'agent', ...args],
        { env: { ...process.env, ...env } },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  const start = async (): Promise<ChildProcess> => {
    const child = startPortal(t, ['agent', 'run', '--port', '0'], { env });
    await printed(child, /agent started[\s\S]*the configuration is (not )?followed/, child.stderr);
    return child;
  };
  const status = async () => JSON.parse((await run('status', '--json')).stdout) as Status;
  return { stateDir, config, head, run, start, status };
}

const served = async (hostname: string) =>
  await until(() =>
    get(relay, hostname).then(
      ({ body }) => body === 'hello',
      () => false,
    ),
  );
const host = (name: string) => `${name}.portal.localhost`;

test('services are added, stopped, started, restarted and removed, and their names stay', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { run, start, status, config, head, stateDir } = makeHome(t);
  const none = await run('status');
  assert.deepEqual([none.code, none.stdout], [1, '']);
  assert.match(none.stderr, /no agent runs for .*: start one by portal agent run/);
  let child = await start();
  assert.equal(statSync(join(stateDir, 'agent-endpoint.json')).mode & 0o777, 0o600);
  assert.equal(statSync(stateDir).mode & 0o777, 0o700);
  for (const id of ['one', 'two', 'three']) {
    const { code, stdout } = await run('add', String(service.port), '--id', id);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`${id} +starting`));
  }
  for (const id of ['one', 'two', 'three']) await served(host(id));
  const written = ['one', 'two', 'three'].map((id) => `\n[services.${id}]\ntarget = "${service.port}"\n`).join('');
  assert.equal(readFileSync(config, 'utf8'), head + written);
  assert.equal(statSync(config).mode & 0o777, 0o640);
  const before = await status();
  assert.deepEqual(
    before.tunnels.map(({ id, state }) => [id, state]),
    [
      ['one', 'running'],
      ['two', 'running'],
      ['three', 'running'],
    ],
  );
  await run('stop', 'two');
  await assert.rejects(get(relay, host('two')));
  // As after a power cut: everything is killed, and what lies about must not lie.
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.match((await run('status')).stderr, /no agent runs/);
  child = await start();
  for (const id of ['one', 'three']) await served(host(id));
  const after = await status();
  assert.deepEqual(
    after.tunnels.map(({ id, name, state }) => [id, name, state]),
    [
      ['one', 'one', 'running'],
      ['two', 'two', 'stopped'],
      ['three', 'three', 'running'],
    ],
  );
  assert.equal(after.tunnels[0]!.address, before.tunnels[0]!.address);
  await run('start', 'two');
  await served(host('two'));
  assert.match((await run('restart', 'three')).stdout, /three/);
  await served(host('three'));
  assert.match((await run('logs', 'three')).stdout, /serving at https:\/\/three\.portal\.localhost/);
  const followed = startPortal(t, ['agent', 'logs', 'two', '--follow'], { env: { PORTAL_AGENT_STATE: stateDir } });
  await printed(followed, /serving at https:\/\/two/);
  const left = once(followed, 'exit');
  await run('remove', 'two');
  await left;
  await assert.rejects(get(relay, host('two')));
  assert.equal(readFileSync(config, 'utf8').includes('services.two'), false);
  assert.deepEqual(
    [(await run('logs', 'two')).code, (await run('remove', 'two')).stderr],
    [1, 'portal agent: there is no service two\n'],
  );
  const ended = once(child, 'exit');
  let said = '';
  child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  assert.equal((await run('shutdown')).code, 0);
  assert.deepEqual(await ended, [0, null]);
  assert.match(said, /"agent ended"\}\n$/, 'and nothing is told after that');
  assert.equal(existsSync(join(stateDir, 'agent-endpoint.json')), false);
  await assert.rejects(get(relay, host('one')));
});

test('an edit by hand is followed, what does not hold is told, and only what changed starts anew', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { run, start, status, config, head } = makeHome(t);
  await start();
  await run('add', String(service.port), '--id', 'steady');
  await served(host('steady'));
  const edited = (more: string) => writeFileSync(config, readFileSync(config, 'utf8') + more);
  edited(`\n# by hand\n[services.handmade]\ntarget = ${service.port}\n`);
  await until(async () => (await status()).tunnels.length === 2);
  await served(host('handmade'));
  const good = readFileSync(config, 'utf8');
  edited('\n[services.broken]\ntarget = "nonsense://"\n');
  await until(async () => (await status()).config_error?.includes('services.broken'));
  const refused = await run('add', '1', '--id', 'more');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /services\.broken/);
  await served(host('steady'));
  writeFileSync(config, good);
  await until(async () => (await status()).config_error === undefined);
  const log = (await run('logs', 'steady')).stdout;
  assert.equal(log.match(/serving at/g)?.length, 1, log);
  assert.ok(readFileSync(config, 'utf8').startsWith(head));
});

test('of two agents that are started at the same moment one stays', async (t) => {
  const { stateDir, config, run } = makeHome(t);
  const env = { PORTAL_AGENT_STATE: stateDir, PORTAL_AGENT_CONFIG: config };
  const agents = [0, 1].map(() => startPortal(t, ['agent', 'run', '--port', '0'], { env }));
  const first = await Promise.race(agents.map(async (agent) => ({ agent, ended: await once(agent, 'exit') })));
  // It has found the other one at its start, or a moment later.
  assert.ok([1, 2].includes(first.ended[0] as number), String(first.ended));
  await until(async () => (await run('status')).code === 0);
  const [other] = agents.filter((agent) => agent !== first.agent);
  assert.equal(other!.exitCode, null);
  const left = once(other!, 'exit');
  assert.equal((await run('shutdown')).code, 0);
  assert.deepEqual(await left, [0, null]);
});

test('what keeps an agent from its file, its identity or its reader is told, and ends nothing', async (t) => {
  const { run, start, status, config, head, stateDir } = makeHome(t);
  const child = await start();
  await run('add', '9', '--id', 'kept');
  const following = startPortal(t, ['agent', 'logs', 'kept', '--follow'], {
    env: { PORTAL_AGENT_STATE: join(config, '../nowhere') },
  });
  assert.deepEqual(await once(following, 'exit'), [1, null]);
  writeFileSync(config, `${head.replace('identity.json', '/dev/null/identity.json')}[services.kept]\ntarget = "9"\n`);
  await until(async () => (await status()).config_error?.includes('ENOTDIR'));
  assert.equal((await status()).tunnels.length, 1);
  writeFileSync(config, `${head}[services.kept]\ntarget = "9"\n`);
  await until(async () => (await status()).config_error === undefined);
  const left = startPortal(t, ['agent', 'logs', 'kept', '--follow'], { env: { PORTAL_AGENT_STATE: stateDir } });
  await printed(left, /connecting/);
  const [said, gone] = [printed(left, /the agent has ended/, left.stderr), once(left, 'exit')];
  child.kill('SIGKILL');
  await said;
  assert.deepEqual(await gone, [1, null]);
});

test('one state directory has one agent, and wrong usage is one line', async (t) => {
  const { run, start } = makeHome(t);
  await start();
  const second = await run('run', '--port', '0');
  assert.equal(second.code, 2);
  assert.match(second.stderr, /^portal agent: an agent of .* runs already, at 127\.0\.0\.1:\d+/);
  for (const [args, message] of [
    [[], /give a command/],
    [['fly'], /no such command: "fly"/],
    [['add'], /give what is to be exposed/],
    [['stop'], /give the id of a service/],
    [['status', 'x'], /unexpected "x"/],
    [['run', '--port', '70000'], /--port is 0 to 65535/],
  ] as [string[], RegExp][]) {
    const { code, stderr } = await run(...args);
    assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], args.join(' '));
    assert.match(stderr, message);
  }
});
