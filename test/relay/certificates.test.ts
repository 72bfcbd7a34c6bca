import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { call, register } from '../support/by-hand.js';
import { certificateFiles } from '../support/certificates.js';
import { startTestRelay } from '../support/relay.js';
import { endVisit, handshake, signCall } from '../support/tenant.js';
import { until } from '../support/until.js';

async function shownBy(port: number, ca: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'portal.localhost', ca, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

const fingerprint = (pem: string) => new X509Certificate(pem).fingerprint256;

test('a new certificate is used without a restart, and the old chain still signs', async () => {
  const files = await certificateFiles('portal.localhost', 'ec');
  const next = await certificateFiles('portal.localhost', 'rsa');
  const relay = await startTestRelay({ certificateFiles: files, certificateReloadIntervalMs: 20 });
  try {
    assert.equal(await shownBy(relay.apiPort, relay.ca), fingerprint(files.certPem));
    const lease = await register(relay, { name: 'tenant', ttl: 600 });
    const oldChain = [new X509Certificate(files.certPem).raw];

    // A half-written pair is not taken over.
    copyFileSync(next.certFile, files.certFile);
    for (let i = 0; i < 5; i++) assert.equal(await shownBy(relay.apiPort, relay.ca), fingerprint(files.certPem));
    copyFileSync(next.keyFile, files.keyFile);
    await until(async () => (await shownBy(relay.apiPort, relay.ca)) === fingerprint(next.certPem));
    const { data } = (await callInsecure(relay.apiPort, next.certPem)).body;
    assert.equal(fingerprint(data.keyless.certificate_chain), fingerprint(next.certPem));

    const trusted = { ...relay, ca: next.certPem };
    const signed = (honest: { body: unknown }) => signCall(trusted, lease.token, honest.body);
    const withOld = await handshake(trusted, lease, signed, { chain: oldChain });
    assert.equal(withOld.answer.status, 200, JSON.stringify(withOld.answer.body));
    assert.equal(withOld.answer.body.data.signature_scheme, 'ecdsa_secp256r1_sha256');
    await endVisit(withOld);

    async function callInsecure(apiPort: number, ca: string) {
      return await call({ ...relay, apiPort, ca }, 'GET', '/sdk/domain');
    }
  } finally {
    await relay.stop();
    await files.remove();
    await next.remove();
  }
});

test('a certificate that does not cover the tenants, or does not match its key, fails the start with one line', async () => {
  const other = await certificateFiles('other.localhost');
  const files = await certificateFiles('portal.localhost');
  try {
    await assert.rejects(
      startTestRelay({ certificateFiles: other }),
      /is not valid for both portal\.localhost and \*\.portal\.localhost/,
    );
    await assert.rejects(
      startTestRelay({ certificateFiles: { ...files, keyFile: other.keyFile } }),
      /key file does not fit/,
    );
    writeFileSync(files.certFile, 'nothing');
    await assert.rejects(startTestRelay({ certificateFiles: files }), /no PEM certificate/);
  } finally {
    await other.remove();
    await files.remove();
  }
});
