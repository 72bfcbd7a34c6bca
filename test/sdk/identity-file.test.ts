import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { verifyMessage } from 'ethers';
import { defaultIdentityFile, loadIdentityFile } from '../../src/sdk/identity/identity-file.js';
import { UsageError } from '../../src/sdk/index.js';
import { checkName, nameOfAddress } from '../../src/sdk/identity/name.js';
import { freshWallet } from '../support/by-hand.js';
import { temporaryDirectory } from '../support/tunnel.js';

const mode = (path: string) => statSync(path).mode & 0o777;

function write(t: TestContext, text: string): string {
  const path = join(temporaryDirectory(t), 'identity.json');
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

test('a missing identity file is created with mode 0600, and the identity stays the same', async (t) => {
  const path = join(temporaryDirectory(t), 'config', 'portal', 'identity.json');
  const made = await loadIdentityFile(path);
  assert.equal(mode(path), 0o600);
  assert.equal(mode(dirname(path)), 0o700);
  assert.equal(mode(dirname(dirname(path))), 0o700);
  assert.deepEqual(readdirSync(dirname(path)), ['identity.json']);
  const kept = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
  assert.deepEqual(Object.keys(kept), ['address', 'private_key']);
  assert.match(kept['private_key']!, /^0x[0-9a-f]{64}$/);
  const again = await loadIdentityFile(path);
  assert.equal(again.address, made.address);
  assert.equal(verifyMessage('text', await again.signMessage('text')), made.address);
});

test('concurrent processes create one identity', async (t) => {
  const path = join(temporaryDirectory(t), 'identity.json');
  const identities = await Promise.all(Array.from({ length: 8 }, () => loadIdentityFile(path)));
  assert.equal(new Set(identities.map(({ address }) => address)).size, 1);
  assert.deepEqual(readdirSync(dirname(path)), ['identity.json']);
});

test('an identity file that others can read is refused and not changed', async (t) => {
  const path = join(temporaryDirectory(t), 'identity.json');
  await loadIdentityFile(path);
  for (const open of [0o640, 0o604, 0o660]) {
    chmodSync(path, open);
    await assert.rejects(loadIdentityFile(path), (error: Error) => {
      return error instanceof UsageError && error.message.includes(path) && /chmod 600/.test(error.message);
    });
    assert.equal(mode(path), open);
  }
});

test('an invalid identity file is refused, without quoting its contents', async (t) => {
  const { address, privateKey } = freshWallet();
  const other = freshWallet().address;
  for (const [text, message] of [
    ['', /not JSON/],
    ['null', /needs "address" and "private_key"/],
    [JSON.stringify({ address }), /needs/],
    [JSON.stringify({ address, private_key: `${privateKey}00` }), /not a private key/],
    [JSON.stringify({ address, private_key: `0x${'0'.repeat(64)}` }), /not a private key/],
    [JSON.stringify({ address: other, private_key: privateKey }), /not that of its key/],
    [`{"address":"${address}","private_key":"${privateKey}"}${' '.repeat(5000)}`, /too large/],
  ] as const) {
    const path = write(t, text);
    await assert.rejects(loadIdentityFile(path), (error: Error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      assert.ok(!error.message.includes(privateKey.slice(2, 20)));
      return true;
    });
  }
});

test('an identity path that is not a file, or cannot be created, is reported', async (t) => {
  const directory = temporaryDirectory(t);
  await assert.rejects(loadIdentityFile(directory), { name: 'UsageError', message: /not a regular file/ });
  const path = write(t, '{}');
  await assert.rejects(loadIdentityFile(join(path, 'identity.json')), { name: 'UsageError', message: /ENOTDIR/ });
  symlinkSync(join(directory, 'nowhere', 'x'), join(directory, 'dangling'));
  await assert.rejects(loadIdentityFile(join(directory, 'dangling')), UsageError);
});

test('the default identity file follows XDG_CONFIG_HOME', () => {
  assert.equal(defaultIdentityFile({ XDG_CONFIG_HOME: '/cfg' }), '/cfg/portal/identity.json');
  const fallback = /\/\.config\/portal\/identity\.json$/;
  assert.match(defaultIdentityFile({}), fallback);
  // A relative path there is to be ignored.
  assert.match(defaultIdentityFile({ XDG_CONFIG_HOME: 'cfg' }), fallback);
});

test('the name derived from an address is a DNS label, independent of its case', () => {
  const address = '0xDb2F216439001033EBBE995570B66dfF5b17361d';
  assert.equal(nameOfAddress(address), nameOfAddress(address.toLowerCase()));
  // Changing how names are made would rename everybody.
  assert.equal(nameOfAddress(address), 'spry-osprey-4567');
  const names = Array.from({ length: 200 }, (_, index) => nameOfAddress(`0x${index.toString(16).padStart(40, '0')}`));
  assert.ok(new Set(names).size >= 199);
  for (const name of names) assert.equal(checkName(name), name);
});

test('a name is one label of letters, digits and inner hyphens', () => {
  assert.equal(checkName('My-App-2'), 'my-app-2');
  assert.equal(checkName('a'.repeat(63)).length, 63);
  for (const name of ['', '-a', 'a-', 'a.b', 'a_b', 'a b', 'ä', 'a'.repeat(64), 'a\n']) {
    assert.throws(() => checkName(name), UsageError, JSON.stringify(name));
  }
});
