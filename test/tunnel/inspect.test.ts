import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { Recorder } from '../../src/tunnel/inspect/recorder.js';
import { sharedRelay } from '../support/relay.js';
import { startBrowser } from '../support/trusting-browser.js';
import { get, listening, send, startHttpService, statusWhere, startTunnel, visitorOptions } from '../support/tunnel.js';

// `--inspect`: the owner sees what comes in, and nobody else does.

const relay = sharedRelay();

interface Call {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** A tunnel whose requests are inspected, and its page's interface. */
async function inspected(t: TestContext, port: number, more: object = {}) {
  const { tunnel } = startTunnel(t, relay, port, { inspect: { port: 0 }, probe: false, ...more, http: true });
  const { message } = await statusWhere(tunnel, ({ state }) => state === 'inspecting');
  const url = new URL(/http:\S+/.exec(message)![0]);
  const { hostname } = await tunnel.ready();
  const bearer = { Authorization: `Bearer ${url.searchParams.get('token')}` };
  const call = async (path: string, { method = 'GET', headers = {}, body }: Call = {}) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port: url.port,
      path,
      method,
      headers: { ...bearer, ...headers },
      agent: false,
    });
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return { status: response.statusCode, headers: response.headers, body: await text(response) };
  };
  const list = async () => JSON.parse((await call('/exchanges')).body) as Record<string, unknown>[];
  const last = async (query = '') => {
    const { id } = (await list()).at(-1)!;
    return JSON.parse((await call(`/exchanges/${id as number}${query}`)).body) as {
      id: number;
      target: string;
      request: { fields: [string, string][]; body: Record<string, unknown> };
      response: { status: number; isLocal: boolean; fields: [string, string][]; body: Record<string, unknown> };
      messages: { direction: string; kind: string; text: string }[];
      error?: string;
      repeats?: number;
    };
  };
  return { url, hostname, call, list, last, tunnel };
}

test('requests and responses are shown decoded, with secrets masked until they are asked for', async (t) => {
  const service = await startHttpService(t, (request, response) => {
    request.resume();
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Encoding', 'gzip');
    response.setHeader('Set-Cookie', 'id=1234');
    response.end(gzipSync('{"name":"Zoë","access_token":"abc"}'));
  });
  const { hostname, last, list } = await inspected(t, service.port);
  await send(relay, hostname, '/path?token=abc&x=1', 'user=zoe&password=geheim', {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: 'Bearer abc', Cookie: 'id=abc' },
  });
  const [summary] = await list();
  assert.deepEqual(
    [summary?.['method'], summary?.['status'], summary?.['target']],
    ['POST', 200, '/path?token=•••&x=1'],
  );
  const masked = JSON.stringify(await last());
  assert.doesNotMatch(masked, /abc|geheim|1234/);
  const { request, response, target } = await last('?secrets=shown');
  assert.equal(target, '/path?token=abc&x=1');
  assert.equal(request.body['text'], 'user=zoe&password=geheim');
  assert.equal(response.body['text'], '{"name":"Zoë","access_token":"abc"}');
  assert.ok(request.fields.some(([name, value]) => name === 'Cookie' && value === 'id=abc'));
});

test('a request is sent again as it was, or changed, and masked values stay', async (t) => {
  const seen: string[] = [];
  const service = await startHttpService(t, (request, response) => {
    void text(request).then((body) => {
      seen.push([request.method, request.url, request.headers.authorization, request.headers['x-new'], body].join(' '));
      response.end('done');
    });
  });
  const { hostname, call, last, list } = await inspected(t, service.port);
  const headers = { Authorization: 'Bearer abc' };
  await send(relay, hostname, '/hook?a=ä'.replace('ä', '%C3%A4'), 'payload', { method: 'POST', headers });
  const { id, request } = await last();
  assert.equal((await call(`/exchanges/${id}/replay`, { method: 'POST' })).status, 202);
  while ((await list()).at(-1)?.['tookMs'] === undefined || seen.length < 2) await new Promise(setImmediate);
  assert.equal(seen[1], seen[0]);
  assert.equal((await last()).repeats, id);
  const changes = { method: 'PUT', target: '/other', fields: [...request.fields, ['X-New', 'ü']], body: 'changed' };
  assert.equal((await call(`/exchanges/${id}/replay`, { method: 'POST', body: JSON.stringify(changes) })).status, 202);
  while (seen.length < 3) await new Promise(setImmediate);
  assert.equal(Buffer.from(seen[2]!, 'latin1').toString(), 'PUT /other Bearer abc ü changed');
  for (const bad of [
    { method: 'GET /x' },
    { target: 'elsewhere' },
    { target: '/a b' },
    { fields: [['A', 'b\r\nX: y']] },
    { fields: [['A b', 'c']] },
    { fields: 'x' },
    { body: 1 },
  ])
    assert.equal((await call(`/exchanges/${id}/replay`, { method: 'POST', body: JSON.stringify(bad) })).status, 400);
  assert.equal((await call('/exchanges/999/replay', { method: 'POST' })).status, 404);
  assert.equal(seen.length, 3);
});

