import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { portalMain, startPortal } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { sharedRelay } from '../support/relay.js';
import { startTerminal } from '../support/terminal.js';
import { get, startHttpService, temporaryDirectory } from '../support/tunnel.js';

// The agent's dashboard on a terminal, as its user sees it.

const relay = sharedRelay();

/** An agent, and how its dashboard is started. */
async function startAgent(t: TestContext, services: string) {
  const folder = temporaryDirectory(t);
  const config = join(folder, 'agent.toml');
  writeFileSync(config, `relays = ["${relay.url}"]\nca = "${relay.caFile}"\nidentity = "identity.json"\n${services}`);
  const env = { PORTAL_AGENT_STATE: folder };
  const start = async () => {
    const child = startPortal(t, ['agent', 'run', '--port', '0'], { env });
    await printed(child, /the configuration is followed/, child.stderr);
    return child;
  };
  const child = await start();
  const show = (more: object = {}, moreEnv: Record<string, string> = {}) =>
    startTerminal(t, [process.execPath, portalMain, 'agent', 'dashboard'], { env: { ...env, ...moreEnv }, ...more });
  return { child, start, show, config, env };
}

const host = (name: string) => `${name}.portal.localhost`;

test('services are seen, added, changed, stopped and removed on a terminal of 80 columns', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { show, config } = await startAgent(t, `[services.shop]\ntarget = ${service.port}\n`);
  const terminal = await show();
  await terminal.shows(/> shop +running .*shop\.portal\.localhost/);
  await get(relay, host('shop'), '/orders?token=abc');
  await terminal.shows(/200 GET \/orders\?token=••• /);
  await terminal.press('Tab');
  await terminal.shows(/\[2 Relays\][\s\S]*localhost:\d+ up, [\s\S]*certificate until \d{4}-/);
  await terminal.press('3');
  await terminal.shows(/serving at https:\/\/shop/);
  await terminal.press('4');
  await terminal.shows(/target +\d+ +\(service\)/);
  await terminal.press('5');
  await terminal.shows(/█▀▀▀▀▀█[\s\S]*https:\/\/shop\.portal\.localhost/);
  await terminal.press('1', 'a');
  await terminal.shows(/> What/);
  await terminal.type('nonsense://');
  await terminal.press('Enter');
  await terminal.shows(/nonsense:\/\/ is not supported/);
  await terminal.press(
    'BSpace',
    'BSpace',
    'BSpace',
    'BSpace',
    'BSpace',
    'BSpace',
    'BSpace',
    'BSpace',
    'BSpace',
    'BSpace',
    'BSpace',
  );
  await terminal.type(String(service.port));
  await terminal.press('Tab');
  await terminal.type('second');
  await terminal.press('Enter');
  await terminal.shows(/ {2}second +running/);
  await terminal.press('Down', 'c');
  await terminal.shows(/Change second/);
  await terminal.press('Tab');
  await terminal.type('Best in town');
  await terminal.press('Enter');
  await terminal.shows(/changed second/);
  await terminal.press('s');
  await terminal.shows(/> second +stopped[\s\S]*stopped second/);
  assert.match(
    readFileSync(config, 'utf8'),
    /\[services\.second\]\ntarget = "\d+"\ndescription = "Best in town"\ndisabled = true\n/,
  );
  await terminal.press('s');
  await terminal.shows(/> second +running/);
  await terminal.press('x', 'n');
  await terminal.shows(/nothing was removed/);
  await terminal.press('x', 'y');
  const screen = await terminal.shows(/removed second/);
  assert.equal(screen.includes('second  '), false);
  assert.equal(readFileSync(config, 'utf8').includes('second'), false);
  await terminal.press('q');
  await terminal.shows(/^ended with 0/);
});

test('it follows the size of its terminal, also where CI is set, shows its state without colours, and finds services', async (t) => {
  const names = Array.from({ length: 40 }, (_, index) => `service-${index}`);
  const { show } = await startAgent(
    t,
    names.map((name) => `[services.${name}]\ntarget = 1\ndisabled = true\n`).join(''),
  );
  const terminal = await show({}, { NO_COLOR: '1', CI: 'true' });
  const fits = async (columns: number, rows: number) => {
    await terminal.resize(columns, rows);
    const screen = await terminal.shows(/^Portal agent[\s\S]*> service-[\s\S]*\[1 Requests\][\s\S]*Up\/Down/);
    const lines = screen.split('\n');
    assert.ok(lines.length <= rows + 1 && lines.every(({ length }) => length <= columns), screen);
  };
  await fits(80, 24);
  await fits(40, 12);
  await fits(200, 60);
  await fits(80, 24);
  for (let count = 0; count < 30; count++) await terminal.press('Down');
  await terminal.shows(/> service-30 +stopped/);
  await terminal.press('/');
  await terminal.type('service-39');
  await terminal.press('Enter');
  const screen = await terminal.shows(/> service-39[\s\S]*find: service-39/);
  assert.equal(screen.includes('service-30'), false);
  // Keys that come together.
  await terminal.press('/', 'C-c');
  await terminal.shows(/^ended with 0/);
});

test('a dashboard that is ended leaves the terminal as it was', async (t) => {
  const { env } = await startAgent(t, '[services.shop]\ntarget = 1\ndisabled = true\n');
  const pidFile = join(env.PORTAL_AGENT_STATE, 'pid');
  const command = [process.execPath, portalMain, 'agent', 'dashboard'];
  const terminal = await startTerminal(t, ['sh', '-c', 'echo $$ > "$0"; exec "$@"', pidFile, ...command], { env });
  await terminal.shows(/> shop +stopped/);
  process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM');
  await terminal.shows(/^ended with 0/);
});

test('what visitors send cannot change the terminal', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { show } = await startAgent(t, `[services.evil]\ntarget = "http://127.0.0.1:${service.port}"\n`);
  const terminal = await show();
  await terminal.shows(/> evil +running/);
  // C1 control codes and an override of the direction, in UTF-8.
  const bytes = Buffer.from('/\u009b2J\u202eabc').toString('latin1');
  await get(relay, host('evil'), bytes);
  const screen = await terminal.shows(/\d+ GET \/\?2J\?abc/);
  assert.match(screen, /^Portal agent/);
});

test('an agent that ends is waited for, and one that was never there is said', async (t) => {
  const { child, start, show, env } = await startAgent(t, '[services.shop]\ntarget = 1\ndisabled = true\n');
  const terminal = await show();
  await terminal.shows(/> shop +stopped/);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  await terminal.shows(/the agent does not answer: waiting/);
  // It has another token, and another port.
  await start();
  await terminal.shows(/services: 1/);
  await terminal.press('s');
  await terminal.shows(/> shop +(starting|running)/);
  const nowhere = await startTerminal(t, [process.execPath, portalMain, 'agent', 'dashboard'], {
    env: { PORTAL_AGENT_STATE: join(env.PORTAL_AGENT_STATE, 'nowhere') },
  });
  await nowhere.shows(/no agent runs for[\s\S]*ended with 1/);
  assert.equal(existsSync(join(env.PORTAL_AGENT_STATE, 'nowhere')), false);
  const piped = startPortal(t, ['agent', 'dashboard'], { env });
  const [[code]] = await Promise.all([once(piped, 'exit'), printed(piped, /needs a terminal/, piped.stderr)]);
  assert.equal(code, 2);
});
