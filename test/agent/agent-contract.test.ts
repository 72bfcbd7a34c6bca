import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { Wallet } from 'ethers';
import fc from 'fast-check';
import { operationErrors } from '../../generated/agent/errors.js';
import { Agent } from '../../src/agent/services/agent.js';
import { AgentApi } from '../../src/agent/api/agent-api.js';
import { EventStream } from '../../src/http-api/event-stream.js';
import { agentRoutes, type AgentOperationId, loadAgentContract } from '../../src/agent/contract.js';
import { readConfiguration } from '../../src/cli/expose/expose-config.js';
import { Inspector } from '../../src/tunnel/inspect/inspector.js';
import { Recorder } from '../../src/tunnel/inspect/recorder.js';
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
const wallet = new Wallet(`0x${'11'.repeat(32)}`);
const otherWallet = new Wallet(`0x${'22'.repeat(32)}`);

interface Bench {
  /** `http://127.0.0.1:port` */
  url: string;
  /** The configuration. */
  write(text: string): void;
  config: string;
  agent: Agent;
  shutDowns: number;
}

const stoppedShop = '[services.shop]\ntarget = "3000"\ndisabled = true\n';

/** An agent whose services reach no relay. */
async function startBench(t: TestContext, services = stoppedShop): Promise<Bench> {
  const folder = temporaryDirectory(t);
  const config = join(folder, 'agent.toml');
  const head = `relays = ["${relay}", "https://b.example"]\nidentity = "identity.json"\n\n[agent]\nallowed_wallets = ["${wallet.address.toLowerCase()}"]\n\n`;
  const write = (text: string) => writeFileSync(config, head + text);
  write(services);
  const agent = new Agent({ configPath: config, readConfig: (path) => readConfiguration(path, { mayBeEmpty: true }) });
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
  query?: string;
}

