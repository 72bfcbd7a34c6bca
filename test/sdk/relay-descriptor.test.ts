import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { freshWallet } from '../support/by-hand.js';
import { projectRoot } from '../contract/support/project.js';
import { goJsonNumber, goJsonString } from '../../src/sdk/discovery/go-json.js';
import {
  checkSignature,
  checkTimes,
  overlayAddress,
  parseDescriptor,
  signDescriptor,
  signedText,
  type WireDescriptor,
} from '../../src/sdk/discovery/relay-descriptor.js';
import { unixNano } from '../../src/sdk/discovery/unix-nano.js';

/**
 * Made by a Go 1.26 program: `json.Marshal` of a struct with these fields (times as `UnixNano()`), SHA-256, then
 * `ecdsa.SignCompact(key, hash, true)` of github.com/decred/dcrd/dcrec/secp256k1/v4 4.x. Keys of `numbers` are the bits of a
 * float64, those of `strings` are UTF-8, both in hex.
 */
const vectors = JSON.parse(readFileSync(join(projectRoot, 'test/sdk/descriptor-vectors.json'), 'utf8')) as {
  descriptors: { name: string; private_key: string; descriptor: WireDescriptor; signed: string; sha256: string }[];
  numbers: Record<string, string>;
  strings: [string, string][];
  overlay: Record<string, string>;
};

for (const { name, private_key: key, descriptor, signed, sha256 } of vectors.descriptors) {
  test(`what Go signed is signed and verified byte for byte: ${name}`, () => {
    assert.equal(signedText(descriptor), signed);
    assert.equal(createHash('sha256').update(signedText(descriptor)).digest('hex'), sha256);
    assert.deepEqual(signDescriptor(descriptor, key), descriptor);
    // Some have URLs that only the encoding is tested with.
    const parsed = { ...parseDescriptor({ ...descriptor, api_https_addr: 'https://a.example' }), wire: descriptor };
    checkSignature(parsed);
  });
}

test('numbers are encoded as by Go', () => {
  for (const [bits, text] of Object.entries(vectors.numbers)) {
    assert.equal(goJsonNumber(Buffer.from(bits, 'hex').readDoubleBE()), text);
  }
});

test('strings are escaped as by Go, and a lone surrogate becomes U+FFFD', () => {
  for (const [bytes, text] of vectors.strings) assert.equal(goJsonString(Buffer.from(bytes, 'hex').toString()), text);
  assert.equal(goJsonString('a\ud800b\udc00'), '"a\ufffdb\ufffd"');
});

test('the overlay address is derived from the WireGuard key', () => {
  for (const [key, address] of Object.entries(vectors.overlay)) assert.equal(overlayAddress(key), address);
});

test('times keep nanoseconds, and invalid RFC 3339 times are refused', () => {
  assert.equal(unixNano('2026-03-01T12:00:00.123456789Z'), 1772366400123456789n);
  assert.equal(unixNano('2026-03-01T14:00:00.1+02:00'), 1772366400100000000n);
  assert.equal(unixNano('2026-03-01T11:30:00-00:30'), 1772366400000000000n);
  assert.equal(unixNano('1969-12-31T23:59:59.999999999Z'), -1n);
  for (const text of [
    '2026-02-30T12:00:00Z',
    '2026-13-01T12:00:00Z',
    '2026-03-01T24:00:00Z',
    '2026-03-01T12:00:60Z',
    '2026-03-01 12:00:00Z',
    '2026-03-01T12:00:00',
    '2026-03-01T12:00:00.1234567891Z',
    '2026-03-01T12:00:00.Z',
    '2026-03-01T12:00:00+24:00',
    '2026-03-01T12:00Z',
    '1772366400',
    '',
  ]) {
    assert.equal(unixNano(text), undefined, text);
  }
});

const minute = 60_000;
const wallet = freshWallet();
function describe(changes: Partial<WireDescriptor> = {}, key = wallet.privateKey): WireDescriptor {
  const fields = {
    address: wallet.address,
    version: '5',
    issued_at: new Date().toISOString(),
    expires_at: new Date(Date.now() + 5 * minute).toISOString(),
    api_https_addr: 'https://relay.example.com',
    supports_overlay: false,
    supports_udp: false,
    supports_tcp: false,
    active_connections: 1,
    tcp_bps: 2.5,
    ...changes,
  };
  return signDescriptor(fields, key);
}

