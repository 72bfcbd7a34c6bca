import { type Hash, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { TlsAlertError } from './alerts.js';
import { type CipherSuite, cipherSuites, extensionType, handshakeType, namedGroup, tls12, tls13 } from './constants.js';
import * as build from './handshake-messages.js';
import { exchangeKeys } from './key-exchange.js';
import { KeySchedule, digest, expandLabel, finishedMac } from './key-schedule.js';
import {
  type ClientHello,
  type ServerHello,
  checkRetriedClientHello,
  parseClientHello,
  parseServerHello,
} from './messages.js';
import { schemeName } from './schemes.js';
import type { TicketKeys, TicketState } from './tickets.js';
import { certificateVerifyContent, messageHash } from './transcript.js';

export interface SignRequest {
  /** SignatureScheme number, and its IANA name. */
  scheme: number;
  schemeName: string;
  /** The handshake so far, with headers: ClientHello, [HelloRetryRequest, ClientHello,] ServerHello, EncryptedExtensions, Certificate. */
  transcript: Buffer;
  /** What is to be signed (RFC 8446 4.4.3). */
  content: Buffer;
  serverName: string | undefined;
  /** Aborted when the connection goes away meanwhile. */
  signal: AbortSignal;
}

export interface HandshakeOptions {
  /** DER, leaf first. */
  chain: Buffer[];
  /** Signature schemes that fit the leaf's key, in order of preference. */
  schemes: number[];
  sign(request: SignRequest): Promise<Buffer>;
  /** Protocols in order of preference. A client that offers none gets none; one that offers only others is refused. */
  alpn?: string[];
  /** Whether a client that asks for this name is served; else it gets `unrecognized_name`. */
  acceptServerName?(name: string | undefined): boolean;
  /** Absent: no session can be resumed. */
  tickets?: TicketKeys;
  cipherSuites?: number[];
  /** Groups in order of preference. */
  groups?: number[];
}

/** The record layer, as the handshake sees it. */
export interface HandshakeIo {
  /** Queues handshake messages under the write keys of the moment. */
  send(messages: Buffer): void;
  sendChangeCipherSpec(): void;
  flush(): void;
  protectWrites(suite: CipherSuite, secret: Buffer): void;
  protectReads(suite: CipherSuite, secret: Buffer): void;
  /** Records of early data, which is never accepted, may come and are skipped (RFC 8446 4.2.10). */
  skipEarlyData(): void;
  signal: AbortSignal;
}

const noBytes = Buffer.alloc(0);
const defaultGroups = [namedGroup.x25519, namedGroup.secp256r1];
const chacha = 0x1303;
const pskDheKe = 1;
/** Tickets for each full or resumed handshake: clients use one at a time, and browsers open several connections. */
const ticketsPerHandshake = 2;
/** PSKs of one ClientHello that are looked at. */
const maxPskTries = 4;

/**
 * The server's side of one TLS 1.3 handshake (RFC 8446 2 and 4): messages in, messages and keys out. It knows nothing of
 * records.
 */
export class ServerHandshake {
  #state: 'client hello' | 'second client hello' | 'signing' | 'client finished' | 'done' = 'client hello';
  #suite!: CipherSuite;
  #transcript!: Hash;
  readonly #messages: Buffer[] = [];
  #retry: { hello: ClientHello; request: ServerHello } | undefined;
  #schedule!: KeySchedule;
  #clientHandshakeSecret!: Buffer;
  #clientSecret!: Buffer;
  #pskModes: number[] = [];

  serverName: string | undefined;
  alpnProtocol: string | undefined;
  resumed = false;
  exporterSecret: Buffer | undefined;

  constructor(
    private readonly options: HandshakeOptions,
    private readonly io: HandshakeIo,
  ) {}

  get suite(): CipherSuite {
    return this.#suite;
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Whether the client's next records are still in plain text. */
  get awaitsHello(): boolean {
    return this.#state === 'client hello' || this.#state === 'second client hello';
  }

  /**
   * Takes the client's next message.
   * @returns a promise while the signature is awaited: nothing may be handed over until it settles
   * @throws TlsAlertError, or rejects with one
   */
  receive(message: Buffer): Promise<void> | undefined {
    if (this.awaitsHello && message[0] === handshakeType.client_hello) return this.#clientHello(message);
    if (this.#state === 'client finished' && message[0] === handshakeType.finished)
      return this.#clientFinished(message);
    throw new TlsAlertError('unexpected_message', `handshake message ${message[0]}`);
  }

  #clientHello(message: Buffer): Promise<void> | undefined {
    const hello = parseClientHello(message);
    if (!hello.supportedVersions.includes(tls13))
      throw new TlsAlertError('protocol_version', 'the client does not speak TLS 1.3');
    const legacy =
      hello.legacyVersion === tls12 && hello.compressionMethods.length === 1 && hello.compressionMethods[0] === 0;
    if (!legacy) throw new TlsAlertError('illegal_parameter', 'legacy fields of the ClientHello');
    if (!hello.supportedGroups || !hello.keyShares)
      throw new TlsAlertError('missing_extension', 'supported_groups and key_share are needed');
    if (this.#retry) checkRetriedClientHello(this.#retry.hello, hello, this.#retry.request);
    else {
      this.#suite = this.#chooseSuite(hello);
      this.#transcript = createHash(this.#suite.hash);
      if (this.options.acceptServerName && !this.options.acceptServerName(hello.serverName)) {
        throw new TlsAlertError('unrecognized_name', 'no such server name');
      }
      if (hello.extensions.has(extensionType.early_data)) this.io.skipEarlyData();
    }
    const groups = this.options.groups ?? defaultGroups;
    const group = groups.find(
      (candidate) => hello.supportedGroups?.includes(candidate) && hello.keyShares?.has(candidate),
    );
    if (group !== undefined) return this.#answer(hello, group, hello.keyShares.get(group) as Buffer);
    const wanted = groups.find((candidate) => hello.supportedGroups?.includes(candidate));
    if (wanted === undefined || this.#retry)
      throw new TlsAlertError('handshake_failure', 'no key exchange group in common');
    this.#askAgain(hello, wanted);
    return undefined;
  }

  #chooseSuite(hello: ClientHello): CipherSuite {
    const enabled = (this.options.cipherSuites ?? [...cipherSuites.keys()]).filter((id) => cipherSuites.has(id));
    const common = enabled.filter((id) => hello.cipherSuites.includes(id));
    // A client that puts ChaCha20 first has no fast AES.
    const chosen =
      hello.cipherSuites.find((id) => cipherSuites.has(id)) === chacha && common.includes(chacha) ? chacha : common[0];
    if (chosen === undefined) throw new TlsAlertError('handshake_failure', 'no cipher suite in common');
    return cipherSuites.get(chosen) as CipherSuite;
  }

  #askAgain(hello: ClientHello, group: number): void {
    const request = build.helloRetryRequest(hello.sessionId, this.#suite.id, group);
    this.#messages.push(hello.raw, request);
    this.#transcript.update(messageHash(this.#suite.hash, hello.raw)).update(request);
    this.#retry = { hello, request: parseServerHello(request) };
    this.#state = 'second client hello';
    this.io.send(request);
    if (hello.sessionId.length > 0) this.io.sendChangeCipherSpec();
    this.io.flush();
  }

  #answer(hello: ClientHello, group: number, peerShare: Buffer): Promise<void> | undefined {
    this.serverName = hello.serverName;
    this.#pskModes = hello.pskModes;
    this.alpnProtocol = this.#chooseProtocol(hello);
    const psk = this.#findPsk(hello);
    this.resumed = psk !== undefined;
    this.#schedule = psk?.schedule ?? new KeySchedule(this.#suite.hash);
    this.#record(hello.raw);
    const { share, sharedSecret } = exchangeKeys(group, peerShare);
    const { sessionId } = hello;
    const greeting = build.serverHello({
      random: randomBytes(32),
      sessionId,
      cipherSuite: this.#suite.id,
      group,
      keyShare: share,
      pskIndex: psk?.index,
    });
    this.#record(greeting);
    this.#schedule.mixSharedSecret(sharedSecret);
    const helloHash = this.#transcriptHash();
    this.#clientHandshakeSecret = this.#schedule.derive('c hs traffic', helloHash);
    const serverHandshakeSecret = this.#schedule.derive('s hs traffic', helloHash);
    const extensions = build.encryptedExtensions(this.alpnProtocol, hello.serverName !== undefined && !this.resumed);
    this.#record(extensions);
    const start = () => {
      this.io.send(greeting);
      if (sessionId.length > 0 && !this.#retry) this.io.sendChangeCipherSpec();
      this.io.protectWrites(this.#suite, serverHandshakeSecret);
      this.io.protectReads(this.#suite, this.#clientHandshakeSecret);
    };
    if (this.resumed) {
      start();
      this.#finishFlight(extensions, serverHandshakeSecret);
      return undefined;
    }
    return this.#sign(hello, extensions, serverHandshakeSecret, start);
  }

  /**
   * Waits for the signature before anything is sent: the flight then leaves in one piece, and a signature that is refused
   * ends in an alert that the client can read.
   */
  async #sign(hello: ClientHello, extensions: Buffer, serverHandshakeSecret: Buffer, start: () => void): Promise<void> {
    if (!hello.signatureAlgorithms) throw new TlsAlertError('missing_extension', 'signature_algorithms is needed');
    const scheme = this.options.schemes.find((candidate) => hello.signatureAlgorithms?.includes(candidate));
    const name = scheme === undefined ? undefined : schemeName(scheme);
    if (scheme === undefined || !name) throw new TlsAlertError('handshake_failure', 'no signature scheme in common');
    const certificate = build.certificate(this.options.chain);
    this.#record(certificate);
    this.#state = 'signing';
    const request: SignRequest = {
      scheme,
      schemeName: name,
      transcript: Buffer.concat(this.#messages),
      content: certificateVerifyContent(this.#transcriptHash()),
      serverName: this.serverName,
      signal: this.io.signal,
    };
    let signature: Buffer;
    try {
      signature = await this.options.sign(request);
    } catch (cause) {
      throw new TlsAlertError('internal_error', 'the handshake was not signed', { cause });
    }
    if (this.io.signal.aborted) return;
    const verify = build.certificateVerify(scheme, signature);
    this.#record(verify);
    start();
    this.#finishFlight(Buffer.concat([extensions, certificate, verify]), serverHandshakeSecret);
  }

  #finishFlight(before: Buffer, serverHandshakeSecret: Buffer): void {
    const { hash } = this.#suite;
    const finished = build.finished(finishedMac(hash, serverHandshakeSecret, this.#transcriptHash()));
    this.#record(finished);
    this.io.send(Buffer.concat([before, finished]));
    this.io.flush();
    this.#schedule.finish();
    const applicationHash = this.#transcriptHash();
    this.#clientSecret = this.#schedule.derive('c ap traffic', applicationHash);
    this.exporterSecret = this.#schedule.derive('exp master', applicationHash);
    this.io.protectWrites(this.#suite, this.#schedule.derive('s ap traffic', applicationHash));
    this.#messages.length = 0;
    this.#state = 'client finished';
  }

  #clientFinished(message: Buffer): undefined {
    const { hash, hashLength } = this.#suite;
    const expected = finishedMac(hash, this.#clientHandshakeSecret, this.#transcriptHash());
    if (message.length !== 4 + hashLength) throw new TlsAlertError('decode_error', 'the length of Finished');
    if (!timingSafeEqual(expected, message.subarray(4)))
      throw new TlsAlertError('decrypt_error', 'Finished does not verify');
    this.#transcript.update(message);
    this.io.protectReads(this.#suite, this.#clientSecret);
    this.#state = 'done';
    this.#giveTickets();
  }

  #chooseProtocol(hello: ClientHello): string | undefined {
    if (!hello.alpn || !this.options.alpn?.length) return undefined;
    const chosen = this.options.alpn.find((protocol) => hello.alpn?.includes(protocol));
    if (chosen === undefined) throw new TlsAlertError('no_application_protocol', 'no ALPN protocol in common');
    return chosen;
  }

  /** The first PSK that resumes just this: same name, protocol, chain and hash (RFC 8446 4.2.11). */
  #findPsk(hello: ClientHello): { index: number; schedule: KeySchedule } | undefined {
    const { tickets } = this.options;
    const offer = hello.preSharedKey;
    if (!tickets || !offer || !hello.pskModes.includes(pskDheKe)) return undefined;
    const { hash } = this.#suite;
    for (const [index, { identity, obfuscatedTicketAge }] of offer.identities.slice(0, maxPskTries).entries()) {
      const state = tickets.open(identity, obfuscatedTicketAge);
      const fits =
        state &&
        state.hash === hash &&
        state.serverName === (this.serverName ?? '') &&
        state.alpn === (this.alpnProtocol ?? '');
      if (!state || !fits || state.chain !== this.#chainDigest()) continue;
      const schedule = new KeySchedule(hash, state.psk);
      const truncated = hello.raw.subarray(0, hello.raw.length - offer.bindersLength);
      const expected = schedule.binder(this.#transcript.copy().update(truncated).digest());
      const binder = offer.binders[index] ?? noBytes;
      if (binder.length !== expected.length || !timingSafeEqual(binder, expected)) {
        throw new TlsAlertError('decrypt_error', 'the PSK binder does not verify');
      }
      return { index, schedule };
    }
    return undefined;
  }

  #giveTickets(): void {
    const { tickets } = this.options;
    if (!tickets || !this.#pskModes.includes(pskDheKe)) return;
    const { hash, hashLength } = this.#suite;
    const resumption = this.#schedule.derive('res master', this.#transcriptHash());
    for (let count = 0; count < ticketsPerHandshake; count++) {
      const nonce = Buffer.from([count]);
      const state: TicketState = {
        hash,
        psk: expandLabel(hash, resumption, 'resumption', nonce, hashLength),
        serverName: this.serverName ?? '',
        alpn: this.alpnProtocol ?? '',
        chain: this.#chainDigest(),
        issuedAt: Date.now(),
        ageAdd: randomBytes(4).readUInt32BE(),
      };
      this.io.send(build.newSessionTicket(tickets.lifetimeSeconds, state.ageAdd, nonce, tickets.seal(state)));
    }
    this.io.flush();
  }

  #chainDigest(): string {
    return digest('sha256', Buffer.concat(this.options.chain)).toString('base64');
  }

  #record(message: Buffer): void {
    this.#messages.push(message);
    this.#transcript.update(message);
  }

  #transcriptHash(): Buffer {
    return this.#transcript.copy().digest();
  }
}
