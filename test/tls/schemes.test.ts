import assert from 'node:assert/strict';
import { X509Certificate, constants, createHash, generateKeyPairSync, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import { type HashName } from '../../src/tls/codec/constants.js';
import { parseCertificate } from '../../src/tls/codec/messages.js';
import { schemesForKey, signWithScheme, signatureSchemeName, verifyWithScheme } from '../../src/tls/codec/schemes.js';
import { encodeHelloRetryRequest } from '../../src/tls/codec/server-messages.js';
import { certificateVerifyContent, transcriptHash } from '../../src/tls/codec/transcript.js';
import { trace } from './rfc8448-trace.js';

const keys = {
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  Ed25519: generateKeyPairSync('ed25519'),
};
const expected: Record<keyof typeof keys, string[]> = {
  'P-256': ['ecdsa_secp256r1_sha256'],
  'P-384': ['ecdsa_secp384r1_sha384'],
  'P-521': ['ecdsa_secp521r1_sha512'],
  RSA: ['rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha384', 'rsa_pss_rsae_sha512'],
  Ed25519: ['ed25519'],
};

describe('signature schemes', () => {
  for (const [kind, { privateKey, publicKey }] of Object.entries(keys)) {
    it(`of a ${kind} key sign and verify`, () => {
      const schemes = schemesForKey(privateKey);
      assert.deepEqual(schemes.map(signatureSchemeName), expected[kind as keyof typeof keys]);
      assert.deepEqual(schemesForKey(publicKey), schemes);
      const content = Buffer.from('content');
      for (const scheme of schemes) {
        const signature = signWithScheme(scheme, privateKey, content);
        assert.equal(verifyWithScheme(scheme, publicKey, content, signature), true);
        assert.equal(verifyWithScheme(scheme, publicKey, Buffer.from('other'), signature), false);
      }
    });
  }

  it('refuse keys of another kind or curve, short RSA keys and unknown schemes', () => {
    const content = Buffer.alloc(1);
    assert.throws(() => signWithScheme(0x0403, keys['P-384'].privateKey, content), RangeError);
    assert.throws(() => signWithScheme(0x0804, keys['P-256'].privateKey, content), RangeError);
    assert.throws(() => signWithScheme(0x0401, keys.RSA.privateKey, content), RangeError);
    assert.deepEqual(schemesForKey(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey), []);
    assert.deepEqual(schemesForKey(generateKeyPairSync('x25519').privateKey), []);
  });
});

describe('certificateVerifyContent', () => {
  const messages = [trace.clientHello, trace.serverHello, trace.encryptedExtensions, trace.certificate];
  const content = certificateVerifyContent(transcriptHash('sha256', messages));

  it('is what the server of RFC 8448 3 signed', () => {
    const [entry] = parseCertificate(trace.certificate).entries;
    const { publicKey } = new X509Certificate(entry!.certificate);
    const key = { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    assert.equal(verify('sha256', content, key, trace.certificateVerify.subarray(8)), true);
    // Its key is too short to be used here.
    assert.throws(() => verifyWithScheme(0x0804, publicKey, content, Buffer.alloc(128)), RangeError);
  });
});

describe('transcript hash', () => {
  it('puts message_hash in the place of the first hello after a retry', () => {
    for (const name of ['sha256', 'sha384'] satisfies HashName[]) {
      const retry = encodeHelloRetryRequest(Buffer.alloc(0), 0x1301, 23);
      const first = createHash(name).update(trace.clientHello).digest();
      const direct = createHash(name)
        .update(Buffer.from([254, 0, 0, first.length]))
        .update(first)
        .update(retry)
        .update(trace.clientHello)
        .digest();
      assert.deepEqual(transcriptHash(name, [trace.clientHello, retry, trace.clientHello]), direct);
    }
  });
});
