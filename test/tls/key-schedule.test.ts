import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { cipherSuites } from '../../src/tls/codec/constants.js';
import {
  applicationSecrets,
  deriveSecret,
  exportKeyingMaterial,
  finishedMac,
  handshakeSecrets,
  hkdfExpandLabel,
  hkdfExtract,
  nextTrafficSecret,
  resumptionBinder,
  resumptionSecret,
  ticketPsk,
  trafficKeys,
} from '../../src/tls/crypto/key-schedule.js';
import { RecordOpener, RecordSealer } from '../../src/tls/records/record-protection.js';
import { transcriptHash } from '../../src/tls/codec/transcript.js';
import { hex } from './hex.js';
import { trace } from './rfc8448-trace.js';

const sha256 = 'sha256' as const;
const suite = cipherSuites.get(0x1301)!;
const hello = [trace.clientHello, trace.serverHello];
const flight = [trace.encryptedExtensions, trace.certificate, trace.certificateVerify];
const toServerFinished = transcriptHash(sha256, [...hello, ...flight, trace.serverFinished]);

function secrets() {
  return handshakeSecrets(sha256, undefined, trace.sharedSecret, transcriptHash(sha256, hello));
}

describe('key schedule on the trace of RFC 8448 3', () => {
  it('extracts and derives', () => {
    const zeros = Buffer.alloc(32);
    const early = hkdfExtract(sha256, zeros, zeros);
    assert.deepEqual(early, hex('33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a'));
    assert.deepEqual(
      deriveSecret(sha256, early, 'derived', transcriptHash(sha256, [])),
      hex('6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba'),
    );
  });

  it('gives the handshake traffic secrets and the master secret', () => {
    assert.deepEqual(secrets(), {
      client: hex('b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21'),
      server: hex('b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38'),
      master: hex('18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919'),
    });
  });

  it('gives the application secrets and the exporter secret', () => {
    assert.deepEqual(applicationSecrets(sha256, secrets().master, toServerFinished), {
      client: hex('9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5'),
      server: hex('a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643'),
      exporter: hex('fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50'),
    });
  });

  it('gives record keys and IVs', () => {
    assert.deepEqual(trafficKeys(suite, secrets().server), {
      key: hex('3fce516009c21727d0f2e4e86ee403bc'),
      iv: hex('5d313eb2671276ee13000b30'),
    });
    assert.deepEqual(trafficKeys(suite, secrets().client), {
      key: hex('dbfaa693d1762c5b666af5d950258d01'),
      iv: hex('5bd3c71b836e0b76bb73265f'),
    });
  });

  it('gives both Finished', () => {
    const { client, server } = secrets();
    assert.deepEqual(
      finishedMac(sha256, server, transcriptHash(sha256, [...hello, ...flight])),
      trace.serverFinished.subarray(4),
    );
    assert.deepEqual(finishedMac(sha256, client, toServerFinished), trace.clientFinished.subarray(4));
  });

  it('gives the resumption secret, the key of a ticket and its binder', () => {
    const whole = transcriptHash(sha256, [...hello, ...flight, trace.serverFinished, trace.clientFinished]);
    const resumption = resumptionSecret(sha256, secrets().master, whole);
    assert.deepEqual(resumption, hex('7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c'));
    const psk = ticketPsk(sha256, resumption, hex('0000'));
    assert.deepEqual(psk, hex('4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3'));
    // RFC 8448 4, the hash over the ClientHello up to its binders.
    const partial = hex('63224b2e4573f2d3454ca84b9d009a04f6be9e05711a8396473aefa01e924a14');
    assert.deepEqual(
      resumptionBinder(sha256, psk, partial),
      hex('3add4fb2d8fdf822a0ca3cf7678ef5e88dae990141c5924d57bb6fa31b9e5f9d'),
    );
  });

  it('opens the client’s record of application data', () => {
    const { client } = applicationSecrets(sha256, secrets().master, toServerFinished);
    const record = trace.clientApplicationRecord;
    const opened = new RecordOpener(suite, client).open(record.subarray(0, 5), record.subarray(5));
    assert.deepEqual(opened, { type: 23, content: Buffer.from(Array.from({ length: 50 }, (_, index) => index)) });
    const sealed: Buffer[] = [];
    new RecordSealer(suite, client).seal(23, opened.content, sealed);
    assert.deepEqual(Buffer.concat(sealed), record);
  });
});

describe('key schedule beyond one hash block', () => {
  it('expands to lengths that need several blocks, as node:crypto does', () => {
    const inputKey = Buffer.from('input');
    const info = Buffer.concat([hex('0064'), hex('0a'), Buffer.from('tls13 test'), hex('02aabb')]);
    const expected = Buffer.from(hkdfSync('sha256', inputKey, 'salt', info, 100));
    const secret = createHmac('sha256', 'salt').update(inputKey).digest();
    assert.deepEqual(hkdfExpandLabel('sha256', secret, 'test', hex('aabb'), 100), expected);
  });

  it('changes the traffic secret at every update and exports different material for each label and context', () => {
    const secret = Buffer.alloc(48, 1);
    const next = nextTrafficSecret('sha384', secret);
    assert.equal(next.length, 48);
    assert.notDeepEqual(next, secret);
    const exported = new Set(
      [
        exportKeyingMaterial('sha384', secret, 'a', Buffer.alloc(0), 40),
        exportKeyingMaterial('sha384', secret, 'b', Buffer.alloc(0), 40),
        exportKeyingMaterial('sha384', secret, 'a', Buffer.from('context'), 40),
      ].map((bytes) => bytes.toString('hex')),
    );
    assert.equal(exported.size, 3);
  });
});
