import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hashSync } from 'bcryptjs';
import { Wallet } from 'ethers';
import Provider from 'oidc-provider';
import { type ClientOptions, WebSocket } from 'ws';
import { type ExposeOptions, identityFromPrivateKey, UsageError } from '../../src/tunnel/index.js';
import { freshWallet } from '../support/by-hand.js';
import { certificateFiles } from '../support/certificates.js';
import { startResolvingProxy } from '../support/http-proxies.js';
import { startPortal } from '../support/processes.js';
import { printed } from '../support/programs.js';
import { sharedRelay } from '../support/relay.js';
import { startBrowser } from '../support/trusting-browser.js';
import {
  get,
  listening,
  openTunnel,
  send,
  startHttpService,
  startTunnel,
  temporaryDirectory,
  visitorOptions,
  type VisitorAnswer,
  visitTls,
} from '../support/tunnel.js';

// Who may come in. The relay knows nothing of it.

const relay = sharedRelay();

/** A service that tells what it got, behind a gate. */
async function guarded(t: TestContext, access: Partial<ExposeOptions>) {
  const seen: string[] = [];
  const service = await startHttpService(t, (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += String(chunk)));
    request.once('end', () => {
      const { 'x-portal-user': user, cookie, authorization } = request.headers;
      const told = JSON.stringify({ method: request.method, url: request.url, user, cookie, authorization, body });
      seen.push(told);
      response.end(told);
    });
  });
  const { hostname, tunnel } = await openTunnel(t, relay, service.port, { probe: false, http: true, ...access });
  const origin = `https://${hostname}:${relay.publicPort}`;
  const ask = (path: string, headers: Record<string, string> = {}) => get(relay, hostname, path, { headers });
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    send(relay, hostname, path, body, { method: 'POST', headers });
  return { seen, hostname, origin, ask, post, close: () => tunnel.close(0) };
}

function told({ body }: VisitorAnswer): Record<string, string> {
  return JSON.parse(body) as Record<string, string>;
}

