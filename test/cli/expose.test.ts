import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startInterceptedRelay } from '../support/interceptor.js';
import { printed } from '../support/programs.js';
import { startTestRelay, type TestRelay, withPorts, sharedRelay } from '../support/relay.js';
import { get, open, startHttpService, temporaryDirectory } from '../support/tunnel.js';

const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

const relay = sharedRelay();

interface Run {
  child: ChildProcess;
  /** The first line of stdout. */
  firstLine: Promise<string>;
  /** Everything, once it is over. */
  over: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function portal(t: TestContext, args: string[], env: Record<string, string> = {}): Run {
  const home = temporaryDirectory(t);
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const firstLine = once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line));
  const all = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  const over = all.then(([stdout, stderr, [code]]) => ({ code: code as number | null, stdout, stderr }));
  return { child, firstLine, over };
}

const hostnameOf = (url: string) => new URL(url).hostname;

test('piped, stdout is the public URL only, and SIGINT releases the name and exits with 0', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const directory = temporaryDirectory(t);
  const identity = join(directory, 'me.json');
  const args = [
    `${service.port}`,
    '--relay',
    relay.url,
    '--ca',
    relay.caFile,
    '--name',
    'piped',
    '--identity',
    identity,
  ];
  const { child, firstLine, over } = portal(t, ['expose', ...args]);
  const url = await firstLine;
  assert.equal(url, `https://piped.portal.localhost:${relay.publicPort}`);
  assert.equal((await get(relay, hostnameOf(url))).body, 'here');
  child.kill('SIGINT');
  const { code, stdout, stderr } = await over;
  assert.equal(code, 0);
  assert.equal(stdout, `${url}\n`);
  assert.match(stderr, /registered piped\.portal\.localhost/);
  await assert.rejects(get(relay, hostnameOf(url)), /unrecognized name/);
  const { private_key: secret } = JSON.parse(readFileSync(identity, 'utf8')) as { private_key: string };
  assert.ok(!`${stdout}${stderr}`.includes(secret.slice(2)));
  assert.doesNotMatch(`${stdout}${stderr}`, /eyJ/);
});

test('--json prints one line of JSON on stdout, and events as JSON on stderr', async (t) => {
  const args = ['127.0.0.1:9', '--raw', '--relay', relay.url, '--ca', relay.caFile, '--name', 'in-json', '--json'];
  const { child, firstLine, over } = portal(t, ['expose', ...args]);
  const ready = JSON.parse(await firstLine) as Record<string, string>;
  assert.deepEqual(ready, {
    url: `https://in-json.portal.localhost:${relay.publicPort}`,
    urls: [`https://in-json.portal.localhost:${relay.publicPort}`],
    hostname: 'in-json.portal.localhost',
    relay: relay.url,
  });
  child.kill('SIGTERM');
  const { code, stdout, stderr } = await over;
  assert.equal(code, 0);
  assert.equal(stdout.trimEnd().split('\n').length, 1);
  const events = stderr
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event: string }).event);
  assert.deepEqual(events, ['connecting', 'registered', 'ready', 'closing']);
});

test('several public addresses are printed one per line; ports can be exposed without a TARGET', async (t) => {
  const ports = await startTestRelay(await withPorts(4));
  t.after(() => ports.stop());
  const common = ['--relay', ports.url, '--ca', ports.caFile];
  const all = portal(t, ['expose', '9', '--tcp', '22', '--udp', '127.0.0.1:53', '--name', 'all', ...common]);
  await all.firstLine;
  all.child.kill('SIGTERM');
  const { code, stdout } = await all.over;
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^https:\/\/all\.portal\.localhost:\d+\ntcp:\/\/portal\.localhost:(\d+)\nudp:\/\/portal\.localhost:\1\n$/,
  );
  const alone = portal(t, ['expose', ...common], { PORTAL_UDP: '53' });
  assert.match(await alone.firstLine, /^udp:\/\/portal\.localhost:\d+$/);
});

test('with several relays each has a URL, and --json includes the relay', async (t) => {
  const other = await startTestRelay();
  t.after(() => other.stop());
  const ca = join(temporaryDirectory(t), 'ca.pem');
  writeFileSync(ca, relay.ca + other.ca);
  const run = async (...more: string[]): Promise<string[]> => {
    const args = ['9', '--relay', relay.url, '--relay', other.url, '--ca', ca, '--name', 'both', ...more];
    const { child, over } = portal(t, ['expose', ...args]);
    const lines: string[] = [];
    const bothServe = new Promise<void>((resolve) => {
      createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line) === 2 && resolve());
    });
    await bothServe;
    child.kill('SIGTERM');
    assert.equal((await over).code, 0);
    return lines.sort();
  };
  const urlAt = ({ url }: TestRelay) => url.replace('https://', 'https://both.');
  assert.deepEqual(await run(), [urlAt(relay), urlAt(other)].sort());
  const said = (await run('--json')).map((line) => JSON.parse(line) as { url: string; relay: string });
  assert.deepEqual(
    new Map(said.map(({ relay: at, url }) => [at, url])),
    new Map([relay, other].map((each) => [each.url, urlAt(each)])),
  );
});

