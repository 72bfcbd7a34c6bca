import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { operationErrors } from '../../generated/agent/errors.js';
import { Agent } from '../../src/agent/agent.js';
import { AgentApi } from '../../src/agent/agent-api.js';
import { agentRoutes, type AgentOperationId, loadAgentContract } from '../../src/agent/contract.js';
import { readServices } from '../../src/cli/expose/expose-config.js';
import { createLogger } from '../../src/util/logger.js';
import { type Mock, startMock } from '../contract/support/mock.js';
import { temporaryDirectory } from '../support/tunnel.js';

// The agent's API, held against its contract: whatever that declares, the agent answers when its cause is there, and the mock when it is asked.

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Node = any;
const contract: Node = loadAgentContract();
const operations = Object.entries(agentRoutes) as [AgentOperationId, { method: string; path: string }][];
const token = 'agent_test';
const relay = 'https://a.example';

interface Bench {
  /** `http://127.0.0.1:port` */
  url: string;
  /** The configuration. */
  write(text: string): void;
  config: string;
  agent: Agent;
  shutDowns: number;
}

/** An agent whose services reach no relay. */
async function startBench(
  t: TestContext,
  services = '[services.shop]\ntarget = "3000"\ndisabled = true\n',
): Promise<Bench> {
  const folder = temporaryDirectory(t);
  const config = join(folder, 'agent.toml');
  const head = `relays = ["${relay}", "https://b.example"]\nidentity = "identity.json"\n`;
  const write = (text: string) => writeFileSync(config, head + text);
  write(services);
  const agent = new Agent({ configPath: config, readConfig: (path) => readServices(path, { mayBeEmpty: true }) });
  const bench = { url: '', write, config, agent, shutDowns: 0 };
  const api = new AgentApi({
    agent,
    token,
    about: { config_path: config, started_at: new Date().toISOString(), version: '0' },
    shutDown: () => void bench.shutDowns++,
    logger: createLogger('silent'),
    validateResponses: true,
  });
  await api.start(0);
  await agent.start();
  t.after(async () => {
    await api.stop();
    await agent.stop(0);
  });
  bench.url = `http://${api.address}`;
  return bench;
}

interface Asked {
  id?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

async function ask(url: string, operationId: AgentOperationId, { id = 'shop', body, headers = {} }: Asked = {}) {
  const { method, path } = agentRoutes[operationId];
  const response = await fetch(url + path.replace('{id}', encodeURIComponent(id)), {
    method: method.toUpperCase(),
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Node, headers: response.headers };
}

const follow = (node: Node): Node =>
  typeof node?.$ref === 'string'
    ? follow(
        node.$ref
          .slice(2)
          .split('/')
          .reduce((at: Node, part: string) => at[part.replaceAll('~1', '/')], contract),
      )
    : node;
const definitionOf = (operationId: AgentOperationId): Node => {
  const { method, path } = agentRoutes[operationId];
  return contract.paths[path][method];
};
const exampleBody = (operationId: AgentOperationId): unknown => {
  const examples = follow(definitionOf(operationId).requestBody)?.content['application/json'].examples;
  return examples && follow(Object.values(examples)[0]).value;
};

const ajv = new Ajv2020({ strict: false, allErrors: true });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
ajv.addSchema({ $id: 'agent', components: contract.components });
function assertFits(operationId: AgentOperationId, status: number, body: unknown): void {
  const declared = follow(definitionOf(operationId).responses[status]);
  assert.ok(declared, `${operationId} does not declare ${status}: ${JSON.stringify(body)}`);
  const { schema } = declared.content['application/json'];
  const validate = ajv.compile(
    JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"agent#/')) as object,
  );
  assert.ok(validate(body), `${operationId} ${status}: ${JSON.stringify(validate.errors)} ${JSON.stringify(body)}`);
}

const isStream = (operationId: AgentOperationId) =>
  follow(definitionOf(operationId).responses['200'])?.content['text/event-stream'] !== undefined;

/** Reads server-sent events. */
async function* eventsOf(response: Response): AsyncGenerator<{ event: string; data: Node }> {
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, at)) ?? [];
      text = text.slice(at + 2);
      if (event && data) yield { event, data: JSON.parse(data) };
    }
  }
}

/** What makes each operation succeed, where its example does not. */
const successes: Partial<Record<AgentOperationId, Asked>> = {
  addTunnel: { body: { id: 'new', target_addr: '3001' } },
  addTunnelRelay: { body: { relay_url: 'https://c.example' } },
  removeTunnelRelay: { body: { relay_url: relay } },
};
/** What is refused with `invalid_request`, where no schema is broken by a missing body. */
const refusals: Partial<Record<AgentOperationId, Asked>> = {
  removeTunnel: { id: 'no such id' },
  startTunnel: { id: 'no such id' },
  stopTunnel: { id: 'no such id' },
  restartTunnel: { id: 'no such id' },
  getTunnelLog: { id: 'no such id' },
  followTunnelLog: { id: 'no such id' },
  clearTunnelPath: { id: 'no such id' },
};

