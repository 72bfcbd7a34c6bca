import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, mock, test } from 'node:test';
import { SignJWT, decodeJwt, decodeProtectedHeader, generateKeyPair } from 'jose';
import type { OperationId } from '../../src/contract/index.js';
import { type HeldLease, register } from '../support/by-hand.js';
import { type TestRelay, startTestRelay } from '../support/relay.js';
import { endVisit, handshake } from '../support/tenant.js';
import { Bench, asText, forLease, takesSession } from './support/bench.js';
import { AnswerChecker } from '../../src/conformance/relay/answer-checker.js';
import { type TestedOperation, testedOperations } from './support/document.js';
import { exchangeRaw, type HttpAnswer, type HttpRequest } from './support/http.js';

// Who may do what: every operation with no credential, a wrong, an expired, a superseded, another tenant's, and the right one.

const credentials = ['none', 'wrong', 'expired', 'superseded', 'foreign', 'right'] as const;
type Credential = (typeof credentials)[number];

/** What each credential gets: the code of the failure, or `ok`. `any`: a credential changes nothing. */
type Row = 'any' | Record<Credential, string>;

/** Under a lease's token, where another tenant's token only ever reaches the other tenant's lease. */
const ownLease: Row = {
  none: 'unauthorized',
  wrong: 'unauthorized',
  expired: 'lease_not_found',
  superseded: 'hostname_conflict',
  foreign: 'ok',
  right: 'ok',
};
/** Under an admin's session, which no token of a lease stands for. */
const adminSession: Row = {
  none: 'unauthorized',
  wrong: 'unauthorized',
  expired: 'unauthorized',
  superseded: 'unauthorized',
  foreign: 'unauthorized',
  right: 'ok',
};

const matrix: Record<OperationId, Row> = {
  getDomain: 'any',
  createRegisterChallenge: 'any',
  registerLease: 'any',
  renewLease: ownLease,
  unregisterLease: ownLease,
  openReverseSession: ownLease,
  // A binding is of the lease that was routed the visitor.
  signHandshake: { ...ownLease, foreign: 'invalid_request' },
  getTunnelStatus: { ...ownLease, foreign: 'unauthorized' },
  getHealth: 'any',
  getLandingPage: 'any',
  getOpenapiDocument: 'any',
  getReference: 'any',
  getReferenceScript: 'any',
  getErrorReference: 'any',
  getDocumentationPage: 'any',
  getThumbnail: 'any',
  // Its credential is the descriptor's signature.
  getDiscovery: 'any',
  announceRelay: 'any',
  createAdminChallenge: 'any',
  loginAdmin: 'any',
  logoutAdmin: adminSession,
  getAdminStatus: 'any',
  getConsole: 'any',
  getConsoleAsset: 'any',
  getOverview: adminSession,
  followRelay: adminSession,
  listLeases: adminSession,
  getLease: adminSession,
  listIdentities: adminSession,
  listBannedIps: adminSession,
  listOverlayPeers: adminSession,
  listAuditEntries: adminSession,
  listAdminSessions: adminSession,
  endAdminSession: adminSession,
  getSnapshot: adminSession,
  setLandingPage: adminSession,
  setUdpSettings: adminSession,
  setTcpPortSettings: adminSession,
  setApprovalMode: adminSession,
  banLease: adminSession,
  unbanLease: adminSession,
  setLeaseBps: adminSession,
  removeLeaseBps: adminSession,
  approveLease: adminSession,
  revokeLeaseApproval: adminSession,
  denyLease: adminSession,
  removeLeaseDenial: adminSession,
  banIp: adminSession,
  unbanIp: adminSession,
};

const operations = testedOperations();
const checker = new AnswerChecker();
const bench = new Bench();
let elsewhere: TestRelay;
let victim: HeldLease;
/** Tokens that are nobody's here: what they are -> the token. */
let wrong: Record<string, string>;
let expired: string;
let superseded: HeldLease;
let foreign: HeldLease;
/** Session tokens of an admin, by what they are: each of them serves no more, or nobody here. */
let sessions: Record<Exclude<Credential, 'right'>, Record<string, string>>;