test('environment variables replace flags, and flags override them', async (t) => {
  const env = { PORTAL_RELAY: relay.url, PORTAL_CA: relay.caFile, PORTAL_NAME: 'by-env', PORTAL_TTL: '60' };
  const first = portal(t, ['expose', '9'], env);
  assert.match(await first.firstLine, /^https:\/\/by-env\./);
  const second = portal(t, ['expose', '9', '--name', 'by-flag'], env);
  assert.match(await second.firstLine, /^https:\/\/by-flag\./);
  for (const { child, over } of [first, second]) {
    child.kill('SIGTERM');
    assert.equal((await over).code, 0);
  }
});

test('without a name or an identity both are generated, and stay the same', async (t) => {
  const config = temporaryDirectory(t);
  const urls: string[] = [];
  for (let run = 0; run < 2; run++) {
    const env = { XDG_CONFIG_HOME: config };
    const { child, firstLine, over } = portal(t, ['expose', '9', '--relay', relay.url, '--ca', relay.caFile], env);
    urls.push(await firstLine);
    child.kill('SIGTERM');
    await over;
  }
  assert.equal(urls[0], urls[1]);
});

test('a usage error is one line on stderr and exit code 2', async (t) => {
  const bad = join(temporaryDirectory(t), 'bad.pem');
  writeFileSync(bad, 'no certificate');
  const identity = join(temporaryDirectory(t), 'open.json');
  writeFileSync(identity, '{}', { mode: 0o644 });
  const to = ['--relay', relay.url];
  const cases: [string[], RegExp][] = [
    [['expose'], /give the service/],
    [['expose', '3000'], /--relay URL, PORTAL_RELAY, or once for all/],
    [['expose', '3000', '4000', ...to], /"4000"/],
    [['expose', '3000', '--relay', 'http://x'], /begins with https/],
    [['expose', 'ftp://localhost', ...to], /ftp:\/\/ is not supported/],
    [['expose', '3000', ...to, '--name', 'a.b'], /not a name/],
    [['expose', '3000', ...to, '--max-relays', 'all'], /--max-relays is a number/],
    [['expose', '3000', ...to, '--max-relays', '17'], /1 to 16 relays/],
    [['expose', '3000', ...to, '--hops', '1'], /a path has 2 or 3 relays, not 1/],
    [['expose', '3000', '--hops', '2'], /--relay URL, PORTAL_RELAY, or once for all/],
    [['expose', '3000', '--hops', 'https://a.example,https://a.example/'], /a\.example is in the path twice/],
    [['expose', '--tcp', '22', '--hops', 'a.example,b.example'], /no TCP or UDP ports/],
    [['expose', '3000', ...to, '--ttl', 'long'], /--ttl is a number of seconds/],
    [['expose', '3000', ...to, '--grace', '-1'], /--grace/],
    [['expose', '3000', ...to, '--ca', '/nowhere'], /\/nowhere: ENOENT/],
    [['expose', '3000', ...to, '--ca', bad], /no PEM certificate/],
    [['expose', '3000', ...to, '--identity', identity], /chmod 600/],
    [['expose', '3000', ...to, '--nonsense'], /--nonsense/],
    [['nonsense'], /no such command/],
  ];
  await Promise.all(
    cases.map(async ([args, message]) => {
      const { code, stdout, stderr } = await portal(t, args).over;
      assert.equal(code, 2, args.join(' '));
      assert.equal(stdout, '');
      const faults = stderr.split('\n').filter((line) => line.startsWith('portal'));
      assert.equal(faults.length, 1, stderr);
      assert.match(faults[0]!, message);
      assert.doesNotMatch(stderr, /\n {4}at /);
    }),
  );
});

