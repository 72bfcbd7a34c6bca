import assert from 'node:assert/strict';
import { X509Certificate, constants, createHash, randomBytes, verify } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { checkTranscript } from '../../src/relay/keyless/transcript.js';
import { handshakeType, parseServerHello, splitHandshakeMessages } from '../../src/tls/index.js';
import { type HeldLease, call, ended, openSession, register, sessionHeaders } from '../support/by-hand.js';
import { startTestRelay, sharedRelay } from '../support/relay.js';
import {
  type SigningCall,
  clientHello,
  dialPublic,
  endVisit,
  handshake,
  readOpening,
  signCall,
} from '../support/tenant.js';
import { certificateFiles } from '../support/certificates.js';

const relay = sharedRelay({}, async () => {
  lease = await register(relay, { name: 'tenant', ttl: 600 });
});
let lease: HeldLease;

const honest = ({ body }: SigningCall) => signCall(relay, lease.token, body);

test('a valid handshake is signed, and its visitor gets the certificate of the relay', async () => {
  const visit = await handshake(relay, lease, honest, { visitorAlpn: ['h2', 'http/1.1'] });
  assert.equal(visit.answer.status, 200, JSON.stringify(visit.answer.body));
  assert.equal(visit.answer.body.data.key_id, 'relay-cert');
  assert.equal(visit.answer.body.data.signature_scheme, 'ecdsa_secp256r1_sha256');
  await once(visit.visitor, 'secureConnect');
  assert.equal(visit.visitor.authorized, true);
  assert.equal(visit.visitor.alpnProtocol, 'http/1.1');
  visit.visitor.write('ping');
  assert.equal(String((await once(visit.tenant, 'data'))[0]), 'ping');
  await endVisit(visit);
});

test('what is signed is the CertificateVerify content of that transcript', async () => {
  let content: Buffer | undefined;
  const visit = await handshake(relay, lease, (honestCall) => {
    content = honestCall.request.content;
    return honest(honestCall);
  });
  const key = new X509Certificate(relay.certificatePem).publicKey;
  assert.ok(verify('sha256', content as Buffer, key, Buffer.from(visit.answer.body.data.signature, 'base64')));
  await endVisit(visit);
});

/** Runs one handshake whose call is altered, and expects that nothing is signed. */
async function refuses(name: string, alter: (honestCall: SigningCall) => unknown, options = {}): Promise<void> {
  const visit = await handshake(relay, lease, (honestCall) => signCall(relay, lease.token, alter(honestCall)), options);
  assert.deepEqual(
    [visit.answer.status, visit.answer.body.error?.code],
    [400, 'invalid_request'],
    `${name}: ${JSON.stringify(visit.answer.body)}`,
  );
  await endVisit(visit);
}

const withTranscript =
  (change: (messages: Buffer[]) => Buffer[]) =>
  ({ body }: SigningCall) => {
    const messages = splitHandshakeMessages(Buffer.from(body.transcript, 'base64')).map((message) =>
      Buffer.from(message),
    );
    return { ...body, transcript: Buffer.concat(change(messages)).toString('base64') };
  };
const ofType = (messages: Buffer[], type: number) => messages.find((message) => message[0] === type) as Buffer;

test('an altered transcript is not signed', async (t) => {
  const alterations: [string, (messages: Buffer[]) => Buffer[]][] = [
    ['a byte of the ClientHello', (m) => (flip(m[0], 40), m)],
    ['without the ServerHello', (m) => m.filter((message) => message[0] !== handshakeType.serverHello)],
    ['ServerHello alone', (m) => [ofType(m, handshakeType.serverHello)]],
    ['messages in another order', (m) => [m[0], m[2], m[1], m[3]] as Buffer[]],
    ['a message more', (m) => [...m, Buffer.from([15, 0, 0, 0])]],
    ['a byte more', (m) => [...m, Buffer.from([0])]],
    ['a byte less', (m) => [...m.slice(0, -1), (m.at(-1) as Buffer).subarray(0, -1)]],
    ['two ClientHellos', (m) => [m[0], ...m] as Buffer[]],
    ['another certificate', (m) => (flip(m[3], 60), m)],
    ['no certificate', (m) => [...m.slice(0, 3), Buffer.from([11, 0, 0, 4, 0, 0, 0, 0])]],
    ['a certificate request context', (m) => [...m.slice(0, 3), withContext(m[3] as Buffer)]],
    ['TLS 1.2 selected', (m) => (setVersion(m[1] as Buffer, 0x0303), m)],
    [
      'a suite that was not offered',
      (m) => ((m[1] as Buffer).writeUInt16BE(0x1305, 4 + 2 + 32 + 1 + ((m[1] as Buffer)[38] as number)), m),
    ],
    ['another session id', (m) => (flip(m[1], 39), m)],
    ['a PSK selected', (m) => [m[0], withPsk(m[1] as Buffer), ...m.slice(2)] as Buffer[]],
    [
      'ALPN h2',
      (m) => [
        ...m.slice(0, 2),
        Buffer.from('08000b000900100005000302' + Buffer.from('h2').toString('hex'), 'hex'),
        m[3] as Buffer,
      ],
    ],
    ['nothing', () => []],
  ];
  for (const [name, change] of alterations)
    await t.test(name, () => refuses(name, withTranscript(change), { visitorAlpn: ['h2', 'http/1.1'] }));
});

