import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { AgentRequestLine } from '../../src/agent/contract.js';
import { startAgent } from '../support/agent.js';
import { sharedRelay } from '../support/relay.js';
import { get, send, startHttpService } from '../support/tunnel.js';
import { until } from '../support/until.js';

// What an agent tells of the traffic of its services, of a relay, and of its configuration.

const relay = sharedRelay();
const shop = { params: { path: { id: 'shop' } } };

test('requests are listed, and of an inspected service read, sent again, exported and forgotten', async (t) => {
  const bodies: string[] = [];
  const service = await startHttpService(t, (request, response) => {
    void text(request).then((body) => bodies.push(body));
    response.writeHead(201, { 'Content-Type': 'application/json' }).end('{"token":"abc","order":9}');
  });
  const { agent, client } = await startAgent(
    t,
    relay,
    `[services.shop]\ntarget = "http://127.0.0.1:${service.port}"\n`,
  );
  await agent.start();
  await until(() => agent.tunnel('shop').state === 'running');
  const list = async () => (await client.GET('/v1/agent/tunnels/{id}/requests', shop)).data!.data;
  const told = once(agent, 'request');
  await send(relay, 'shop.portal.localhost', '/orders?token=abc&a=1', '{"cups":2}', { method: 'POST' });
  await told;
  let { inspected, requests } = await list();
  assert.equal(inspected, false);
  assert.deepEqual(
    requests.map(({ id, method, target, status }) => [id, method, target, status]),
    [[1, 'POST', '/orders?token=•••&a=1', 201]],
  );
  const one = { params: { path: { id: 'shop', request: 1 } } };
  const unread = await client.GET('/v1/agent/tunnels/{id}/requests/{request}', one);
  assert.match(unread.error!.error.message, /not kept: turn inspect on/);
  await until(() => agent.tunnel('shop').traffic.connections === 1);
  const { traffic } = agent.tunnel('shop');
  assert.deepEqual([traffic.requests, traffic.failed], [1, 0]);
  assert.ok(traffic.received > 0 && traffic.sent > 0);

  // Turned on, the service is started anew.
  await client.PATCH('/v1/agent/tunnels/{id}', { ...shop, body: { inspect: true } });
  await until(() => agent.tunnel('shop').state === 'running');
  assert.equal(
    agent.log('shop').some(({ event }) => event === 'inspecting'),
    false,
    'no page of its own',
  );
  await send(relay, 'shop.portal.localhost', '/orders?token=abc', '{"cups":2}', { method: 'POST' });
  ({ inspected, requests } = await list());
  assert.deepEqual([inspected, requests.length], [true, 1]);
  const { data } = await client.GET('/v1/agent/tunnels/{id}/requests/{request}', one);
  assert.equal(data!.data.request.body.text, '{"cups":2}');
  assert.deepEqual(JSON.parse(data!.data.response!.body.text!), { token: '•••', order: 9 });
  assert.match(data!.data.curl, /^curl 'https:\/\/shop\.portal\.localhost(:\d+)?\/orders\?token=•••'/);
  const shown = await client.GET('/v1/agent/tunnels/{id}/requests/{request}', {
    params: { ...one.params, query: { secrets: 'shown' } },
  });
  assert.equal(shown.data!.data.target, '/orders?token=abc');
  assert.deepEqual(JSON.parse(shown.data!.data.response!.body.text!), { token: 'abc', order: 9 });

  await client.POST('/v1/agent/tunnels/{id}/requests/{request}/replay', { ...one, body: { body: '{"cups":3}' } });
  await until(() => bodies.length === 3);
  assert.equal(bodies[2], '{"cups":3}');
  await until(async () => (await list()).requests.at(-1)?.status === 201);
  assert.equal((await list()).requests.at(-1)!.repeats, 1);
  const refused = await client.POST('/v1/agent/tunnels/{id}/requests/{request}/replay', {
    ...one,
    body: { target: 'https://elsewhere.example/' },
  });
  assert.match(refused.error!.error.message, /must be a path/);
  const har = await client.GET('/v1/agent/tunnels/{id}/har', shop);
  assert.deepEqual(
    har.data!.log.entries.map((entry) => (entry as { request: { url: string } }).request.url.split('?')[1]),
    ['token=•••', 'token=•••'],
  );
  await client.DELETE('/v1/agent/tunnels/{id}/requests', shop);
  assert.deepEqual((await list()).requests, []);
  assert.match(
    (await client.GET('/v1/agent/tunnels/{id}/requests/{request}', one)).error!.error.message,
    /no longer kept/,
  );
});

