import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test, type TestContext } from 'node:test';
import { readExposeConfig } from '../../src/cli/expose/expose-config.js';
import { UsageError } from '../../src/sdk/index.js';
import { ended, readBytes } from '../support/by-hand.js';

import { startPortal } from '../support/processes.js';
import { startTestRelay, type TestRelay } from '../support/relay.js';
import { get, startHttpService, startTcpService, temporaryDirectory, visitTls } from '../support/tunnel.js';
import { until } from '../support/until.js';

let relay: TestRelay;
let other: TestRelay;
before(async () => {
  relay = await startTestRelay();
  other = await startTestRelay();
});
after(async () => {
  await relay.stop();
  await other.stop();
});

interface Event {
  event: string;
  service?: string;
  message: string;
  started?: string[];
  restarted?: string[];
  moved?: string[];
  stopped?: string[];
  kept?: string[];
}

/** `portal expose --config` of a file that can be written again. */
function startServices(t: TestContext) {
  const dir = temporaryDirectory(t);
  const config = join(dir, 'services.toml');
  writeFileSync(join(dir, 'ca.pem'), relay.ca + other.ca);
  const head = `relays = ["${relay.url}"]\nca = "ca.pem"\nidentity = "identity.json"\n`;
  const events: Event[] = [];
  const places: { service: string; relay: string; url: string }[] = [];
  const made = {
    config,
    events,
    places,
    child: undefined as unknown as ChildProcess,
    write: (services: string) => writeFileSync(config, head + services),
    start() {
      made.child = startPortal(t, ['expose', '--config', config, '--json']);
      collect(made.child.stdout!, (line) => places.push(JSON.parse(line) as (typeof places)[0]));
      collect(made.child.stderr!, (line) => events.push(JSON.parse(line) as Event));
    },
    /** The event of this kind that comes after so many of it. */
    async event(kind: string, after = 0): Promise<Event> {
      return await until(() => events.filter(({ event }) => event === kind)[after]);
    },
    async serving(...services: string[]): Promise<void> {
      await until(() => services.every((name) => places.some(({ service }) => service === name)));
    },
    async stop() {
      const exited = once(made.child, 'exit');
      made.child.kill('SIGTERM');
      return await exited;
    },
  };
  return made;
}

function collect(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) onLine(line);
  });
}

const service = (name: string, port: number, more = '') => `[services.${name}]\ntarget = ${port}\n${more}\n`;

/** A connection whose words come back. */
async function startCall(t: TestContext, at: TestRelay, name: string) {
  const socket = await visitTls(at, `${name}.portal.localhost`);
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return {
    socket,
    async talk(word: string) {
      socket.write(word);
      assert.equal((await readBytes(socket, word.length)).toString(), word);
    },
  };
}

test('a config file serves all its services; a change affects only the services that changed', async (t) => {
  const echo = await startTcpService(t, (socket) => socket.pipe(socket));
  const page = await startHttpService(t, (_request, response) => response.end('page'));
  const s = startServices(t);
  s.write(service('kept', echo.port) + service('changed', echo.port) + service('stopped', echo.port));
  s.start();
  await s.serving('kept', 'changed', 'stopped');
  const call = await startCall(t, relay, 'kept');
  await call.talk('before');

  s.write(service('kept', echo.port) + service('changed', page.port) + service('new', page.port));
  const reloaded = await s.event('reloaded');
  assert.deepEqual(
    [reloaded.kept, reloaded.restarted, reloaded.stopped, reloaded.started, reloaded.moved],
    [['kept'], ['changed'], ['stopped'], ['new'], []],
  );
  await s.serving('new');
  await call.talk('after');
  await until(async () => (await get(relay, 'changed.portal.localhost').catch(() => undefined))?.body === 'page');
  assert.equal((await get(relay, 'new.portal.localhost')).body, 'page');
  await assert.rejects(get(relay, 'stopped.portal.localhost'), /unrecognized name/);
  // It has been registered once, and is still.
  assert.equal(s.events.filter(({ event, service: name }) => event === 'registered' && name === 'kept').length, 1);
  await call.talk('still');
  call.socket.end();
  assert.deepEqual(await s.stop(), [0, null]);
});

