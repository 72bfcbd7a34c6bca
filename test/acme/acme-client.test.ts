import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { AcmeClient } from '../../src/acme/acme-client.js';

const at = (path: string) => `https://ca.example/${path}`;

/** A CA that answers each path with an object, or by how often that was asked for. What it was asked is kept. */
function scriptedCa(answers: Record<string, object | ((count: number) => object)>) {
  const asked: string[] = [];
  const fetch = async (url: string): Promise<Response> => {
    const path = url.slice(at('').length);
    asked.push(path);
    const headers = { 'replay-nonce': 'nonce', location: at(path === 'new-account' ? 'account' : 'order') };
    const answer = answers[path] ?? {};
    const count = asked.filter((each) => each === path).length;
    return new Response(
      JSON.stringify(typeof answer === 'function' ? (answer as (count: number) => object)(count) : answer),
      {
        headers,
      },
    );
  };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { asked, client: new AcmeClient({ directory: new URL(at('dir')), fetch, accountKey: privateKey }) };
}

const directory = { newNonce: at('nonce'), newAccount: at('new-account'), newOrder: at('new-order') };
const challenges = [{ type: 'dns-01', url: at('challenge'), token: 'token', status: 'pending' }];

function orderOf(client: AcmeClient, proven: string[]) {
  return client.order(
    {
      names: ['shop.example', '*.shop.example'],
      csr: Buffer.from('request'),
      challenge: 'dns-01',
      prove: async (proofs) => {
        proven.push(...proofs.map(({ hostname }) => hostname));
        return () => proven.push('taken away');
      },
    },
    new AbortController().signal,
  );
}

test('a CA that asks for a proof of another name gets none', async () => {
  for (const value of ['other.example', 'shop.example\nupdate delete example.com ANY', '*.shop.example', undefined]) {
    const { client, asked } = scriptedCa({
      dir: directory,
      'new-order': { status: 'pending', authorizations: [at('authorization')], finalize: at('finalize') },
      authorization: { status: 'pending', identifier: { type: 'dns', value }, challenges },
    });
    const proven: string[] = [];
    await assert.rejects(orderOf(client, proven), /a proof of a name that is not of the order/);
    assert.deepEqual(proven, []);
    assert.ok(!asked.includes('challenge'));
  }
});

test('proofs are all in place before the CA looks for the first, and are taken away when it refuses', async () => {
  const identifier = { type: 'dns', value: 'shop.example' };
  const pending = { status: 'pending', identifier, challenges };
  const error = { type: 'urn:ietf:params:acme:error:dns', detail: 'no TXT record' };
  const { client, asked } = scriptedCa({
    dir: directory,
    'new-order': { status: 'pending', authorizations: [at('root'), at('wildcard')], finalize: at('finalize') },
    root: (count: number) => (count === 1 ? pending : { ...pending, status: 'invalid', challenges: [{ error }] }),
    wildcard: pending,
  });
  const proven: string[] = [];
  await assert.rejects(orderOf(client, proven), /^AcmeError: the CA refuses: no TXT record$/);
  assert.deepEqual(proven, ['shop.example', 'shop.example', 'taken away']);
  assert.ok(asked.lastIndexOf('wildcard') < asked.indexOf('challenge'));
});

test('an authorization that is invalid already ends the order with what the CA says', async () => {
  const error = { type: 'urn:ietf:params:acme:error:caa', detail: 'CAA forbids it' };
  const { client } = scriptedCa({
    dir: directory,
    'new-order': { status: 'pending', authorizations: [at('root')], finalize: at('finalize') },
    root: { status: 'invalid', identifier: { type: 'dns', value: 'shop.example' }, challenges: [{ error }] },
  });
  await assert.rejects(orderOf(client, []), /the CA refuses: CAA forbids it/);
});