test('a change to any field, or another key, breaks the signature', () => {
  const whole = describe({ wireguard_port: 5, wireguard_public_key: `${'A'.repeat(43)}=` });
  checkSignature(parseDescriptor(whole));
  const changes: Partial<WireDescriptor>[] = [
    { address: freshWallet().address },
    { version: '6' },
    { issued_at: whole.issued_at.replace('Z', '000001Z') },
    { expires_at: whole.expires_at.replace('Z', '000001Z') },
    { api_https_addr: 'https://relay.example.com/' },
    { wireguard_port: 6 },
    { wireguard_public_key: `B${'A'.repeat(42)}=` },
    { supports_overlay: true },
    { supports_udp: true },
    { supports_tcp: true },
    { active_connections: 2 },
    { tcp_bps: 2.25 },
  ];
  for (const change of changes) {
    const broken = () => checkSignature(parseDescriptor({ ...whole, ...change }));
    assert.throws(broken, { name: 'DescriptorError', fault: 'signature' }, JSON.stringify(change));
  }
  assert.throws(() => checkSignature(parseDescriptor(describe({}, freshWallet().privateKey))), { fault: 'signature' });
});

test('malformed signatures are refused: uncompressed, invalid recovery id, high s, zeros', () => {
  const whole = describe();
  const bytes = Buffer.from(whole.signature, 'base64');
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const upper = Buffer.from(bytes);
  upper[0] = bytes[0]! === 31 ? 32 : 31;
  const s = order - BigInt(`0x${bytes.toString('hex', 33)}`);
  upper.write(s.toString(16).padStart(64, '0'), 33, 'hex');
  const firstByte = (value: number) => Buffer.from([value, ...bytes.subarray(1)]);
  for (const forged of [
    upper,
    firstByte(bytes[0]! - 4),
    firstByte(bytes[0]! + 2),
    firstByte(0),
    Buffer.alloc(65),
    Buffer.alloc(65, 255),
  ]) {
    const descriptor = parseDescriptor({ ...whole, signature: forged.toString('base64') });
    assert.throws(() => checkSignature(descriptor), { fault: 'signature' }, forged.toString('hex'));
  }
});

test('malformed fields are refused before any computation', () => {
  const whole = describe();
  const wrong: Record<string, unknown[]> = {
    address: [undefined, 1, '0x', `${wallet.address}0`, `0x${'g'.repeat(40)}`],
    version: [undefined, 5, '', 'x'.repeat(17), 'a b'],
    issued_at: [undefined, 0, '', 'now', `${'9'.repeat(100_000)}`],
    expires_at: [undefined, null, '2026-02-30T00:00:00Z'],
    api_https_addr: [
      undefined,
      'http://relay.example.com',
      'https://',
      'https://relay.example.com/path',
      'https://relay.example.com?a',
      'https://relay.example.com#a',
      'https://user@relay.example.com',
      'https://relay.example.com\t',
      'https://relay.example.com:22',
      'https://relay.example.com:65536',
      'https://relay.example.com.',
      'https://rel\u00e4y.example.com',
      `https://${'a.'.repeat(300)}com`,
    ],
    wireguard_public_key: [1, 'short', 'x'.repeat(44)],
    wireguard_port: [-1, 65_536, 1.5, '1'],
    supports_overlay: [undefined, 'true', 1, true],
    supports_udp: [undefined, 0],
    supports_tcp: [undefined, null],
    active_connections: [undefined, -1, 1.5, 2 ** 53, '1', Number.NaN],
    tcp_bps: [undefined, -1, 1e19, Number.POSITIVE_INFINITY, '1'],
    signature: [undefined, '', 'A'.repeat(88), `${'A'.repeat(87)}==`],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      const parse = () => parseDescriptor({ ...whole, [field]: value });
      assert.throws(parse, { fault: 'malformed' }, `${field} ${String(value).slice(0, 80)}`);
    }
  }
  for (const value of [undefined, null, 'text', 1, []])
    assert.throws(() => parseDescriptor(value), { fault: 'malformed' });
});

test('fields outside the contract are dropped', () => {
  const parsed = parseDescriptor({ ...describe(), comment: 'x'.repeat(100), __proto__: { a: 1 } });
  assert.ok(!('comment' in parsed.wire));
});

test('descriptors that are expired, from the future, too long-lived or of another version are refused', () => {
  const at = (issuedMs: number, expiresMs: number) =>
    parseDescriptor(
      describe({
        issued_at: new Date(Date.now() + issuedMs).toISOString(),
        expires_at: new Date(Date.now() + expiresMs).toISOString(),
      }),
    );
  checkTimes(at(0, 5 * minute));
  checkTimes(at(minute, 6 * minute));
  assert.throws(() => checkTimes(at(-6 * minute, -minute)), { fault: 'expired' });
  assert.throws(() => checkTimes(at(10 * minute, 12 * minute)), { fault: 'not_yet_valid' });
  assert.throws(() => checkTimes(at(0, 16 * minute)), { fault: 'too_long_lived' });
  assert.throws(() => checkTimes(parseDescriptor(describe({ version: '4' }))), { fault: 'version' });
});