test('a tenant that selects h2 gets no signature', async () => {
  await refuses('h2', ({ body }) => body, { alpn: ['h2'], visitorAlpn: ['h2'] });
});

test("a chain that is not the relay's own is not signed", async () => {
  const files = await certificateFiles(relay.rootHost);
  const other = new X509Certificate(files.certPem).raw;
  await files.remove();
  await refuses('chain', ({ body }) => body, { chain: [other] });
});

test('other keys, schemes and shapes are refused', async () => {
  await refuses('key_id', ({ body }) => ({ ...body, key_id: 'other' }));
  await refuses('scheme of another key', ({ body }) => ({ ...body, signature_scheme: 'rsa_pss_rsae_sha256' }));
  await refuses('scheme that was not offered', ({ body }) => ({
    ...body,
    signature_scheme: 'ecdsa_brainpoolP256r1tls13_sha256',
  }));
  await refuses('no transcript', ({ body: { transcript: _, ...rest } }) => rest);
  await refuses('no base64', ({ body }) => ({ ...body, transcript: '%%%' }));
});

test('a binding allows one signature', async () => {
  let again;
  const visit = await handshake(relay, lease, async (honestCall) => {
    const first = await honest(honestCall);
    again = await honest(honestCall);
    return first;
  });
  assert.equal(visit.answer.status, 200);
  assert.equal((again as unknown as { body: { error: { code: string } } }).body.error.code, 'invalid_request');
  await endVisit(visit);
});

test('of many concurrent calls with one binding one is signed', async () => {
  let statuses: number[] = [];
  const visit = await handshake(relay, lease, async (honestCall) => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => honest(honestCall)));
    statuses = answers.map(({ status }) => status).sort();
    return answers.find(({ status }) => status === 200) as (typeof answers)[0];
  });
  assert.deepEqual(statuses, [200, 400, 400, 400, 400, 400]);
  await endVisit(visit);
});

test('a failed attempt uses up the binding', async () => {
  let second;
  const visit = await handshake(relay, lease, async (honestCall) => {
    const failed = await signCall(relay, lease.token, { ...honestCall.body, transcript: 'AAAA' });
    second = await honest(honestCall);
    return failed;
  });
  assert.equal((second as unknown as { status: number }).status, 400);
  await endVisit(visit);
});

test('tenant B cannot sign with the binding of tenant A, which stays valid for A', async () => {
  const other = await register(relay, { name: 'mallory', ttl: 600 });
  const visit = await handshake(relay, lease, async (honestCall) => {
    const foreign = await signCall(relay, other.token, honestCall.body);
    assert.deepEqual([foreign.status, foreign.body.error.code], [400, 'invalid_request']);
    return await honest(honestCall);
  });
  assert.equal(visit.answer.status, 200);
  await endVisit(visit);
});

test('no token, or an unknown binding, gets no signature', async () => {
  const body = {
    key_id: 'relay-cert',
    binding: randomBytes(16).toString('base64'),
    signature_scheme: 'ecdsa_secp256r1_sha256',
    transcript: 'AQAAAA==',
  };
  assert.equal((await call(relay, 'POST', '/v1/sign', { body })).body.error.code, 'unauthorized');
  assert.equal((await signCall(relay, lease.token, body)).body.error.code, 'invalid_request');
});

test('a binding expires with its public connection', async () => {
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  const visitor = await dialPublic(relay);
  visitor.write(await clientHello(lease.hostname));
  const { binding } = await readOpening(socket);
  visitor.resetAndDestroy();
  await ended(socket);
  const body = {
    key_id: 'relay-cert',
    binding: binding.toString('base64'),
    signature_scheme: 'ecdsa_secp256r1_sha256',
    transcript: 'AQAAAA==',
  };
  const answer = await signCall(relay, lease.token, body);
  assert.deepEqual(
    [answer.body.error.code, answer.body.error.message],
    ['invalid_request', 'the binding is unknown, spent or expired'],
  );
});

