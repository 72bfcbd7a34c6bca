import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { maxRequestHeadBytes } from '../../src/relay/api/listener/request-head.js';
import { register } from '../support/by-hand.js';
import { type TestRelay, startTestRelay } from '../support/relay.js';
import { requestsOf } from './support/arbitrary.js';
import { asText } from './support/bench.js';
import { AnswerChecker } from '../../src/conformance/relay/answer-checker.js';
import { testedOperations } from './support/document.js';
import { type Caller, callerOf, exchangeRaw, type HttpAnswer, type HttpRequest } from './support/http.js';

// Random requests, made from the contract's schemas: no 500, no answer outside the contract, no hang.
// PORTAL_SEED repeats a run, PORTAL_RUNS makes it longer.

const seed = Number(process.env['PORTAL_SEED'] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env['PORTAL_RUNS'] ?? 50);
const answerTimeoutMs = 10_000;
/** Making a failure small may take long where each try waits for an answer that does not come. */
const timeLimit = { interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true };

const checker = new AnswerChecker();
let relay: TestRelay;
let caller: Caller;
let tokens: string[];
let sent = 0;
const statuses = new Map<number, number>();

before(async () => {
  // Each request is another visitor's, or the limits would soon answer for everything.
  relay = await startTestRelay({
    trustedProxies: ['127.0.0.1/32'],
    // Where a random descriptor leads is not visited.
    discovery: { bootstraps: [], allowPrivate: false },
  });
  caller = callerOf(relay);
  const leases = [];
  for (const name of ['random-one', 'random-two']) leases.push(await register(relay, { name, ttl: 3_600 }));
  tokens = leases.map(({ token }) => token);
});
after(async () => {
  await caller.close();
  await relay.stop();
});

function from(request: HttpRequest): HttpRequest {
  const n = sent++;
  const address = `198.${18 + ((n >> 16) & 1)}.${(n >> 8) & 255}.${n & 255}`;
  return { ...request, headers: { ...request.headers, 'x-forwarded-for': address } };
}

async function withinTime(answering: Promise<HttpAnswer>): Promise<HttpAnswer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), answerTimeoutMs);
  });
  return await Promise.race([answering, late]).finally(() => clearTimeout(timer));
}

for (const operation of testedOperations()) {
  const { operationId } = operation;
  test(`${operationId} responds by the contract to random requests`, async (t) => {
    t.diagnostic(`PORTAL_SEED=${seed} PORTAL_RUNS=${numRuns}`);
    const send = (request: HttpRequest) =>
      operationId === 'openReverseSession' ? exchangeRaw(relay, asText(request)) : caller.send(request);
    const property = fc.asyncProperty(requestsOf(operation, tokens), async (request) => {
      const answer = await withinTime(send(from(request)));
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const said = `${answer.status} ${answer.body.toString().slice(0, 300)}`;
      assert.notEqual(answer.status, 500, said);
      // A parameter can make another path of the path.
      const elsewhere = operation.path.includes('{') && [404, 405].includes(answer.status);
      // A head that is too long is refused before anybody looks for an operation in it.
      const tooLong = answer.status === 413 && asText(request).length > maxRequestHeadBytes - 1_024;
      if (tooLong) assert.match(said, /"code":"invalid_request"/);
      else if (!elsewhere) assert.deepEqual(checker.faults(operation, answer), [], said);
      else assert.match(said, /"code":"(not_found|method_not_allowed)"/);
    });
    await fc.assert(property, { seed, numRuns, ...timeLimit });
  });
}

test('random bytes instead of a request get an error envelope or a close', async (t) => {
  t.diagnostic(`PORTAL_SEED=${seed}`);
  const line = fc.constantFrom(
    'GET /sdk/connect HTTP/1.1',
    'GET /sdk/connect?x HTTP/1.0',
    'GET /sdk/connectx HTTP/1.1',
    'POST /sdk/renew HTTP/1.1',
    'OPTIONS * HTTP/1.1',
    'GET http:// HTTP/1.1',
    'PRI * HTTP/2.0',
    'CONNECT a:1 HTTP/1.1',
    'GET //sdk//domain HTTP/1.1',
    'GET /%ff%fe HTTP/1.1',
    'GET / HTTP/1.1',
  );
  const header = fc.oneof(
    fc.constantFrom(
      'Host: a',
      'Content-Length: 5',
      'Content-Length: -1',
      'Transfer-Encoding: chunked',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Upgrade: portal-reverse',
      'Expect: 100-continue',
      'X-Portal-Binding: 1',
      'X-Portal-Access-Token: token',
      'Sec-WebSocket-Protocol: portal.reverse, portal.datagram',
      ': nameless',
      ' folded',
    ),
    fc.string({ unit: 'binary-ascii', maxLength: 40 }),
  );
  const head = fc
    .tuple(line, fc.array(header, { maxLength: 6 }), fc.constantFrom('\r\n\r\n', '\n\n', '\r\n', ''))
    .map(([first, headers, end]) => Buffer.from([first, ...headers].join('\r\n') + end, 'latin1'));
  const bytes = fc.oneof(
    head,
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((raw) => Buffer.from(raw)),
  );
  const property = fc.asyncProperty(bytes, async (input) => {
    const options = { host: '127.0.0.1', port: relay.apiPort, servername: relay.rootHost, ca: relay.ca };
    const socket = connect({ ...options, ALPNProtocols: ['http/1.1'] });
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // Nothing comes after it: whatever is not whole by then never will be.
    socket.once('secureConnect', () => socket.end(input));
    socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('it hangs')));
    const [failed] = (await closed) as [boolean];
    assert.ok(!failed || chunks.length > 0 || !socket.connecting);
    const text = Buffer.concat(chunks).toString('latin1');
    if (text === '') return;
    const [, status] = /^HTTP\/1\.1 (\d+) /.exec(text) ?? [];
    // A session that cannot be switched where it is asked for is the one failure that is a 500 by the contract.
    const isSwitch = text.includes('"code":"hijack_unsupported"');
    assert.ok(status !== undefined && (status !== '500' || isSwitch), text.slice(0, 300));
    if (Number(status) >= 400) assert.match(text, /\{"ok":false,"error":\{"code":"[a-z_0-9]+","message":/);
  });
  await fc.assert(property, { seed, numRuns: numRuns * 2, ...timeLimit });
});

test('the relay still serves after random requests', async (t) => {
  const { status } = await caller.send({ method: 'GET', path: '/healthz' });
  assert.equal(status, 200);
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([code, count]) => `${code}: ${count}`);
  t.diagnostic(`${sent} requests with seed ${seed}; ${counts.join(', ')}`);
});
