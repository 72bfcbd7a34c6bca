import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { type Duplex } from 'node:stream';
import { alertName } from '../../src/tls/codec/alerts.js';
import {
  type CipherSuite,
  cipherSuites,
  contentType,
  extensionType,
  handshakeType,
  maxPlaintextLength,
} from '../../src/tls/codec/constants.js';
import {
  type ApplicationSecrets,
  type HandshakeSecrets,
  applicationSecrets,
  finishedMac,
  handshakeSecrets,
  nextTrafficSecret,
  resumptionSecret,
  ticketPsk,
  trafficKeys,
} from '../../src/tls/crypto/key-schedule.js';
import { type ServerHello, parseServerHello, splitHandshakeMessages } from '../../src/tls/codec/messages.js';
import { Reader } from '../../src/tls/codec/reader.js';
import { RecordOpener } from '../../src/tls/records/record-protection.js';
import { RecordReader } from '../../src/tls/records/record-reader.js';
import { encodeFinished } from '../../src/tls/codec/server-messages.js';
import { transcriptHash } from '../../src/tls/codec/transcript.js';
import { type KeyPair, type OfferedTicket, plainRecord } from './client-hello.js';

export interface Ticket {
  readonly ticket: Buffer;
  readonly ageAdd: number;
  readonly lifetimeSeconds: number;
  readonly psk: Buffer;
  readonly hash: 'sha256' | 'sha384';
}

/** Seals records under one traffic secret, whatever their inner plaintext is. */
export class ClientSealer {
  readonly #suite: CipherSuite;
  #secret: Buffer;
  #sequence = 0n;

  constructor(suite: CipherSuite, secret: Buffer) {
    this.#suite = suite;
    this.#secret = secret;
  }

