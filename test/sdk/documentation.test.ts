import assert from 'node:assert/strict';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { startMock } from '../contract/support/mock.js';
import { projectRoot } from '../contract/support/project.js';
import { openPage, startBrowser } from '../support/browser.js';
import { runProgram } from '../support/programs.js';
import { startTestRelay } from '../support/relay.js';
import { requireTool } from '../support/tools.js';
import { startHttpService, temporaryDirectory } from '../support/tunnel.js';

const sdkPage = readFileSync(join(projectRoot, 'docs/sdk.md'), 'utf8');

test('every command of docs/sdk.md works as pasted, one after the other, against a relay', async (t) => {
  const relay = await startTestRelay();
  t.after(() => relay.stop());
  await Promise.all([requireTool('curl'), requireTool('jq')]);
  const cwd = temporaryDirectory(t);
  // The reader is where ethers is installed.
  symlinkSync(join(projectRoot, 'node_modules'), join(cwd, 'node_modules'));
  const commands = [...sdkPage.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, command]) => command!);
  assert.ok(commands.length >= 8, `${commands.length} commands`);
  const script = commands.map((command, index) => `echo '# ${index}'\n${command}`).join('\n');
  const { code, stdout, stderr } = await runProgram('bash', ['-euo', 'pipefail', '-c', script], {
    cwd,
    env: { RELAY: relay.url, CURL_CA_BUNDLE: relay.caFile },
  });
  assert.equal(code, 0, stderr + stdout.toString());
  const said = stdout
    .toString()
    .split(/^# \d+\n/m)
    .slice(1)
    .map((text) => text.trim());
  assert.equal(said[0], '"portal.localhost"');
  assert.match(said[2]!, /^portal\.localhost:\d+ wants you to sign in with your Ethereum account:\n0x/);
  assert.equal((JSON.parse(said[3]!) as { hostname: string }).hostname, 'by-curl.portal.localhost');
  assert.deepEqual(JSON.parse(said[5]!), {
    hostname: 'by-curl.portal.localhost',
    registered: true,
    service_alive: false,
    own_certificate: false,
  });
  assert.equal(said[6], '101');
  assert.equal(said[7], '{"ok":true,"data":{}}lease_not_found');
});

test('the frontend of the examples works in Chromium against the mock alone', async (t) => {
  const mock = await startMock();
  t.after(() => mock.stop());
  const files: Record<string, [type: string, file: string]> = {
    '/': ['text/html', 'docs/examples/frontend/index.html'],
    '/portal-sdk.js': ['text/javascript', 'dist/browser/portal-sdk.js'],
  };
  const { port } = await startHttpService(t, (request, response) => {
    const [type, file] = files[new URL(request.url ?? '', 'http://page').pathname] ?? [];
    if (type === undefined || file === undefined) return void response.writeHead(204).end();
    response.setHeader('Content-Type', type);
    response.end(readFileSync(join(projectRoot, file)));
  });
  const { page, faults } = await openPage(await startBrowser(t));
  const ask = async (relay: string, prefer?: string) => {
    const query = new URLSearchParams({ relay, ...(prefer ? { prefer } : {}) });
    await page.goto(`http://127.0.0.1:${port}/?${query}`);
    await page.waitForFunction("document.getElementById('relay').textContent !== '…'");
    await page.click('button');
    await page.waitForFunction("document.getElementById('status').textContent !== ''");
    return [await page.textContent('#relay'), await page.textContent('#status')];
  };
  assert.deepEqual(await ask(mock.url), ['portal.example.com, release 0.1.0', 'It is up.']);
  assert.deepEqual(faults, []);
  const [, away] = await ask(mock.url, 'code=200, example=away');
  assert.equal(away, 'Nobody serves it.');
  const [, hurried] = await ask(mock.url, 'code=429, example=rate_limited');
  assert.match(hurried!, /^too many requests, try again later: trying again in \d+ s may help$/);
  const [, gone] = await ask(mock.url, 'code=404, example=lease_not_found');
  assert.equal(gone, 'no such lease, or it has expired: sign in again');
  const [, superseded] = await ask(mock.url, 'code=409, example=hostname_conflict');
  assert.match(superseded!, /\(hostname_conflict\)$/);
});

test("the recipe for Playwright answers a page with the contract's examples", async (t) => {
  const [, recipe] = /With Playwright:\n\n```js\n([\s\S]*?)```/.exec(
    readFileSync(join(projectRoot, 'docs/sdk.md'), 'utf8'),
  )!;
  const examples = pathToFileURL(join(projectRoot, 'docs/examples/frontend/examples.mjs')).href;
  const module = `data:text/javascript,${encodeURIComponent(recipe!.replace('./examples.mjs', examples))}`;
  const { answer } = (await import(module)) as {
    answer(page: unknown, operationId: string, status?: number, name?: string): Promise<void>;
  };
  const { port } = await startHttpService(t, (_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>page</title>');
  });
  const { page } = await openPage(await startBrowser(t));
  await page.goto(`http://127.0.0.1:${port}/`);
  await answer(page, 'getSnapshot');
  await answer(page, 'banLease', 401);
  const ask = (path: string, method: string) =>
    page.evaluate(`fetch('${path}', { method: '${method}' }).then(async (a) => [a.status, await a.json()])`);
  const [status, snapshot] = (await ask('/admin/snapshot', 'GET')) as [number, { data: { leases: unknown[] } }];
  assert.equal(status, 200);
  assert.equal(snapshot.data.leases.length, 1);
  const [refused, failure] = (await ask('/admin/leases/YQ/YQ/ban', 'POST')) as [number, { error: { code: string } }];
  assert.deepEqual([refused, failure.error.code], [401, 'unauthorized']);
});