function basic(credentials: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** What a browser sends back of the cookies that were set. */
function cookieOf(...answers: VisitorAnswer[]): string {
  const jar = new Map<string, string>();
  for (const { headers } of answers)
    for (const line of headers['set-cookie'] ?? []) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      if (/Max-Age=0/.test(line)) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
  return [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
}

const page = { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate' };

test('basic authentication: right passwords come in with their name, others do not reach the service', async (t) => {
  const file = `# staff\nzoë:${hashSync('geheim:ß', 4)}\nbob:${hashSync('b', 4).replace('$2b$', '$2y$')}\n`;
  const { seen, ask } = await guarded(t, { basicAuth: file });
  const first = await ask('/');
  assert.equal(first.status, 401);
  assert.equal(first.headers['www-authenticate'], 'Basic realm="portal", charset="UTF-8"');
  for (const wrong of ['zoë:', 'zoë:geheim', 'nobody:b', 'bob', ':b'])
    assert.equal((await ask('/', basic(wrong))).status, 401, wrong);
  assert.equal((await ask('/', { Authorization: 'Bearer x' })).status, 401);
  assert.deepEqual(seen, []);
  const zoe = told(await ask('/', { ...basic('zoë:geheim:ß'), 'X-Portal-User': 'root', X_Portal_User: 'root' }));
  assert.equal(Buffer.from(zoe['user'] ?? '', 'latin1').toString(), 'zoë');
  assert.equal(zoe['authorization'], undefined);
  assert.equal(told(await ask('/', basic('bob:b')))['user'], 'bob');
});

test('basic authentication: wrong passwords are limited by source, right ones that are known go on', async (t) => {
  const { ask } = await guarded(t, { basicAuth: `bob:${hashSync('b', 4)}` });
  assert.equal((await ask('/', basic('bob:b'))).status, 200);
  const statuses = new Set<number>();
  let limited: VisitorAnswer | undefined;
  for (let at = 0; at < 15; at++) {
    const answer = await ask('/', basic(`bob:${at}`));
    statuses.add(answer.status);
    if (answer.status === 429) limited = answer;
  }
  assert.deepEqual(statuses, new Set([401, 429]));
  assert.ok(Number(limited?.headers['retry-after']) > 0);
  assert.equal((await ask('/', basic('bob:b'))).status, 200);
});

test('access options that let nobody or everybody in by mistake are refused with one line', async (t) => {
  for (const [options, message] of [
    [{ basicAuth: '' }, /there is no user/],
    [{ basicAuth: 'bob' }, /line 1: it is not user:hash/],
    [{ basicAuth: 'bob:$apr1$x$y' }, /htpasswd -B/],
    [{ basicAuth: 'bob:plain' }, /htpasswd -B/],
    [{ wallets: [] }, /no wallet/],
    [{ wallets: ['0x12'] }, /not an Ethereum address/],
    [{ oidc: { issuer: 'https://a.example', clientId: 'x' } }, /say who may come in/],
    [{ oidc: { issuer: 'http://a.example', clientId: 'x', emails: ['*'] } }, /must be https/],
    [{ oidc: { issuer: 'nonsense', clientId: 'x', emails: ['*'] } }, /not a URL/],
    [{ basicAuth: `a:${hashSync('b', 4)}`, wallets: [Wallet.createRandom().address] }, /cannot be combined/],
    [{ webhooks: [{ path: 'x', kind: 'github', secret: '12345678' }] }, /give a path/],
    [{ webhooks: [{ path: '/x', kind: 'github', secret: 'short' }] }, /shorter than 8/],
    [{ http: false, wallets: [Wallet.createRandom().address] }, /need requests/],
  ] as const) {
    const { tunnel } = startTunnel(t, relay, 3000, options as object);
    await assert.rejects(
      tunnel.ready(),
      (error: Error) => error instanceof UsageError && message.test(error.message) && !error.message.includes('\n'),
      JSON.stringify(options),
    );
  }
});

async function walletLogin(
  { ask, post, origin }: Awaited<ReturnType<typeof guarded>>,
  wallet: { address: string; signMessage(text: string): Promise<string> },
) {
  const headers = { Origin: origin };
  const challenge = await post('/.portal/wallet/challenge', JSON.stringify({ address: wallet.address }), headers);
  if (challenge.status !== 200) return { challenge };
  const { message } = JSON.parse(challenge.body) as { message: string };
  const signature = await wallet.signMessage(message);
  const login = (cookie = cookieOf(challenge)) =>
    post('/.portal/wallet/login', JSON.stringify({ signature }), { ...headers, Cookie: cookie });
  return { challenge, message, login, visit: (cookie: string) => ask('/', { Cookie: cookie }) };
}

test('a wallet that is allowed signs in, once a challenge, and the service learns its address alone', async (t) => {
  const wallet = Wallet.createRandom();
  const scene = await guarded(t, { wallets: [wallet.address.toLowerCase()] });
  const { ask, hostname, origin } = scene;
  const first = await ask('/path?q=%C3%A4', page);
  assert.equal(first.status, 303);
  assert.equal(first.headers.location, '/.portal/login?to=%2Fpath%3Fq%3D%25C3%25A4');
  assert.equal((await ask('/')).status, 401);
  const { message = '', login } = await walletLogin(scene, wallet);
  assert.match(message, new RegExp(`^${hostname}:${relay.publicPort} wants you to sign in`));
  const signedIn = await login!();
  assert.equal(signedIn.status, 200);
  const [set = ''] = signedIn.headers['set-cookie'] ?? [];
  assert.match(set, /^__Host-portal-session=[^;]+; Path=\/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax$/);
  const cookie = cookieOf(signedIn);
  const seen = told(await ask('/', { Cookie: `a=b; ${cookie}; c=d`, 'X-Portal-User': 'root' }));
  assert.equal(seen['user'], wallet.address);
  assert.equal(seen['cookie'], 'a=b; c=d');
  // Spent.
  assert.equal((await login!()).status, 400);
  // Signed out.
  assert.equal(
    (await scene.post('/.portal/logout', '', { Origin: 'https://evil.example', Cookie: cookie })).status,
    403,
  );
  const out = await scene.post('/.portal/logout', '', { Origin: origin, Cookie: cookie });
  assert.equal(out.status, 303);
  assert.equal(cookieOf(signedIn, out), '');
});

test('a wallet that is not allowed, a forged signature and a cookie of elsewhere do not come in', async (t) => {
  const [wallet, stranger] = [Wallet.createRandom(), Wallet.createRandom()];
  const scene = await guarded(t, { wallets: [wallet.address] });
  assert.equal((await walletLogin(scene, stranger)).challenge.status, 403);
  const impostor = { address: wallet.address, signMessage: (text: string) => stranger.signMessage(text) };
  assert.equal((await (await walletLogin(scene, impostor)).login!()).status, 403);
  const right = await walletLogin(scene, wallet);
  // Without the cookie of the challenge, or with another's.
  assert.equal((await right.login!('')).status, 400);
  const cookie = cookieOf(await right.login!());
  assert.equal((await right.visit!(cookie)).status, 200);
  // The same secret seals the cookies of this identity's other names only; here each has its own.
  const other = await guarded(t, { wallets: [wallet.address] });
  assert.equal((await other.ask('/', { Cookie: cookie })).status, 401);
  const at = cookie.length - 10;
  const changed = cookie.slice(0, at) + (cookie[at] === 'A' ? 'B' : 'A') + cookie.slice(at + 1);
  for (const bad of [changed, `${cookie}; ${cookie}`, cookie.replace('session', 'login'), `x${cookie}`])
    assert.equal((await scene.ask('/', { Cookie: bad })).status, 401, bad);
});

test('pages of other hosts cannot send requests or open WebSockets with a visitor’s session', async (t) => {
  const wallet = Wallet.createRandom();
  const scene = await guarded(t, { wallets: [wallet.address] });
  const { hostname, origin, post, seen } = scene;
  const cookie = cookieOf(await (await walletLogin(scene, wallet)).login!());
  assert.equal((await post('/', 'x', { Cookie: cookie, Origin: origin })).status, 200);
  assert.equal((await post('/', 'x', { Cookie: cookie })).status, 200);
  const before = seen.length;
  for (const from of ['https://evil.portal.localhost', 'null', `${origin}0`])
    assert.equal((await post('/', 'x', { Cookie: cookie, Origin: from })).status, 401, from);
  const socket = new WebSocket(`wss://127.0.0.1:${relay.publicPort}/`, {
    ...visitorOptions(relay, hostname, '/', { headers: { Cookie: cookie, Origin: 'https://evil.portal.localhost' } }),
  } as object as ClientOptions);
  const [error] = (await once(socket, 'error')) as [Error];
  assert.match(error.message, /401/);
  assert.equal(seen.length, before);
});

test('the login page leads to paths of this host only, and cannot be framed or given scripts', async (t) => {
  const { ask } = await guarded(t, { wallets: [Wallet.createRandom().address] });
  for (const to of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
    '/.portal/logout',
  ])
    assert.doesNotMatch((await ask(`/.portal/login?to=${encodeURIComponent(to)}`)).body, /evil|javascript:|logout/, to);
  const { body, headers } = await ask(`/.portal/login?to=${encodeURIComponent('/"><script>alert(1)</script>')}`);
  assert.doesNotMatch(body, /alert\(1\)<\/script>/);
  assert.match(String(headers['content-security-policy']), /script-src 'sha256-[^']+'.*frame-ancestors 'none'/);
  assert.equal((await ask('/.portal/unknown')).status, 404);
});

/** Does what a browser and a person do at the provider. @returns where it leads back to */
async function atProvider(location: string): Promise<string> {
  const jar = new Map<string, string>();
  const call = async (url: string, form?: Record<string, string>) => {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { Cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';')[0]!.split(/=(.*)/s);
      jar.set(name, value);
    }
    return response;
  };
  const { origin } = new URL(location);
  let url = location;
  for (let step = 0; step < 10; step++) {
    const response = await call(url);
    const next = response.headers.get('location');
    if (next !== null) {
      url = new URL(next, origin).href;
      if (!url.startsWith(origin)) return url;
      continue;
    }
    const html = await response.text();
    const prompt = /name="prompt" value="(\w+)"/.exec(html)?.[1] ?? '';
    const answer = await call(url, prompt === 'login' ? { prompt, login: 'zoe', password: 'x' } : { prompt });
    url = new URL(answer.headers.get('location') ?? '', origin).href;
    if (!url.startsWith(origin)) return url;
  }
  throw new Error('the provider leads nowhere');
}

for (const [what, claims, allowed, user] of [
  [
    'whose address is allowed',
    { email: 'Zoe@example.com', email_verified: true },
    { emails: ['zoe@example.com'] },
    'zoe@example.com',
  ],
  [
    'whose domain is allowed',
    { email: 'zoe@example.com', email_verified: true },
    { emails: ['@example.com'] },
    'zoe@example.com',
  ],
  ['whose group is allowed', { groups: ['staff'] }, { groups: ['admins', 'staff'] }, 'zoe'],
  ['when everybody is', {}, { emails: ['*'] }, 'zoe'],
  [
    'whose address is not verified',
    { email: 'zoe@example.com', email_verified: false },
    { emails: ['@example.com'] },
    undefined,
  ],
  ['of another domain', { email: 'zoe@notexample.com', email_verified: true }, { emails: ['@example.com'] }, undefined],
  ['of another group', { groups: ['guests'] }, { groups: ['staff'] }, undefined],
] as const)
  test(`an OpenID account ${what} ${user === undefined ? 'does not come in' : 'comes in'}`, async (t) => {
    const redirects: string[] = [];
    const server = createServer();
    await listening(t, server, 0);
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const scene = await guarded(t, {
      oidc: { issuer, clientId: 'tunnel', clientSecret: 'a secret of the client', ...(allowed as object) },
    });
    redirects.push(`${scene.origin}/.portal/oidc/callback`);
    const provider = new Provider(issuer, {
      clients: [{ client_id: 'tunnel', client_secret: 'a secret of the client', redirect_uris: redirects }],
      claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'] },
      conformIdTokenClaims: false,
      pkce: { required: () => true },
      findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...claims }) }),
    });
    server.on('request', (request, response) => void provider.callback()(request, response));

    const begun = await scene.ask('/.portal/oidc?to=%2Fwanted');
    assert.equal(begun.status, 303);
    const back = new URL(await atProvider(String(begun.headers.location)));
    assert.equal(back.origin, scene.origin);
    const callback = back.pathname + back.search;
    // Without the cookie, or with another state: somebody else's sign-in.
    assert.equal((await scene.ask(callback)).status, 400);
    const changed = callback.replace(/state=[^&]+/, 'state=x');
    assert.equal((await scene.ask(changed, { Cookie: cookieOf(begun) })).status, 400);
    const answer = await scene.ask(callback, { Cookie: cookieOf(begun) });
    if (user === undefined) {
      assert.equal(answer.status, 403);
      assert.equal(cookieOf(answer), '');
      return;
    }
    assert.equal(answer.status, 303);
    assert.equal(answer.headers.location, '/wanted');
    assert.equal(told(await scene.ask('/', { Cookie: cookieOf(begun, answer) }))['user'], user);
    // The code is spent.
    assert.equal((await scene.ask(callback, { Cookie: cookieOf(begun) })).status, 400);
  });