  /** `inner` is content, type and padding together. */
  sealInner(inner: Buffer): Buffer {
    const { key, iv } = trafficKeys(this.#suite, this.#secret);
    const nonce = Buffer.from(iv);
    nonce.writeBigUInt64BE(iv.readBigUInt64BE(4) ^ this.#sequence++, 4);
    const header = Buffer.from([23, 3, 3, (inner.length + 16) >> 8, (inner.length + 16) & 0xff]);
    const cipher = createCipheriv(this.#suite.aead as 'aes-128-gcm', key, nonce, { authTagLength: 16 });
    cipher.setAAD(header);
    return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
  }

  update(): void {
    this.#secret = nextTrafficSecret(this.#suite.hash, this.#secret);
    this.#sequence = 0n;
  }
}

/**
 * A client that does what it is told, step by step, right or wrong: what no real client can be made to do. The right
 * parts of it are proven by the tests with real clients.
 */
export class RawClient {
  readonly transport: Duplex;
  /** The handshake messages so far. */
  readonly messages: Buffer[] = [];
  sealer: ClientSealer | undefined;
  opener: RecordOpener | undefined;
  suite: CipherSuite | undefined;
  #secrets: HandshakeSecrets | undefined;
  #application: ApplicationSecrets | undefined;
  readonly #reader = new RecordReader();
  readonly #chunks: AsyncIterator<Buffer>;
  #handshakeBytes: Buffer = Buffer.alloc(0);

  constructor(transport: Duplex) {
    this.transport = transport;
    transport.on('error', () => undefined);
    this.#chunks = transport.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
    this.#reader.expectProtected();
  }

  write(bytes: Buffer): void {
    this.transport.write(bytes);
  }

  /** Sends a ClientHello in one record and notes it. */
  sendHello(message: Buffer): void {
    this.messages.push(message);
    this.write(plainRecord(contentType.handshake, message));
  }

  /** Sends content under the keys in use. */
  send(type: 21 | 22 | 23, content: Buffer): void {
    this.write(this.seal(type, content));
  }

  seal(type: 21 | 22 | 23, content: Buffer): Buffer {
    assert(this.sealer);
    const records: Buffer[] = [];
    for (let start = 0; start < content.length; start += maxPlaintextLength) {
      const fragment = content.subarray(start, start + maxPlaintextLength);
      records.push(this.sealer.sealInner(Buffer.concat([fragment, Buffer.from([type])])));
    }
    return Buffer.concat(records);
  }

  /** The next record, opened where the keys are known; `undefined` at the end. */
  async next(): Promise<{ type: number; content: Buffer } | undefined> {
    for (;;) {
      const record = this.#reader.next();
      if (record !== undefined) {
        if (record.type !== contentType.applicationData || this.opener === undefined) {
          return { type: record.type, content: record.body };
        }
        const opened = this.opener.open(record.header, record.body);
        assert(opened, 'a record of the server does not open');
        return opened;
      }
      const { done, value } = await this.#chunks.next();
      if (done === true) return undefined;
      this.#reader.push(value);
    }
  }

  /** Reads and drops all that comes, to the end. */
  async discard(): Promise<void> {
    while ((await this.#chunks.next()).done !== true);
  }

  /** Reads on to the server's fatal alert and the end after it; the alert's name. */
  async alert(): Promise<string | undefined> {
    for (let record = await this.next(); record !== undefined; record = await this.next()) {
      if (record.type !== contentType.alert) continue;
      assert.equal(record.content.length, 2);
      return alertName(record.content[1]!);
    }
    return undefined;
  }

  /** Application data up to `length` bytes; other content between is read over. */
  async data(length: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let received = 0;
    while (received < length) {
      const record = await this.next();
      assert(record, 'the server ended early');
      if (record.type !== contentType.applicationData) continue;
      chunks.push(record.content);
      received += record.content.length;
    }
    return Buffer.concat(chunks);
  }

  /** Reads the ServerHello or HelloRetryRequest; change_cipher_spec is read over and counted. */
  async serverHello(): Promise<ServerHello> {
    return parseServerHello(await this.#message(handshakeType.serverHello));
  }

  /** Reads the server's flight after the ClientHello sent last, and checks its Finished. */
  async readFlight(pair: KeyPair, psk?: Buffer): Promise<ServerHello> {
    const hello = await this.serverHello();
    assert.equal(hello.isHelloRetryRequest, false);
    this.messages.push(hello.raw);
    const suite = cipherSuites.get(hello.cipherSuite)!;
    this.suite = suite;
    const share = new Reader(hello.extensions.get(extensionType.keyShare)!);
    assert.equal(share.uint16(), pair.group);
    const shared = pair.agree(share.vector16());
    const usedPsk = hello.extensions.has(extensionType.preSharedKey) ? psk : undefined;
    this.#secrets = handshakeSecrets(suite.hash, usedPsk, shared, transcriptHash(suite.hash, this.messages));
    this.opener = new RecordOpener(suite, this.#secrets.server);
    this.sealer = new ClientSealer(suite, this.#secrets.client);
    const types = [handshakeType.encryptedExtensions];
    if (usedPsk === undefined) types.push(handshakeType.certificate as 8, handshakeType.certificateVerify as 8);
    for (const type of types) this.messages.push(await this.#message(type));
    const expected = encodeFinished(
      finishedMac(suite.hash, this.#secrets.server, transcriptHash(suite.hash, this.messages)),
    );
    assert.deepEqual(await this.#message(handshakeType.finished), expected);
    this.messages.push(expected);
    this.#application = applicationSecrets(suite.hash, this.#secrets.master, transcriptHash(suite.hash, this.messages));
    this.opener = new RecordOpener(suite, this.#application.server);
    return hello;
  }

  /** The client's right Finished, to be sent under the handshake keys. */
  finished(): Buffer {
    const { suite } = this;
    assert(suite && this.#secrets);
    return encodeFinished(finishedMac(suite.hash, this.#secrets.client, transcriptHash(suite.hash, this.messages)));
  }

  /** Sends Finished and continues under the application keys. */
  finish(): void {
    const finished = this.finished();
    this.send(contentType.handshake, finished);
    this.messages.push(finished);
    this.useApplicationKeys();
  }

  useApplicationKeys(): void {
    assert(this.suite && this.#application);
    this.sealer = new ClientSealer(this.suite, this.#application.client);
  }

  /** The next NewSessionTicket. */
  async ticket(): Promise<Ticket> {
    assert(this.suite && this.#secrets);
    const { hash } = this.suite;
    const reader = new Reader((await this.#message(handshakeType.newSessionTicket)).subarray(4));
    const lifetimeSeconds = reader.uint32();
    const ageAdd = reader.uint32();
    const nonce = reader.vector8();
    const ticket = reader.vector16();
    assert.equal(reader.vector16().length, 0, 'a ticket has extensions, which would allow early data');
    const resumption = resumptionSecret(hash, this.#secrets.master, transcriptHash(hash, this.messages));
    return { ticket, ageAdd, lifetimeSeconds, psk: ticketPsk(hash, resumption, nonce), hash };
  }

  async #message(type: number): Promise<Buffer> {
    for (;;) {
      const length = this.#handshakeBytes.length >= 4 ? 4 + this.#handshakeBytes.readUIntBE(1, 3) : Infinity;
      if (this.#handshakeBytes.length >= length) {
        const [message] = splitHandshakeMessages(this.#handshakeBytes.subarray(0, length));
        this.#handshakeBytes = this.#handshakeBytes.subarray(length);
        assert.equal(message![0], type, 'the server sends another message than expected');
        return message!;
      }
      const record = await this.next();
      assert(record, 'the server ended in the handshake');
      if (record.type === contentType.alert) assert.fail(`the server sent ${alertName(record.content[1]!)}`);
      if (record.type === contentType.handshake) {
        this.#handshakeBytes = Buffer.concat([this.#handshakeBytes, record.content]);
      }
    }
  }
}

/** What a client offers for a ticket that it got `ageMs` ago. */
export function offer(ticket: Ticket, ageMs = 0): OfferedTicket {
  return {
    ticket: ticket.ticket,
    obfuscatedAge: (ticket.ageAdd + ageMs) >>> 0,
    psk: ticket.psk,
    hash: ticket.hash,
  };
}
