import { timingSafeEqual } from 'node:crypto';
import { TlsAlertError } from '../codec/alerts.js';
import {
  type CipherSuite,
  contentType,
  extensionType,
  handshakeHeaderLength,
  handshakeType,
  maxClientHelloBytes,
  recordHeaderLength,
} from '../codec/constants.js';
import { agreeOnKey, isQuantumSafe } from '../crypto/key-exchange.js';
import {
  type ApplicationSecrets,
  type HandshakeSecrets,
  applicationSecrets,
  finishedMac,
  handshakeSecrets,
  resumptionSecret,
} from '../crypto/key-schedule.js';
import { type ClientHello, type ServerHello, parseClientHello, parseServerHello } from '../codec/messages.js';
import { checkRetriedClientHello } from './retry-check.js';
import {
  type Negotiated,
  type Preferences,
  acceptsTickets,
  cheaperGroup,
  chooseScheme,
  negotiate,
} from './negotiation.js';
import { RecordOpener, RecordSealer } from '../records/record-protection.js';
import { type ResumedSession, newTickets, resumeSession, ticketContext } from './resumption.js';
import {
  encodeCertificate,
  encodeCertificateVerify,
  encodeEncryptedExtensions,
  encodeFinished,
  encodeHelloRetryRequest,
  encodeServerHello,
} from '../codec/server-messages.js';
import { type TicketKeys } from './tickets.js';
import { Transcript, certificateVerifyContent } from '../codec/transcript.js';

export interface HandshakeOptions extends Preferences {
  readonly chain: readonly Buffer[];
  readonly schemes: readonly number[];
  readonly tickets?: TicketKeys | undefined;
  select?(hello: ClientHello): Partial<HandshakeOptions> | undefined;
}

/** The signature that is needed before the server's flight can be sent. */
export interface ToBeSigned {
  readonly scheme: number;
  /**
   * The messages from ClientHello to Certificate with headers; after a retry including both ClientHellos and the
   * HelloRetryRequest.
   */
  readonly transcript: Buffer;
  /** RFC 8446 4.4.3. */
  readonly content: Buffer;
}

/** `offersEarlyData`: the client sends early data, which is skipped. */
export type HelloOutcome = { readonly offersEarlyData: boolean } &
  /** Send these bytes and wait for the second ClientHello. */
  (
    | { readonly kind: 'retry'; readonly bytes: Buffer }
    /** Get this signed, then build the flight with the signature. */
    | { readonly kind: 'sign'; readonly request: ToBeSigned }
    /** A resumed session: build the flight without a signature. */
    | { readonly kind: 'resume' }
  );

export interface ServerFlight {
  /** ServerHello to Finished, in record pieces. */
  readonly records: Buffer[];
  /** Keys for the client's Finished. */
  readonly opener: RecordOpener;
  /** Keys for everything after the flight. */
  readonly sealer: RecordSealer;
  readonly exporterSecret: Buffer;
}

export interface FinishedOutcome {
  /** Keys for application data. */
  readonly opener: RecordOpener;
  /** NewSessionTicket messages to be sent; may be empty. */
  readonly tickets: Buffer;
}

/** The state from the response to a ClientHello until the client's Finished. */
interface Progress {
  readonly hello: ClientHello;
  readonly negotiated: Negotiated;
  readonly context: Buffer | undefined;
  readonly resumed: ResumedSession | undefined;
  readonly secrets: HandshakeSecrets;
  readonly serverHello: Buffer;
  /** EncryptedExtensions and, unless resumed, Certificate. */
  readonly messages: Buffer[];
  readonly scheme: number | undefined;
  application?: ApplicationSecrets;
}

/** RFC 8446 D.4: middlebox compatibility mode. */
const changeCipherSpecRecord = Buffer.from([contentType.changeCipherSpec, 3, 3, 0, 1, 1]);