test('while the OpenID provider is down, sign-in says so, and works once it is up', async (t) => {
  const { ask } = await guarded(t, { oidc: { issuer: 'http://127.0.0.1:9', clientId: 'x', emails: ['*'] } });
  assert.equal((await ask('/.portal/oidc')).status, 502);
  assert.equal((await ask('/', page)).status, 303);
});

test('an OpenID provider is reached through the proxy of the environment', async (t) => {
  const certificate = await certificateFiles('provider.test');
  t.after(() => certificate.remove());
  const asked: string[] = [];
  const keys = { cert: certificate.certPem, key: readFileSync(certificate.keyFile) };
  const server = createHttpsServer(keys, (request, response) => {
    asked.push(`${request.headers.host}${request.url}`);
    const at = (path: string) => `https://${request.headers.host}${path}`;
    response.setHeader('Content-Type', 'application/json').end(
      JSON.stringify({
        issuer: at(''),
        authorization_endpoint: at('/authorize'),
        token_endpoint: at('/token'),
        jwks_uri: at('/keys'),
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
      }),
    );
  });
  const { port } = await listening(t, server, 0);
  const proxy = await startResolvingProxy(t);
  const service = await startHttpService(t, (_request, response) => response.end('in'));
  const issuer = `https://provider.test:${port}`;
  const options = ['--oidc', issuer, '--oidc-client', 'tunnel', '--oidc-email', '*', '--name', 'proxied'];
  const at = ['--relay', relay.url, '--ca', relay.caFile, '--identity', join(temporaryDirectory(t), 'identity.json')];
  const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NODE_EXTRA_CA_CERTS: certificate.certFile };
  await printed(startPortal(t, ['expose', String(service.port), ...options, ...at], { env }), /^https:/m);
  const { status, headers } = await get(relay, `proxied.${relay.rootHost}`, '/.portal/oidc');
  assert.equal(status, 303);
  assert.ok(String(headers.location).startsWith(`${issuer}/authorize?`), headers.location);
  assert.deepEqual(asked, [`provider.test:${port}/.well-known/openid-configuration`]);
});

