import assert from 'node:assert/strict';
import { createHash, verify, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { Signature, recoverAddress } from 'ethers';
import { encodeHopHeader, parseHopHeader } from '../../src/protocol/hop-header.js';
import { openHello, sealHello, SealedHelloError } from '../../src/streams/sealed-hello.js';
import { ProxyProtocolError } from '../../src/protocol/proxy-protocol.js';
import { FramedChannel } from '../../src/streams/framed-channel.js';
import { UnwrappedPeer } from '../support/unwrapped-peer.js';
import { contract } from './support/document.js';
import { projectRoot } from './support/project.js';

const document = readFileSync(join(projectRoot, 'docs/protocol.md'), 'utf8');

/** The ```hex blocks of docs/protocol.md: name -> bytes. */
const blocks = new Map(
  [...document.matchAll(/^```hex (\S+)\n([\s\S]*?)^```$/gm)].map(([, name, text]) => {
    const hex = text!.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, '');
    assert.match(hex, /^([0-9a-f]{2})+$/, name);
    return [name!, Buffer.from(hex, 'hex')];
  }),
);

function block(name: string): Buffer {
  const bytes = blocks.get(name);
  assert.ok(bytes, `docs/protocol.md has no block ${name}`);
  return bytes;
}

const example = (name: string) => contract.components.examples[name].value;
const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

function handshakeMessages(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUIntBE(at + 1, 3);
    assert.ok(end <= bytes.length, 'a message is cut');
    messages.push(bytes.subarray(at, end));
    at = end;
  }
  return messages;
}

/** A session of which only what the other side says matters. */
function oneWay(): Duplex {
  return new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
}

/** Reads the start of a session as docs/protocol.md tells it. */
function readStart(bytes: Buffer, asked: { binding?: boolean; proxy?: boolean }) {
  let at = 0;
  const take = (length: number): Buffer => bytes.subarray(at, (at += length));
  let marker = take(1)[0];
  while (marker === 0x00) marker = take(1)[0];
  assert.ok(marker === 0x01 || marker === 0x02);
  const binding = marker === 0x02 && asked.binding ? take(16) : undefined;
  const proxy = asked.proxy ? take(16 + bytes.readUInt16BE(at + 14)) : undefined;
  return { marker, binding, proxy, rest: bytes.subarray(at) };
}

test('docs/protocol.md has exactly the hex vectors that this test knows', () => {
  assert.deepEqual([...blocks.keys()].sort(), [
    'certificate-verify',
    'certificate-verify-content',
    'datagram',
    'datagram-empty',
    'descriptor-digest',
    'descriptor-signature',
    'descriptor-signed',
    'hop-header',
    'keepalive',
    'message-hash',
    'proxy-ipv4',
    'proxy-ipv6',
    'recycled-from-relay',
    'recycled-from-tunnel',
    'sealed-hello',
    'session-start',
    'session-start-raw-tcp',
    'session-start-with-binding',
    'session-start-with-binding-and-proxy',
    'signing-refused',
    'signing-request',
    'signing-response',
    'transcript',
    'transcript-hash',
    'unwrapped-from-relay',
    'unwrapped-from-tunnel',
    'visitor-first-record',
  ]);
});

