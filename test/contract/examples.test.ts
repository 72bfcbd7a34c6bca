import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { Signature, getAddress, recoverAddress, verifyMessage } from 'ethers';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { SiweMessage } from 'siwe';
import { contract, type Node, resolve, testedOperations } from './support/document.js';

const example = (name: string) => contract.components.examples[name].value;

for (const [challengeName, requestName, uri] of [
  ['register_challenge', 'register_request', 'https://portal.example.com/sdk/register'],
  ['challenge', 'login_request', 'https://portal.example.com/admin/auth/login'],
] as const) {
  test(`the example ${challengeName} is the message that ${requestName} signs`, () => {
    const { data } = example(challengeName);
    const request = example(requestName);
    assert.equal(request.siwe_message, data.siwe_message);
    const message = new SiweMessage(data.siwe_message);
    assert.equal(message.domain, 'portal.example.com');
    assert.equal(message.uri, uri);
    assert.equal(message.version, '1');
    assert.equal(message.chainId, 1);
    assert.equal(message.requestId, data.challenge_id);
    assert.equal(message.expirationTime, data.expires_at);
    assert.equal(verifyMessage(request.siwe_message, request.siwe_signature), message.address);
    assert.equal(message.address, getAddress(message.address));
  });
}

test('the example token is that of its lease', () => {
  const { identity, access_token: token, expires_at: end } = example('lease').data;
  assert.deepEqual(decodeProtectedHeader(token), {
    alg: 'EdDSA',
    kid: example('discovery').data.relays[0].address,
    typ: 'JWT',
  });
  const claims = decodeJwt(token);
  assert.equal(claims.iss, 'https://portal.example.com');
  assert.equal(claims.sub, `${identity.name}:${identity.address}`.toLowerCase());
  assert.equal(claims.aud, 'portal-sdk');
  assert.equal(claims.exp, Date.parse(end) / 1000);
});

test('the example certificate chain serves the root host and the names under it', () => {
  const leaf = new X509Certificate(example('domain').data.keyless.certificate_chain);
  assert.ok(leaf.checkHost('portal.example.com'));
  assert.ok(leaf.checkHost('my-app.portal.example.com'));
});

test('the signature of the example descriptor is by its address, over what the contract says', () => {
  const descriptor = example('discovery').data.relays[0];
  const nanoseconds = (time: string): string => `${Date.parse(time)}000000`;
  const signed =
    `{"address":"${descriptor.address}","version":"${descriptor.version}"` +
    `,"issued_at_unix_nano":${nanoseconds(descriptor.issued_at)},"expires_at_unix_nano":${nanoseconds(descriptor.expires_at)}` +
    `,"api_https_addr":"${descriptor.api_https_addr}","wireguard_public_key":"","wireguard_port":0,"supports_overlay":false` +
    `,"supports_udp":${descriptor.supports_udp},"supports_tcp":${descriptor.supports_tcp}` +
    `,"active_connections":${descriptor.active_connections},"tcp_bps":${descriptor.tcp_bps}}`;
  const bytes = Buffer.from(descriptor.signature, 'base64');
  assert.equal(bytes.length, 65);
  const signature = Signature.from({
    yParity: ((bytes[0]! - 27) & 1) as 0 | 1,
    r: `0x${bytes.subarray(1, 33).toString('hex')}`,
    s: `0x${bytes.subarray(33).toString('hex')}`,
  });
  const digest = `0x${createHash('sha256').update(signed).digest('hex')}`;
  assert.equal(recoverAddress(digest, signature), descriptor.address);
});

test('the example paths of leases carry the identity of the other examples', () => {
  const { LeaseName, LeaseAddress } = contract.components.parameters;
  const { name, address } = example('lease').data.identity;
  assert.equal(Buffer.from(LeaseName.example, 'base64url').toString(), name);
  assert.equal(Buffer.from(LeaseAddress.example, 'base64url').toString(), address.toLowerCase());
});

test('a link leads from a field of an answer to a field of the request that takes it', () => {
  const operations = testedOperations();
  let count = 0;
  for (const { operationId, responses } of operations) {
    for (const { status, response } of responses) {
      const answer = resolve(response.content?.['application/json']?.schema);
      for (const [name, link] of Object.entries<Node>(response.links ?? {})) {
        const { operationId: next, requestBody = {}, parameters = {}, description } = resolve(link);
        const where = `${operationId} ${status} ${name}`;
        const target = operations.find((each) => each.operationId === next)!;
        assert.ok(target && description, where);
        const body = resolve(resolve(target.definition.requestBody)?.content['application/json'].schema);
        const taken = new Set((target.definition.parameters ?? []).map((each: Node) => resolve(each).name));
        for (const field of Object.keys(requestBody)) assert.ok(body.properties[field], `${where}: ${field}`);
        for (const field of Object.keys(parameters)) assert.ok(taken.has(field), `${where}: ${field}`);
        for (const expression of Object.values<string>({ ...requestBody, ...parameters })) {
          const path = /^\$response\.body#\/(.+)$/.exec(expression)![1]!.split('/');
          const field = path.reduce((schema: Node, part) => resolve(schema?.properties?.[part]), answer);
          assert.ok(field, `${where}: ${expression}`);
          count++;
        }
      }
    }
  }
  assert.ok(count >= 8, `${count} links`);
});
