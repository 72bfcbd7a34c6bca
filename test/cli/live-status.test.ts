import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LiveStatus, type Terminal } from '../../src/cli/expose/live-status.js';
import { requireTool } from '../support/tools.js';
import { sharedRelay } from '../support/relay.js';
import { get, startHttpService, temporaryDirectory } from '../support/tunnel.js';

const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const relay = sharedRelay();

const escape = '\x1b';
const written = new RegExp(`${escape}\\[(\\d+)F|${escape}\\[J|\\n|[^${escape}\\n]+|${escape}`, 'g');

/** A screen that knows what the status uses: text, line ends, "up n lines" and "erase below". */
class Screen {
  columns = 60;
  rows = 12;
  readonly lines: string[] = [''];
  #row = 0;

  write(text: string): boolean {
    for (const [part, up] of text.matchAll(written)) {
      if (up !== undefined) this.#row -= Number(up);
      else if (part === '\x1b[J') this.lines.splice(this.#row, Infinity, '');
      else if (part === '\n') this.lines[++this.#row] ??= '';
      else this.lines[this.#row] += part;
    }
    return true;
  }

  on() {
    return this;
  }

  off() {
    return this;
  }
}

const outcome = { hostname: 'a.example.com', address: '192.0.2.1', method: 'GET', status: 200, durationMs: 12 };

function setUp() {
  const screen = new Screen();
  let now = 1_700_000_000_000;
  const status = new LiveStatus(
    screen as unknown as Terminal,
    () => '3000',
    () => now,
  );
  const show = (urls = ['https://a.example.com']) =>
    status.ready({ relay: 'https://example.com', hostname: 'a.example.com', url: urls[0]!, urls });
  return { screen, status, show, pass: (ms: number) => (now += ms) };
}

test('a relay is shown with how long it takes to answer, while it is up', () => {
  const { screen, status, show } = setUp();
  show();
  status.latency({ relay: 'https://example.com', ms: 12.3 });
  show();
  assert.ok(screen.lines.includes('example.com up, answers within 12 ms'), screen.lines.join('\n'));
  status.stop();
});

test('the status is drawn over itself, and lines are printed above it', () => {
  const { screen, status, show } = setUp();
  show();
  status.print('08:00:00 first\n');
  status.request({ ...outcome, target: '/one' });
  show();
  status.print('08:00:01 second\n');
  show();
  const [first, second, empty, ...rest] = screen.lines;
  assert.deepEqual([first, second, empty], ['08:00:00 first', '08:00:01 second', '']);
  assert.deepEqual(
    rest,
    [
      'https://a.example.com  leads to 3000',
      'example.com up',
      '0.0 requests a second; 1 in all; half within 12 ms, 99% with',
      '22:13:20 GET /one 200 12 ms 192.0.2.1',
      'Press Ctrl-C to stop.',
      '',
    ].map((line) => line.slice(0, 59)),
  );
  status.stop();
  assert.deepEqual(screen.lines, ['08:00:00 first', '08:00:01 second', '']);
});

test('it is never wider or higher than the terminal', () => {
  const { screen, status, show } = setUp();
  screen.columns = 20;
  screen.rows = 5;
  for (let count = 0; count < 20; count++) status.request({ ...outcome, target: `/${'long'.repeat(100)}` });
  show();
  assert.equal(screen.lines.length, 4);
  assert.ok(screen.lines.every((line) => line.length < 20));
});

test('what a visitor sends cannot move the cursor or hide text, and a query is not shown', () => {
  const { screen, status, show } = setUp();
  status.request({ ...outcome, target: '/\x1b[2J\x07\x9b\u202e\xe4?token=secret' });
  show();
  const line = screen.lines.find((each) => each.includes('GET'))!;
  assert.match(line, / GET \/%1B\[2J%07%9B\?%E4 200 /);
});

test('the rate is that of the last five whole seconds', () => {
  const { screen, status, show, pass } = setUp();
  for (let second = 0; second < 3; second++) {
    for (let count = 0; count < 10; count++) status.request({ ...outcome, target: '/' });
    pass(1_000);
  }
  show();
  assert.match(screen.lines.join('\n'), /^6\.0 requests a second; 30 in all/m);
  pass(60_000);
  show();
  assert.match(screen.lines.join('\n'), /^0\.0 requests a second; 30 in all/m);
});

test('failures are counted, and connections where there are no requests', () => {
  const { screen, status, show } = setUp();
  const connection = { hostname: 'a', transport: 'tcp', received: 1_234, sent: 5, durationMs: 2_345 } as const;
  status.connection({ ...connection, visitor: { address: '192.0.2.9', port: 1 } });
  show();
  assert.match(screen.lines.join('\n'), /connection 1\.2 KB in, 5 B out 2\.3 s 192\.0\.2\.9/);
  status.request({ ...outcome, target: '/', status: 502 });
  status.request({ ...outcome, target: '/', error: new Error('cut') });
  show();
  assert.match(screen.lines.join('\n'), /2 in all, 2 failed/);
  assert.match(screen.lines.join('\n'), /GET \/ 200, broke off/);
});

test('a relay that is lost or left is no longer shown as up', () => {
  const { screen, status, show } = setUp();
  show();
  status.status({ state: 'retrying', message: '', relay: 'https://example.com' });
  show(['tcp://example.com:1']);
  status.status({ state: 'relay_silent', message: '', relay: 'https://example.com' });
  status.status({ state: 'connecting', message: '', relay: 'https://b.example.com' });
  status.ready({ relay: 'https://c.example.com', hostname: 'a', url: 'tcp://c:1', urls: ['tcp://c:1'] });
  const text = screen.lines.join('\n');
  assert.match(text, /^example\.com no longer answers$/m);
  assert.match(text, /^b\.example\.com connecting$/m);
  status.status({ state: 'relay_left', message: '', relay: 'https://example.com' });
  status.ready({ relay: 'https://c.example.com', hostname: 'a', url: 'tcp://c:2', urls: ['tcp://c:2'] });
  assert.doesNotMatch(screen.lines.join('\n'), /^example\.com/m);
});

for (const [how, extra, isLive] of [
  ['on a terminal there is a QR code and a status with the last requests', [], true],
  ['with --no-live a terminal gets lines only', ['--no-live'], false],
] as const) {
  test(how, async (t) => {
    const service = await startHttpService(t, (_request, response) => response.end('x'));
    const folder = temporaryDirectory(t);
    const args = ['expose', `http://127.0.0.1:${service.port}`, '--name', isLive ? 'live' : 'lines', ...extra];
    const words = [process.execPath, program, ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn(await requireTool('script'), ['-qec', `stty rows 50 cols 100; exec ${words}`, '/dev/null'], {
      env: {
        ...process.env,
        TERM: 'xterm',
        PORTAL_RELAY: relay.url,
        PORTAL_CA: relay.caFile,
        PORTAL_IDENTITY: join(folder, 'identity.json'),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const until = async (pattern: RegExp) => {
      while (!pattern.test(said)) await once(child.stdout, 'data');
    };
    const hostname = `${isLive ? 'live' : 'lines'}.${relay.rootHost}`;
    await until(new RegExp(`https://${hostname}.* leads to`));
    await get(relay, hostname, '/seen?secret');
    if (isLive) await until(/GET \/seen 200/);
    const closed = once(child, 'close');
    child.stdin.write('\x03');
    assert.deepEqual(await closed, [0, null]);
    assert.equal(said.includes('\x1b[30;107m'), isLive);
    assert.equal(said.includes('\x1b[J'), isLive);
    assert.ok(!said.includes('secret'));
  });
}
