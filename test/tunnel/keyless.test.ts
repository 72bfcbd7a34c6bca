import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createPortalClient } from '../../src/sdk/index.js';
import { RelayTransport } from '../../src/sdk/transport/relay-transport.js';
import { Keyless } from '../../src/tunnel/link/keyless.js';
import { certificateFiles } from '../support/certificates.js';
import { freePort, startTestRelay } from '../support/relay.js';
import { ScriptedRelay, succeed } from '../support/scripted-relay.js';
import { openTunnel, startHttpService, temporaryDirectory, visitTls } from '../support/tunnel.js';
import { until } from '../support/until.js';

const signal = new AbortController().signal;

async function bench(t: TestContext) {
  const relay = await ScriptedRelay.start(t);
  const transport = new RelayTransport({ ca: relay.ca });
  t.after(() => transport.close());
  return { relay, keyless: new Keyless(createPortalClient({ relay: relay.url, fetch: transport.fetch })) };
}

const domain = { protocol_version: '5', release_version: '0', root_host: 'portal.localhost', transports: ['raw'] };

test('chain and signature schemes come from the relay', async (t) => {
  const { relay, keyless } = await bench(t);
  await keyless.refresh('raw');
  const { chain, schemes, keyId } = keyless.certificate;
  assert.equal(chain.length, 1);
  assert.equal(chain[0]!.toString('base64'), relay.ca.replace(/-----.*-----|\s/g, ''));
  assert.deepEqual(schemes, [0x0403]);
  assert.equal(keyId, 'relay-cert');
  // The same again is the very same, so that what is made of it once holds.
  const before = keyless.certificate;
  await keyless.refresh('raw');
  assert.equal(keyless.certificate, before);
});

test('a relay without keyless TLS is reported as such', async (t) => {
  const { relay, keyless } = await bench(t);
  const chain = (certificate_chain: string, modes = ['transcript']) => ({
    ...domain,
    keyless: { modes, key_id: 'relay-cert', certificate_chain },
  });
  const cases: [object, object][] = [
    [domain, { code: 'feature_unavailable', message: /does not sign/ }],
    [chain(relay.ca, ['digest']), { code: 'feature_unavailable', message: /does not sign/ }],
    [
      { ...chain(relay.ca), transports: ['quic'] },
      { code: 'feature_unavailable', message: /carrier raw/ },
    ],
    [
      { ...chain(relay.ca), root_host: 'other.example.com' },
      { name: 'AnswerError', message: /other\.example\.com/ },
    ],
    [chain(''), { name: 'AnswerError', message: /chain is unusable/ }],
    [chain('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'), { name: 'AnswerError' }],
    [chain(relay.ca.repeat(11)), { name: 'AnswerError', message: /chain is unusable/ }],
  ];
  for (const [answer, expected] of cases) {
    relay.next('domain', succeed(200, answer));
    await assert.rejects(keyless.refresh('raw'), expected);
  }
});

test('concurrent refused signatures fetch the chain once', async (t) => {
  const { relay, keyless } = await bench(t);
  await Promise.all([1, 2, 3].map(() => keyless.refreshAfterRefusal('raw', signal)));
  assert.equal(relay.count('domain'), 1);
  await keyless.refreshAfterRefusal('raw', signal);
  assert.equal(relay.count('domain'), 1);
});

test('a replaced certificate reaches visitors without a failed connection', async (t) => {
  const directory = temporaryDirectory(t);
  const [first, second] = [
    await certificateFiles('portal.localhost'),
    await certificateFiles('portal.localhost', 'rsa'),
  ];
  t.after(() => first.remove());
  t.after(() => second.remove());
  const files = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') };
  const install = ({ certFile, keyFile }: typeof files) => {
    copyFileSync(keyFile, files.keyFile);
    copyFileSync(certFile, files.certFile);
  };
  install(first);
  const sniPort = await freePort();
  const started = await startTestRelay({ certificateFiles: files, sniPort, certificateReloadIntervalMs: 50 });
  t.after(() => started.stop());
  const relay = { ...started, ca: first.certPem + second.certPem };
  const service = await startHttpService(t, (_request, response) => response.end('ok'));
  const { hostname } = await openTunnel(t, relay, service.port, { ttl: 2 });

  const presented = async () => {
    const visitor = await visitTls(relay, hostname);
    const { raw } = visitor.getPeerCertificate();
    visitor.destroy();
    return raw.toString('base64');
  };
  const der = (pem: string) => pem.replace(/-----.*-----|\s/g, '');
  assert.equal(await presented(), der(first.certPem));
  install(second);
  // Every visit until then has to succeed.
  await until(async () => (await presented()) === der(second.certPem));
});
