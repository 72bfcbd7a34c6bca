import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { openBrowser } from '../support/trusting-browser.js';
import { printed, runProgram } from '../support/programs.js';
import { requireTool } from '../support/tools.js';

// What `npm start` promises, tried with the programs that its visitors would use.

let dir: string;
let demo: ChildProcess;
let command: string;
let url: string;
let caFile: string;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'portal-demo-'));
  const script = fileURLToPath(new URL('../../scripts/demo.js', import.meta.url));
  demo = spawn(process.execPath, [script], {
    env: { ...process.env, PORTAL_DEMO_DIR: dir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const text = await printed(demo, /Ctrl\+C/);
  command = /^curl .*$/m.exec(text)?.[0] as string;
  [, caFile, url] = /^curl --cacert (\S+) (\S+)$/.exec(command) as unknown as [string, string, string];
});

after(() => {
  demo.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

test('the printed curl command works as pasted', async () => {
  await requireTool('curl');
  const { code, stdout, stderr } = await runProgram('sh', ['-c', command]);
  assert.equal(code, 0, stderr);
  assert.match(stdout.toString(), /Hello from a service on your own machine/);
});

test('without the CA curl refuses the certificate', async () => {
  const { code } = await runProgram(await requireTool('curl'), ['-s', url]);
  assert.equal(code, 60);
});

test('curl uploads and downloads 64 MB intact', async () => {
  const file = join(dir, 'upload');
  const bytes = randomBytes(64 << 20);
  writeFileSync(file, bytes);
  const { code, stdout } = await runProgram(await requireTool('curl'), [
    '-s',
    '--cacert',
    caFile,
    '--data-binary',
    `@${file}`,
    `${url}/echo`,
  ]);
  assert.equal(code, 0);
  assert.equal(createHash('sha256').update(stdout).digest('hex'), createHash('sha256').update(bytes).digest('hex'));
});

test('openssl verifies the chain, connects with TLS 1.3 only, and resumes', async () => {
  const openssl = await requireTool('openssl');
  const { hostname, port } = new URL(url);
  const session = join(dir, 'session');
  const base = [
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    '-servername',
    hostname,
    '-CAfile',
    caFile,
    '-verify_return_error',
    '-ign_eof',
  ];
  const input = `GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`;
  const first = await runProgram(openssl, [...base, '-sess_out', session], { input });
  assert.match(first.stdout.toString(), /New, TLSv1\.3/);
  assert.match(first.stdout.toString(), /Verify return code: 0 \(ok\)/);
  assert.match(first.stdout.toString(), /Hello from a service/);
  const again = await runProgram(openssl, [...base, '-sess_in', session], { input });
  assert.match(again.stdout.toString(), /Reused, TLSv1\.3/);
  const old = await runProgram(openssl, [...base, '-tls1_2'], { input });
  assert.match(old.stdout.toString() + old.stderr, /alert protocol version/);
});

test('gnutls-cli gets a response', async () => {
  const { hostname, port } = new URL(url);
  const args = [
    '--x509cafile',
    caFile,
    '--port',
    port,
    '--sni-hostname',
    hostname,
    '--verify-hostname',
    hostname,
    '127.0.0.1',
  ];
  const { stdout, stderr } = await runProgram(await requireTool('gnutls-cli'), args, {
    input: `GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`,
  });
  assert.match(stdout.toString(), /Hello from a service/, stderr);
});

test('a WebSocket client gets its messages echoed', async () => {
  const socket = new WebSocket(`${url.replace('https', 'wss')}/ws`, {
    ca: readFileSync(caFile),
    lookup: loopback as never,
  });
  await once(socket, 'open');
  for (const message of ['hello', 'x'.repeat(500_000)]) {
    socket.send(message);
    assert.equal(String((await once(socket, 'message'))[0]), message);
  }
  socket.close();
  await once(socket, 'close');
});

test('Chromium shows the page, its event stream, an upload and a WebSocket', async () => {
  const context = await openBrowser(join(dir, 'profile'), readFileSync(join(dir, 'development-cert.pem')));
  try {
    const page = await context.newPage();
    const response = await page.goto(url);
    assert.equal(response?.status(), 200);
    assert.equal((await response?.securityDetails())?.protocol, 'TLS 1.3');
    assert.equal(await page.textContent('h1'), 'It works.');
    await page.waitForFunction("/^\\d{4}-/.test(document.getElementById('time').textContent)");
    const echoed = await page.evaluate(`(async () => {
      const body = new Uint8Array(8 << 20).map((_, i) => i * 7);
      const back = new Uint8Array(await (await fetch('/echo', { method: 'POST', body })).arrayBuffer());
      return back.length === body.length && back.every((byte, i) => byte === body[i]);
    })()`);
    assert.equal(echoed, true);
    const answered = await page.evaluate(`new Promise((resolve, reject) => {
      const socket = new WebSocket('wss://' + location.host + '/ws');
      socket.onopen = () => socket.send('from a page');
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = () => reject(new Error('no socket'));
    })`);
    assert.equal(answered, 'from a page');
    const many = await page.evaluate(`Promise.all(Array.from({ length: 50 }, (_, i) =>
      fetch('/echo', { method: 'POST', body: String(i) }).then((response) => response.text())))`);
    assert.deepEqual(
      many,
      Array.from({ length: 50 }, (_, i) => String(i)),
    );
  } finally {
    await context.close();
  }
});

test('Ctrl+C stops the demo relay, its tunnel and its service', async () => {
  const exited = once(demo, 'exit');
  demo.kill('SIGINT');
  assert.deepEqual(await exited, [0, null]);
  const { code } = await runProgram(await requireTool('curl'), ['-s', '--cacert', caFile, url]);
  assert.equal(code, 7, 'connection refused');
});

/** RFC 6761 6.3: names below localhost are this machine. */
function loopback(
  _name: string,
  options: { all?: boolean },
  done: (error: null, address: unknown, family?: number) => void,
): void {
  if (options.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
  else done(null, '127.0.0.1', 4);
}