test('requests are told as they happen, until the service is removed', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const table = (id: string) => `[services.${id}]\ntarget = "http://127.0.0.1:${service.port}"\n`;
  const { agent, client, url, token } = await startAgent(t, relay, table('seen') + table('other'));
  await agent.start();
  await until(() => agent.tunnels().every(({ state }) => state === 'running'));
  const response = await fetch(`${url}/v1/agent/tunnels/seen/traffic/events`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await get(relay, 'other.portal.localhost');
  await get(relay, 'seen.portal.localhost');
  const lines: AgentRequestLine[] = [];
  const read = (async () => {
    for (const line of (await response.text()).split('\n'))
      if (line.startsWith('data: ')) lines.push(JSON.parse(line.slice(6)) as AgentRequestLine);
  })();
  await client.DELETE('/v1/agent/tunnels/{id}', { params: { path: { id: 'seen' } } });
  await read;
  assert.deepEqual(
    lines.map(({ id, target, status }) => [id, target, status]),
    [[1, '/', 200]],
  );
});

test('of a relay it is told how long it takes and what it can, and of visitors’ certificate its end', async (t) => {
  const service = await startHttpService(t, (_request, response) => response.end('hello'));
  const { agent, client } = await startAgent(t, relay, `[services.facts]\ntarget = ${service.port}\n`);
  await agent.start();
  await until(() => agent.tunnel('facts').relays[0]?.latency_ms !== undefined);
  await until(() => agent.tunnel('facts').state === 'running');
  const { data } = await client.GET('/v1/agent/status');
  const [tunnel] = data!.data.tunnels;
  assert.ok(Date.parse(tunnel!.certificate_expires_at!) > Date.now());
  const { public_urls, bootstrap, banned, explicit } = tunnel!.relays[0]!;
  assert.deepEqual(
    { public_urls, bootstrap, banned, explicit },
    { public_urls: [tunnel!.relays[0]!.public_url], bootstrap: false, banned: false, explicit: true },
  );
});

test('the configuration that is in force is told, and which table each value is from', async (t) => {
  const wallet = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';
  const { agent, client, write } = await startAgent(
    t,
    relay,
    '[services.shop]\ntarget = "3000"\ndisabled = true\ntags = ["a"]\n',
    { agent: `allowed_wallets = ["${wallet.toLowerCase()}"]\nnotify_command = ["true"]\n` },
  );
  await agent.start();
  const configuration = async () => (await client.GET('/v1/agent/configuration')).data!.data;
  const { services, allowed_wallets, notifies } = await configuration();
  assert.deepEqual([allowed_wallets, notifies], [[wallet], ['command']]);
  assert.deepEqual(
    services[0]!.settings.map(({ name, from }) => [name, from]),
    [
      ['name', 'default'],
      ['relays', 'file'],
      ['ca', 'file'],
      ['identity', 'file'],
      ['probe', 'file'],
      ['target', 'service'],
      ['disabled', 'service'],
      ['tags', 'service'],
    ],
  );
  // What is in force stays, when the file does not hold.
  for (const [table, expected] of [
    ['wallet = 1\n', /agent\.wallet: unknown setting/],
    ['allowed_wallets = ["0x12"]\n', /agent\.allowed_wallets: .*0x12/],
    ['notify_webhook = "http://elsewhere.example/"\n', /agent\.notify_webhook: must be an https/],
    ['notify_command = "rm"\n', /agent\.notify_command: must be a list/],
    ['notify_command = []\n', /agent\.notify_command: must begin with a program/],
  ] as const) {
    write('[services.shop]\ntarget = "3000"\n', table);
    await agent.reload();
    const { config_error, ...rest } = await configuration();
    assert.match(config_error!, expected);
    assert.deepEqual([rest.allowed_wallets, rest.services], [[wallet], services]);
  }
});