test('a visitor is passed on to the next relay with an id, a token and a binding', () => {
  const bytes = block('hop-header');
  const { length, ...header } = parseHopHeader(Buffer.concat([bytes, Buffer.from('more')]))!;
  assert.equal(length, bytes.length);
  assert.equal(header.token.toString('base64url'), '4v3Kx0mVd0m8wCqYyq2s1Jc9y6c8pT0aQf3h5bN7uXE');
  assert.equal(encodeHopHeader(header).toString('hex'), bytes.toString('hex'));
  assert.equal(parseHopHeader(bytes.subarray(0, -1)), undefined);
  const fields = bytes.subarray(16);
  const headerOf = (...parts: Buffer[]) => {
    const all = Buffer.concat(parts);
    return Buffer.concat([bytes.subarray(0, 14), Buffer.from([0, all.length]), all]);
  };
  for (const [what, wrong] of [
    ['none of them', headerOf()],
    ['a token that is missing', headerOf(fields.subarray(0, 19), fields.subarray(54))],
    ['two ids', headerOf(fields, fields.subarray(0, 19))],
    ['a short token', headerOf(fields.subarray(0, 19), Buffer.from('e0000100', 'hex'), fields.subarray(54))],
    ['a field that is cut', headerOf(fields.subarray(0, -1))],
    ['a local command', Buffer.concat([bytes.subarray(0, 12), Buffer.from([0x20]), bytes.subarray(13)])],
  ] as const)
    assert.throws(() => parseHopHeader(wrong), ProxyProtocolError, what);
});

test("a visitor's first bytes are sealed on a path, and opened with the tunnel's key alone", () => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
  const bytes = block('sealed-hello');
  const opened = openHello(key, bytes)!;
  assert.equal(opened.hello.toString() + bytes.subarray(opened.length).toString(), 'hello, world');
  for (let length = 0; length < 35; length++) assert.equal(openHello(key, bytes.subarray(0, length)), undefined);
  assert.throws(() => openHello(Buffer.alloc(32), bytes), SealedHelloError);
  assert.throws(() => openHello(key, Buffer.concat([bytes.subarray(0, 34), Buffer.alloc(8)])), SealedHelloError);
  for (const length of [0, 27, 40_000]) {
    const head = Buffer.alloc(2);
    head.writeUInt16BE(length);
    assert.throws(() => openHello(key, head), SealedHelloError);
  }
  const long = Buffer.alloc(50_000, 7);
  const sealed = sealHello(key, long);
  const { hello, length } = openHello(key, sealed)!;
  assert.deepEqual(Buffer.concat([hello, sealed.subarray(length)]), long);
});

test('a recycled session carries frames, ends, and starts again', async () => {
  const start = readStart(block('recycled-from-relay'), { binding: true });
  const session = oneWay();
  const connection = new FramedChannel(session, () => {});
  connection.end();
  session.push(start.rest);
  assert.equal((await buffer(connection)).toString('hex'), '16030100d9010000d5');
  assert.equal((session.read() as Buffer).toString('hex'), '0002');
});

test('a tunnel may abort a response that it has begun', async () => {
  const session = oneWay();
  const connection = new FramedChannel(session, () => {});
  session.push(block('recycled-from-tunnel'));
  const heard: Buffer[] = [];
  connection.on('data', (chunk: Buffer) => heard.push(chunk));
  await assert.rejects(once(connection, 'end'), { code: 'ECONNRESET' });
  assert.equal(Buffer.concat(heard).toString('hex'), '15030300020250');
});

test('an unwrapped session is encrypted except frames in the clear, and carries the bytes of a recycled session', async () => {
  const exporter = Buffer.from(Array.from({ length: 64 }, (_, index) => index));
  const read = async (name: string, role: 'relay' | 'tunnel') => {
    const session = oneWay();
    session.push(block(name));
    session.push(null);
    const peer = new UnwrappedPeer(role, exporter);
    const units: [number | 'clear', string][] = [];
    while (session.readableLength > 0) {
      const { type, content } = await peer.read(session);
      units.push([type, content.toString('hex')]);
    }
    return units;
  };
  assert.deepEqual(await read('unwrapped-from-relay', 'tunnel'), [
    [22, '00'],
    [22, '029708e85fdfcef0ad1e8526ce6a42a23e'],
    [23, '0000000916030100d9010000d5'],
    [22, '00000000'],
  ]);
  assert.deepEqual(await read('unwrapped-from-tunnel', 'relay'), [
    [22, '00'],
    ['clear', '15030300020250'],
    [22, '00000000'],
  ]);
});

