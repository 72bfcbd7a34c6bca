import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, copyFileSync, cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Agent, request } from 'undici';
import { takeScreenshot } from '../../src/relay/thumbnails/screenshot.js';
import { call } from '../support/by-hand.js';
import { type TestRelay, startTestRelay } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import { until } from '../support/until.js';
import { projectRoot } from '../contract/support/project.js';
import { openTunnel, startHttpService, startTcpService, temporaryDirectory } from '../support/tunnel.js';

async function relayWithBrowser(t: TestContext): Promise<TestRelay> {
  const relay = await startTestRelay({ chromium: await requireTool('chromium') });
  t.after(() => relay.stop());
  return relay;
}

async function thumbnail(relay: TestRelay, hostname: string) {
  const dispatcher = new Agent({ connect: { ca: relay.ca, servername: relay.rootHost } });
  const url = `https://127.0.0.1:${relay.apiPort}/thumbnail/${hostname}`;
  const { statusCode, headers, body } = await request(url, { dispatcher });
  const bytes = Buffer.from(await body.arrayBuffer());
  await dispatcher.close();
  return { status: statusCode, headers, bytes };
}

/** Asks until there is a picture; the runner's own time limit ends this when there never is. */
async function picture(relay: TestRelay, hostname: string): Promise<Buffer> {
  for (;;) {
    const { status, headers, bytes } = await thumbnail(relay, hostname);
    if (status === 200) {
      assert.equal(headers['content-type'], 'image/jpeg');
      assert.equal(headers['cache-control'], 'public, max-age=300');
      return bytes;
    }
    assert.equal(JSON.parse(bytes.toString()).error.code, 'not_found');
    await delay(100);
  }
}

