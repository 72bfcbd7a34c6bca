import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { WebSocket, WebSocketServer, type ClientOptions } from 'ws';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { sharedRelay } from '../support/relay.js';
import { get, listening, openTunnel, startHttpService, visitorOptions } from '../support/tunnel.js';

// `--host-header rewrite`: what names the public origin names the service's own there, and the other way round.

const relay = sharedRelay();

async function rewritten(t: TestContext, answer: (own: string) => Record<string, string | string[]> = () => ({})) {
  const seen: IncomingHttpHeaders[] = [];
  let own = '';
  const service = await startHttpService(t, (request, response) => {
    seen.push(request.headers);
    for (const [name, value] of Object.entries(answer(own))) response.setHeader(name, value);
    response.end();
  });
  own = `http://localhost:${service.port}`;
  const { hostname } = await openTunnel(t, relay, service.port, { hostHeader: 'rewrite', probe: false });
  return { seen, own, hostname, origin: `https://${hostname}:${relay.publicPort}` };
}

test('Host, Origin and Referer that name the public origin name the service, others are left alone', async (t) => {
  const { seen, own, hostname, origin } = await rewritten(t);
  const ask = async (headers: Record<string, string>) => {
    await get(relay, hostname, '/', { headers });
    const { host, origin: from, referer, ...rest } = seen.at(-1) ?? {};
    return { host, origin: from, referer, forwarded: rest['x-forwarded-host'] };
  };
  const host = new URL(own).host;
  assert.deepEqual(await ask({ Origin: origin, Referer: `${origin}/a?b#c` }), {
    host,
    origin: own,
    referer: `${own}/a?b#c`,
    forwarded: undefined,
  });
  const publicHost = new URL(origin).host;
  for (const foreign of ['https://evil.example', 'null', `https://${hostname}`, `${origin}.evil.example`])
    assert.deepEqual(await ask({ Origin: foreign, Referer: `${foreign}/` }), {
      host,
      origin: foreign,
      referer: `${foreign}/`,
      forwarded: publicHost,
    });
  assert.equal((await ask({ Referer: `${origin}@evil.example/` })).referer, `${origin}@evil.example/`);
});

test('Location, cookie domains and CORS origins that name the service name the public origin', async (t) => {
  const { own, hostname, origin } = await rewritten(t, (service) => ({
    Location: `${service}/next?to=${service}`,
    'Content-Location': `${service.replace('localhost', '127.0.0.1')}/x`,
    'Access-Control-Allow-Origin': service,
    'Set-Cookie': [
      'a=1; Domain=localhost; Path=/',
      'b=2;domain=.127.0.0.1',
      'c=3; Domain=other.example',
      'd=domain=localhost',
    ],
  }));
  const { headers } = await get(relay, hostname);
  assert.equal(headers.location, `${origin}/next?to=${own}`);
  assert.equal(headers['content-location'], `${origin}/x`);
  assert.equal(headers['access-control-allow-origin'], origin);
  assert.deepEqual(headers['set-cookie'], ['a=1; Path=/', 'b=2', 'c=3; Domain=other.example', 'd=domain=localhost']);
});

test('a Location that leads elsewhere, or only looks like the service, is left alone', async (t) => {
  for (const make of [
    () => 'https://elsewhere.example/',
    (own: string) => `${own}0/`,
    (own: string) => `${own}@evil.example/`,
    (own: string) => `${own}.evil.example/`,
    () => '/relative',
    (own: string) => `ftp${own}`,
  ]) {
    const { own, hostname } = await rewritten(t, (service) => ({ Location: make(service) }));
    assert.equal((await get(relay, hostname)).headers.location, make(own));
  }
});

test('without rewrite nothing is mapped', async (t) => {
  const seen: IncomingHttpHeaders[] = [];
  const service = await startHttpService(t, (request, response) => {
    seen.push(request.headers);
    response.setHeader('Location', `http://localhost:${service.port}/`).end();
  });
  const { hostname } = await openTunnel(t, relay, service.port, { http: true, probe: false });
  const origin = `https://${hostname}:${relay.publicPort}`;
  const { headers } = await get(relay, hostname, '/', { headers: { Origin: origin } });
  assert.equal(seen[0]?.origin, origin);
  assert.equal(headers.location, `http://localhost:${service.port}/`);
});

test('a WebSocket of the public page comes to the service as one of its own page', async (t) => {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  const service = await listening(t, server, 0);
  const { hostname } = await openTunnel(t, relay, service.port, { hostHeader: 'rewrite', probe: false });
  const opened = once(sockets, 'connection') as Promise<[unknown, { headers: IncomingHttpHeaders }]>;
  const socket = new WebSocket(`wss://127.0.0.1:${relay.publicPort}/`, {
    ...visitorOptions(relay, hostname, '/'),
    origin: `https://${hostname}:${relay.publicPort}`,
  } as object as ClientOptions);
  const [, { headers }] = await opened;
  assert.equal(headers.origin, `http://localhost:${service.port}`);
  assert.equal(headers.host, `localhost:${service.port}`);
  await once(socket, 'open');
  socket.close();
  await once(socket, 'close');
});

for (const [what, status, body] of [
  ['Vite', 403, 'Blocked request. This host ("x") is not allowed.'],
  ['webpack-dev-server', 403, 'Invalid Host header'],
  ['Django', 400, '<title>DisallowedHost\n          at /</title>'],
] as const)
  test(`a ${what} that refuses the public name is recognised, once, and the option that helps is named`, async (t) => {
    const service = await startHttpService(t, (_request, response) => {
      response.statusCode = status;
      response.end(body);
    });
    const { hostname, statuses } = await openTunnel(t, relay, service.port, { http: true, probe: false });
    for (let round = 0; round < 3; round++) assert.equal((await get(relay, hostname)).body, body);
    const told = statuses.filter(({ state }) => state === 'target_refuses');
    assert.equal(told.length, 1);
    assert.match(told[0]!.message, new RegExp(`${what} refuses the public host name; add --host-header rewrite`));
  });

test('a refusal of another kind, or with the option, says nothing', async (t) => {
  const service = await startHttpService(t, (_request, response) => {
    response.statusCode = 403;
    response.end('Forbidden');
  });
  for (const options of [{ http: true }, { hostHeader: 'rewrite' }]) {
    const { hostname, statuses } = await openTunnel(t, relay, service.port, { ...options, probe: false });
    assert.equal((await get(relay, hostname)).status, 403);
    assert.deepEqual(
      statuses.filter(({ state }) => state === 'target_refuses'),
      [],
    );
  }
});