test('a signing message is its header, its length, and a scheme with the transcript, or a status with the body', async () => {
  const heard: Buffer[] = [];
  const receive = async (bytes: Buffer) => {
    const session = oneWay();
    const connection = new FramedChannel(
      session,
      () => {},
      (message) => heard.push(message),
    );
    session.push(Buffer.concat([block('recycled-from-relay').subarray(17, 26), bytes, Buffer.alloc(4)]));
    assert.equal((await buffer(connection)).toString('hex'), '16030100d9');
    connection.destroy();
    return heard.pop()!;
  };
  const request = await receive(Buffer.concat([block('signing-request'), block('transcript')]));
  assert.equal(request.readUInt16BE(0), 0x0403);
  assert.deepEqual(request.subarray(2), block('transcript'));

  const verification = block('certificate-verify');
  const response = await receive(block('signing-response'));
  assert.equal(response.readUInt16BE(0), 200);
  assert.deepEqual(response.subarray(2), verification.subarray(8));

  const refused = await receive(block('signing-refused'));
  assert.equal(refused.readUInt16BE(0), 400);
  const body = JSON.parse(String(refused.subarray(2))) as { ok: boolean; error: { code: string } };
  assert.deepEqual([body.ok, body.error.code], [false, 'invalid_request']);
});

test('the relay sends a zero byte as keepalive to a waiting session', () => {
  assert.deepEqual([...block('keepalive')], [0]);
});

test('a raw TCP session starts with 0x01 and has no binding, asked for or not', () => {
  const start = readStart(block('session-start-raw-tcp'), { binding: true });
  assert.equal(start.marker, 0x01);
  assert.equal(start.rest.toString(), 'GET / ');
});

test('a TLS session starts with 0x02, then the requested headers, then the ClientHello', () => {
  const hello = block('visitor-first-record').subarray(0, 9);
  const plain = readStart(block('session-start'), {});
  assert.equal(plain.marker, 0x02);
  assert.deepEqual(plain.rest, hello);

  const bound = readStart(block('session-start-with-binding'), { binding: true });
  assert.equal(bound.binding!.toString('base64'), example('sign_transcript_request').binding);
  assert.deepEqual(bound.rest, hello);

  const both = readStart(block('session-start-with-binding-and-proxy'), { binding: true, proxy: true });
  assert.deepEqual(both.binding, bound.binding);
  assert.deepEqual(both.proxy, block('proxy-ipv4'));
  assert.deepEqual(both.rest, hello);
});

