import assert from 'node:assert/strict';
import { createHash, X509Certificate, verify } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import { test } from 'node:test';
import { decodeDatagram, encodeDatagram } from '../../src/protocol/datagram-frame.js';
import { encodeHopHeader, parseHopHeader } from '../../src/protocol/hop-header.js';
import { type ProxiedAddresses, ProxyProtocolError, parseProxyHeader } from '../../src/protocol/proxy-protocol.js';
import { encodeOpening, parseOpening, skipKeepalives } from '../../src/protocol/session-opening.js';
import {
  encodeSigningRequest,
  encodeSigningResponse,
  parseSigningRequest,
  parseSigningResponse,
} from '../../src/protocol/session-signing.js';
import { relayKeyFromHex } from '../../src/relay/auth/relay-key.js';
import { AccessTokens } from '../../src/relay/auth/tokens.js';
import { checkTranscript } from '../../src/relay/keyless/transcript.js';
import {
  checkSignature,
  checkTimes,
  DescriptorError,
  overlayAddress,
  parseDescriptor,
  signedText,
} from '../../src/sdk/discovery/relay-descriptor.js';
import { checkSignInMessage } from '../../src/sdk/identity/sign-in.js';
import { FramedChannel } from '../../src/streams/framed-channel.js';
import { openHello, SealedHelloError } from '../../src/streams/sealed-hello.js';
import { readQuicMessage } from '../../src/streams/quic/quic-message.js';
import { freshKeys, sealedFirstBytes } from '../../src/unwrap/session-records.js';
import { UnwrappedSession } from '../../src/unwrap/unwrapped-session.js';
import { runProgram } from '../support/programs.js';
import { requireTool } from '../support/tools.js';
import { UnwrappedPeer } from '../support/unwrapped-peer.js';
import { projectRoot } from './support/project.js';

// docs/vectors: what an implementation in any language is tested with. Ours is held against the same files.

const folder = join(projectRoot, 'docs/vectors');
const protocol = readFileSync(join(projectRoot, 'docs/protocol.md'), 'utf8');

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Node = any;
const read = (name: string): Node => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
const bytesOf = ({ hex, padding }: { hex: string; padding?: { byte: string; count: number } }): Buffer =>
  Buffer.concat([Buffer.from(hex, 'hex'), ...(padding ? [Buffer.alloc(padding.count, padding.byte, 'hex')] : [])]);
const hexOf = (bytes: Buffer | undefined) => bytes?.toString('hex');
const addressesOf = (found: { addresses?: ProxiedAddresses | undefined }) => found.addresses ?? null;

/** A session that gives these bytes, and ends then, or stays open. */
function sessionOf(bytes: Buffer, { stays = false } = {}): Duplex {
  const session = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  session.push(bytes);
  if (!stays) session.push(null);
  return session;
}

test('every file of vectors is listed, names its section, and has names and reasons', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  const readme = readFileSync(join(folder, 'README.md'), 'utf8');
  assert.deepEqual([...readme.matchAll(/^\| `([a-z-]+\.json)`/gm)].map(([, file]) => file).sort(), files.sort());
  const sections = [...protocol.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const file of files) {
    const { section, invalid } = read(file.replace('.json', ''));
    assert.ok(sections.includes(section as string), `${file}: ${section}`);
    for (const { name, reason } of invalid as Node[]) assert.ok(name && reason, file);
  }
});