/** Size and the colour of the middle, as a browser sees them. */
async function look(jpeg: Buffer): Promise<{ width: number; height: number; colour: number[] }> {
  const browser = await chromium.launch({
    executablePath: await requireTool('chromium'),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
  try {
    const page = await browser.newPage();
    return await page.evaluate(`(async () => {
      const image = new Image();
      image.src = 'data:image/jpeg;base64,${jpeg.toString('base64')}';
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      const context = canvas.getContext('2d');
      context.drawImage(image, 0, 0);
      const colour = [...context.getImageData(image.width / 2, image.height / 2, 1, 1).data].slice(0, 3);
      return { width: image.width, height: image.height, colour };
    })()`);
  } finally {
    await browser.close();
  }
}

test('a thumbnail of the public page is taken in the background, and deleted with its lease', async (t) => {
  const relay = await relayWithBrowser(t);
  const service = await startHttpService(t, (_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<body style="margin:0;background:rgb(0,160,80)">');
  });
  const { tunnel, hostname } = await openTunnel(t, relay, service.port, { name: 'shown' });
  assert.equal((await thumbnail(relay, hostname)).status, 404, 'none is at hand yet');
  const seen = await look(await picture(relay, hostname.toUpperCase()));
  assert.deepEqual([seen.width, seen.height], [640, 400]);
  for (const [i, part] of [0, 160, 80].entries()) assert.ok(Math.abs((seen.colour[i] as number) - part) < 6);

  await tunnel.close();
  assert.equal((await thumbnail(relay, hostname)).status, 404);
  const other = await startHttpService(t, (_request, response) => response.writeHead(500).end());
  await openTunnel(t, relay, other.port, { name: 'shown' });
  assert.equal((await thumbnail(relay, hostname)).status, 404, 'the name is another identity’s now');
});

test('there is no thumbnail of unknown, hidden or unavailable services, and hidden ones are not visited', async (t) => {
  const relay = await relayWithBrowser(t);
  let visits = 0;
  const service = await startHttpService(t, (_request, response) => {
    visits++;
    response.end('hidden');
  });
  const { hostname } = await openTunnel(t, relay, service.port, { name: 'hidden', metadata: { hide: true } });
  const shown = await startHttpService(t, (_request, response) => response.end('shown'));
  const next = await openTunnel(t, relay, shown.port, { name: 'next' });
  for (const name of [hostname, `nobody.${relay.rootHost}`, relay.rootHost, 'example.com', '127.0.0.1'])
    assert.equal((await thumbnail(relay, name)).status, 404, name);
  // Pictures are taken one after the other: once there is this one, there would have been the others.
  await picture(relay, next.hostname);
  assert.equal((await thumbnail(relay, hostname)).status, 404);
  assert.equal(visits, 0);
});

test('without a browser thumbnails are feature_unavailable', async (t) => {
  const relay = await startTestRelay();
  t.after(() => relay.stop());
  const { status, body } = await call(relay, 'GET', `/thumbnail/any.${relay.rootHost}`);
  assert.deepEqual([status, body.error.code], [503, 'feature_unavailable']);
});

test('a hostile page can connect to its own public name only', async (t) => {
  const relay = await relayWithBrowser(t);
  const reached: string[] = [];
  const canary = await startTcpService(t, (socket) => {
    reached.push('tcp');
    socket.destroy();
  });
  const udp = createSocket('udp4', () => reached.push('udp'));
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  t.after(() => udp.close());
  const udpPort = (udp.address() as AddressInfo).port;
  const neighbour = await startHttpService(t, (_request, response) => {
    reached.push('neighbour');
    response.end();
  });
  const { url: neighbourUrl } = await openTunnel(t, relay, neighbour.port, { name: 'neighbour' });

  const said = new Set<string>();
  const service = await startHttpService(t, (incoming, response) => {
    if (incoming.url?.startsWith('/said?')) said.add(decodeURIComponent(incoming.url.slice(6)));
    response.setHeader('Content-Type', 'text/html');
    response.end(incoming.url === '/' ? page : '');
  });
  const tries = [
    `https://127.0.0.1:${canary.port}/`,
    `http://127.0.0.1:${canary.port}/`,
    `http://localhost:${canary.port}/`,
    `http://[::1]:${canary.port}/`,
    `http://0.0.0.0:${canary.port}/`,
    `${relay.url}/sdk/domain`,
    `https://127.0.0.1:${relay.apiPort}/sdk/domain`,
    neighbourUrl,
    'http://169.254.169.254/latest/meta-data/',
    'file:///etc/passwd',
  ];
  const page = `<!doctype html><body style="background:#123">
    <iframe src="http://127.0.0.1:${canary.port}/frame"></iframe><iframe src="file:///etc/passwd"></iframe>
    <img src="http://127.0.0.1:${canary.port}/image"><link rel="dns-prefetch" href="//127.0.0.1:${canary.port}">
    <link rel="preconnect" href="http://127.0.0.1:${canary.port}">
    <script>
      const say = (what) => fetch('/said?' + encodeURIComponent(what));
      const open = (what, make) => { try { return make(); } catch (error) { say(what + ' threw'); } };
      addEventListener('load', async () => {});
      for (const url of ${JSON.stringify(tries)}) {
        fetch(url, { mode: 'no-cors' }).then(() => say('reached ' + url), () => say('refused ' + url));
        navigator.sendBeacon?.(url);
      }
      open('ws', () => new WebSocket('ws://127.0.0.1:${canary.port}/'));
      open('wt', () => new WebTransport('https://127.0.0.1:${udpPort}/').ready.catch(() => {}));
      open('rtc', () => {
        const rtc = new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:${udpPort}' }, {
          urls: 'turn:127.0.0.1:${canary.port}?transport=tcp', username: 'a', credential: 'b' }] });
        rtc.createDataChannel('x');
        rtc.createOffer().then((offer) => rtc.setLocalDescription(offer));
      });
      open('popup', () => window.open('http://127.0.0.1:${canary.port}/popup'));
      open('alert', () => alert('stop'));
    </script>`;
  const { hostname } = await openTunnel(t, relay, service.port, { name: 'hostile' });
  await picture(relay, hostname);
  assert.deepEqual(reached, []);
  assert.deepEqual(
    [...said].filter((line) => line.startsWith('reached')),
    [],
  );
  assert.ok(
    [...said].some((line) => line.startsWith('refused')),
    'the page ran, and was refused',
  );
});

test('a page that redirects elsewhere gets no thumbnail and does not load; the next page does', async (t) => {
  const relay = await relayWithBrowser(t);
  let reached = 0;
  const canary = await startTcpService(t, (socket) => {
    reached++;
    socket.destroy();
  });
  const paths: string[] = [];
  const redirecting = await startHttpService(t, (incoming, response) => {
    paths.push(incoming.url ?? '');
    response.writeHead(302, { Location: `http://127.0.0.1:${canary.port}/` }).end();
  });
  const leading = await openTunnel(t, relay, redirecting.port, { name: 'leading' });
  const honest = await startHttpService(t, (_request, response) => response.end('honest'));
  const next = await openTunnel(t, relay, honest.port, { name: 'honest' });
  assert.equal((await thumbnail(relay, leading.hostname)).status, 404);
  await picture(relay, next.hostname);
  assert.equal((await thumbnail(relay, leading.hostname)).status, 404);
  assert.deepEqual(paths, ['/']);
  assert.equal(reached, 0);
});

test('thumbnails work with a program directory that only root can read', async (t) => {
  const folder = temporaryDirectory(t);
  chmodSync(folder, 0o700);
  for (const room of ['relay/thumbnails', 'util'])
    cpSync(fileURLToPath(new URL(`../../src/${room}`, import.meta.url)), join(folder, room), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
  const there = (await import(join(folder, 'relay/thumbnails/screenshot.js'))) as {
    takeScreenshot: typeof takeScreenshot;
  };
  let reached: (() => void) | undefined;
  const visited = new Promise<void>((resolve) => (reached = resolve));
  const stalled = await startTcpService(t, () => reached?.());
  const job = {
    chromium: await requireTool('chromium'),
    url: 'https://stalled.portal.localhost:8443/',
    proxy: `127.0.0.1:${stalled.port}`,
  };
  const limits = { timeoutMs: 60_000, maxMemoryBytes: 1 << 30 };
  const stop = new AbortController();
  const taken = there.takeScreenshot(job, stop.signal, limits);
  await Promise.race([visited, taken]);
  stop.abort();
  await assert.rejects(taken, /the relay stops/);
});

for (const [what, limits, reason] of [
  ['takes too long', { timeoutMs: 2_000, maxMemoryBytes: 1 << 30 }, /longer than 2000 ms/],
  ['takes too much memory', { timeoutMs: 60_000, maxMemoryBytes: 50 << 20 }, /memory/],
] as const) {
  test(`a browser that ${what} is ended, with all its processes and files`, async (t) => {
    // Its own, for other test files take pictures meanwhile.
    const folder = temporaryDirectory(t);
    chmodSync(folder, 0o755);
    const { TMPDIR } = process.env;
    process.env['TMPDIR'] = folder;
    t.after(() => {
      if (TMPDIR === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = TMPDIR;
    });
    const stalled = await startTcpService(t, () => {});
    const job = {
      chromium: await requireTool('chromium'),
      url: 'https://stalled.portal.localhost:8443/',
      proxy: `127.0.0.1:${stalled.port}`,
    };
    await assert.rejects(takeScreenshot(job, new AbortController().signal, limits), reason);
    assert.deepEqual(readdirSync(folder), []);
    assert.deepEqual(commandsWith(job.proxy), []);
  });
}

test('processes whose parent has ended, and those created while they are killed, are ended too', async (t) => {
  const folder = temporaryDirectory(t);
  chmodSync(folder, 0o755);
  const browser = join(folder, 'browser');
  const idle = join(folder, 'idle');
  copyFileSync('/bin/sleep', idle);
  // `(command &)` leaves an orphan.
  writeFileSync(browser, `#!/bin/sh\nwhile :; do (${idle} 600 &); sleep 0.01; done\n`);
  chmodSync(browser, 0o755);
  const job = { chromium: browser, url: 'https://a.portal.localhost:8443/', proxy: '127.0.0.1:9' };
  const stop = new AbortController();
  const taken = takeScreenshot(job, stop.signal);
  await until(() => commandsWith(idle).length > 20);
  stop.abort();
  await assert.rejects(taken, /the relay stops/);
  assert.deepEqual(commandsWith(idle), []);
});

/** Commands of the processes running whose command line has a text. */
function commandsWith(text: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => readCommand(pid))
    .filter((command) => command.includes(text));
}

function readCommand(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}