test('the page is for the owner: other hosts, origins and those without the token are refused', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { hostname, call, url } = await inspected(t, service.port);
  await get(relay, hostname, '/secret-path');
  const none = { Authorization: '' };
  for (const path of ['/', '/exchanges', '/exchanges/1', '/events', '/requests.har', '/?token=wrong'])
    assert.equal((await call(path, { headers: none })).status, 401, path);
  for (const host of ['evil.example', `evil.example:${url.port}`, `127.0.0.1`, `${hostname}:${url.port}`])
    assert.equal((await call('/exchanges', { headers: { Host: host } })).status, 421, host);
  for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1'])
    assert.equal((await call('/exchanges/1/replay', { method: 'POST', headers: { Origin: origin } })).status, 403);
  const opened = await call(url.pathname + url.search, { headers: none });
  assert.equal(opened.status, 303);
  const [cookie = ''] = opened.headers['set-cookie'] ?? [];
  assert.match(cookie, /HttpOnly; SameSite=Strict$/);
  const page = await call('/', { headers: { ...none, Cookie: cookie.split(';')[0]! } });
  assert.equal(page.status, 200);
  assert.match(String(page.headers['content-security-policy']), /default-src 'none'; script-src 'sha256-/);
});

test('curl and HAR have no secrets, and quote what a visitor sent', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { hostname, call, last } = await inspected(t, service.port);
  await get(relay, hostname, "/it's?password=abc", { headers: { Cookie: 'id=abc', 'X-Odd': "a'$(touch x)'" } });
  const { id } = await last();
  const { body } = await call(`/exchanges/${id}/curl`);
  assert.match(body, /'https:\/\/[^']*\/it'\\''s\?password=•••'/);
  assert.match(body, /-H 'X-Odd: a'\\''\$\(touch x\)'\\'''/);
  assert.doesNotMatch(body, /abc/);
  const har = await call('/requests.har');
  assert.doesNotMatch(har.body, /abc/);
  const { log } = JSON.parse(har.body) as { log: { version: string; entries: { response: { status: number } }[] } };
  assert.deepEqual([log.version, log.entries.length, log.entries[0]?.response.status], ['1.2', 1, 200]);
});

test('messages of a WebSocket are shown, in both directions', async (t) => {
  const server = createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: true });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`got ${String(data as Buffer)}`)));
  const service = await listening(t, server, 0);
  const { hostname, last } = await inspected(t, service.port);
  const socket = new WebSocket(`wss://127.0.0.1:${relay.publicPort}/ws`, {
    ...visitorOptions(relay, hostname, '/ws'),
  } as object as ClientOptions);
  await once(socket, 'open');
  for (const message of ['hello', 'x'.repeat(70_000)]) {
    socket.send(message);
    await once(socket, 'message');
  }
  const { messages, response } = await last();
  assert.equal(response.status, 101);
  assert.deepEqual(
    messages.map(({ direction, kind, text: shown }) => [direction, kind, shown.slice(0, 9), shown.length]),
    [
      ['in', 'text', 'hello', 5],
      ['out', 'text', 'got hello', 9],
      ['in', 'text', 'xxxxxxxxx', 4_096],
      ['out', 'text', 'got xxxxx', 4_096],
    ],
  );
  socket.close();
  await once(socket, 'close');
  const over = async () => (await last()) as { error?: string; tookMs?: number };
  while ((await over()).tookMs === undefined) await new Promise(setImmediate);
  assert.equal((await over()).error, undefined);
});