async function ask(
  url: string,
  operationId: AgentOperationId,
  { id = 'shop', body, headers = {}, query = '' }: Asked = {},
) {
  const { method, path } = agentRoutes[operationId];
  const target = path.replace('{id}', encodeURIComponent(id)).replace('{request}', '1');
  const response = await fetch(`${url}${target}${query}`, {
    method: method.toUpperCase(),
    headers: {
      ...('cookie' in headers ? {} : { authorization: `Bearer ${token}` }),
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

/** Signs in with a wallet. @returns headers with its cookie */
async function signIn(url: string): Promise<Record<string, string>> {
  const { body } = await ask(url, 'createAgentChallenge', { body: { address: wallet.address } });
  const answer = await ask(url, 'loginAgent', { body: await signed(body.data, wallet) });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return { cookie: answer.headers.get('set-cookie')!.split(';')[0]! };
}

async function signed({ challenge_id, siwe_message }: Node, by: Wallet) {
  return { challenge_id, siwe_message, siwe_signature: await by.signMessage(siwe_message as string) };
}

/** Opens a link, as a page does. @returns headers with the page's token */
async function openPage(url: string): Promise<Record<string, string>> {
  const link = await ask(url, 'createAgentLink');
  const code = /#code=(.+)$/.exec(link.body.data.url as string)![1];
  const { body } = await ask(url, 'redeemAgentLink', { body: { code } });
  return { authorization: `Bearer ${body.data.token as string}`, origin: url, 'sec-fetch-site': 'same-origin' };
}

/** As if the service had been asked for something: without a relay nobody can. */
function withRequest({ agent }: Bench): void {
  const recorder = new Recorder();
  const fields = [{ name: 'Host', key: 'host', value: 'shop.a.example', isHopByHop: false }];
  const request = { method: 'GET', target: '/?token=abc', minor: 1, fields, options: [] };
  const watch = recorder.begin(request as never, { address: '203.0.113.9', hostname: 'shop.a.example' });
  watch.response({ status: 200, reason: 'OK', fields: [] }, false);
  watch.ended();
  const forwarder = { serveAgain: () => Promise.resolve({ received: 0, sent: 0 }) };
  const inspector = new Inspector(recorder, forwarder as never, new AbortController().signal);
  const known = agent.inspector.bind(agent);
  agent.inspector = (id) => (id === 'shop' ? inspector : known(id));
}

/** What makes each operation succeed, where its example does not. */
const successes: Partial<Record<AgentOperationId, Asked>> = {
  addTunnel: { body: { id: 'new', target_addr: '3001' } },
  addTunnelRelay: { body: { relay_url: 'https://c.example' } },
  removeTunnelRelay: { body: { relay_url: relay } },
  createAgentChallenge: { body: { address: wallet.address } },
};
/** What has to be there before. */
async function prepared(bench: Bench, operationId: AgentOperationId): Promise<Asked> {
  withRequest(bench);
  const usual: Asked = { body: exampleBody(operationId), ...successes[operationId] };
  if (operationId === 'loginAgent') {
    const { body } = await ask(bench.url, 'createAgentChallenge', { body: { address: wallet.address } });
    usual.body = await signed(body.data, wallet);
  }
  if (operationId === 'redeemAgentLink') {
    const { body } = await ask(bench.url, 'createAgentLink');
    usual.body = { code: /#code=(.+)$/.exec(body.data.url as string)![1] };
  }
  return usual;
}
/** Limits of calls: how many may be made at once. */
const bursts: Partial<Record<AgentOperationId, number>> = {
  createAgentChallenge: 60,
  loginAgent: 20,
  redeemAgentLink: 30,
};
/** Nothing that they do can fail. */
const infallible = new Set<AgentOperationId>(['shutDownAgent', 'logoutAgent', 'createAgentLink', 'redeemAgentLink']);
/** What is refused with `invalid_request`, where no schema is broken by a missing body. */
const refusals: Partial<Record<AgentOperationId, Asked>> = {
  removeTunnel: { id: 'no such id' },
  startTunnel: { id: 'no such id' },
  stopTunnel: { id: 'no such id' },
  restartTunnel: { id: 'no such id' },
  getTunnelLog: { id: 'no such id' },
  followTunnelLog: { id: 'no such id' },
  clearTunnelPath: { id: 'no such id' },
  listTunnelRequests: { id: 'no such id' },
  clearTunnelRequests: { id: 'no such id' },
  followTunnelTraffic: { id: 'no such id' },
  getTunnelRequest: { query: '?secrets=all' },
  exportTunnelRequests: { query: '?secrets=all' },
  replayTunnelRequest: { body: { method: 'get' } },
  createAgentChallenge: { body: [] },
};

async function provoke(t: TestContext, operationId: AgentOperationId, code: string, status: number) {
  const bench = await startBench(t);
  const usual = await prepared(bench, operationId);
  const isOpen = definitionOf(operationId).security?.length === 0;
  if (code === 'unauthorized' && status === 403 && operationId === 'loginAgent') {
    // It may look no longer.
    writeFileSync(bench.config, readFileSync(bench.config, 'utf8').replace(/allowed_wallets = .*/, ''));
    await bench.agent.reload();
  }
  if (code === 'rate_limited')
    for (let count = bursts[operationId]!; count > 0; count--)
      await ask(bench.url, operationId, { body: exampleBody(operationId) });
  const how: Record<string, Asked> = {
    'unauthorized 401': {
      ...usual,
      headers: isOpen ? { origin: 'https://page.example' } : { authorization: 'Bearer agent_other' },
    },
    'unauthorized 403': operationId === 'loginAgent' ? usual : { body: { address: otherWallet.address } },
    'rate_limited 429': { body: exampleBody(operationId) },
    'invalid_address 400': { body: { address: '0x12' } },
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
  const cookie = await signIn(bench.url);
  const fail = () => {
    throw new Error('the disk is on fire');
  };
  for (const name of [
    ...([
      'tunnels',
      'tunnel',
      'log',
      'add',
      'set',
      'remove',
      'restart',
      'relays',
      'requests',
      'clearRequests',
    ] as const),
    ...(['inspector', 'configuration'] as const),
  ])
    bench.agent[name] = fail;
  Object.defineProperty(bench.agent, 'settings', { get: fail });
  return await ask(bench.url, operationId, {
    ...usual,
    ...(operationId === 'getAgentLoginStatus' && { headers: cookie }),
  });
}

for (const [operationId] of operations) {
  if (!isStream(operationId))
    test(`${operationId} succeeds, and answers as its contract has it`, async (t) => {
      const bench = await startBench(t);
      const { status, body } = await ask(bench.url, operationId, await prepared(bench, operationId));
      assert.ok(status < 300, JSON.stringify(body));
      assertFits(operationId, status, body);
    });
  for (const [code, statuses] of Object.entries(operationErrors[operationId]) as [string, readonly number[]][])
    for (const expected of statuses) {
      if (code === 'internal' && infallible.has(operationId)) continue;
      test(`${operationId} answers ${expected} ${code}`, async (t) => {
        const { status, body } = await provoke(t, operationId, code, expected);
        assert.deepEqual([status, body.error?.code], [expected, code], JSON.stringify(body));
        assertFits(operationId, status, body);
        assert.doesNotMatch(JSON.stringify(body), /on fire/);
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
        const answer = await fetch(mock.url + path.replace('{id}', 'shop').replace('{request}', '7'), {
          method: method.toUpperCase(),
          headers: {
            authorization: 'Bearer any',
            cookie: 'portal_agent=any',
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
    const isOpen = definitionOf(operationId).security?.length === 0;
    for (const headers of [
      ...(isOpen ? [] : [{ authorization: '' }, { authorization: token }, { authorization: `Bearer ${token}x` }]),
      { origin: 'https://page.example' },
      // Another program of this machine.
      { origin: 'http://127.0.0.1:3000' },
      { origin: bench.url.replace('127.0.0.1', 'localhost') },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
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

test('a wallet reads, a page does what its link allows, and both are of no use without their credential', async (t) => {
  const bench = await startBench(t);
  withRequest(bench);
  const [byWallet, byPage] = [await signIn(bench.url), await openPage(bench.url)];
  for (const [operationId] of operations) {
    const { security = [{ agent_token: [] }] } = definitionOf(operationId) as { security?: object[] };
    if (security.length === 0 || isStream(operationId) || operationId === 'shutDownAgent') continue;
    const mayRead = security.some((each) => 'wallet_session' in each);
    assert.equal(mayRead, agentRoutes[operationId].method === 'get', operationId);
    bench.write(stoppedShop);
    await bench.agent.reload();
    const usual = await prepared(bench, operationId);
    const wallets = await ask(bench.url, operationId, { ...usual, headers: byWallet });
    assert.equal(wallets.status, mayRead ? 200 : 401, operationId);
    const { status } = await ask(bench.url, operationId, { ...usual, headers: byPage });
    assert.ok(status !== 401, operationId);
  }
  // Secrets of visitors would let it act as one of them; a token that is none changes nothing.
  for (const operationId of ['getTunnelRequest', 'exportTunnelRequests'] as const)
    for (const headers of [byWallet, { ...byWallet, authorization: 'Bearer other' }])
      assert.equal((await ask(bench.url, operationId, { headers, query: '?secrets=shown' })).status, 401);
  const shown = await ask(bench.url, 'getTunnelRequest', { headers: byPage, query: '?secrets=shown' });
  assert.equal(shown.body.data.target, '/?token=abc');
  const { body } = await ask(bench.url, 'getAgentStatus', { headers: byWallet });
  assert.equal(body.data.wallet_address, wallet.address);
  assert.equal((await ask(bench.url, 'getAgentStatus')).body.data.wallet_address, undefined);
});

test('a challenge serves once, at its own address, for a wallet that may look', async (t) => {
  const bench = await startBench(t);
  const challenge = async () =>
    (await ask(bench.url, 'createAgentChallenge', { body: { address: wallet.address } })).body.data as Node;
  const login = async (body: unknown, url = bench.url) => (await ask(url, 'loginAgent', { body })).status;
  const first = await challenge();
  assert.match(first.siwe_message as string, new RegExp(`^${new URL(bench.url).host} wants you to sign in`));
  const answer = await signed(first, wallet);
  assert.equal(await login(answer, bench.url.replace('127.0.0.1', 'localhost')), 401, 'elsewhere');
  assert.equal(await login(await signed(first, otherWallet)), 401, 'signed by another');
  assert.equal(await login({ ...answer, challenge_id: (await challenge()).challenge_id }), 401, 'of another challenge');
  assert.equal(await login(answer), 200);
  assert.equal(await login(answer), 401, 'replayed');
  // Who was taken out of the list looks no longer, though the cookie is there.
  const headers = await signIn(bench.url);
  assert.equal((await ask(bench.url, 'getAgentStatus', { headers })).status, 200);
  assert.deepEqual((await ask(bench.url, 'getAgentLoginStatus', { headers })).body.data, {
    authenticated: true,
    wallet_address: wallet.address,
  });
  writeFileSync(bench.config, readFileSync(bench.config, 'utf8').replace(/allowed_wallets = .*/, ''));
  await bench.agent.reload();
  assert.equal((await ask(bench.url, 'getAgentStatus', { headers })).status, 401);
  bench.write('');
  await bench.agent.reload();
  assert.equal((await ask(bench.url, 'getAgentStatus', { headers })).status, 200);
  const { headers: answered } = await ask(bench.url, 'logoutAgent', { headers });
  assert.match(
    answered.get('set-cookie')!,
    /^portal_agent=; Max-Age=0; Path=\/v1\/agent; HttpOnly; Secure; SameSite=Strict$/,
  );
  assert.equal((await ask(bench.url, 'getAgentStatus', { headers })).status, 401);
});

test('a stream ends when the credential that opened it serves no longer', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let mayGoOn = true;
  const written: string[] = [];
  const response = Object.assign(new EventEmitter(), {
    req: { method: 'GET' },
    writableLength: 0,
    status: () => response,
    setHeader: () => response,
    flushHeaders: () => undefined,
    write: (text: string) => written.push(text),
    end: () => written.push('end'),
  });
  const stream = new EventStream(response as never, () => mayGoOn);
  stream.send('line', { message: 'a\nb' });
  t.mock.timers.tick(15_000);
  mayGoOn = false;
  t.mock.timers.tick(15_000);
  assert.deepEqual(written, ['event: line\ndata: {"message":"a\\nb"}\n\n', ': still here\n\n', 'end']);
  response.emit('close');
});

test('a link serves once, and its token until then', async (t) => {
  const bench = await startBench(t);
  const { body } = await ask(bench.url, 'createAgentLink');
  const [, code] = /^http:\/\/127\.0\.0\.1:\d+\/#code=(.+)$/.exec(body.data.url as string)!;
  const redeem = async (value: unknown) => await ask(bench.url, 'redeemAgentLink', { body: { code: value } });
  assert.equal((await redeem(`${code}x`)).status, 401);
  const { body: redeemed } = await redeem(code);
  const again = await redeem(code);
  assert.deepEqual([again.status, again.body.error.code], [401, 'unauthorized']);
  assert.match(again.body.error.message as string, /portal agent dashboard --web/);
  const headers = { authorization: `Bearer ${redeemed.data.token as string}` };
  assert.equal((await ask(bench.url, 'stopTunnel', { headers })).status, 202);
  // The code itself, and a cookie, are no token.
  assert.equal((await ask(bench.url, 'stopTunnel', { headers: { authorization: `Bearer ${code}` } })).status, 401);
  assert.equal((await ask(bench.url, 'stopTunnel', { headers: { cookie: `portal_agent=${code}` } })).status, 401);
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
        inspect: fc.oneof(fc.boolean(), fc.string()),
      },
      { requiredKeys: [] },
    ),
  );
  const ids = fc.oneof(fc.string({ minLength: 1, maxLength: 20 }), fc.constantFrom('shop', '..', '__proto__'));
  for (const [operationId] of operations) {
    if (['shutDownAgent', 'startTunnel'].includes(operationId) || isStream(operationId)) continue;
    // It would be limited.
    if (operationId in bursts) continue;
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

test('a service is changed where its table says what it is', async (t) => {
  const bench = await startBench(t, '[services.shop]\ntcp = "22"\ndisabled = true\n');
  const { body } = await ask(bench.url, 'changeTunnel', { body: { target_addr: '2222', inspect: false } });
  assert.equal(body.data.target_addr, '2222');
  assert.match(readFileSync(bench.config, 'utf8'), /\[services\.shop\]\ntcp = "2222"\ndisabled = true\n$/);
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