test('session openings', () => {
  const { valid, incomplete, invalid } = read('session-openings');
  for (const { name, asked, kind, binding, addresses, rest, ...vector } of valid) {
    const bytes = skipKeepalives(bytesOf(vector));
    const opening = encodeOpening({
      kind: kind === 'raw_tcp' ? 'rawTcp' : 'tenantTls',
      binding: binding && Buffer.from(binding as string, 'hex'),
      addresses: addresses ?? undefined,
      withAddresses: asked.proxy,
    });
    assert.equal(hexOf(bytes), hexOf(opening) + rest, name);
    if (!asked.binding && !asked.proxy)
      assert.equal(parseOpening(bytes, true)?.kind, opening[0] === 2 ? 'tenantTls' : 'rawTcp');
    // A tunnel of ours asks for both, but of relays of earlier releases.
    if (!asked.binding || !asked.proxy) continue;
    const parsed = parseOpening(bytes)!;
    assert.equal(parsed.length, opening.length, name);
    assert.equal(hexOf(parsed.binding), binding, name);
    assert.deepEqual(addressesOf(parsed), addresses, name);
  }
  for (const vector of incomplete) assert.equal(parseOpening(skipKeepalives(bytesOf(vector))), undefined, vector.name);
  for (const vector of invalid) assert.throws(() => parseOpening(bytesOf(vector)), Error, vector.name);
});

test('PROXY headers', () => {
  const { valid, incomplete, invalid } = read('proxy-headers');
  for (const { name, length, addresses, ...vector } of valid) {
    const found = parseProxyHeader(bytesOf(vector), 'v2')!;
    assert.deepEqual([found.length, addressesOf(found)], [length, addresses], name);
  }
  for (const vector of incomplete) assert.equal(parseProxyHeader(bytesOf(vector), 'v2'), undefined, vector.name);
  for (const vector of invalid)
    assert.throws(() => parseProxyHeader(bytesOf(vector), 'v2'), ProxyProtocolError, vector.name);
});

/** Whatever comes of bytes that are there already has come after a few turns of the event loop. */
async function allRead(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
}

/** What a session says of its connection, until nothing more comes. */
async function eventsOf(session: Duplex): Promise<Node[]> {
  let isLast = false;
  const channel = new FramedChannel(session, (isFree) => (isLast = !isFree));
  channel.end();
  let data = '';
  channel.on('data', (chunk: Buffer) => (data += hexOf(chunk)!));
  const events: Node[] = [];
  const outcome = await Promise.race([
    new Promise<string>((resolve) => channel.once('end', () => resolve('end'))),
    new Promise<string>((resolve) =>
      channel.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNRESET' ? 'cut' : 'refused')),
    ),
    allRead().then(() => 'more'),
  ]);
  if (data) events.push({ data });
  await allRead();
  if (outcome !== 'more') events.push(outcome === 'end' && isLast ? 'last' : outcome);
  channel.on('error', () => undefined).destroy();
  return events;
}

test('frames', async () => {
  const { valid, invalid } = read('frames');
  for (const { name, events, unread, ...vector } of valid) {
    const session = sessionOf(bytesOf(vector), { stays: true });
    assert.deepEqual(await eventsOf(session), events, name);
    if (unread) assert.equal(hexOf(session.read() as Buffer), unread, name);
  }
  for (const vector of invalid) {
    const [last] = (await eventsOf(sessionOf(bytesOf(vector), { stays: true }))).slice(-1);
    assert.ok(last === 'refused' || last === 'cut', `${vector.name}: ${JSON.stringify(last)}`);
  }
});

test('signing messages', () => {
  const { requests, responses, invalid } = read('signing-messages');
  const bodyOf = (bytes: Buffer) => {
    assert.deepEqual([hexOf(bytes.subarray(0, 4)), bytes.readUInt32BE(4)], ['fffffffd', bytes.length - 8]);
    return bytes.subarray(8);
  };
  for (const { name, scheme, transcript, ...vector } of requests) {
    const body = bodyOf(bytesOf(vector));
    const found = parseSigningRequest(body);
    assert.deepEqual([found.scheme, hexOf(found.transcript)], [parseInt(scheme as string, 16), transcript], name);
    assert.deepEqual(encodeSigningRequest(found), body, name);
  }
  for (const { name, status, body, ...vector } of responses) {
    const bytes = bodyOf(bytesOf(vector));
    const found = parseSigningResponse(bytes);
    assert.deepEqual([found.status, hexOf(found.body)], [status, body], name);
    assert.deepEqual(encodeSigningResponse(found), bytes, name);
  }
  const [short] = invalid;
  assert.throws(() => parseSigningRequest(bytesOf(short).subarray(8)), short.name as string);
  assert.throws(() => parseSigningResponse(bytesOf(short).subarray(8)), short.name as string);
});

