import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Agent, request } from 'undici';
import { projectRoot } from '../contract/support/project.js';
import { openPage, startBrowser } from '../support/browser.js';
import { call } from '../support/by-hand.js';
import { portalMain } from '../support/processes.js';
import { runProgram } from '../support/programs.js';
import { sharedRelay } from '../support/relay.js';

const relay = sharedRelay();

async function fetchText(path: string) {
  const dispatcher = new Agent({ connect: { ca: relay.ca, servername: relay.rootHost } });
  try {
    const headers = { 'accept-encoding': 'gzip' };
    const answer = await request(`https://127.0.0.1:${relay.apiPort}${path}`, { dispatcher, headers });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    const text = (answer.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
    return { status: answer.statusCode, headers: answer.headers, text };
  } finally {
    await dispatcher.close();
  }
}

test('every page of the documentation is reached from the first, and every link leads to a page and a heading', async () => {
  const texts = new Map<string, string>();
  const links: { from: string; path: string; fragment: string | undefined }[] = [];
  for (const wanted = ['/docs/start']; wanted.length > 0;) {
    const path = wanted.pop()!;
    if (texts.has(path)) continue;
    const { status, text } = await fetchText(path);
    assert.equal(status, 200, path);
    texts.set(path, text);
    // The reference and the error codes are not of the site.
    if (path === '/docs' || path === '/docs/errors') continue;
    for (const [, href] of text.matchAll(/ (?:href|src)="([^"]*)"/g)) {
      assert.match(href!, /^(#|\/docs|https:|data:,$)/, `${path} links to ${href}`);
      if (!/^[#/]/.test(href!)) continue;
      const [to, fragment] = href!.split('#') as [string, string | undefined];
      const target = to === '' ? path : to.replace(/\?v=[0-9a-f]+$/, '');
      links.push({ from: path, path: target, fragment });
      wanted.push(target);
    }
  }
  assert.ok(texts.size > 35, [...texts.keys()].join(' '));
  for (const { from, path, fragment } of links) {
    if (fragment === undefined) continue;
    assert.ok(
      texts.get(path)!.includes(` id="${decodeURIComponent(fragment)}"`),
      `${from} links to ${path}#${fragment}`,
    );
  }
  const origins = [...texts.values()].flatMap((text) => [...text.matchAll(/<(?:script|link|img|iframe)[^>]*https?:/g)]);
  assert.deepEqual(origins, []);
});

test('what is no page of the documentation is not found, whatever its name', async () => {
  for (const path of ['nothing', 'start.js', 'site', 'search-index'])
    assert.equal((await call(relay, 'GET', `/docs/${path}`)).status, 404, path);
  for (const path of ['..%2f..%2fpackage.json', 'start.html', '%00', 'a'.repeat(65), 'START', '.'])
    assert.ok([400, 404].includes((await call(relay, 'GET', `/docs/${path}`)).status), path);
  const head = await call(relay, 'HEAD', '/docs/start');
  assert.equal(head.status, 200);
  assert.ok(Number(head.headers['content-length']) > 1_000);
});

test('the documentation is read and searched in Chromium, from the relay alone and within its policy', async (t) => {
  const context = await startBrowser(t);
  const { page, faults, requests } = await openPage(context);
  await page.goto(`${relay.url}/docs/how-it-works`);
  assert.equal(await page.locator('figure svg').count(), 3, 'the diagrams are drawn at build time');
  const colour = await page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill");
  assert.notEqual(colour, 'rgb(0, 0, 0)', 'their style is allowed');
  await page.fill('input[type=search]', 'kernel pump');
  await page.waitForSelector('#found a');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.pathname !== '/docs/how-it-works');
  assert.match((await page.textContent('main')) as string, /pump/);
  await page.fill('input[type=search]', 'qqqqqqqq');
  await page.waitForSelector('#found >> text=Nothing found.');
  await page.keyboard.press('Escape');
  await page.waitForSelector('#found', { state: 'hidden' });
  assert.deepEqual(faults, []);
  assert.deepEqual(
    requests.filter((url) => !url.startsWith('data:') && new URL(url).origin !== relay.url),
    [],
  );

  await page.setViewportSize({ width: 360, height: 640 });
  for (const path of ['/docs/protocol', '/docs/how-it-works', '/docs/operations']) {
    await page.goto(`${relay.url}${path}`);
    const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    assert.equal(wide, 0, `${path} is wider than a phone`);
  }
});

test('every option of portal that the guides name exists', async () => {
  const guides = ['README.md', 'docs/guides/start.md', 'docs/guides/exposing.md', 'docs/operations.md'];
  const named = new Map<string, Set<string>>();
  for (const guide of guides) {
    const text = readFileSync(join(projectRoot, guide), 'utf8').replaceAll('\\\n', ' ');
    for (const [, command, rest] of text.matchAll(
      /(?:^|`|-- |main\.js )(?:portal )?(expose|relay|list|doctor|conformance) ([^`\n]*)/gm,
    ))
      for (const [option] of rest!.split(' #')[0]!.matchAll(/--[a-z][a-z-]+/g))
        named.set(command!, (named.get(command!) ?? new Set()).add(option));
  }
  assert.ok(named.get('expose')!.size > 20);
  assert.ok(named.get('relay')!.size > 3);
  for (const [command, options] of named) {
    const { stdout } = await runProgram(process.execPath, [portalMain, command, '--help']);
    const help = stdout.toString();
    for (const option of options) assert.match(help, new RegExp(`${option}\\b`), `portal ${command} ${option}`);
  }
});