test('messages of a WebSocket that is no longer kept are not kept either', () => {
  const recorder = new Recorder();
  const watch = recorder.begin(
    { method: 'GET', target: '/', minor: 1, fields: [], options: [] },
    { address: undefined, hostname: undefined },
  );
  const [visitor, sender] = duplexPair();
  const [service] = duplexPair();
  const [recorded] = recorder.all;
  watch.switched(visitor, service);
  const frame = Buffer.concat([Buffer.of(0x81, 126, 0x0f, 0xa0), Buffer.alloc(4_000, 'a')]);
  return new Promise<void>((resolve) => {
    let frames = 0;
    visitor.on('data', (chunk: Buffer) => {
      frames += chunk.length / frame.length;
      if (frames === 1) recorder.clear();
      if (frames < 3) return;
      assert.equal(recorded?.messages.length, 1);
      resolve();
    });
    for (let round = 0; round < 3; round++) sender.write(frame);
  });
});

test('what is kept is bounded in number and size, whatever comes', async (t) => {
  const service = await startHttpService(t, (request, response) => {
    request.resume().once('end', () => response.end('hello'));
  });
  const { hostname, last, list, call } = await inspected(t, service.port);
  const large = 'a'.repeat(1_000_000);
  assert.equal((await send(relay, hostname, '/large', large, { method: 'POST' })).status, 200);
  const { request, id } = await last();
  assert.deepEqual(
    [request.body['length'], request.body['isCut'], String(request.body['text']).length],
    [1_000_000, true, 262_144],
  );
  assert.match((await call(`/exchanges/${id}/replay`, { method: 'POST' })).body, /only the beginning/);
  const bomb = gzipSync(Buffer.alloc(20_000_000));
  await send(relay, hostname, '/bomb', bomb.toString('latin1'), {
    method: 'POST',
    headers: { 'Content-Encoding': 'gzip' },
  });
  assert.match(String((await last()).request.body['text']), /cannot be decoded/);
  for (let round = 0; round < 26; round++)
    await Promise.all(Array.from({ length: 20 }, (_, at) => get(relay, hostname, `/${round}-${at}`)));
  assert.equal((await list()).length, 500);
  assert.equal((await call(`/exchanges/${id}`)).status, 404);
});

test('a request that is refused, or cut off, is shown with the reason; the list can be cleared', async (t) => {
  const service = await startHttpService(t, (request, response) => {
    response.writeHead(200, { 'Content-Length': 10 });
    response.write('half', () => request.socket.destroy());
  });
  const { hostname, last, call, list } = await inspected(t, service.port);
  await assert.rejects(get(relay, hostname, '/half'));
  assert.match(String((await last()).error), /closed the connection before its response was complete/);
  await get(relay, hostname, '/', { headers: { Host: 'evil.example' } });
  const { response } = await last();
  assert.deepEqual([response.status, response.isLocal], [421, true]);
  assert.equal((await call('/exchanges', { method: 'DELETE' })).status, 204);
  assert.deepEqual(await list(), []);
});

test('in a browser requests show as they come, and are changed and sent again', async (t) => {
  const seen: string[] = [];
  const service = await startHttpService(t, (request, response) => {
    void text(request).then((body) => {
      seen.push(`${request.url} ${body}`);
      response.setHeader('Content-Type', 'text/html');
      response.end('<script>document.title = "taken over"</script>');
    });
  });
  const { hostname, url } = await inspected(t, service.port);
  const browser = await startBrowser(t, relay);
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  await page.goto(url.href);
  assert.equal(page.url(), `${url.origin}/`);
  await page.getByText('No request has come yet').waitFor();
  await send(relay, hostname, '/form', '{"password":"geheim"}', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
  });
  await page.getByRole('cell', { name: '/form' }).click();
  await page.getByText('Response: 200 OK').waitFor();
  assert.equal(await page.title(), 'Requests');
  assert.doesNotMatch(await page.locator('#detail').innerText(), /geheim/);
  await page.getByRole('button', { name: 'Change…' }).click();
  const editor = page.getByRole('textbox', { name: 'request' });
  await editor.fill((await editor.inputValue()).replace('/form', '/changed'));
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('cell', { name: '/changed' }).waitFor();
  while (seen.length < 2) await new Promise(setImmediate);
  assert.equal(seen.at(-1), '/changed {"password":"geheim"}');
  await page.getByRole('searchbox').fill('status:4');
  await page
    .getByText(/No request fits|^1 request$/)
    .first()
    .waitFor();
  assert.deepEqual(errors, []);
});