async function provoke(t: TestContext, operationId: AgentOperationId, code: string, status: number) {
  const bench = await startBench(t);
  const usual = { body: exampleBody(operationId), ...successes[operationId] };
  const how: Record<string, Asked> = {
    'unauthorized 401': { ...usual, headers: { authorization: 'Bearer agent_other' } },
    'not_found 404': { ...usual, id: 'nobody' },
    'invalid_json 400': { body: '{' },
    'invalid_request 400': refusals[operationId] ?? {
      body: {},
      ...(operationId === 'changeTunnel' && { body: { max_active_relays: 99 } }),
    },
    'invalid_request 413': { body: { relay_url: 'x'.repeat(9_000) } },
    'invalid_request 415': { body: '{}', headers: { 'content-type': 'text/plain' } },
  };
  if (code !== 'internal') return await ask(bench.url, operationId, how[`${code} ${status}`]);
  for (const name of ['tunnels', 'tunnel', 'log', 'add', 'set', 'remove', 'restart', 'relays'] as const)
    bench.agent[name] = () => {
      throw new Error('the disk is on fire: secret');
    };
  return await ask(bench.url, operationId, usual);
}

for (const [operationId] of operations) {
  if (!isStream(operationId))
    test(`${operationId} succeeds, and answers as its contract has it`, async (t) => {
      const bench = await startBench(t);
      const { status, body } = await ask(bench.url, operationId, {
        body: exampleBody(operationId),
        ...successes[operationId],
      });
      assert.ok(status < 300, JSON.stringify(body));
      assertFits(operationId, status, body);
    });
  for (const [code, statuses] of Object.entries(operationErrors[operationId]) as [string, readonly number[]][])
    for (const expected of statuses) {
      // Nothing that it does can fail.
      if (code === 'internal' && operationId === 'shutDownAgent') continue;
      test(`${operationId} answers ${expected} ${code}`, async (t) => {
        const { status, body } = await provoke(t, operationId, code, expected);
        assert.deepEqual([status, body.error?.code], [expected, code], JSON.stringify(body));
        assertFits(operationId, status, body);
        assert.doesNotMatch(JSON.stringify(body), /secret/);
      });
    }
}

let mock: Mock;
before(async () => {
  mock = await startMock('--contract', 'agent');
});
after(() => mock.stop());