const secret = "It's a Secret to Everybody";
const now = () => String(Math.floor(Date.now() / 1000));
const sign = (text: string) => createHmac('sha256', secret).update(text).digest('hex');

for (const [kind, good] of [
  // The example of GitHub's documentation.
  [
    'github',
    () => ({ 'X-Hub-Signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17' }),
  ],
  ['hmac', () => ({ 'X-Signature': sign('Hello, World!') })],
  [
    'stripe',
    (time = now()) => ({ 'Stripe-Signature': `t=${time},v1=${'0'.repeat(64)},v1=${sign(`${time}.Hello, World!`)}` }),
  ],
  [
    'slack',
    (time = now()) => ({
      'X-Slack-Request-Timestamp': time,
      'X-Slack-Signature': `v0=${sign(`v0:${time}:Hello, World!`)}`,
    }),
  ],
] as ['github' | 'hmac' | 'stripe' | 'slack', (time?: string) => Record<string, string>][])
  test(`a webhook of ${kind} comes in with a valid signature alone`, async (t) => {
    const { post, seen, ask } = await guarded(t, {
      webhooks: [{ path: '/hook', kind, secret }],
      basicAuth: `bob:${hashSync('b', 4)}`,
    });
    const answer = told(await post('/hook?x=1', 'Hello, World!', good()));
    assert.deepEqual([answer['body'], answer['url']], ['Hello, World!', '/hook?x=1']);
    for (const [body, headers] of [
      ['Hello, World?', good()],
      ['Hello, World!', {}],
      ['', good()],
      [
        'Hello, World!',
        Object.fromEntries(
          Object.entries(good()).map(([name, value]) => [name, value.replace(/[0-9a-f]{8}$/, '00000000')]),
        ),
      ],
      ...(kind === 'stripe' || kind === 'slack' ? [['Hello, World!', good(String(Number(now()) - 400))] as const] : []),
    ] as const)
      assert.equal((await post('/hook', body, headers as Record<string, string>)).status, 401, body);
    // A path that a service could take for the same one.
    for (const path of [
      '/hook/',
      '//hook',
      '/%68ook',
      '/./hook',
      '/x/../hook',
      '/HOOK',
      '/hook;x=1',
      '\\hook'.replace('\\', '/\\'),
    ])
      assert.equal((await post(path, 'Hello, World!', {})).status, 401, path);
    assert.equal(seen.length, 1);
    // Other paths are for people.
    assert.equal((await ask('/other')).status, 401);
    assert.equal((await ask('/other', basic('bob:b'))).status, 200);
  });