test('unwrapped records', async () => {
  const { exporter, valid, invalid } = read('unwrapped-records');
  const secret = Buffer.from(exporter as string, 'hex');
  const secrets = freshKeys(secret.subarray(0, 32), secret.subarray(32));
  for (const { name, from, units, ...vector } of valid) {
    const peer = new UnwrappedPeer(from === 'relay' ? 'tunnel' : 'relay', secret);
    const session = sessionOf(bytesOf(vector));
    for (const [type, content] of units) {
      const found = await peer.read(session);
      assert.deepEqual([found.type, hexOf(found.content)], [type, content], name);
    }
  }
  for (const { name, from, ...vector } of invalid) {
    assert.equal(from, 'relay');
    const session = new UnwrappedSession(sessionOf(bytesOf(vector), { stays: true }) as never, secrets, {
      send: 0,
      receive: sealedFirstBytes,
    });
    const errors: Error[] = [];
    session.on('error', (error) => errors.push(error)).resume();
    await allRead();
    assert.equal(errors.length, 1, name);
  }
});

test('datagrams', () => {
  const { valid, invalid } = read('datagrams');
  for (const { name, flow, payload, ...vector } of valid) {
    const found = decodeDatagram(bytesOf(vector))!;
    assert.deepEqual([found.flow, hexOf(found.payload)], [flow, payload], name);
    assert.deepEqual(encodeDatagram(found.flow, found.payload), bytesOf(vector), name);
  }
  for (const vector of invalid) assert.equal(decodeDatagram(bytesOf(vector)), undefined, vector.name);
});

test('messages on the first stream of QUIC', async () => {
  const { valid, incomplete, invalid } = read('quic-messages');
  const readFrom = (bytes: Buffer) => {
    const stream = new PassThrough();
    stream.end(bytes);
    return readQuicMessage(stream);
  };
  for (const { name, message, ...vector } of valid) assert.deepEqual(await readFrom(bytesOf(vector)), message, name);
  for (const vector of incomplete) await assert.rejects(readFrom(bytesOf(vector)), /ended without/, vector.name);
  for (const vector of invalid) await assert.rejects(readFrom(bytesOf(vector)), /more than 8192/, vector.name);
});

test('headers of hops', () => {
  const { valid, incomplete, invalid } = read('hop-headers');
  for (const { name, length, token, binding, connection_id, addresses, ...vector } of valid) {
    const bytes = bytesOf(vector);
    const found = parseHopHeader(bytes)!;
    assert.deepEqual(
      [found.length, hexOf(found.token), hexOf(found.binding), hexOf(found.connectionId), addressesOf(found)],
      [length, token, binding, connection_id, addresses],
      name,
    );
    assert.deepEqual(encodeHopHeader(found), bytes, name);
  }
  for (const vector of incomplete) assert.equal(parseHopHeader(bytesOf(vector)), undefined, vector.name);
  for (const vector of invalid) assert.throws(() => parseHopHeader(bytesOf(vector)), ProxyProtocolError, vector.name);
});

test('sealed first bytes', () => {
  const { key: keyHex, valid, incomplete, invalid } = read('sealed-hellos');
  const key = Buffer.from(keyHex as string, 'hex');
  for (const { name, length, hello, rest, ...vector } of valid) {
    const bytes = bytesOf(vector);
    const found = openHello(key, bytes)!;
    assert.deepEqual(
      [found.length, hexOf(found.hello), hexOf(bytes.subarray(found.length))],
      [length, hello, rest],
      name,
    );
  }
  for (const vector of incomplete) assert.equal(openHello(key, bytesOf(vector)), undefined, vector.name);
  for (const vector of invalid) assert.throws(() => openHello(key, bytesOf(vector)), SealedHelloError, vector.name);
});

