import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SigningKey, Signature, hashMessage, sha256 } from 'ethers';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import Database from 'libsql';
import { SiweMessage } from 'siwe';
import { call, connectTls, freshWallet, register } from '../support/by-hand.js';
import { startTestRelay, sharedRelay } from '../support/relay.js';

const relay = sharedRelay();

const challengeFor = async (name: string, address: string, more = {}) =>
  await call(relay, 'POST', '/sdk/register/challenge', { body: { identity: { name, address }, ...more } });

async function signedChallenge(name: string, wallet = freshWallet()) {
  const { challenge_id, siwe_message } = (await challengeFor(name, wallet.address)).body.data;
  return { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
}

test('metadata fields outside the contract are not stored', async () => {
  const wallet = freshWallet();
  const metadata = { owner: 'me', other: 'x'.repeat(50_000) };
  const { data } = (await challengeFor('bounded', wallet.address, { metadata })).body;
  const body = { ...data, siwe_signature: await wallet.signMessage(data.siwe_message) };
  const { access_token } = (await call(relay, 'POST', '/sdk/register', { body })).body.data;
  const kept = () => {
    const db = new Database(join(relay.config.stateDir, 'portal.db'), { readonly: true });
    const row = db.prepare("SELECT metadata FROM leases WHERE name = 'bounded'").get() as { metadata: string };
    db.close();
    return JSON.parse(row.metadata) as unknown;
  };
  assert.deepEqual(kept(), { owner: 'me' });
  assert.equal((await call(relay, 'POST', '/sdk/renew', { body: { access_token, metadata } })).status, 200);
  assert.deepEqual(kept(), { owner: 'me' });
});

const refusedAs = (answer: Awaited<ReturnType<typeof call>>, status: number, code: string) => {
  assert.equal(answer.body.error?.code, code, JSON.stringify(answer.body));
  assert.equal(answer.status, status);
  assert.equal(answer.body.ok, false);
};

test('a challenge is an EIP-4361 message for the configured URL, whatever Host the request has', async () => {
  const { address } = freshWallet();
  const body = JSON.stringify({ identity: { name: 'siwe', address } });
  const socket = await connectTls(relay);
  const head = `POST /sdk/register/challenge HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  socket.write(`${head}Connection: close\r\n\r\n${body}`);
  const { data } = JSON.parse((await text(socket)).split('\r\n\r\n')[1] as string);
  const message = new SiweMessage(data.siwe_message);
  assert.equal(message.domain, new URL(relay.url).host);
  assert.equal(message.uri, `${relay.url}/sdk/register`);
  assert.equal(message.address, address);
  assert.equal(message.chainId, 1);
  assert.equal(message.version, '1');
  assert.match(message.nonce, /^[a-zA-Z0-9]{8,}$/);
  assert.equal(message.requestId, data.challenge_id);
  assert.equal(Date.parse(message.expirationTime as string) - Date.parse(message.issuedAt as string), 120_000);
  assert.equal(message.expirationTime, data.expires_at);
});

test('a signed challenge gives a lease and an EdDSA token of the relay', async () => {
  const lease = await register(relay, { name: 'Shop', ttl: 60 });
  assert.equal(lease.hostname, `shop.${relay.rootHost}`);
  const header = decodeProtectedHeader(lease.token);
  assert.equal(header.alg, 'EdDSA');
  assert.equal(header.kid, relay.relay.address);
  const claims = decodeJwt(lease.token);
  assert.equal(claims.iss, relay.url);
  assert.equal(claims.aud, 'portal-sdk');
  assert.equal(claims.sub, `shop:${lease.wallet.address}`.toLowerCase());
  assert.deepEqual(claims['identity'], { name: 'shop', address: lease.wallet.address });
  assert.equal((claims.exp as number) * 1000, lease.expiresAt);
  assert.ok(claims.jti);
  assert.ok(lease.expiresAt - Date.now() > 55_000 && lease.expiresAt - Date.now() <= 60_000);
});

test('a lease is at most as long as the relay allows', async () => {
  const lease = await register(relay, { name: 'long', ttl: 86_400 });
  assert.ok(lease.expiresAt - Date.now() <= 3_600_000);
});

test('a registration challenge can be used once', async () => {
  const body = await signedChallenge('once');
  assert.equal((await call(relay, 'POST', '/sdk/register', { body })).status, 201);
  refusedAs(await call(relay, 'POST', '/sdk/register', { body }), 401, 'unauthorized');
});

test('two concurrent registrations with one challenge get one lease', async () => {
  const body = await signedChallenge('race');
  const answers = await Promise.all([1, 2, 3, 4].map(() => call(relay, 'POST', '/sdk/register', { body })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 401, 401, 401]);
});

test('a signature of another account, or over another message, is refused and uses up the challenge', async () => {
  const wallet = freshWallet();
  const mallory = freshWallet();
  const { challenge_id, siwe_message } = (await challengeFor('stolen', wallet.address)).body.data;
  const forged = { challenge_id, siwe_message, siwe_signature: await mallory.signMessage(siwe_message) };
  refusedAs(await call(relay, 'POST', '/sdk/register', { body: forged }), 401, 'unauthorized');
  const late = { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
  refusedAs(await call(relay, 'POST', '/sdk/register', { body: late }), 401, 'unauthorized');

  const altered = await signedChallenge('altered', wallet);
  altered.siwe_message = altered.siwe_message.replace('Chain ID: 1', 'Chain ID: 10');
  altered.siwe_signature = await wallet.signMessage(altered.siwe_message);
  refusedAs(await call(relay, 'POST', '/sdk/register', { body: altered }), 401, 'unauthorized');
});

test("another relay's challenge is refused", async () => {
  const other = await startTestRelay();
  try {
    const wallet = freshWallet();
    const answer = await call(other, 'POST', '/sdk/register/challenge', {
      body: { identity: { name: 'moved', address: wallet.address } },
    });
    const { challenge_id, siwe_message } = answer.body.data;
    const body = { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
    refusedAs(await call(relay, 'POST', '/sdk/register', { body }), 401, 'unauthorized');
  } finally {
    await other.stop();
  }
});

test('a hostname has one owner; the same identity may register again', async () => {
  const first = await register(relay, { name: 'owned' });
  refusedAs(await challengeFor('OWNED', freshWallet().address), 409, 'hostname_conflict');
  const second = await register(relay, { name: 'owned', wallet: first.wallet });
  refusedAs(await call(relay, 'POST', '/sdk/renew', { body: {}, token: first.token }), 409, 'hostname_conflict');
  assert.equal((await call(relay, 'POST', '/sdk/renew', { body: {}, token: second.token })).status, 200);
});

test('a name challenged by two accounts goes to the one that registers first', async () => {
  const [first, second] = await Promise.all([signedChallenge('contested'), signedChallenge('contested')]);
  assert.equal((await call(relay, 'POST', '/sdk/register', { body: first })).status, 201);
  refusedAs(await call(relay, 'POST', '/sdk/register', { body: second }), 409, 'hostname_conflict');
});

test('renewing, by header or body token, gives a new expiry and token; two different tokens are refused', async () => {
  const lease = await register(relay, { name: 'renewed', ttl: 5 });
  const byHeader = await call(relay, 'POST', '/sdk/renew', { body: { ttl: 50 }, token: lease.token });
  assert.equal(byHeader.status, 200);
  assert.ok(Date.parse(byHeader.body.data.expires_at) > lease.expiresAt + 40_000);
  const next = byHeader.body.data.access_token;
  assert.notEqual(next, lease.token);
  assert.equal((await call(relay, 'POST', '/sdk/renew', { body: { access_token: next } })).status, 200);
  assert.equal((await call(relay, 'POST', '/sdk/renew', { body: { access_token: next }, token: next })).status, 200);
  refusedAs(
    await call(relay, 'POST', '/sdk/renew', { body: { access_token: next }, token: lease.token }),
    400,
    'invalid_request',
  );
});

test('a missing token, a forged one and one of another relay are unauthorized', async () => {
  refusedAs(await call(relay, 'POST', '/sdk/renew', { body: {} }), 401, 'unauthorized');
  refusedAs(await call(relay, 'POST', '/sdk/renew', { body: {}, token: 'a.b.c' }), 401, 'unauthorized');
  refusedAs(await call(relay, 'POST', '/sdk/renew', { body: {}, token: 'x'.repeat(6_000) }), 401, 'unauthorized');
  const lease = await register(relay, { name: 'forge' });
  const [header, , signature] = lease.token.split('.') as [string, string, string];
  const claims = { ...decodeJwt(lease.token), sub: `owned:${freshWallet().address}` };
  const forged = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
  refusedAs(await call(relay, 'POST', '/sdk/renew', { body: {}, token: forged }), 401, 'unauthorized');
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${lease.token.split('.')[1]}.`;
  refusedAs(await call(relay, 'POST', '/sdk/renew', { body: {}, token: none }), 401, 'unauthorized');

  const other = await startTestRelay();
  try {
    const foreign = await register(other, { name: 'forge', wallet: lease.wallet });
    refusedAs(await call(relay, 'POST', '/sdk/renew', { body: {}, token: foreign.token }), 401, 'unauthorized');
  } finally {
    await other.stop();
  }
});

test('an ES256K token of an earlier release is accepted, unless altered or signed by another key', async () => {
  const lease = await register(relay, { name: 'earlier' });
  const identity = JSON.parse(readFileSync(join(relay.config.stateDir, 'identity.json'), 'utf8')) as {
    private_key: string;
  };
  const old = es256k(lease.token, identity.private_key);
  const answer = await call(relay, 'POST', '/sdk/renew', { body: {}, token: old });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(decodeProtectedHeader(answer.body.data.access_token as string).alg, 'EdDSA');
  const foreign = es256k(lease.token, freshWallet().privateKey);
  const [head, body, signature] = old.split('.') as [string, string, string];
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
  const altered = Buffer.from(JSON.stringify({ ...claims, jti: 'another' })).toString('base64url');
  for (const token of [foreign, `${head}.${altered}.${signature}`, `${head}.${body}.`, `${old}.${body}`])
    refusedAs(await call(relay, 'POST', '/sdk/renew', { body: {}, token }), 401, 'unauthorized');
});

/** The same claims, signed as releases before 0.2 did. */
function es256k(token: string, privateKey: string): string {
  const [, body] = token.split('.') as [string, string];
  const head = Buffer.from(JSON.stringify({ alg: 'ES256K', typ: 'JWT' })).toString('base64url');
  const { r, s } = new SigningKey(privateKey).sign(sha256(Buffer.from(`${head}.${body}`)));
  return `${head}.${body}.${Buffer.from(r.slice(2) + s.slice(2), 'hex').toString('base64url')}`;
}

test('unregistering frees the name at once; the token then gets lease_not_found', async () => {
  const lease = await register(relay, { name: 'freed' });
  const answer = await call(relay, 'POST', '/sdk/unregister', { body: {}, token: lease.token });
  assert.deepEqual([answer.status, answer.body], [200, { ok: true, data: {} }]);
  refusedAs(await call(relay, 'POST', '/sdk/unregister', { body: {}, token: lease.token }), 404, 'lease_not_found');
  await register(relay, { name: 'freed' });
  refusedAs(await call(relay, 'POST', '/sdk/renew', { body: {}, token: lease.token }), 404, 'lease_not_found');
});

test('invalid identities get specific error codes', async () => {
  const { address } = freshWallet();
  for (const name of ['', '-a', 'a-', 'a..b', 'a.', 'ä', 'a_b', 'a'.repeat(64), 'a b', '*']) {
    refusedAs(await challengeFor(name, address), 400, 'invalid_request');
  }
  for (const bad of ['', '0x', address.slice(2), `${address}0`, '0x' + 'g'.repeat(40)]) {
    refusedAs(await challengeFor('fine', bad), 400, 'invalid_address');
  }
  assert.equal((await challengeFor('any-case', address.toLowerCase())).status, 201);
  assert.equal((await challengeFor('any-case', `0x${address.slice(2).toUpperCase()}`)).status, 201);
});

test('an xn-- name is leased only if it is valid IDNA that browsers keep unchanged', async () => {
  const { address } = freshWallet();
  for (const name of ['xn--mnchen-3ya', 'XN--MNCHEN-3YA', 'xn--55qx5d', 'ab--cd'])
    assert.equal((await challengeFor(name, address)).status, 201, name);
  for (const name of ['xn--a', 'xn--abc', 'xn--9999', 'xn--mnchen-3y', `xn--${'9'.repeat(59)}`])
    refusedAs(await challengeFor(name, address), 400, 'invalid_request');
});

test('a relay without TCP and UDP ports refuses such leases with its error code', async () => {
  const { address } = freshWallet();
  refusedAs(await challengeFor('ports', address, { tcp_enabled: true }), 503, 'feature_unavailable');
  refusedAs(await challengeFor('ports', address, { udp_enabled: true }), 503, 'feature_unavailable');
});

test('invalid bodies get invalid_json or invalid_request', async () => {
  const post = async (body: string, headers = {}) =>
    await call(relay, 'POST', '/sdk/register/challenge', { body, headers });
  refusedAs(await post('{"identity":'), 400, 'invalid_json');
  refusedAs(await post('{}'), 400, 'invalid_request');
  refusedAs(await post('[]'), 400, 'invalid_request');
  refusedAs(await post('{}', { 'content-type': 'text/plain' }), 415, 'invalid_request');
  refusedAs(await post('{}', { 'content-encoding': 'gzip' }), 415, 'invalid_request');
  refusedAs(
    await post(JSON.stringify({ identity: { name: 'a', address: 'x'.repeat(70_000) } })),
    413,
    'invalid_request',
  );
  const tags = Array.from({ length: 100 }, () => 'tag');
  refusedAs(await challengeFor('meta', freshWallet().address, { metadata: { tags } }), 400, 'invalid_request');
});

test('a body of another media type is never ignored', async () => {
  const lease = await register(relay, { name: 'media' });
  const headers = { 'content-type': 'text/plain' };
  refusedAs(
    await call(relay, 'POST', '/sdk/renew', { body: '{"ttl":5}', token: lease.token, headers }),
    415,
    'invalid_request',
  );
});

test('malformed signatures are refused', async () => {
  for (const siwe_signature of [
    '0x',
    '0x00',
    `0x${'00'.repeat(65)}`,
    `0x${'ff'.repeat(65)}`,
    'hello',
    `0x${'11'.repeat(200)}`,
  ]) {
    const body = { ...(await signedChallenge('shapes')), siwe_signature };
    const answer = await call(relay, 'POST', '/sdk/register', { body });
    assert.ok([400, 401].includes(answer.status), `${siwe_signature.slice(0, 8)}: ${answer.status}`);
    assert.ok(['invalid_request', 'unauthorized'].includes(answer.body.error.code));
  }
  // A signature over the bare text, without the EIP-191 prefix, is another signature.
  const wallet = freshWallet();
  const { challenge_id, siwe_message } = await signedChallenge('prefix', wallet);
  const digest = hashMessage(`x${siwe_message}`);
  const siwe_signature = Signature.from(new SigningKey(wallet.privateKey).sign(digest)).serialized;
  refusedAs(
    await call(relay, 'POST', '/sdk/register', { body: { challenge_id, siwe_message, siwe_signature } }),
    401,
    'unauthorized',
  );
});

test('too many challenge requests are rate_limited with Retry-After', async () => {
  const limited = await startTestRelay({ maxLeasesPerSource: 1 });
  try {
    const { address } = freshWallet();
    const ask = () =>
      call(limited, 'POST', '/sdk/register/challenge', { body: { identity: { name: 'flood', address } } });
    const answers = [];
    for (let round = 0; round < 30; round++) answers.push(...(await Promise.all(Array.from({ length: 8 }, ask))));
    const refused = answers.filter(({ status }) => status !== 201);
    assert.ok(refused.length > 0);
    for (const answer of refused) {
      refusedAs(answer, 429, 'rate_limited');
      assert.ok(Number(answer.headers['retry-after']) >= 1);
    }
  } finally {
    await limited.stop();
  }
});

test('the domain response has the signing modes and the tenant certificate chain', async () => {
  const { body } = await call(relay, 'GET', '/sdk/domain');
  assert.equal(body.data.protocol_version, '5');
  assert.equal(body.data.root_host, relay.rootHost);
  assert.deepEqual(body.data.keyless.modes, ['transcript']);
  assert.deepEqual(body.data.transports, ['raw', 'websocket']);
  assert.ok(createPublicKey(body.data.keyless.certificate_chain));
});

test('a source may ask for as many challenges at once as it may have leases', async () => {
  const many = await startTestRelay({ maxLeasesPerSource: 200 });
  try {
    const { address } = freshWallet();
    const ask = () => call(many, 'POST', '/sdk/register/challenge', { body: { identity: { name: 'flood', address } } });
    const answers = [];
    for (let round = 0; round < 25; round++) answers.push(...(await Promise.all(Array.from({ length: 8 }, ask))));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
  } finally {
    await many.stop();
  }
});