test('a handshake with a HelloRetryRequest is signed', async () => {
  const { socket } = await openSession(relay, sessionHeaders(lease.token));
  const { connect } = await import('node:tls');
  const visitor = connect({
    host: '127.0.0.1',
    port: relay.publicPort,
    servername: lease.hostname,
    ca: relay.ca,
    ecdhCurve: 'P-521:P-256',
  });
  const { binding } = await readOpening(socket);
  const { TlsServerStream } = await import('../../src/tls/index.js');
  let retried = false;
  const tenant = new TlsServerStream(socket, {
    chain: [new X509Certificate(relay.certificatePem).raw],
    schemes: [0x0403],
    alpn: ['http/1.1'],
    async sign({ transcript, schemeName }) {
      const messages = splitHandshakeMessages(transcript);
      retried = messages.length === 6 && parseServerHello(messages[1] as Buffer).isHelloRetryRequest;
      // The session id's echo, behind header, version and random, and the cipher suite behind that.
      const suiteAt = 39 + messages[1]!.readUInt8(38);
      for (const [at, reason] of [
        [39, /session id is not echoed/],
        [suiteAt, /did not offer the cipher suite/],
      ] as const) {
        const altered = messages.map((message) => Buffer.from(message));
        altered[1]![at]! ^= 0xff;
        const expected = { clientHello: messages[0]!, hostname: lease.hostname, scheme: 0x0403 };
        assert.throws(() => checkTranscript(Buffer.concat(altered), expected), reason);
      }
      const body = {
        key_id: 'relay-cert',
        binding: binding.toString('base64'),
        signature_scheme: schemeName,
        transcript: transcript.toString('base64'),
      };
      const answer = await signCall(relay, lease.token, body);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return Buffer.from(answer.body.data.signature, 'base64');
    },
  });
  await once(visitor, 'secureConnect');
  assert.ok(retried);
  await endVisit({ visitor, tenant });
});

test('digest mode is off by default, and signs the given digest when on', async () => {
  const now = () => Math.floor(Date.now() / 1000);
  const digest = createHash('sha256').update('anything').digest();
  const request = (more = {}) => ({
    key_id: 'relay-cert',
    algorithm: 'ECDSA_SHA256',
    digest: digest.toString('base64'),
    timestamp_unix: now(),
    nonce: randomBytes(12).toString('hex'),
    ...more,
  });
  const off = await signCall(relay, lease.token, request());
  assert.deepEqual([off.status, off.body.error.code], [404, 'feature_unavailable']);

  for (const kind of ['ec', 'rsa'] as const) {
    const files = await certificateFiles('portal.localhost', kind);
    const open = await startTestRelay({ digestSigning: true, certificateFiles: files });
    try {
      const held = await register(open, { name: 'old' });
      const { publicKey: key } = new X509Certificate(files.certPem);
      const sign = async (more = {}) => await signCall(open, held.token, request(more));
      if (kind === 'ec') {
        const { status, body } = await sign();
        assert.equal(status, 200, JSON.stringify(body));
        assert.deepEqual(Object.keys(body).sort(), ['algorithm', 'key_id', 'signature']);
        assert.ok(verify('sha256', Buffer.from('anything'), key, Buffer.from(body.signature, 'base64')));
      } else {
        const pkcs1 = await sign({ algorithm: 'RSA_PKCS1V15_SHA256' });
        assert.ok(verify('sha256', Buffer.from('anything'), key, Buffer.from(pkcs1.body.signature, 'base64')));
        const pss = await sign({ algorithm: 'RSA_PSS_SHA256' });
        const padding = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
        assert.ok(verify('sha256', Buffer.from('anything'), padding, Buffer.from(pss.body.signature, 'base64')));
      }
      const wrongKind = kind === 'ec' ? 'RSA_PSS_SHA256' : 'ECDSA_SHA256';
      const once = request({ algorithm: kind === 'ec' ? 'ECDSA_SHA256' : 'RSA_PSS_SHA256' });
      assert.equal((await signCall(open, held.token, once)).status, 200);
      const refusals = [
        once,
        { ...once, nonce: 'n2', timestamp_unix: now() - 40 },
        { ...once, nonce: 'n3', timestamp_unix: now() + 40 },
        { ...once, nonce: 'n4', algorithm: wrongKind },
        { ...once, nonce: 'n5', digest: 'AAAA' },
        { ...once, nonce: 'n6', algorithm: 'MD5' },
      ];
      for (const refused of refusals)
        assert.equal((await signCall(open, held.token, refused)).body.error?.code, 'invalid_request');
      // A session without a binding is of use here.
      assert.equal((await openSession(open, { 'X-Portal-Access-Token': held.token })).status, 200);
    } finally {
      await open.stop();
      await files.remove();
    }
  }
});

function withContext(certificate: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from([1, 7]), certificate.subarray(5)]);
  const header = Buffer.from([11, 0, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([header, body]);
}

function setVersion(serverHello: Buffer, version: number): void {
  const at = serverHello.indexOf(Buffer.from('002b00020304', 'hex'));
  serverHello.writeUInt16BE(version, at + 4);
}

function withPsk(serverHello: Buffer): Buffer {
  const psk = Buffer.from('002900020000', 'hex');
  const longer = Buffer.concat([serverHello, psk]);
  longer.writeUIntBE(longer.length - 4, 1, 3);
  const extensionsAt = 4 + 2 + 32 + 1 + (serverHello[38] as number) + 3;
  longer.writeUInt16BE(longer.readUInt16BE(extensionsAt) + psk.length, extensionsAt);
  return longer;
}

function flip(message: Buffer | undefined, at: number): void {
  message?.writeUInt8(message.readUInt8(at) ^ 1, at);
}