test('a fatal error is reported with its reason and exit code 1', async (t) => {
  const env = { PORTAL_RELAY: relay.url, PORTAL_CA: relay.caFile, PORTAL_NAME: 'contested' };
  const first = portal(t, ['expose', '9'], env);
  await first.firstLine;
  const { code, stdout, stderr } = await portal(t, ['expose', '9'], env).over;
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /\nportal expose: .+\n$/);
  first.child.kill('SIGTERM');
  await first.over;

  const distrusted = await portal(t, ['expose', '9', '--relay', relay.url]).over;
  assert.equal(distrusted.code, 1);
  assert.match(distrusted.stderr, /cannot be trusted/);
});

test('the first signal lets a download finish, the second cuts it', async (t) => {
  const whole = Buffer.alloc(8 * 1024 * 1024, 'x');
  const service = await startHttpService(t, (_request, response) => {
    response.writeHead(200, { Connection: 'close' }).end(whole);
  });
  const env = { PORTAL_RELAY: relay.url, PORTAL_CA: relay.caFile };
  for (const signals of [1, 2]) {
    const { child, firstLine, over } = portal(t, ['expose', `${service.port}`, '--grace', '600'], env);
    const download = await open(relay, hostnameOf(await firstLine));
    let length = ((await once(download, 'data')) as [Buffer])[0].length;
    download.pause();
    const closing = seen(child, /closing/);
    child.kill('SIGTERM');
    await closing;
    if (signals === 2) child.kill('SIGTERM');
    if (signals === 2) assert.equal((await over).code, 0);
    const cut = await (async () => {
      for await (const chunk of download) length += (chunk as Buffer).length;
    })().then(
      () => false,
      () => true,
    );
    assert.equal(cut, signals === 2);
    assert.equal(length === whole.length, signals === 1);
    assert.equal((await over).code, 0);
  }
});

test('--help and --version print to stdout', async (t) => {
  for (const args of [['help'], ['--help'], ['expose', '--help']]) {
    const { code, stdout, stderr } = await portal(t, args).over;
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^Usage: portal/);
  }
  const { stdout } = await portal(t, ['version']).over;
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  const nothing = await portal(t, []).over;
  assert.equal(nothing.code, 2);
  assert.match(nothing.stderr, /^Usage: portal/);
});

test('flags for the visitor address take effect, and invalid combinations are usage errors', async (t) => {
  const service = await startHttpService(t, (request, response) =>
    response.end(`${request.headers.host} ${request.headers['x-forwarded-for']}`),
  );
  const args = ['expose', `127.0.0.1:${service.port}`, '--relay', relay.url, '--ca', relay.caFile];
  const { child, firstLine, over } = portal(t, [...args, '--host-header', 'rewrite']);
  const { body } = await get(relay, hostnameOf(await firstLine), '/', { headers: { 'X-Forwarded-For': '6.6.6.6' } });
  assert.equal(body, `127.0.0.1:${service.port} 127.0.0.1`);
  child.kill('SIGINT');
  await over;
  const wrong = await portal(t, [...args, '--host-header', 'a b']).over;
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /Host header/);
});

async function seen(child: ChildProcess, pattern: RegExp): Promise<void> {
  for await (const [chunk] of on(child.stderr!)) if (pattern.test(String(chunk))) return;
}

async function* on(stream: NodeJS.ReadableStream): AsyncGenerator<unknown[]> {
  for (;;) yield await once(stream, 'data');
}

test('--ban-mitm: a relay that terminates TLS itself is reported, and the exit code is 3', async (t) => {
  const intercepted = await startInterceptedRelay(t);
  const service = await startHttpService(t, (_request, response) => response.end('here'));
  const args = [`${service.port}`, '--relay', intercepted.relay.url, '--ca', intercepted.relay.caFile, '--ban-mitm'];
  const { firstLine, over } = portal(t, ['expose', ...args]);
  const hostname = hostnameOf(await firstLine);
  assert.equal((await get(intercepted.relay, hostname)).body, 'here');
  const { code, stderr } = await over;
  assert.equal(code, 3);
  assert.match(stderr, new RegExp(`WARNING: TLS for ${hostname} does not end in this tunnel`));
  assert.match(stderr, /portal expose: left the relay: TLS for/);
});

test('--ban-mitm without probes is a usage error', async (t) => {
  const { over } = portal(t, ['expose', '3000', '--relay', relay.url, '--no-probe', '--ban-mitm']);
  const { code, stderr } = await over;
  assert.equal(code, 2);
  assert.match(stderr, /probe/);
});

test('a remote relay is reached through the proxy of HTTPS_PROXY', async (t) => {
  const args = ['expose', '1', '--relay', 'https://relay.example.test'];
  const { child } = portal(t, args, { HTTPS_PROXY: 'http://127.0.0.1:9' });
  await printed(child, /cannot reach the proxy 127\.0\.0\.1:9/, child.stderr);
});
