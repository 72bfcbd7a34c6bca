import { createServer } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { ApiError } from '../../src/contract/index.js';
import { addressList } from '../../src/net/address-list.js';
import { ClientAddresses } from '../../src/relay/api/middleware/client-address.js';
import { ChallengeDns } from '../../src/relay/certs/acme/challenge-dns.js';
import { ConnectEndpoint, type ConnectOthers } from '../../src/relay/api/listener/connect.js';
import { createLogger } from '../../src/util/logger.js';
import type { ReverseAdmission } from '../../src/relay/reverse/admission.js';
import { openWebSocket } from '../../src/tunnel/carriers/open-websocket.js';
import { AccessTokens } from '../../src/relay/auth/tokens.js';
import { relayKeyFromHex } from '../../src/relay/auth/relay-key.js';
import { verifySignIn } from '../../src/sign-in/siwe.js';
import { RequestHeadReader } from '../../src/relay/api/listener/request-head.js';
import { checkTranscript } from '../../src/relay/keyless/transcript.js';
import { maxClientHelloBytes } from '../../src/relay/ingress/read-client-hello.js';
import { checkChallenge, checkDomain, dataOf, errorOfAnswer } from '../../src/sdk/calls/answers.js';
import { AnswerError, NetworkError, SigningRefusedError } from '../../src/sdk/calls/errors.js';
import {
  DescriptorError,
  checkSignature,
  checkTimes,
  parseDescriptor,
} from '../../src/sdk/discovery/relay-descriptor.js';
import { checkSignInMessage } from '../../src/sdk/identity/sign-in.js';
import { decodeDatagram, encodeDatagram } from '../../src/protocol/datagram-frame.js';
import { FramedChannel } from '../../src/streams/framed-channel.js';
import { parseHopHeader } from '../../src/protocol/hop-header.js';
import { parseNodeVisitor } from '../../src/protocol/node-visitor.js';
import { ProxyProtocolError, parseProxyHeader } from '../../src/protocol/proxy-protocol.js';
import { openHello, SealedHelloError } from '../../src/streams/sealed-hello.js';
import { readQuicMessage } from '../../src/streams/quic/quic-message.js';
import { TlsAlertError } from '../../src/tls/codec/alerts.js';
import { ClientHelloReader } from '../../src/tls/records/client-hello-reader.js';
import { TlsError } from '../../src/tls/codec/errors.js';
import { RecordReader } from '../../src/tls/records/record-reader.js';
import { TlsServerStream } from '../../src/tls/server/server.js';
import { parseOpening } from '../../src/protocol/session-opening.js';
import { freshKeys } from '../../src/unwrap/session-records.js';
import { UnwrappedSession } from '../../src/unwrap/unwrapped-session.js';
import { parseAnswer } from '../../src/tunnel/carriers/compat-carrier.js';
import { MessageError } from '../../src/tunnel/services/http/message/message-head.js';
import { parseMessage } from '../support/http-message.js';
import { type Random, inChunks } from '../tls/mutations.js';
import { fuzzAddress, fuzzChallengeId, fuzzKey, fuzzRelay, fuzzSecrets, fuzzTime } from './fixtures.js';

/** One parser of what comes from outside. */
export interface Target {
  /** Folder of its corpus. */
  name: string;
  /**
   * Parses one input, whole and in pieces.
   * @throws for whatever must not happen: an error of another kind than the parser's own, or two outcomes of the same bytes
   */
  run(input: Buffer, random: Random): void | Promise<void>;
}

type ErrorClass = new (...args: never[]) => Error;

/** What a parser made of its input, to be compared: a value, or the class of the error that it may throw. */
function outcomeOf(parse: () => unknown, ...expected: ErrorClass[]): string {
  try {
    return JSON.stringify(parse(), asText) ?? 'more';
  } catch (error) {
    if (expected.some((each) => error instanceof each)) return (error as Error).name;
    throw error;
  }
}

function asText(_key: string, value: unknown): unknown {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)];
  return typeof value === 'bigint' ? String(value) : value;
}