test('the mock answers all that the contract declares', async () => {
  for (const [operationId, { method, path }] of operations) {
    const { responses } = definitionOf(operationId) as { responses: Record<string, Node> };
    for (const [status, response] of Object.entries(responses)) {
      const { content } = follow(response);
      const json = content['application/json'];
      for (const [name, example] of Object.entries<Node>((json ?? content['text/event-stream']).examples)) {
        const body = exampleBody(operationId);
        const answer = await fetch(mock.url + path.replace('{id}', 'shop'), {
          method: method.toUpperCase(),
          headers: {
            authorization: 'Bearer any',
            'content-type': 'application/json',
            prefer: `code=${status}, example=${name}`,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        assert.equal(answer.status, Number(status), `${operationId} ${status} ${name}`);
        const said = await answer.text();
        assert.deepEqual(json ? JSON.parse(said) : said, follow(example).value, `${operationId} ${status} ${name}`);
      }
    }
  }
});

test('nobody else is heard: without the token, by a name that may lead here, or from a page', async (t) => {
  const bench = await startBench(t);
  for (const [operationId] of operations) {
    const usual = { body: exampleBody(operationId), ...successes[operationId] };
    for (const headers of [
      { authorization: '' },
      { authorization: token },
      { authorization: `Bearer ${token}x` },
      { origin: 'https://page.example' },
      { origin: bench.url },
      { 'sec-fetch-site': 'cross-site' },
    ] as Record<string, string>[]) {
      const { status, body } = await ask(bench.url, operationId, { ...usual, headers });
      assert.deepEqual([status, body.error.code], [401, 'unauthorized'], `${operationId} ${JSON.stringify(headers)}`);
    }
  }
  // fetch sets Host by itself.
  for (const [host, expected] of [
    ['rebound.example', 401],
    ['127.0.0.1.example', 401],
    ['localhost:1', 200],
    ['[::1]', 200],
  ] as const) {
    const socket = connect(Number(new URL(bench.url).port), '127.0.0.1');
    socket.end(
      `GET /v1/agent/status HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    );
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.equal(Number(head.toString().split(' ')[1]), expected, host);
    socket.destroy();
  }
  assert.equal(bench.shutDowns, 0);
});

test('unknown paths and methods are answered by the catalogue', async (t) => {
  const bench = await startBench(t);
  const headers = { authorization: `Bearer ${token}` };
  const unknown = await fetch(`${bench.url}/v1/agent/nothing`, { headers });
  assert.deepEqual([unknown.status, ((await unknown.json()) as Node).error.code], [404, 'not_found']);
  const wrong = await fetch(`${bench.url}/v1/agent/tunnels/shop`, { method: 'PUT', headers });
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'DELETE, PATCH']);
});

test('random requests are answered by the contract, and end nothing', async (t) => {
  const bench = await startBench(t);
  const bodies = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        id: fc.oneof(fc.string(), fc.constantFrom('shop', 'a', '__proto__', 'constructor')),
        name: fc.string(),
        target_addr: fc.oneof(fc.string(), fc.constantFrom('3000', 'unix:/x', './', '"""', "'\n[services.x]\n")),
        relays: fc.array(fc.string()),
        relay_url: fc.oneof(fc.string(), fc.webUrl()),
        metadata: fc.jsonValue(),
        max_active_relays: fc.oneof(fc.integer(), fc.constant(null)),
      },
      { requiredKeys: [] },
    ),
  );
  const ids = fc.oneof(fc.string({ minLength: 1, maxLength: 20 }), fc.constantFrom('shop', '..', '__proto__'));
  for (const [operationId] of operations) {
    if (['shutDownAgent', 'startTunnel'].includes(operationId) || isStream(operationId)) continue;
    const takesBody = exampleBody(operationId) !== undefined;
    await fc.assert(
      fc.asyncProperty(ids, bodies, async (id, body) => {
        const answer = await ask(bench.url, operationId, { id, ...(takesBody && { body }) }).catch(() => undefined);
        if (answer === undefined || [404, 405].includes(answer.status)) return;
        assert.notEqual(answer.status, 500, JSON.stringify(answer.body));
        assertFits(operationId, answer.status, answer.body);
        if (operationId === 'addTunnel' && answer.status === 202)
          await ask(bench.url, 'removeTunnel', { id: answer.body.data.id as string });
      }),
      { numRuns: 25 },
    );
  }
  assert.equal((await ask(bench.url, 'getAgentStatus')).status, 200);
});

test('what changes is told as it happens, and a log from its beginning', async (t) => {
  const bench = await startBench(t);
  const headers = { authorization: `Bearer ${token}` };
  const opened = async (path: string) => {
    const left = new AbortController();
    t.after(() => left.abort());
    const response = await fetch(`${bench.url}${path}`, { headers, signal: left.signal });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    return eventsOf(response);
  };
  const events = await opened('/v1/agent/events');
  const next = async () => (await events.next()).value as { event: string; data: Node };
  assert.deepEqual(await next().then(({ event, data }) => [event, data.id, data.state]), ['tunnel', 'shop', 'stopped']);
  await ask(bench.url, 'startTunnel');
  assert.deepEqual(await next().then(({ event, data }) => [event, data.state]), ['tunnel', 'starting']);
  const lines = await opened('/v1/agent/tunnels/shop/log/events');
  const { event, data } = (await lines.next()).value as { event: string; data: Node };
  assert.deepEqual([event, data.event], ['line', 'connecting']);
  await ask(bench.url, 'removeTunnel');
  for (let told = await next(); told.event !== 'removed'; told = await next()) assert.equal(told.event, 'tunnel');
  // To its end.
  for await (const { event: kind } of lines) assert.equal(kind, 'line');
});

test('what does not fit changes nothing, and a file that somebody broke is told and left alone', async (t) => {
  const bench = await startBench(t);
  const before = readFileSync(bench.config, 'utf8');
  for (const [operationId, asked, message] of [
    ['addTunnel', { body: { id: 'shop', target_addr: '1' } }, /there is a service shop already/],
    ['addTunnel', { body: { id: 'two', name: 'shop', target_addr: '1' } }, /shop is the name of services\.shop/],
    ['addTunnel', { body: { target_addr: 'ftp://x' } }, /ftp:\/\/ is not supported/],
    ['setTunnelPath', { body: { relays: [relay, `${relay}/`] } }, /in the path twice/],
    ['addTunnelRelay', { body: { relay_url: relay } }, /is used already/],
    ['removeTunnelRelay', { body: { relay_url: 'https://z.example' } }, /is not used/],
  ] as [AgentOperationId, Asked, RegExp][]) {
    const { status, body } = await ask(bench.url, operationId, asked);
    assert.equal(status, 400);
    assert.match(body.error.message as string, message);
  }
  assert.equal(readFileSync(bench.config, 'utf8'), before);
  bench.write('[services.shop]\ntarget = "nonsense://"\n');
  await bench.agent.reload();
  const { body } = await ask(bench.url, 'getAgentStatus');
  assert.match(body.data.config_error as string, /services\.shop: .*not supported/);
  assert.equal(body.data.tunnels[0].target_addr, '3000');
  assert.equal((await ask(bench.url, 'stopTunnel')).status, 400);
  bench.write('[services.shop]\ntarget = "3000"\ndisabled = true\n');
  assert.equal((await ask(bench.url, 'stopTunnel')).status, 202);
});
