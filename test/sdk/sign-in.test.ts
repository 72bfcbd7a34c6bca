import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SiweMessage } from 'siwe';
import { checkSignInMessage, NetworkError, SigningRefusedError } from '../../src/sdk/index.js';
import { expose } from '../../src/tunnel/index.js';
import { freshWallet } from '../support/by-hand.js';
import { inMinutes, ScriptedRelay } from '../support/scripted-relay.js';
import { startTunnel, statusWhere } from '../support/tunnel.js';

const relay = new URL('https://portal.example.com:8443');
const { address } = freshWallet();

function message(changes: Partial<SiweMessage> = {}): string {
  return new SiweMessage({
    domain: 'portal.example.com:8443',
    address,
    uri: 'https://portal.example.com:8443/sdk/register',
    version: '1',
    chainId: 1,
    nonce: 'abcdefgh12345678',
    issuedAt: inMinutes(0),
    expirationTime: inMinutes(2),
    requestId: 'challenge-1',
    ...changes,
  }).prepareMessage();
}

const check = (text: string) => checkSignInMessage(text, { relay, address, challengeId: 'challenge-1' });

test('a requested sign-in message is signed', () => {
  check(message());
  const plain = message({ domain: 'portal.example.com', uri: 'https://portal.example.com/sdk/register' });
  const expected = {
    relay: new URL('https://portal.example.com'),
    address: address.toLowerCase(),
    challengeId: 'challenge-1',
  };
  checkSignInMessage(plain, expected);
});

test('a sign-in message must be for the requested endpoint', () => {
  const expected = { relay, address, challengeId: 'challenge-1', path: '/admin/auth/login' } as const;
  checkSignInMessage(message({ uri: 'https://portal.example.com:8443/admin/auth/login' }), expected);
  assert.throws(() => checkSignInMessage(message(), expected), SigningRefusedError);
});

const refused: [string, Partial<SiweMessage>, RegExp][] = [
  ['another domain', { domain: 'other.example.com:8443' }, /domain other/],
  ['the domain without its port', { domain: 'portal.example.com' }, /domain/],
  ['a domain that only begins alike', { domain: 'portal.example.com:84430' }, /domain/],
  ['the URI of another relay', { uri: 'https://other.example.com/sdk/register' }, /URI/],
  ['another path', { uri: 'https://portal.example.com:8443/admin/auth/login' }, /URI/],
  ['another account', { address: freshWallet().address }, /address/],
  ['another chain', { chainId: 137 }, /chain id 137/],
  ['another challenge', { requestId: 'challenge-2' }, /request id/],
  ['no challenge', { requestId: undefined } as unknown as Partial<SiweMessage>, /request id/],
  ['an expiry that is past', { expirationTime: inMinutes(-1) }, /expiry/],
  ['no expiry', { expirationTime: undefined } as unknown as Partial<SiweMessage>, /expiry/],
  ['an expiry that is far off', { expirationTime: inMinutes(60) }, /expiry/],
  ['a statement', { statement: 'I give away my house' }, /statement/],
  ['resources', { resources: ['https://other.example.com/claim'] }, /resources/],
  ['a scheme', { scheme: 'https' }, /scheme/],
  ['a begin', { notBefore: inMinutes(0) }, /not valid/],
];

for (const [what, changes, reason] of refused) {
  test(`a sign-in message with ${what} is not signed`, () => {
    assert.throws(
      () => check(message(changes)),
      (error: Error) => error instanceof SigningRefusedError && reason.test(error.message),
    );
  });
}

for (const [what, minutes, said] of [
  ['an hour ago', -60, /this machine is 36\d\d s ahead of that of portal\.example\.com:8443: set the clock/],
  ['in an hour', 60, /this machine is 36\d\d s behind that of/],
] as const)
  test(`a sign-in message issued ${what} is not signed, with a retryable clock error`, () => {
    const times = { issuedAt: inMinutes(minutes), expirationTime: inMinutes(minutes + 2) };
    assert.throws(
      () => check(message(times)),
      (error: Error) => error instanceof NetworkError && error.reason === 'clock' && said.test(error.message),
    );
    // Whatever else is wrong with it counts first.
    assert.throws(() => check(message({ ...times, chainId: 137 })), SigningRefusedError);
  });

test('a tunnel whose clock is an hour off reports it, waits, and serves once it is right', async (t) => {
  const relay = await ScriptedRelay.start(t);
  relay.siwe = { issuedAt: inMinutes(60), expirationTime: inMinutes(62) };
  const { tunnel } = startTunnel(t, relay, 1);
  const { error } = await statusWhere(tunnel, ({ state }) => state === 'retrying');
  assert.match(error?.message ?? '', /set the clock/);
  const registered = statusWhere(tunnel, ({ state }) => state === 'registered');
  relay.siwe = {};
  await registered;
});

test('a sign-in message of another version is not signed', () => {
  assert.throws(() => check(message().replace('Version: 1', 'Version: 2')), SigningRefusedError);
});

test('a malformed sign-in message is not signed', () => {
  for (const text of [
    '',
    'hello',
    `${message()}\n`,
    `\n${message()}`,
    `${message()}\nResources:`,
    message().replace('Chain ID: 1', 'Chain ID: 01'),
    message().replaceAll('\n', '\r\n'),
    message().replace('Nonce: ', 'Nonce:  '),
    `0x${'00'.repeat(32)}`,
  ]) {
    assert.throws(() => check(text), SigningRefusedError, JSON.stringify(text));
  }
});

test('a relay that forwards the challenge of another gets no signature', async (t) => {
  const hostile = await ScriptedRelay.start(t);
  hostile.siwe = { domain: 'victim.example.com', uri: 'https://victim.example.com/sdk/register' };
  const tunnel = expose({ target: 1, relay: hostile.url, ca: hostile.ca, identity: freshWallet() });
  const { error } = await tunnel.closed;
  assert.ok(error instanceof SigningRefusedError);
  assert.match(error.message, /domain victim\.example\.com/);
  assert.equal(hostile.count('register'), 0);
});