before(async () => {
  elsewhere = await startTestRelay();
  const short = await bench.lease('usual', { ttl: 1 });
  victim = await bench.lease();
  foreign = await bench.lease();
  superseded = await bench.lease();
  await bench.lease('usual', superseded);
  const stranger = await register(elsewhere, { name: victim.name, wallet: victim.wallet, ttl: 600 });
  wrong = {
    'no token at all': 'token',
    'the same identity’s, of another relay': stranger.token,
    'one with an altered claim': altered(foreign.token, { sub: decodeJwt(victim.token).sub }),
    'one of no algorithm': unsigned(victim.token),
    'one signed by its own holder': await selfSigned(victim.token),
    'one cut short': victim.token.slice(0, -4),
  };
  expired = short.token;
  await untilExpired(short);
  sessions = {
    none: { none: '' },
    wrong: { 'no token at all': 'token', 'a random one': randomBytes(32).toString('base64url'), ...wrong },
    expired: { expired: await expiredSession() },
    superseded: { 'one that was logged out': await endedSession() },
    foreign: { 'a tenant’s': foreign.token },
  };
});
after(async () => {
  await Promise.all([bench.stop(), elsewhere.stop()]);
});

/** The second of the lease is over when its token gets the answer of an expired one. */
async function untilExpired({ token, hostname }: HeldLease): Promise<void> {
  const operation = operations.find(({ operationId }) => operationId === 'getTunnelStatus')!;
  for (;;) {
    const { status } = await bench.send(forLease(operation, { token, hostname }));
    if (status === 404) return;
    assert.equal(status, 200);
  }
}

const sessionToken = (cookie: string) => cookie.slice(cookie.indexOf('=') + 1);

/** Of a log-in of yesterday. */
async function expiredSession(): Promise<string> {
  mock.timers.enable({ apis: ['Date'], now: Date.now() - 25 * 3_600_000 });
  try {
    return sessionToken(await bench.ownSession('governed'));
  } finally {
    mock.timers.reset();
  }
}

async function endedSession(): Promise<string> {
  const cookie = await bench.ownSession('governed');
  const { status } = await bench.send({ method: 'POST', path: '/admin/logout', headers: { cookie } }, 'governed');
  assert.equal(status, 200);
  return sessionToken(cookie);
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The token with other claims under its old signature. */
function altered(token: string, claims: object): string {
  const [head, , signature] = token.split('.');
  return [head, part({ ...decodeJwt(token), ...claims }), signature].join('.');
}

function unsigned(token: string): string {
  return `${part({ ...decodeProtectedHeader(token), alg: 'none' })}.${token.split('.')[1]}.`;
}

async function selfSigned(token: string): Promise<string> {
  const { privateKey } = await generateKeyPair('EdDSA');
  const { kid } = decodeProtectedHeader(token);
  return await new SignJWT(decodeJwt(token))
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: String(kid) })
    .sign(privateKey);
}

async function perform(operation: TestedOperation, request: HttpRequest): Promise<HttpAnswer> {
  if (operation.operationId !== 'openReverseSession') return await bench.send(request, bench.home(operation));
  return await exchangeRaw((await bench.at()).relay, asText(request));
}

/** The code of a failure, or `ok`. The answer must be one of the contract in any case. */
function outcome(operation: TestedOperation, answer: HttpAnswer): string {
  assert.deepEqual(checker.faults(operation, answer), [], operation.operationId);
  if (answer.status < 400) return 'ok';
  return (JSON.parse(answer.body.toString()) as { error: { code: string } }).error.code;
}

/** A request of the operation under a token. What succeeds uses a lease up, so that the right one is made for it. */
async function requestAs(operation: TestedOperation, credential: Credential, token: string): Promise<HttpRequest> {
  if (matrix[operation.operationId] === 'any') {
    const request = await bench.grantable(operation, bench.home(operation));
    return credential === 'none' ? request : withCredential(request, token);
  }
  if (takesSession(operation)) {
    const request = await bench.grantable(operation, bench.home(operation));
    if (credential === 'right') return request;
    return { ...request, headers: credential === 'none' ? {} : { cookie: `portal_admin=${token}` } };
  }
  const lease = credential === 'right' ? await bench.lease() : { hostname: victim.hostname, token };
  const request = forLease(operation, lease);
  if (credential === 'none') delete request.headers!['x-portal-access-token'];
  return request;
}

function withCredential(request: HttpRequest, token: string): HttpRequest {
  const headers = { ...request.headers, 'x-portal-access-token': token, cookie: `portal_admin=${token}` };
  return { ...request, headers };
}

/** Tokens to try by what they are. Another tenant's is spent by what succeeds with it. */
async function tokensOf(credential: Credential, operation?: TestedOperation): Promise<Record<string, string>> {
  if (operation && takesSession(operation)) return credential === 'right' ? { right: '' } : sessions[credential];
  if (credential === 'wrong') return wrong;
  if (credential === 'expired') return { expired };
  if (credential === 'superseded') return { superseded: superseded.token };
  if (credential === 'foreign') return { foreign: (await bench.lease()).token };
  return { [credential]: victim.token };
}