test('changing the relays of a service keeps connections through the relays that stay', async (t) => {
  const echo = await startTcpService(t, (socket) => socket.pipe(socket));
  const s = startServices(t);
  s.write(service('mover', echo.port));
  s.start();
  await s.serving('mover');
  const call = await startCall(t, relay, 'mover');
  await call.talk('one');
  s.write(service('mover', echo.port, `relays = ["${relay.url}", "${other.url}"]`));
  assert.deepEqual((await s.event('reloaded')).moved, ['mover']);
  await until(() => s.places.some(({ relay: url }) => url === other.url));
  await (await startCall(t, other, 'mover')).talk('two');
  await call.talk('one still');
});

test('an invalid config file changes nothing, is reported in one line, and is read again when fixed', async (t) => {
  const echo = await startTcpService(t, (socket) => socket.pipe(socket));
  const s = startServices(t);
  s.write(service('steady', echo.port));
  s.start();
  await s.serving('steady');
  const call = await startCall(t, relay, 'steady');
  const wrong = [
    service('steady', echo.port) + service('bad', 70_000),
    'this is not TOML',
    '',
    service('steady', echo.port, 'identity = "ca.pem"'),
  ];
  for (const [index, content] of wrong.entries()) {
    s.write(content);
    const { message } = await s.event('config_refused', index);
    assert.ok(message.startsWith(`${s.config}: `) && message.endsWith('the services go on as before'), message);
    assert.doesNotMatch(message, /\n/);
    await call.talk('steady');
  }
  assert.equal(s.events.filter(({ event }) => event === 'reloaded').length, 0);
  assert.equal(s.events.filter(({ event }) => event === 'registered').length, 1);
  s.write(service('steady', echo.port) + service('good', echo.port));
  assert.deepEqual((await s.event('reloaded')).started, ['good']);
  await call.talk('mended');
  // Nor may a file that nobody could read have been written to since.
  chmodSync(s.config, 0o640);
  assert.deepEqual((await s.event('reloaded', 1)).kept, ['steady', 'good']);
});

test('a config file replaced by rename is reloaded, and SIGHUP reloads it at any time', async (t) => {
  const echo = await startTcpService(t, (socket) => socket.pipe(socket));
  const s = startServices(t);
  s.write(service('first', echo.port));
  s.start();
  await s.serving('first');
  s.child.kill('SIGHUP');
  assert.deepEqual((await s.event('reloaded')).kept, ['first']);
  const beside = `${s.config}.new`;
  writeFileSync(
    beside,
    `relays = ["${relay.url}"]\nca = "ca.pem"\nidentity = "identity.json"\n${service('second', 9)}`,
  );
  renameSync(beside, s.config);
  const { stopped, started } = await s.event('reloaded', 1);
  assert.deepEqual([stopped, started], [['first'], ['second']]);
});

test('a refused service ends alone, and is retried at a reload', async (t) => {
  const echo = await startTcpService(t, (socket) => socket.pipe(socket));
  const holder = startServices(t);
  holder.write(service('wanted', echo.port));
  holder.start();
  await holder.serving('wanted');
  const s = startServices(t);
  s.write(service('wanted', echo.port) + service('free', echo.port));
  s.start();
  await s.serving('free');
  assert.match((await s.event('failed')).message, /belongs to another identity/);
  const call = await startCall(t, relay, 'free');
  s.child.kill('SIGHUP');
  const { started, kept } = await s.event('reloaded');
  assert.deepEqual([started, kept], [['wanted'], ['free']]);
  await call.talk('undisturbed');
});

