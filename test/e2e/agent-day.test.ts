import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAgentClient, readEndpoint } from '../../src/agent/index.js';
import type { AgentStatus } from '../../src/agent/index.js';
import { portalMain } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { freePort, startTestRelay } from '../support/relay.js';
import { startTerminal } from '../support/terminal.js';
import { get, startHttpService, temporaryDirectory } from '../support/tunnel.js';
import { until } from '../support/until.js';

test(
  "a laptop's day: install, reboot, changes from everywhere, sleep, another network, a fault, uninstall",
  { skip: process.platform !== 'linux' },
  async (t) => {
    const relayState = temporaryDirectory(t);
    const sniPort = await freePort();
    let relay = await startTestRelay({ stateDir: relayState, sniPort });
    t.after(() => relay.stop());
    const home = temporaryDirectory(t);
    const state = join(home, '.config/portal');
    mkdirSync(state, { recursive: true });
    const config = join(state, 'agent.toml');
    appendFileSync(config, `# mine\nrelays = ["${relay.url}"]\nca = "${relay.caFile}"\n`);
    const env = { PATH: process.env['PATH'], HOME: home };
    const run = async (...args: string[]) =>
      await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
        execFile(process.execPath, [portalMain, 'agent', ...args], { env }, (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
        );
      });
    const serves = async (name: string, body = 'hello') =>
      await until(() =>
        get(relay, `${name}.portal.localhost`).then(
          (answer) => answer.body === body,
          () => false,
        ),
      );
    const status = async () => JSON.parse((await run('status', '--json')).stdout) as AgentStatus;
    const identities = async () =>
      (await status()).tunnels.map(({ id, name, address, state: now }) => [id, name, address, now]);

    // Install. There is no systemd to start it here, so what the unit says is run.
    assert.equal((await run('install', '--no-start', '--port', '0')).code, 0);
    const unitFile = join(home, '.config/systemd/user/portal-agent.service');
    const unit = readFileSync(unitFile, 'utf8');
    const words = [.../^ExecStart=(.*)$/m.exec(unit)![1]!.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word]) => word!);
    let agent: ChildProcess;
    const boot = async () => {
      agent = spawn(words[0]!, words.slice(1), { env, stdio: ['ignore', 'ignore', 'pipe'] });
      agent.stderr!.resume();
      await printed(agent, /the configuration is followed/, agent.stderr);
    };
    t.after(() => agent.kill('SIGKILL'));
    await boot();

    // Three services.
    const service = await startHttpService(t, (_request, response) => response.end('hello'));
    for (const id of ['one', 'two', 'three'])
      assert.equal((await run('add', String(service.port), '--id', id)).code, 0);
    for (const id of ['one', 'two', 'three']) await serves(id);
    const before = await identities();

    // Reboot: nothing has time to say goodbye.
    const died = once(agent!, 'exit');
    agent!.kill('SIGKILL');
    await died;
    assert.match((await run('status')).stderr, /no agent runs/);
    await boot();
    for (const id of ['one', 'two', 'three']) await serves(id);
    assert.deepEqual(await identities(), before, 'the same names and identities');

    // Changes by API, command, dashboard and editor at once.
    const client = createAgentClient((await readEndpoint(state))!);
    const terminal = await startTerminal(t, [process.execPath, portalMain, 'agent', 'dashboard'], {
      env: { HOME: home },
    });
    await terminal.shows(/> one +running/);
    const byApi = Array.from({ length: 10 }, (_, index) =>
      client.PATCH('/v1/agent/tunnels/{id}', {
        params: { path: { id: 'two' } },
        body: { metadata: { description: `version ${index}` } },
      }),
    );
    const byCommand = ['four', 'five'].map((id) => run('add', String(service.port), '--id', id));
    await terminal.press('a');
    await terminal.type(String(service.port));
    await terminal.press('Tab');
    await terminal.type('six');
    await terminal.press('Enter');
    appendFileSync(config, `\n# by hand\n[services.seven]\ntarget = ${service.port}\n`);
    for (const { error } of await Promise.all(byApi)) assert.equal(error, undefined);
    for (const { code, stderr } of await Promise.all(byCommand)) assert.equal(code, 0, stderr);
    await terminal.shows(/ six +running/);
    await terminal.press('q');
    for (const id of ['one', 'two', 'three', 'four', 'five', 'six', 'seven']) await serves(id);
    const text = readFileSync(config, 'utf8');
    assert.match(text, /^# mine\n/);
    assert.match(text, /\n# by hand\n\[services\.seven\]\n/);
    assert.match(text, /description = "version 9"/);
    const address = before[0]![2];
    assert.deepEqual(
      (await identities()).map(([id, name, each]) => [id, name, each === address]).sort(),
      ['five', 'four', 'one', 'seven', 'six', 'three', 'two'].map((id) => [id, id, true]),
    );

    // The lid is closed; meanwhile the relay has seen the last of it.
    agent!.kill('SIGSTOP');
    await relay.stop();
    relay = await startTestRelay({ stateDir: relayState, sniPort });
    await assert.rejects(get(relay, 'one.portal.localhost', '/', { timeout: 500 }));
    agent!.kill('SIGCONT');
    await serves('one');
    await serves('seven');

    // Another network: every connection is gone, and for a while there is no way to the relay.
    await relay.stop();
    await until(async () => (await status()).tunnels.every(({ state: now }) => now === 'starting'));
    relay = await startTestRelay({ stateDir: relayState, sniPort });
    for (const id of ['one', 'two', 'three', 'four', 'five', 'six', 'seven']) await serves(id);

    // A broken service troubles no other, and is told once.
    const port = await freePort();
    await client.PATCH('/v1/agent/tunnels/{id}', {
      params: { path: { id: 'three' } },
      body: { target_addr: String(port) },
    });
    await until(() =>
      get(relay, 'three.portal.localhost').then(
        ({ status: code }) => code === 503,
        () => false,
      ),
    );
    await serves('one');
    assert.match((await status()).tunnels.find(({ id }) => id === 'three')!.last_error!, /does not answer/);
    const mended = createServer((_request, response) => response.end('hello')).listen(port, '127.0.0.1');
    t.after(() => mended.close());
    await serves('three');

    // Uninstall, and nothing is left but what is the user's.
    const ended = once(agent!, 'exit');
    assert.equal((await run('shutdown')).code, 0);
    assert.deepEqual(await ended, [0, null]);
    assert.equal((await run('uninstall', '--no-start')).code, 0);
    assert.equal(existsSync(unitFile), false);
    assert.deepEqual(readdirSync(state).sort(), ['agent.toml', 'identity.json']);
    await assert.rejects(get(relay, 'one.portal.localhost', '/', { timeout: 500 }));
  },
);
