import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { AddressRules } from '../../src/tunnel/services/address-rules.js';
import { relayFor, sharedRelay, withPorts } from '../support/relay.js';
import { get, openTunnel, startHttpService, startTcpService, visitPort } from '../support/tunnel.js';

const relay = sharedRelay();

test('a list allows what it names, and a denied address of it is still denied', () => {
  const rules = new AddressRules({ allowIp: ['192.0.2.0/24', '2001:db8::/32'], denyIp: ['192.0.2.7'] });
  for (const address of ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1']) assert.ok(rules.admits(address), address);
  for (const address of ['192.0.2.7', '::ffff:192.0.2.7', '198.51.100.1', '2001:db9::1', 'x', undefined])
    assert.ok(!rules.admits(address), address);
});

test('without an allowed list everybody but the denied may come in; an empty list lets nobody in', () => {
  const denying = new AddressRules({ denyIp: ['192.0.2.7'] });
  assert.ok(denying.admits('198.51.100.1'));
  assert.ok(!denying.admits('192.0.2.7'));
  assert.ok(!denying.admits(undefined), 'an address that is not known may be the denied one');
  assert.ok(!new AddressRules({ allowIp: [] }).admits('198.51.100.1'));
});

for (const http of [true, false]) {
  test(`a visitor from elsewhere gets 403 and never reaches the service (${http ? 'requests' : 'bytes'})`, async (t) => {
    let asked = 0;
    const service = await startHttpService(t, (_request, response) => {
      asked++;
      response.end('inside');
    });
    const closed = await openTunnel(t, relay, service.port, { http, allowIp: ['192.0.2.0/24'], probe: false });
    const report = once(closed.tunnel, 'connection') as Promise<[{ refused?: true }]>;
    const { status, body } = await get(relay, closed.hostname, '/', { headers: { 'X-Forwarded-For': '192.0.2.1' } });
    assert.equal(status, 403);
    assert.match(body, /does not let your network address in/);
    assert.equal((await report)[0].refused, true);
    assert.equal(asked, 0);
    const open = await openTunnel(t, relay, service.port, { http, allowIp: ['127.0.0.0/8'], probe: false });
    assert.equal((await get(relay, open.hostname)).body, 'inside');
  });
}

test('a visitor of a TCP port from a denied address is disconnected without a byte', async (t) => {
  const ownRelay = await relayFor(t, await withPorts(2));
  const service = await startTcpService(t, (socket) => socket.end('banner'));
  const { tunnel } = await openTunnel(t, ownRelay, undefined, { tcp: service.port, denyIp: ['127.0.0.3'] });
  const url = tunnel.current?.urls[0];
  const ofAll = async (localAddress: string) => {
    const visitor = await visitPort(t, url, localAddress);
    let text = '';
    visitor.on('data', (chunk: Buffer) => (text += String(chunk)));
    visitor.end();
    await new Promise((resolve) => visitor.once('close', resolve));
    return text;
  };
  assert.equal(await ofAll('127.0.0.3'), '');
  assert.equal(await ofAll('127.0.0.2'), 'banner');
});
