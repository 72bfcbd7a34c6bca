import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressList, isCidr } from '../../src/net/address-list.js';
import { ipBytes, ipOfBytes, normalizeIp, parseIp } from '../../src/net/ip-address.js';

test('addresses and CIDR ranges are accepted, and nothing else', () => {
  for (const text of ['192.0.2.1', '192.0.2.0/24', '0.0.0.0/0', '::1', '2001:db8::/32', '::/0']) {
    assert.ok(isCidr(text), text);
  }
  for (const text of [
    '10/8',
    '1.2.3.4/33',
    '::1/129',
    '1.2.3.4/',
    '1.2.3.4/-1',
    'loopback',
    'fe80::1%eth0',
    '01.2.3.4',
  ])
    assert.ok(!isCidr(text), text);
});

test('a list matches addresses in its ranges, IPv4-mapped addresses as IPv4', () => {
  const list = addressList(['10.0.0.0/8', '2001:db8::/32', '::1', '::ffff:192.0.2.0/120']);
  for (const ip of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1', '::1', '192.0.2.9']) assert.ok(list(ip), ip);
  for (const ip of ['11.0.0.1', '2001:db9::1', '::2', '192.0.3.1', '', 'nobody']) assert.ok(!list(ip), ip);
  assert.ok(addressList(['0.0.0.0/0'])('8.8.8.8'));
  assert.ok(!addressList(['::/0'])('8.8.8.8'));
  assert.ok(!addressList([])('8.8.8.8'));
});

test('an address has one spelling (RFC 5952)', () => {
  assert.equal(normalizeIp('FE80:0:0::1%eth0'), 'fe80::1');
  assert.equal(normalizeIp('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(normalizeIp(undefined), '');
  assert.equal(parseIp('2001:DB8:0:0:1:0:0:1'), '2001:db8::1:0:0:1');
  for (const text of ['192.0.2', '010.0.0.1', '0x7f.1', 'fe80::1%eth0', '::192.0.2.1', '::g'])
    assert.equal(parseIp(text), undefined);
  assert.equal(ipBytes('2001:db8::1').toString('hex'), '20010db8000000000000000000000001');
  assert.equal(ipOfBytes(ipBytes('2001:db8::1')), '2001:db8::1');
  assert.equal(ipOfBytes(Buffer.from('00000000000000000000ffffc0000201', 'hex')), '192.0.2.1');
});