function mustBeEqual(whole: string, pieces: string): void {
  if (whole !== pieces) throw new Error(`in one piece: ${whole.slice(0, 200)}; in many: ${pieces.slice(0, 200)}`);
}

/** The first thing that a reader makes of chunks. */
function firstOf(chunks: Buffer[], take: (chunk: Buffer) => unknown): unknown {
  for (const chunk of chunks) {
    const found = take(chunk);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A parser that is given chunks: the outcome must not depend on where they are cut. */
function chunked(name: string, start: () => (chunk: Buffer) => unknown, ...expected: ErrorClass[]): Target {
  return {
    name,
    run(input, random) {
      const outcome = (chunks: Buffer[]) => outcomeOf(() => firstOf(chunks, start()), ...expected);
      mustBeEqual(outcome([input]), outcome(inChunks(input, random)));
    },
  };
}

/** A parser of bytes that have come so far, more of which may follow. */
function growing(name: string, parse: (bytes: Buffer) => { length: number } | undefined, expected: ErrorClass): Target {
  return chunked(
    name,
    () => {
      let bytes = Buffer.alloc(0);
      return (chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
        const found = parse(bytes);
        if (found && found.length > bytes.length) throw new Error('longer than what came');
        return found;
      };
    },
    expected,
  );
}

/** Gives the bytes to one end of a connection, and settles with what the other end reads, once there is nothing more. */
async function throughStream(chunks: Buffer[], open: (far: Duplex) => Duplex): Promise<string> {
  const [near, far] = duplexPair();
  near.on('error', () => undefined).resume();
  const stream = open(far);
  let [text, end] = ['', 'open'];
  stream.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  stream.once('end', () => (end = 'ended'));
  stream.once('error', (error) => (end = error.name));
  for (const chunk of chunks) near.write(chunk);
  near.end();
  await new Promise<void>((resolve) => {
    stream.once('close', resolve);
    // Two turns of the event loop after the last byte nothing more comes by itself.
    setImmediate(() => setImmediate(() => setImmediate(() => resolve(void stream.destroy()))));
  });
  near.destroy();
  return `${end} ${text}`;
}

function streamed(name: string, open: (far: Duplex) => Duplex): Target {
  return {
    name,
    async run(input, random) {
      const whole = await throughStream([input], open);
      const pieces = await throughStream(inChunks(input, random), open);
      // How far a stream that breaks has been read may differ.
      if (whole.startsWith('ended') && pieces.startsWith('ended')) mustBeEqual(whole, pieces);
    },
  };
}

function json(input: Buffer): unknown {
  try {
    return JSON.parse(input.toString());
  } catch {
    return input.toString();
  }
}

function httpMessage(name: string, kind: 'request' | 'response'): Target {
  return {
    name,
    run(input, random) {
      const outcome = (chunks: Buffer[]) => outcomeOf(() => parseMessage(chunks, kind), MessageError);
      mustBeEqual(outcome([input]), outcome(inChunks(input, random)));
    },
  };
}

const tokens = new AccessTokens(relayKeyFromHex(fuzzKey), fuzzRelay.origin);

/** Lets every request in, and its sessions go at once. */
const admission = {
  admit: () => Promise.resolve({ sessions: { lease: { hostname: '' }, queue: { ready: 0 } }, options: {} }),
  enter: (_admission: unknown, stream: Duplex) => stream.destroy(),
} as unknown as ReverseAdmission;
const challengeDns = new ChallengeDns({
  zone: '_acme-challenge.portal.example.com',
  rootHost: 'portal.example.com',
  host: '127.0.0.1',
  port: 0,
});
for (const value of ['one', 'two']) void challengeDns.add('', value.repeat(14));
const endpoint = new ConnectEndpoint(
  admission,
  {} as ConnectOthers,
  new ClientAddresses(addressList([])),
  createLogger('silent'),
);

export const targets: Target[] = [
  chunked('request-head', () => {
    const reader = new RequestHeadReader();
    return (chunk) => {
      const found = reader.take(chunk);
      // What came behind the head depends on the chunks.
      return typeof found === 'object' ? [found.version, found.headers] : found;
    };
  }),
  chunked(
    'client-hello',
    () => {
      const reader = new ClientHelloReader(maxClientHelloBytes);
      return (chunk) => reader.push(chunk);
    },
    TlsAlertError,
  ),
  httpMessage('http-request', 'request'),
  httpMessage('http-response', 'response'),
  growing('hop-header', (bytes) => parseHopHeader(bytes), ProxyProtocolError),
  growing('node-visitor', parseNodeVisitor, ProxyProtocolError),
  growing('sealed-hello', (bytes) => openHello(Buffer.alloc(32, 7), bytes), SealedHelloError),
  growing('proxy-header', (bytes) => parseProxyHeader(bytes, 'v1 or v2'), ProxyProtocolError),
  growing('session-opening', parseOpening, Error),
  growing('compat-answer', parseAnswer, AnswerError),
  {
    name: 'datagram-frame',
    run(input) {
      const frame = decodeDatagram(input);
      if (!frame) return;
      const again = decodeDatagram(encodeDatagram(frame.flow, frame.payload));
      if (again?.flow !== frame.flow || !again.payload.equals(frame.payload)) throw new Error('it does not come back');
    },
  },
  {
    name: 'tls-records',
    run(input, random) {
      const records = (chunks: Buffer[]) =>
        outcomeOf(() => {
          const reader = new RecordReader();
          const found: string[] = [];
          for (const chunk of chunks) {
            reader.push(chunk);
            for (let record = reader.next(); record; record = reader.next())
              found.push(`${record.type} ${record.body.toString('latin1')}`);
          }
          return found;
        }, TlsAlertError);
      mustBeEqual(records([input]), records(inChunks(input, random)));
    },
  },
  streamed(
    'frames',
    (far) =>
      new FramedChannel(
        far,
        () => undefined,
        () => undefined,
      ),
  ),
  streamed('unwrapped-records', (far) => {
    const session = new UnwrappedSession(far as never, freshKeys(fuzzSecrets.send, fuzzSecrets.receive), {
      send: 0,
      receive: 0,
    });
    session.on('error', () => undefined);
    return new FramedChannel(session, () => undefined);
  }),
  {
    name: 'tls-server',
    async run(input, random) {
      const [near, far] = duplexPair();
      near.on('error', () => undefined).resume();
      const stream = new TlsServerStream(far, {
        chain: [Buffer.alloc(300, 1)],
        schemes: [0x0403],
        sign: () => Promise.resolve(Buffer.alloc(70, 1)),
        alpn: ['http/1.1'],
      });
      const failed = new Promise<Error | undefined>((resolve) => {
        stream.once('error', resolve);
        stream.once('close', () => resolve(undefined));
      });
      stream.resume();
      for (const chunk of inChunks(input, random)) near.write(chunk);
      near.end();
      const error = await failed;
      near.destroy();
      if (error === undefined || error instanceof TlsError) return;
      // What is the program's own fault is told as internal_error, with its cause.
      if (!(error instanceof TlsAlertError) || error.alert === 'internal_error') throw error;
    },
  },
  {
    name: 'transcript',
    run(input) {
      // As the visitor sent it: the first message of the transcript, which the relay has seen itself.
      const clientHello = input.subarray(0, input.length < 4 ? 0 : 4 + input.readUIntBE(1, 3));
      const expected = { clientHello, hostname: 'a.test', scheme: 0x0403 };
      outcomeOf(() => checkTranscript(input, expected), ApiError);
    },
  },
  {
    name: 'sign-in-message',
    run(input) {
      const expected = { relay: fuzzRelay, address: fuzzAddress, challengeId: fuzzChallengeId, now: fuzzTime };
      const text = input.toString();
      const outcome = outcomeOf(() => checkSignInMessage(text, expected) ?? 'taken', SigningRefusedError, NetworkError);
      const head = `${fuzzRelay.host} wants you to sign in with your Ethereum account:\n${fuzzAddress}\n\n\nURI: `;
      if (outcome === '"taken"' && !(text.startsWith(head) && text.split('\n').length === 11))
        throw new Error('another message would be signed');
    },
  },
  {
    name: 'sign-in-signature',
    run(input) {
      outcomeOf(() => verifySignIn('a message', input.toString('latin1'), fuzzAddress) ?? 'taken', ApiError);
    },
  },
  {
    name: 'access-token',
    async run(input) {
      const claims = await tokens.read(input.toString('latin1')).catch((error: unknown) => {
        if (error instanceof ApiError) return undefined;
        throw error;
      });
      if (claims && claims.identityKey !== `fuzz:${fuzzAddress.toLowerCase()}`) throw new Error('a forged token');
    },
  },
  {
    name: 'relay-descriptor',
    run(input) {
      outcomeOf(() => {
        const descriptor = parseDescriptor(json(input));
        checkTimes(descriptor, fuzzTime);
        checkSignature(descriptor);
        if (descriptor.address !== fuzzAddress.toLowerCase()) throw new Error('a forged descriptor');
      }, DescriptorError);
    },
  },
  {
    name: 'relay-answer',
    run(input) {
      const body = json(input);
      errorOfAnswer(500, body, input.subarray(0, 20).toString());
      const data = dataOf(body);
      if (!data) return;
      outcomeOf(() => checkDomain(data as never, 'portal.example.com'), AnswerError);
      outcomeOf(() => checkChallenge(data as never), AnswerError);
    },
  },
  {
    name: 'quic-message',
    async run(input, random) {
      const read = async (chunks: Buffer[]) => {
        const [near, far] = duplexPair();
        const message = readQuicMessage(far).then(
          (found) => JSON.stringify(found),
          (error: Error) => error.constructor.name,
        );
        for (const chunk of chunks) near.write(chunk);
        near.end();
        return await message;
      };
      const [whole, pieces] = [await read([input]), await read(inChunks(input, random))];
      // Cut behind a brace, a first object is whole earlier than the second makes them none.
      if (whole !== 'Error') mustBeEqual(whole, pieces);
    },
  },
  {
    name: 'dns-query',
    run(input) {
      const answer = challengeDns.answer(input);
      // Never more than what a UDP packet may carry, and never an answer to an answer.
      if (answer && answer.length > 1_232) throw new Error(`an answer of ${answer.length} bytes`);
      if (answer && challengeDns.answer(answer)) throw new Error('an answer was answered');
    },
  },
  {
    name: 'upgrade-request',
    async run(input, random) {
      const [near, far] = duplexPair();
      const socket = Object.assign(far, { remoteAddress: '192.0.2.1' });
      near.on('error', () => undefined).resume();
      socket.on('error', () => undefined);
      let fault: unknown;
      const server = createServer().on('clientError', (_error, each) => each.destroy());
      server.on('upgrade', (request, each, head) => {
        endpoint.upgrade(each, request, head).catch((error: unknown) => (fault = error));
      });
      server.emit('connection', socket);
      for (const chunk of inChunks(input, random)) near.write(chunk);
      near.end();
      await turns();
      near.destroy();
      socket.destroy();
      if (fault !== undefined) throw fault as Error;
    },
  },
  {
    name: 'upgrade-answer',
    async run(input, random) {
      const [near, far] = duplexPair();
      near.on('error', () => undefined).resume();
      far.on('error', () => undefined);
      const socket = Object.assign(far, { setKeepAlive: () => far }) as unknown as TLSSocket;
      const request = { relay: fuzzRelay, accessToken: 'a.b.c', protocol: 'portal.reverse', maxMessageBytes: 1_024 };
      const opened = openWebSocket(socket, request).catch((error: unknown) => error);
      for (const chunk of inChunks(input, random)) near.write(chunk);
      near.end();
      await turns();
      near.destroy();
      far.destroy();
      const error = await opened;
      const isOwn = [ApiError, AnswerError, NetworkError].some((each) => error instanceof each);
      if (!isOwn) throw error instanceof Error ? error : new Error('a handshake without the right key was taken');
    },
  },
];

/** Lets what was written go through. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
