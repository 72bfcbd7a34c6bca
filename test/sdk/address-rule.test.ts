import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemCode } from '../../src/sdk/calls/errors.js';
import { publicAddressesOnly } from '../../src/sdk/transport/address-rule.js';
import { dialTls } from '../../src/sdk/transport/dial-tls.js';
import { HostileRelay } from '../support/discovery.js';

const signal = () => AbortSignal.timeout(20_000);

test('a connection goes to the address that was checked (no DNS rebinding)', async (t) => {
  const server = await HostileRelay.start(t);
  const seen: string[] = [];
  const addresses = (ip: string) => {
    seen.push(ip);
    return ip === '127.0.0.1';
  };
  const socket = await dialTls(server.url, { ca: server.caPem, addresses }, {}, signal());
  assert.deepEqual(seen, ['127.0.0.1', '::1']);
  assert.equal(socket.remoteAddress, '127.0.0.1');
  socket.destroy();
  // The name has the server's address as well, but that one is not allowed.
  const onlySix = dialTls(server.url, { ca: server.caPem, addresses: (ip) => ip === '::1' }, {}, signal());
  await assert.rejects(onlySix, { name: 'NetworkError', reason: 'unreachable' });
  assert.equal(server.connections, 1);
});

test('names and literals of this machine are refused before anything is sent', async (t) => {
  const server = await HostileRelay.start(t);
  const { port } = server.url;
  for (const host of [
    'hostile.localhost',
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '0.0.0.0',
  ]) {
    const url = new URL(`https://${host}:${port}`);
    const error = await dialTls(url, { addresses: publicAddressesOnly }, {}, signal()).catch((thrown: Error) => thrown);
    assert.equal(systemCode(error), 'EADDRESSREFUSED', host);
  }
  assert.equal(server.connections, 0);
});