test('the authorization matrix has every operation of the contract', () => {
  assert.deepEqual(Object.keys(matrix).sort(), operations.map(({ operationId }) => operationId).sort());
});

for (const operation of operations) {
  const { operationId } = operation;
  const row = matrix[operationId];
  for (const credential of credentials) {
    if (operationId === 'signHandshake' && (credential === 'foreign' || credential === 'right')) continue;
    test(`${operationId} with ${credential === 'foreign' ? 'another tenant’s' : credential}`, async () => {
      const expected =
        row === 'any'
          ? outcome(operation, await perform(operation, await requestAs(operation, 'none', '')))
          : row[credential];
      const tokens =
        row === 'any' && credential === 'foreign' ? { foreign: foreign.token } : await tokensOf(credential, operation);
      for (const [what, token] of Object.entries(tokens)) {
        const answer = await perform(operation, await requestAs(operation, credential, token));
        assert.equal(outcome(operation, answer), expected, what);
      }
    });
  }
}

for (const [credential, expected] of [
  ['foreign', 'invalid_request'],
  ['right', 'ok'],
] as const) {
  test(`signHandshake of a visitor with ${credential === 'foreign' ? 'another tenant’s' : 'the right'} token`, async () => {
    const operation = operations.find(({ operationId }) => operationId === 'signHandshake')!;
    const lease = await bench.lease();
    const { token } = credential === 'right' ? lease : foreign;
    let answer: HttpAnswer | undefined;
    const visit = await handshake((await bench.at()).relay, lease, async ({ body }) => {
      answer = await bench.send({ ...forLease(operation, { hostname: lease.hostname, token }), body });
      return { ...answer, body: JSON.parse(answer.body.toString()) as unknown };
    });
    await endVisit(visit);
    assert.equal(outcome(operation, answer!), expected);
  });
}

for (const operationId of ['renewLease', 'unregisterLease'] as const) {
  const operation = operations.find((candidate) => candidate.operationId === operationId)!;
  const { method, path } = operation;
  test(`${operationId} takes the token from the body with the same outcome`, async () => {
    for (const credential of credentials) {
      // What succeeds ends the lease, so that the right one is another's here.
      for (const [what, token] of Object.entries(await tokensOf(credential === 'right' ? 'foreign' : credential))) {
        const body = credential === 'none' ? {} : { access_token: token };
        const answer = await bench.send({ method, path, body });
        assert.equal(outcome(operation, answer), ownLease[credential], what);
      }
    }
  });

  test(`${operationId} refuses two tokens that differ, though both are right`, async () => {
    const [one, other] = [await bench.lease(), await bench.lease()];
    const headers = { 'x-portal-access-token': one.token };
    const answer = await bench.send({ method, path, headers, body: { access_token: other.token } });
    assert.equal(outcome(operation, answer), 'invalid_request');
  });
}

test('openReverseSession takes the token from a subprotocol with the same outcome', async () => {
  const operation = operations.find(({ operationId }) => operationId === 'openReverseSession')!;
  for (const credential of credentials) {
    for (const [what, token] of Object.entries(await tokensOf(credential))) {
      const protocols = [
        'portal.reverse',
        'portal.binding.1',
        ...(credential === 'none' ? [] : [`portal.token.${token}`]),
      ];
      const headers = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.alloc(16).toString('base64'),
        'sec-websocket-protocol': protocols.join(', '),
      };
      const answer = await perform(operation, { method: 'get', path: '/sdk/connect', headers });
      assert.equal(outcome(operation, answer), ownLease[credential], what);
      assert.ok(!JSON.stringify(answer.headers).includes(token) || token.length < 10, 'the token comes back');
    }
  }
});

test('an access token in the query string is ignored', async () => {
  const { token, hostname } = await bench.lease();
  for (const name of ['access_token', 'X-Portal-Access-Token', 'x-portal-access-token']) {
    const query = `hostname=${hostname}&${name}=${token}`;
    const answer = await bench.send({ method: 'GET', path: `/tunnel/status?${query}` });
    assert.equal(answer.status, 401);
  }
});

test('after all attacks the tenant still has its lease', async () => {
  const operation = operations.find(({ operationId }) => operationId === 'getTunnelStatus')!;
  assert.equal(outcome(operation, await bench.send(forLease(operation, victim))), 'ok');
});
