import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench } from './support/bench.js';
import { causeOf } from './support/causes.js';
import { AnswerChecker } from '../../src/conformance/relay/answer-checker.js';
import { type Case, declaredCases, testedOperations } from './support/document.js';
import { mockCannot, mockCannotAnswer, mockHasOwnWordsFor, notBuilt } from './support/exceptions.js';
import { Caller, exchangeRaw, type HttpAnswer } from './support/http.js';
import { type Mock, startMock } from './support/mock.js';

// One suite, two servers: whatever the contract declares, the relay answers when its cause is there, and the mock when it is asked.

const cases = declaredCases();
const checker = new AnswerChecker();
const bench = new Bench();
let mock: Mock;
let mockCaller: Caller;

before(async () => {
  mock = await startMock();
  mockCaller = new Caller(mock.url);
});
after(async () => {
  await Promise.all([mockCaller.close(), mock.stop(), bench.stop()]);
});

function assertIs({ id, operation, status, code }: Case, answer: HttpAnswer): void {
  const text = answer.body.toString();
  assert.equal(answer.status, status, `${id}: ${text}`);
  if (code !== undefined)
    assert.equal((JSON.parse(text) as { error: { code: string } }).error.code, code, `${id}: ${text}`);
  assert.deepEqual(checker.faults(operation, answer), [], id);
  assert.ok(!text.includes('secret'), `${id} tells its cause: ${text}`);
}

const missing = cases.filter((answer) => !notBuilt.some(({ covers }) => covers(answer)) && !causeOf(answer));
test('every response that the contract declares has a test, or is listed as not implemented', () => {
  assert.deepEqual(
    missing.map(({ id }) => id),
    [],
  );
});

for (const answer of cases) {
  if (notBuilt.some(({ covers }) => covers(answer)) || missing.includes(answer)) continue;
  test(`relay: ${answer.id}`, async () => {
    const answers = await causeOf(answer)!(bench, answer.operation);
    for (const each of [answers].flat()) assertIs(answer, each);
  });
}

test('what is listed as not implemented responds so, and every entry is still needed', async () => {
  for (const { reason, covers } of notBuilt) {
    const covered = cases.filter(covers);
    assert.notEqual(covered.length, 0, `${reason} covers nothing: take it out`);
    // Only of operations that are covered with their success can the relay be asked.
    for (const { operation, status, code } of covered) {
      if (code !== undefined || status >= 400) continue;
      const { method, request, operationId } = operation;
      const answer = await bench.send({ method, ...request });
      assert.equal(answer.status, 503, `${operationId} is built: take it out of notBuilt and say its causes`);
    }
  }
});

async function askMock({ operation, status, code }: Case): Promise<HttpAnswer> {
  const { method, request } = operation;
  const headers = {
    'x-portal-access-token': 'token',
    cookie: 'portal_admin=session',
    prefer: code === undefined ? `code=${status}` : `code=${status}, example=${code}`,
  };
  return await mockCaller.send({ method, ...request, headers });
}

for (const answer of cases) {
  if (mockCannot.some(({ covers }) => covers(answer))) continue;
  test(`mock: ${answer.id}`, async () => {
    const got = await askMock(answer);
    assertIs(answer, got);
    const shown = answer.operation.responses.find(({ status }) => status === answer.status)!.examples;
    if (Object.keys(shown).length === 0) return;
    const expected = answer.code === undefined ? Object.values(shown)[0] : (shown[answer.code] as unknown);
    assert.deepEqual(JSON.parse(got.body.toString()), expected);
  });
}

test('responses that the mock cannot give are listed exactly', async () => {
  const excepted = cases.filter((answer) => mockCannot.some(({ covers }) => covers(answer)));
  assert.ok(excepted.length <= mockCannotAnswer, `${excepted.length} answers are excepted`);
  assert.ok(mockCannot.every(({ covers, reason }) => cases.some(covers) && reason.length > 0));
  for (const answer of excepted) {
    const got = await askMock(answer).catch(() => undefined);
    const fits = got?.status === answer.status && checker.faults(answer.operation, got).length === 0;
    assert.ok(!fits || got.body.length === 0, `the mock can do ${answer.id} by now: take it out of mockCannot`);
  }
});

/** Answers that belong to paths. */
const ofPaths: Record<string, { request: { method: string; path: string; body?: unknown }; code: string }> = {
  'an unknown path': { request: { method: 'GET', path: '/nowhere' }, code: 'not_found' },
  'a wrong method': { request: { method: 'DELETE', path: '/sdk/renew' }, code: 'method_not_allowed' },
  'a body that is not JSON': { request: { method: 'POST', path: '/sdk/renew', body: '{' }, code: 'invalid_json' },
};

test('every path gives 404, 405 with Allow, and invalid_json as declared', async () => {
  for (const [what, { request, code }] of Object.entries(ofPaths)) {
    const { body } = await bench.send(request);
    assert.equal((JSON.parse(body.toString()) as { error: { code: string } }).error.code, code, what);
  }
  const operations = testedOperations();
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const here = operations.filter((operation) => operation.path === path);
    const answer = await bench.send({ method: 'PATCH', path: here[0]!.request.path });
    assert.deepEqual(checker.faultsOfWrongMethod(answer), [], path);
    const methods = here.flatMap(({ method, operationId }) =>
      method === 'get' && operationId !== 'openReverseSession' ? ['GET', 'HEAD'] : [method.toUpperCase()],
    );
    assert.equal(answer.headers['allow'], methods.join(', '));
  }
});

test('errors of the mock itself are exactly those listed', async () => {
  const own: string[] = [];
  for (const [what, { request, code }] of Object.entries(ofPaths)) {
    const { body } = await mockCaller.send(request);
    const said = JSON.parse(body.toString()) as { error?: { code?: string } };
    if (said.error?.code !== code) own.push(what);
  }
  assert.deepEqual(own, mockHasOwnWordsFor);
});

test('a plain connect request without a token gets an ordinary error response', async () => {
  const { relay } = await bench.at();
  const answer = await exchangeRaw(relay, 'GET /sdk/connect HTTP/1.1\r\nHost: portal.localhost\r\n\r\n');
  assert.equal(answer.status, 401);
  assert.equal((JSON.parse(answer.body.toString()) as { error: { code: string } }).error.code, 'unauthorized');
});

test('prints how many declared responses are covered', (t) => {
  const open = cases.filter((answer) => notBuilt.some(({ covers }) => covers(answer))).length;
  const excepted = cases.filter((answer) => mockCannot.some(({ covers }) => covers(answer))).length;
  t.diagnostic(`${testedOperations().length} operations, ${cases.length} declared answers`);
  t.diagnostic(`relay: ${cases.length - open} brought about, ${open} not built`);
  t.diagnostic(`mock: ${cases.length - excepted} selected, ${excepted} it cannot do`);
});
