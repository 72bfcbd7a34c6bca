import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { TicketKeys } from '../../src/tls/index.js';
import { acceptVisitor } from '../../src/tunnel/link/tenant-connection.js';
import { makeCertificate } from '../tls/certificate.js';
import { signingOptions } from '../tls/test-server.js';

test('a visitor that resets before the service is connected is closed without an error', async () => {
  const certificate = await makeCertificate();
  const { chain, schemes, sign } = signingOptions(certificate);
  const [near, far] = duplexPair();
  const visitor = connect({ socket: near, servername: 'a.test', ca: certificate.pem });
  visitor.on('error', () => {});
  const accepted = await acceptVisitor(far, {
    hostname: 'a.test',
    certificate: { chain, schemes },
    alpn: ['http/1.1'],
    tickets: new TicketKeys(),
    sign,
    onKeys: () => {},
  });
  const closed = new Promise((resolve) => accepted.once('close', resolve));
  far.destroy(new Error('cut'));
  await closed;
  assert.equal(accepted.errored?.message, 'cut');
  if (!visitor.closed) await once(visitor.destroy(), 'close');
});
