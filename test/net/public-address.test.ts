import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPublicAddress } from '../../src/net/public-address.js';

test('public internet addresses are public', () => {
  for (const ip of [
    '1.1.1.1',
    '9.255.255.255',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.0.1',
    '172.32.0.0',
    '192.0.1.1',
  ]) {
    assert.ok(isPublicAddress(ip), ip);
  }
  for (const ip of ['223.255.255.255', '2606:4700::1', '2a00:1450:4001::1', '2001:4860:4860::8888', '2001:200::1']) {
    assert.ok(isPublicAddress(ip), ip);
  }
});

test('loopback, private and translated addresses are not public', () => {
  for (const ip of [
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.251',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::8.8.8.8',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '64:ff9b::808:808',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    '2001:20::1',
    '2001:db8::1',
    '2002:7f00:1::1',
    '3fff::1',
    '4000::1',
    '5f00::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '',
    'relay.example.com',
    '1.1.1',
  ]) {
    assert.ok(!isPublicAddress(ip), ip);
  }
});
