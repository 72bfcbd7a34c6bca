import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { TlsAlertError } from '../../src/tls/codec/alerts.js';
import { namedGroup } from '../../src/tls/codec/constants.js';
import { agreeOnKey, defaultGroups } from '../../src/tls/crypto/key-exchange.js';
import { byPackage, encapsulate } from '../../src/tls/crypto/ml-kem.js';
import { TicketKeys } from '../../src/tls/handshake/tickets.js';
import { makeCertificate, type TestCertificate } from './certificate.js';
import { encodeHello, encodeHelloWithTicket, helloParts, makeKeyPair } from './client-hello.js';
import { connectInMemory } from './connection.js';
import { offer } from './raw-client.js';

const { x25519, secp256r1, secp384r1, x25519MlKem768 } = namedGroup;

describe('key exchange', () => {
  let certificate: TestCertificate;
  before(async () => {
    certificate = await makeCertificate();
  });

  /** @returns the group that the server has chosen, of those that the client has shares of */
  async function chosen(shares: number[], groups = shares): Promise<{ group: number | undefined; isRetry: boolean }> {
    const { client, stream } = connectInMemory(certificate);
    client.sendHello(encodeHello(helloParts(shares.map(makeKeyPair), { groups })));
    const hello = await client.serverHello();
    stream.destroy();
    return { group: hello.keyShareGroup, isRetry: hello.isHelloRetryRequest };
  }

  for (const group of defaultGroups)
    it(`gives both ends the same secret: group 0x${group.toString(16)}`, () => {
      const client = makeKeyPair(group);
      const { publicShare, sharedSecret } = agreeOnKey(group, client.share);
      assert.deepEqual(client.agree(publicShare), sharedSecret);
      const again = agreeOnKey(group, client.share);
      assert.notDeepEqual(again.sharedSecret, sharedSecret);
    });

  it('prefers the hybrid group where its share has come, and never asks for one', async () => {
    assert.equal((await chosen([x25519, x25519MlKem768])).group, x25519MlKem768);
    assert.equal((await chosen([x25519], [x25519MlKem768, x25519])).group, x25519);
    assert.deepEqual(await chosen([], [x25519MlKem768, secp256r1]), { group: secp256r1, isRetry: true });
    assert.equal((await chosen([secp384r1])).group, secp384r1);
  });

  for (const [what, group, change] of [
    ['too short', x25519MlKem768, (share: Buffer) => share.subarray(1)],
    ['too long', x25519MlKem768, (share: Buffer) => Buffer.concat([share, Buffer.of(0)])],
    ['with coefficients that are not reduced', x25519MlKem768, (share: Buffer) => share.fill(0xff, 0, 1_152)],
    ['with an X25519 part of small order', x25519MlKem768, (share: Buffer) => share.fill(0, 1_184)],
    ['empty', x25519MlKem768, () => Buffer.alloc(0)],
    ['a point that is not on the curve', secp384r1, (share: Buffer) => share.fill(1, 1)],
    ['a compressed point', secp384r1, (share: Buffer) => Buffer.concat([Buffer.of(2), share.subarray(1, 49)])],
  ] as const)
    it(`refuses a share that is ${what}`, () => {
      const { share } = makeKeyPair(group);
      assert.throws(
        () => agreeOnKey(group, change(Buffer.from(share))),
        (error) => error instanceof TlsAlertError && error.alert === 'illegal_parameter',
      );
    });

  it('encapsulates as FIPS 203 has it', () => {
    // Key generation from the seed 0..63 (d, z): the hash of the key is that of OpenSSL 3.5.
    const seed = Uint8Array.from({ length: 64 }, (_, at) => at);
    const { publicKey, secretKey } = ml_kem768.keygen(seed);
    const hash = createHash('sha256').update(publicKey).digest('hex');
    assert.equal(hash, '0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9');
    for (const make of [byPackage, encapsulate]) {
      const { ciphertext, sharedKey } = make(Buffer.from(publicKey));
      assert.equal(ciphertext.length, 1_088);
      assert.deepEqual(Buffer.from(ml_kem768.decapsulate(ciphertext, secretKey)), sharedKey);
    }
  });

  it('resumes a hybrid session by X25519, whose secret the pre-shared key protects', async () => {
    const tickets = new TicketKeys();
    const full = connectInMemory(certificate, { tickets });
    const pair = makeKeyPair(x25519MlKem768);
    full.client.sendHello(
      encodeHello(helloParts([pair], { cipherSuites: [0x1301], groups: [x25519MlKem768, x25519] })),
    );
    await full.client.readFlight(pair);
    full.client.finish();
    await full.secured;
    const ticket = offer(await full.client.ticket());
    full.stream.destroy();

    const groupOf = async (shares: number[], given: typeof ticket | undefined) => {
      const { client, stream } = connectInMemory(certificate, { tickets });
      const parts = helloParts(shares.map(makeKeyPair), { cipherSuites: [0x1301], groups: shares });
      client.sendHello(given ? encodeHelloWithTicket(parts, given) : encodeHello(parts));
      const hello = await client.serverHello();
      stream.destroy();
      return hello.keyShareGroup;
    };
    assert.equal(await groupOf([x25519MlKem768, x25519], ticket), x25519);
    assert.equal(await groupOf([x25519MlKem768], ticket), x25519MlKem768);
    assert.equal(await groupOf([x25519MlKem768, x25519], undefined), x25519MlKem768);
  });
});