for (const [name, family, addressLength] of [
  ['proxy-ipv4', 0x11, 4],
  ['proxy-ipv6', 0x21, 16],
] as const) {
  test(`${name} is a PROXY version 2 header of the addresses in its commentary`, () => {
    const header = block(name);
    assert.equal(header.subarray(0, 12).toString('latin1'), '\r\n\r\n\0\r\nQUIT\n');
    assert.equal(header[12], 0x21);
    assert.equal(header[13], family);
    assert.equal(header.readUInt16BE(14), 2 * addressLength + 4);
    assert.equal(header.length, 16 + 2 * addressLength + 4);
    assert.equal(header.readUInt16BE(16 + 2 * addressLength), 51234);
    assert.equal(header.readUInt16BE(18 + 2 * addressLength), 443);
    const said = [...document.matchAll(/# (?:source|destination) ([0-9a-f.:]+)$/gm)].map(([, address]) => address!);
    const addresses = said.filter(addressLength === 4 ? isIPv4 : isIPv6).slice(0, 2);
    assert.equal(addresses.length, 2);
    const bytes = addressLength === 4 ? ipv4Bytes : ipv6Bytes;
    assert.deepEqual(header.subarray(16, 16 + 2 * addressLength), Buffer.concat(addresses.map(bytes)));
  });
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function ipv6Bytes(address: string): Buffer {
  const [head, tail] = address.split('::').map((half) => half.split(':').filter(Boolean));
  const groups = [...head!, ...Array<string>(8 - head!.length - tail!.length).fill('0'), ...tail!];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

test('the transcript is ClientHello, ServerHello, EncryptedExtensions, Certificate, as the contract shows it', () => {
  const messages = handshakeMessages(block('transcript'));
  assert.deepEqual(
    messages.map((message) => message[0]),
    [1, 2, 8, 11],
  );
  const record = block('visitor-first-record');
  assert.deepEqual([record[0], record.readUInt16BE(3)], [22, record.length - 5]);
  assert.deepEqual(messages[0], record.subarray(5));
  assert.equal(example('sign_transcript_request').transcript, block('transcript').toString('base64'));
});

test('the example signature verifies over the documented content with the certificate of the transcript', () => {
  const messages = handshakeMessages(block('transcript'));
  assert.deepEqual(block('transcript-hash'), sha256(block('transcript')));
  const content = block('certificate-verify-content');
  assert.deepEqual(
    content,
    Buffer.concat([
      Buffer.alloc(64, 0x20),
      Buffer.from('TLS 1.3, server CertificateVerify\0', 'latin1'),
      block('transcript-hash'),
    ]),
  );

  // Certificate: header 4, context 1, list length 3, then length 3 and the leaf
  const certificate = messages[3]!;
  const leaf = new X509Certificate(certificate.subarray(11, 11 + certificate.readUIntBE(8, 3)));
  assert.equal(leaf.raw.compare(new X509Certificate(example('domain').data.keyless.certificate_chain).raw), 0);

  const [message, ...others] = handshakeMessages(block('certificate-verify'));
  assert.equal(others.length, 0);
  assert.equal(message![0], 15);
  assert.equal(message!.readUInt16BE(4), 0x0403);
  const signature = message!.subarray(8);
  assert.equal(message!.readUInt16BE(6), signature.length);
  assert.equal(example('sign_transcript').data.signature, signature.toString('base64'));
  assert.ok(verify('sha256', content, leaf.publicKey, signature));
});

test('after a HelloRetryRequest the transcript holds the hash of the first ClientHello', () => {
  const [clientHello] = handshakeMessages(block('transcript'));
  assert.deepEqual(block('message-hash'), Buffer.concat([Buffer.from('fe000020', 'hex'), sha256(clientHello!)]));
});

test('a datagram is its flow in unsigned LEB128 and the payload', () => {
  const bytes = block('datagram');
  let flow = 0;
  let at = 0;
  do flow |= (bytes[at]! & 0x7f) << (7 * at);
  while (bytes[at++]! & 0x80);
  assert.equal(flow, 300);
  assert.equal(bytes.subarray(at).toString(), 'hello');
});

test('the example descriptor is signed over the bytes shown, which are the JSON shown', () => {
  const signed = block('descriptor-signed');
  assert.ok(document.includes(`\`\`\`text\n${signed.toString()}\n\`\`\``));
  assert.deepEqual(block('descriptor-digest'), sha256(signed));
  const [descriptor] = example('discovery').data.relays;
  const signature = block('descriptor-signature');
  assert.equal(descriptor.signature, signature.toString('base64'));
  const [r, s] = [`0x${signature.toString('hex', 1, 33)}`, `0x${signature.toString('hex', 33)}`];
  const yParity = (signature[0]! - 31) as 0 | 1;
  const digest = `0x${block('descriptor-digest').toString('hex')}`;
  assert.equal(recoverAddress(digest, Signature.from({ yParity, r, s })), descriptor.address);
});

test('the contract has advice for every error code', () => {
  const section = document.slice(
    document.indexOf('## What to do at each error'),
    document.indexOf('## Limits and times'),
  );
  const elsewhere = ['invalid_ip', 'invalid_mode', 'not_found', 'method_not_allowed']; // not for a tunnel
  for (const code of contract.components.schemas.ErrorCode.enum as string[]) {
    if (elsewhere.includes(code)) continue;
    const family = code.startsWith('udp_') ? 'udp_*' : code.startsWith('tcp_port_') ? 'tcp_port_*' : code;
    assert.ok(section.includes(`\`${family}\``), code);
  }
});