test('when every service is refused, the exit code is 1', async (t) => {
  const holder = startServices(t);
  holder.write(service('sole', 9));
  holder.start();
  await holder.serving('sole');
  const s = startServices(t);
  s.write(service('sole', 9));
  s.start();
  const [code] = (await once(s.child, 'exit')) as [number];
  assert.equal(code, 1);
});

test('an invalid config file at start, or other flags with --config, is one line on stderr and exit code 2', async (t) => {
  const dir = temporaryDirectory(t);
  const config = join(dir, 'services.toml');
  writeFileSync(config, 'relays = ["https://a.example"]\n[services.x]\ntarget = "ftp://x"\n');
  for (const [args, message] of [
    [['--config', config], /^portal expose: .*services\.toml: services\.x: target ftp:\/\/x: ftp:\/\/ is not/],
    [['--config', join(dir, 'nowhere.toml')], /nowhere\.toml: ENOENT\n$/],
    [['--config', config, '3000'], /--config cannot be combined with "3000"/],
    [['--config', config, '--name', 'x'], /--config cannot be combined with --name/],
  ] as const) {
    const child = startPortal(t, ['expose', ...args]);
    const [said, [code]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
    assert.match(said, message);
    assert.deepEqual([code, said.split('\n').length], [2, 2]);
  }
});

test('top-level options apply to all services, and options of a service override them', (t) => {
  const dir = temporaryDirectory(t);
  const config = join(dir, 'services.toml');
  writeFileSync(
    config,
    `relays = ["https://a.example", "https://b.example"]
    max_relays = 1
    identity = "keys/me.json"
    grace = 3
    owner = "us"
    [services.shop]
    target = "http://localhost:3000"
    host_header = "rewrite"
    tags = ["x", "y"]
    routes = ["/static=./dist", "/api=3001"]
    allow_ip = ["192.0.2.0/24"]
    [services.files]
    target = "unix:./run/app.sock"
    http = true
    [services.game]
    name = "play"
    udp = 27015
    tcp = "127.0.0.1:27016"
    relays = ["https://c.example"]
    discovery = true
    max_relays = 5
    probe = false
    `,
  );
  mkdirSync(join(dir, 'dist'));
  const services = readExposeConfig(config);
  assert.deepEqual([...services.keys()], ['shop', 'files', 'game']);
  const { name, relay: relays, maxRelays, identityFile, closeGraceMs, metadata, hostHeader } = services.get('shop')!;
  assert.deepEqual([name, relays, maxRelays], ['shop', ['https://a.example', 'https://b.example'], 1]);
  assert.deepEqual([identityFile, closeGraceMs, hostHeader], [join(dir, 'keys', 'me.json'), 3_000, 'rewrite']);
  assert.deepEqual([metadata?.owner, metadata?.tags], ['us', ['x', 'y']]);
  const { routes, allowIp } = services.get('shop')!;
  assert.deepEqual([routes, allowIp], [[`/static=${join(dir, 'dist')}`, '/api=3001'], ['192.0.2.0/24']]);
  assert.equal(services.get('files')!.target, `unix:${join(dir, 'run', 'app.sock')}`);
  const game = services.get('game')!;
  assert.deepEqual([game.name, game.udp, game.tcp, game.target], ['play', 27015, '127.0.0.1:27016', undefined]);
  assert.deepEqual([game.relay, game.discovery, game.maxRelays, game.probe], [['https://c.example'], true, 5, false]);
});

test('a path of relays is a list of URLs, or their number', (t) => {
  const config = join(temporaryDirectory(t), 'services.toml');
  writeFileSync(
    config,
    `hops = ["https://a.example", "https://b.example"]
    [services.named]
    target = 1
    [services.chosen]
    target = 2
    hops = ["3"]
    relays = ["https://c.example"]
    pass_visitor_address = true
    `,
  );
  const services = readExposeConfig(config);
  assert.deepEqual(services.get('named')!.hops, ['https://a.example', 'https://b.example']);
  const { hops, relay: relays, passVisitorAddress } = services.get('chosen')!;
  assert.deepEqual([hops, relays, passVisitorAddress], [3, ['https://c.example'], true]);
});

test('config file errors include their position', (t) => {
  const config = join(temporaryDirectory(t), 'services.toml');
  const fault = (content: string | Buffer): string => {
    writeFileSync(config, content);
    try {
      readExposeConfig(config);
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return error.message;
    }
    return 'none';
  };
  const relays = 'relays = ["https://a.example"]\n';
  const one = '[services.one]\ntarget = 1\n';
  assert.equal(fault(relays + one), 'none');
  assert.match(fault(one), /^services\.one: relays: give one/);
  assert.match(fault(relays), /names no services/);
  assert.match(fault('services = 3'), /names no services/);
  assert.match(fault(`${relays}[services]\none = 3`), /^services\.one: is not a table/);
  assert.match(fault(`${relays}target = 3\n${one}`), /^target: unknown setting/);
  assert.match(fault(`${relays}${one}ports = 3`), /^services\.one: ports: unknown setting/);
  assert.match(fault(`${relays}${one}hide = "yes"`), /^services\.one: hide: must be true or false/);
  assert.match(fault(`relays = "https://a.example"\n${one}`), /^relays: must be a list of strings/);
  assert.match(fault(`${relays}ttl = 0\n${one}`), /^services\.one: ttl: must be a number of seconds/);
  assert.match(fault(`${relays}ca = "gone.pem"\n${one}`), /^services\.one: ca .*gone\.pem: ENOENT/);
  assert.match(fault(`${relays}${one}target = 2`), /line 4/);
  assert.match(
    fault(`${relays}${one}[services.two]\ntarget = 2\nname = "One"`),
    /two: one is the name of services\.one/,
  );
  for (const same of ['a.example', 'https://A.example/', 'https://a.example:443']) {
    const two = `[services.two]\ntarget = 2\nname = "one"\nrelays = ["https://b.example", "${same}"]`;
    assert.match(fault(`${relays}${one}${two}`), /two: one is the name of services\.one on the same relay/);
  }
  // The name of a path is its entry's alone.
  const path = (entry: string) => `[services.two]\ntarget = 2\nname = "one"\nhops = ["${entry}", "https://d.example"]`;
  assert.match(fault(`${relays}${one}${path('https://a.example')}`), /two: one is the name of services\.one/);
  assert.equal(fault(`${relays}${one}${path('https://c.example')}`), 'none');
  assert.match(fault(`${relays}${one}hops = ["https://a.example"]`), /^services\.one: a path has 2 or 3 relays, not 1/);
  assert.match(fault(`${relays}${one}hops = 2`), /^services\.one: hops: must be a list of strings/);
  assert.equal(fault(Buffer.from(`${relays}${one}description = "M\xfcll"`, 'latin1')), 'not in UTF-8');
  assert.equal(fault(`\ufeff${relays}${one}`), 'none');
  assert.equal(
    fault(`${relays}${one}[services.two]\ntarget = 2\nname = "one"\nrelays = ["https://b.example"]`),
    'none',
  );
  assert.match(
    fault(relays + Array.from({ length: 1_025 }, (_, index) => `[services.s${index}]\ntarget = 1\n`).join('')),
    /1024 services at most/,
  );
});

test('a stopped service releases its name at once, and its connections get the grace', async (t) => {
  const echo = await startTcpService(t, (socket) => socket.pipe(socket));
  const s = startServices(t);
  s.write(`grace = 600\n${service('leaving', echo.port)}${service('staying', echo.port)}`);
  s.start();
  await s.serving('leaving', 'staying');
  const call = await startCall(t, relay, 'leaving');
  await call.talk('before');
  s.write(`grace = 600\n${service('staying', echo.port)}`);
  assert.deepEqual((await s.event('reloaded')).stopped, ['leaving']);
  await assert.rejects(get(relay, 'leaving.portal.localhost'), /unrecognized name/);
  await call.talk('after');
  const over = ended(call.socket);
  call.socket.end();
  await over;
});