/**
 * The server's side of one handshake (RFC 8446 2) as a sequence of calls: `takeClientHello`, once more after a retry,
 * `buildFlight`, `takeFinished`. No I/O and no timers. Every method throws `TlsAlertError` for errors of the peer.
 */
export class ServerHandshake {
  #options: HandshakeOptions;
  #awaits: number | undefined = handshakeType.clientHello;
  #transcript: Transcript | undefined;
  #retried: { hello: ClientHello; retry: ServerHello } | undefined;
  #progress: Progress | undefined;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /**
   * Size limit of a message of this type in the current state, header included; throws `unexpected_message` for one
   * out of order.
   */
  maxMessageLength(type: number): number {
    if (type !== this.#awaits) throw new TlsAlertError('unexpected_message', `handshake message ${type} out of turn`);
    return type === handshakeType.clientHello ? maxClientHelloBytes : handshakeHeaderLength + this.suite.hashLength;
  }

  get suite(): CipherSuite {
    return this.#current().negotiated.suite;
  }

  get serverName(): string | undefined {
    return this.#current().hello.serverName;
  }

  get alpn(): string | undefined {
    return this.#current().negotiated.alpn;
  }

  get resumed(): boolean {
    return this.#current().resumed !== undefined;
  }

  takeClientHello(message: Buffer): HelloOutcome {
    const hello = parseClientHello(message);
    if (this.#retried !== undefined) checkRetriedClientHello(this.#retried.hello, hello, this.#retried.retry);
    this.#options = { ...this.#options, ...this.#options.select?.(hello) };
    const negotiated = negotiate(hello, this.#options);
    const offersEarlyData = hello.extensions.has(extensionType.earlyData);
    if (negotiated.share === undefined) {
      return { kind: 'retry', offersEarlyData, bytes: this.#askForShare(hello, negotiated) };
    }
    this.#awaits = undefined;
    const progress = (this.#progress = this.#answerHello(hello, negotiated, negotiated.share));
    const { scheme, serverHello, messages } = progress;
    if (scheme === undefined) return { kind: 'resume', offersEarlyData };
    const before = this.#retried === undefined ? [] : [this.#retried.hello.raw, this.#retried.retry.raw];
    return {
      kind: 'sign',
      offersEarlyData,
      request: {
        scheme,
        transcript: Buffer.concat([...before, hello.raw, serverHello, ...messages]),
        content: certificateVerifyContent(this.#transcriptOf(negotiated.suite).digest()),
      },
    };
  }

  /**
   * The server's flight in one piece. Its first messages could be sent before the signature arrives. That would only
   * save the client the time to verify the chain, but cost a second packet and wake-up at every hop; and a failed
   * signature can still be reported with an alert that the client can read.
   */
  buildFlight(signature: Buffer | undefined): ServerFlight {
    const progress = this.#current();
    const { suite } = progress.negotiated;
    const transcript = this.#transcriptOf(suite);
    if (progress.scheme !== undefined) {
      if (signature === undefined) throw new TypeError('a full handshake needs a signature');
      const verify = encodeCertificateVerify(progress.scheme, signature);
      transcript.update(verify);
      progress.messages.push(verify);
    }
    const finished = encodeFinished(finishedMac(suite.hash, progress.secrets.server, transcript.digest()));
    transcript.update(finished);
    const records = [plaintextRecord(progress.serverHello)];
    // One per handshake: with a retry it was sent after the HelloRetryRequest.
    if (this.#retried === undefined && progress.hello.sessionId.length > 0) records.push(changeCipherSpecRecord);
    new RecordSealer(suite, progress.secrets.server).seal(
      contentType.handshake,
      Buffer.concat([...progress.messages, finished]),
      records,
    );
    const application = applicationSecrets(suite.hash, progress.secrets.master, transcript.digest());
    progress.application = application;
    this.#awaits = handshakeType.finished;
    return {
      records,
      opener: new RecordOpener(suite, progress.secrets.client),
      sealer: new RecordSealer(suite, application.server),
      exporterSecret: application.exporter,
    };
  }

  takeFinished(message: Buffer): FinishedOutcome {
    const { hello, negotiated, context, resumed, secrets, application } = this.#current();
    const { suite } = negotiated;
    const transcript = this.#transcriptOf(suite);
    const verifyData = message.subarray(handshakeHeaderLength);
    const expected = finishedMac(suite.hash, secrets.client, transcript.digest());
    if (verifyData.length !== expected.length) throw new TlsAlertError('decode_error', 'Finished has a wrong length');
    if (!timingSafeEqual(verifyData, expected)) throw new TlsAlertError('decrypt_error', 'Finished is wrong');
    transcript.update(message);
    this.#awaits = undefined;
    const { tickets: keys } = this.#options;
    const tickets =
      keys === undefined || context === undefined || !acceptsTickets(hello)
        ? Buffer.alloc(0)
        : newTickets(keys, context, suite.hash, resumptionSecret(suite.hash, secrets.master, transcript.digest()), {
            resumed,
            isQuantumSafe: resumed?.isQuantumSafe === true || isQuantumSafe(negotiated.group),
          });
    return { opener: new RecordOpener(suite, (application as ApplicationSecrets).client), tickets };
  }

  #askForShare(hello: ClientHello, { suite, group }: Negotiated): Buffer {
    const retry = encodeHelloRetryRequest(hello.sessionId, suite.id, group);
    const transcript = this.#transcriptOf(suite);
    transcript.updateRetried(hello.raw);
    transcript.update(retry);
    this.#retried = { hello, retry: parseServerHello(retry) };
    const record = plaintextRecord(retry);
    return hello.sessionId.length > 0 ? Buffer.concat([record, changeCipherSpecRecord]) : record;
  }

  #answerHello(hello: ClientHello, negotiated: Negotiated, share: Buffer): Progress {
    const { suite, alpn } = negotiated;
    const { chain, schemes, tickets, groups } = this.#options;
    const transcript = this.#transcriptOf(suite);
    const context =
      tickets !== undefined && acceptsTickets(hello) ? ticketContext(hello.serverName, alpn, chain) : undefined;
    const resumed =
      tickets !== undefined && context !== undefined
        ? resumeSession(hello, tickets, context, suite.hash, transcript)
        : undefined;
    const scheme = resumed === undefined ? chooseScheme(hello, schemes) : undefined;
    const used = (resumed?.isQuantumSafe === true && cheaperGroup(hello, groups)) || { group: negotiated.group, share };
    const { publicShare, sharedSecret } = agreeOnKey(used.group, used.share);
    const serverHello = encodeServerHello(hello.sessionId, suite.id, used.group, publicShare, resumed?.index);
    transcript.update(hello.raw);
    transcript.update(serverHello);
    const secrets = handshakeSecrets(suite.hash, resumed?.psk, sharedSecret, transcript.digest());
    // RFC 6066 3: a resumed session does not acknowledge the name again.
    const acknowledgeName = hello.serverName !== undefined && resumed === undefined;
    const messages = [encodeEncryptedExtensions(alpn, acknowledgeName)];
    if (resumed === undefined) messages.push(encodeCertificate(chain));
    for (const message of messages) transcript.update(message);
    return { hello, negotiated, context, resumed, secrets, serverHello, messages, scheme };
  }

  #transcriptOf(suite: CipherSuite): Transcript {
    return (this.#transcript ??= new Transcript(suite.hash));
  }

  #current(): Progress {
    if (this.#progress === undefined) throw new TypeError('no ClientHello was answered yet');
    return this.#progress;
  }
}

function plaintextRecord(message: Buffer): Buffer {
  const header = Buffer.alloc(recordHeaderLength);
  header.writeUInt8(contentType.handshake, 0);
  header.writeUInt16BE(0x0303, 1);
  header.writeUInt16BE(message.length, 3);
  return Buffer.concat([header, message]);
}