test('the body of a webhook is bounded, however it is framed', async (t) => {
  const { post, hostname, seen } = await guarded(t, { webhooks: [{ path: '/hook', kind: 'hmac', secret }] });
  const large = 'a'.repeat(1_048_577);
  assert.equal((await post('/hook', large, { 'X-Signature': sign(large) })).status, 413);
  const chunked = await send(relay, hostname, '/hook', 'a'.repeat(1_000_000), {
    method: 'POST',
    headers: { 'X-Signature': sign('a'.repeat(1_000_000)), 'Transfer-Encoding': 'chunked', Expect: '100-continue' },
  });
  assert.equal(chunked.status, 200);
  assert.equal(seen.length, 1);
});

test('in a browser a visitor signs in with a wallet, and is led to the page it wanted', async (t) => {
  const wallet = Wallet.createRandom();
  const scene = await guarded(t, { wallets: [wallet.address] });
  const browser = await startBrowser(t, relay);
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  await page.goto(`${scene.origin}/wanted?x=1#part`);
  await page.getByRole('button', { name: 'Sign in with a wallet' }).click();
  await page.getByText('This browser has no wallet').waitFor();
  await page.exposeFunction('signText', (message: string) => wallet.signMessage(message));
  await page.addInitScript(`window.ethereum = {
    request: async ({ method, params }) =>
      method === 'eth_requestAccounts' ? ['${wallet.address.toLowerCase()}'] : window.signText(params[0]),
  }`);
  await page.reload();
  await page.getByRole('button', { name: 'Sign in with a wallet' }).click();
  await page.waitForURL(`${scene.origin}/wanted?x=1`);
  assert.match(await page.innerText('body'), new RegExp(wallet.address));
  await page.goto(`${scene.origin}/.portal/logout`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in with a wallet' }).waitFor();
  assert.deepEqual(errors, []);
});

test('a page that asks for many things at once with a right password that is new gets them all', async (t) => {
  const { ask } = await guarded(t, { basicAuth: `bob:${hashSync('b', 11)}` });
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/', basic('bob:b'))));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
});

test('sessions outlive a restart of the tunnel, and end when who may come in changes', async (t) => {
  const [wallet, other] = [Wallet.createRandom(), Wallet.createRandom()];
  const identity = identityFromPrivateKey(freshWallet().privateKey);
  const name = 'restarted';
  let cookie = '';
  for (const [wallets, status] of [
    [[wallet.address], undefined],
    [[wallet.address.toLowerCase()], 200],
    [[wallet.address, other.address], 401],
    [[other.address], 401],
  ] as const) {
    const scene = await guarded(t, { identity, name, wallets: [...wallets] });
    if (status === undefined) cookie = cookieOf(await (await walletLogin(scene, wallet)).login!());
    else assert.equal((await scene.ask('/', { Cookie: cookie })).status, status, wallets.join());
    await scene.close();
  }
});

test('steps of signing in are limited by source', async (t) => {
  const { ask } = await guarded(t, { oidc: { issuer: 'http://127.0.0.1:9', clientId: 'x', emails: ['*'] } });
  const statuses = new Set<number>();
  for (let at = 0; at < 40; at++) statuses.add((await ask('/.portal/oidc/callback?code=x')).status);
  assert.deepEqual(statuses, new Set([400, 429]));
});

test('bodies of webhooks that are held are bounded by source, and given back', async (t) => {
  const { hostname, post } = await guarded(t, { webhooks: [{ path: '/hook', kind: 'hmac', secret }] });
  const head = `POST /hook HTTP/1.1\r\nHost: ${hostname}\r\nX-Signature: ${'0'.repeat(64)}\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n`;
  const stalled = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const visitor = await visitTls(relay, hostname);
      visitor.on('error', () => {});
      visitor.write(head);
      await once(visitor, 'data');
      return visitor;
    }),
  );
  const signed = { 'X-Signature': sign('x') };
  const busy = await post('/hook', 'x', signed);
  assert.deepEqual([busy.status, busy.headers['retry-after']], [503, '5']);
  stalled[0]!.write('0123456789');
  await once(stalled[0]!, 'data');
  assert.equal((await post('/hook', 'x', signed)).status, 200);
  for (const visitor of stalled) visitor.destroy();
});