test('descriptors of relays', () => {
  const { now, valid, invalid, overlay_addresses } = read('relay-descriptors');
  const check = (descriptor: unknown) => {
    const parsed = parseDescriptor(descriptor);
    checkSignature(parsed);
    checkTimes(parsed, Date.parse(now as string));
  };
  for (const { name, descriptor, signed, digest } of valid) {
    check(descriptor);
    assert.equal(signedText(descriptor as never), signed, name);
    assert.equal(
      createHash('sha256')
        .update(signed as string)
        .digest('hex'),
      digest,
      name,
    );
  }
  for (const { name, descriptor } of invalid) assert.throws(() => check(descriptor), DescriptorError, name);
  for (const { public_key, address } of overlay_addresses) assert.equal(overlayAddress(public_key as string), address);
});

test('messages to be signed', () => {
  const { relay, address, challenge_id, path, now, valid, invalid } = read('sign-in-messages');
  const check = (message: string) =>
    checkSignInMessage(message, {
      relay: new URL(relay as string),
      address: address as string,
      challengeId: challenge_id as string,
      path: path as '/sdk/register',
      now: Date.parse(now as string),
    });
  for (const { message } of valid) check(message as string);
  for (const { name, message, reason } of invalid)
    assert.throws(
      () => check(message as string),
      (error: Error) =>
        error.message.toLowerCase().includes((reason as string).toLowerCase()) ||
        assert.fail(`${name}: ${error.message}`),
    );
});

test('transcripts, without a retry and with one', () => {
  const { hostname, scheme, client_hello, valid, invalid, retried } = read('transcripts');
  const plain = { client_hello, valid, invalid };
  for (const group of [plain, retried as unknown as typeof plain]) {
    const check = (transcript: string) =>
      checkTranscript(Buffer.from(transcript, 'hex'), {
        clientHello: Buffer.from(group.client_hello as string, 'hex'),
        hostname: hostname as string,
        scheme: parseInt(scheme as string, 16),
      });
    for (const { name, transcript, hash, content, signature, certificate } of group.valid) {
      const checked = check(transcript as string);
      assert.equal(hexOf(checked.content), content, name);
      assert.ok((content as string).endsWith(hash as string), name);
      assert.equal(hexOf(checked.chain[0]), certificate, name);
      const { publicKey } = new X509Certificate(Buffer.from(certificate as string, 'hex'));
      assert.ok(verify('sha256', checked.content, publicKey, Buffer.from(signature as string, 'hex')), name);
    }
    for (const { name, transcript } of group.invalid)
      assert.throws(() => check(transcript as string), { code: 'invalid_request' }, name);
  }
});

test('access tokens', async () => {
  const { identity_private_key: key, issuer, address, token_key: expected, valid, invalid } = read('access-tokens');
  const relayKey = relayKeyFromHex(key as string);
  const rawKey = (bytes: Buffer) => bytes.subarray(-32).toString('hex');
  const { privateKey, publicKey } = relayKey.tokenKey;
  assert.equal(relayKey.address, address);
  assert.deepEqual(
    {
      private: rawKey(privateKey.export({ format: 'der', type: 'pkcs8' })),
      public: rawKey(publicKey.export({ format: 'der', type: 'spki' })),
    },
    expected,
  );
  const tokens = new AccessTokens(relayKey, issuer as string);
  for (const { name, token, identity_key: identityKey, generation, member, expires_at: seconds } of valid) {
    const claims = { identityKey, generation, ...(member === undefined ? {} : { member }) };
    assert.deepEqual(await tokens.read(token as string), { ...claims, expiresAt: (seconds as number) * 1000 }, name);
  }
  for (const { name, token } of invalid)
    await assert.rejects(tokens.read(token as string), { code: 'unauthorized' }, name);
});

test('a reader that was written from the protocol alone makes the same of them', async () => {
  const script = join(projectRoot, 'test/contract/support/read_vectors.py');
  const { code, stdout, stderr } = await runProgram(await requireTool('python3'), [script, folder]);
  assert.equal(code, 0, stderr);
  assert.match(stdout.toString(), /^\d{2,} vectors\n$/);
});
