import { Duplex } from 'node:stream';
import { type AlertName, TlsAlertError, alerts, plaintextAlertRecord } from './alerts.js';
import { contentType, handshakeType } from './constants.js';
import { TlsStreamError } from './errors.js';
import * as build from './handshake-messages.js';
import { type HandshakeOptions, ServerHandshake } from './handshake.js';
import { exportKeyingMaterial } from './key-schedule.js';
import { RecordCipher } from './record-cipher.js';
import { RecordReader, type TlsRecord } from './record-reader.js';

export interface TlsServerOptions extends HandshakeOptions {
  /** Milliseconds until the client must have finished its handshake. */
  handshakeTimeoutMs?: number;
}

const defaultHandshakeTimeoutMs = 10_000;
const maxPlaintext = 16_384;
/** Bytes of one handshake message from a client: the ClientHello is the longest. */
const maxHandshakeMessage = 16_384;
/** Bytes of early data that are skipped. */
const maxEarlyData = 262_144;
/** Records without content, and key updates, that a peer may send in a row. */
const maxIdleRecords = 32;
/** Bytes kept back while the signature is awaited. */
const maxHeldBack = 65_536;
const highWaterMark = 131_072;
/** How long the other end has to read an alert, or the last bytes. */
const closeTimeoutMs = 2_000;

/**
 * A TLS 1.3 server (RFC 8446) over any duplex stream, whose CertificateVerify is signed by an async function. It is the
 * plaintext side: what is read was authentic, and `end` comes only after the peer's close_notify. Each direction ends on
 * its own.
 *
 * Emits `secure` once the handshake is done. Fails with TlsAlertError (a fault, told to the peer), TlsStreamError, or
 * the error of the transport.
 */
export class TlsServerStream extends Duplex {
  readonly #transport: Duplex;
  readonly #handshake: ServerHandshake;
  readonly #abort = new AbortController();
  readonly #records = new RecordReader();
  readonly #deadline: NodeJS.Timeout;
  #messages: Buffer = Buffer.alloc(0);
  #reads: RecordCipher | undefined;
  #writes: RecordCipher | undefined;
  #readLimit = Infinity;
  #writeLimit = Infinity;
  #outgoing: Buffer[] = [];
  /** The signature is awaited: no record is looked at. */
  #waiting = false;
  #readable = true;
  #gotCloseNotify = false;
  #sentAlert = false;
  #earlyDataLeft = 0;
  #changeCipherSpecs = 0;
  #idleRecords = 0;
  /** Writes and the end that came before the handshake was done. */
  #afterHandshake: (() => void)[] = [];

  constructor(transport: Duplex, options: TlsServerOptions) {
    super({ allowHalfOpen: true, readableHighWaterMark: highWaterMark, writableHighWaterMark: highWaterMark });
    this.#transport = transport;
    this.#handshake = new ServerHandshake(options, {
      send: (messages) => this.#sendHandshake(messages),
      sendChangeCipherSpec: () => this.#outgoing.push(Buffer.from([contentType.change_cipher_spec, 3, 3, 0, 1, 1])),
      flush: () => this.#flush(),
      protectWrites: (suite, secret) => {
        this.#writes = new RecordCipher(suite, secret);
        this.#writeLimit = suite.recordLimit;
      },
      protectReads: (suite, secret) => {
        this.#reads = new RecordCipher(suite, secret);
        this.#readLimit = suite.recordLimit;
      },
      skipEarlyData: () => (this.#earlyDataLeft = maxEarlyData),
      signal: this.#abort.signal,
    });
    const timeout = options.handshakeTimeoutMs ?? defaultHandshakeTimeoutMs;
    this.#deadline = setTimeout(() => {
      this.destroy(new TlsStreamError('ERR_TLS_HANDSHAKE_TIMEOUT', `no handshake within ${timeout} ms`));
    }, timeout);
    transport.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose);
    transport.resume();
  }

  /** The ALPN protocol agreed on, if any. */
  get alpnProtocol(): string | undefined {
    return this.#handshake.alpnProtocol;
  }

  /** The name the client asked for. */
  get serverName(): string | undefined {
    return this.#handshake.serverName;
  }

  /** Whether a ticket spared the signature. */
  get resumed(): boolean {
    return this.#handshake.resumed;
  }

  /** IANA name, once it is chosen. */
  get cipherSuite(): string | undefined {
    return this.#handshake.suite?.name;
  }

  /** RFC 8446 7.5. @throws Error before `secure` */
  exportKeyingMaterial(length: number, label: string, context: Buffer = Buffer.alloc(0)): Buffer {
    const { exporterSecret, suite, isDone } = this.#handshake;
    if (!exporterSecret || !isDone) throw new Error('there is no keying material before the handshake is done');
    return exportKeyingMaterial(suite.hash, exporterSecret, length, label, context);
  }

  /** Changes our keys, and has the peer change its own where asked to (RFC 8446 4.6.3). @throws Error before `secure` */
  updateKeys(requestPeer = false): void {
    if (!this.#handshake.isDone || !this.#writes) throw new Error('keys are updated after the handshake only');
    this.#sendHandshake(build.keyUpdate(requestPeer));
    this.#writes.update();
    this.#flush();
  }

  // What comes in

  readonly #onData = (chunk: Buffer): void => {
    if (this.#gotCloseNotify) return;
    this.#records.push(chunk);
    if (this.#waiting) {
      if (this.#records.buffered > maxHeldBack) this.#transport.pause();
    } else this.#readRecords();
  };

  readonly #onEnd = (): void => {
    if (this.#gotCloseNotify) return;
    this.destroy(new TlsStreamError('ERR_TLS_TRUNCATED', 'the connection ended without close_notify'));
  };

  readonly #onError = (error: Error): void => {
    this.destroy(error);
  };

  readonly #onClose = (): void => {
    if (this.#gotCloseNotify && this.writableFinished) this.destroy();
    else this.destroy(new TlsStreamError('ERR_TLS_TRUNCATED', 'the connection closed'));
  };

  #readRecords(): void {
    try {
      while (!this.#waiting && this.#readable && !this.destroyed && !this.#gotCloseNotify) {
        const record = this.#records.next(this.#reads !== undefined);
        if (!record) return;
        this.#receive(record);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #receive(record: TlsRecord): void {
    if (record.type === contentType.change_cipher_spec) return this.#receiveChangeCipherSpec(record.body);
    if (!this.#reads) {
      if (record.type === contentType.application_data && this.#earlyDataLeft > 0) return this.#skipEarlyData(record);
      return this.#receiveContent(record.type, record.body);
    }
    // A client that failed before it had keys says so in plain text.
    const plainAlert = record.type === contentType.alert && !this.#handshake.isDone && record.body.length === 2;
    if (plainAlert) return this.#receiveAlert(record.body);
    if (record.type !== contentType.application_data)
      throw new TlsAlertError('unexpected_message', 'an unprotected record');
    const inner = this.#reads.open(record.header, record.body);
    if (!inner) {
      if (this.#earlyDataLeft > 0 && !this.#handshake.isDone) return this.#skipEarlyData(record);
      throw new TlsAlertError('bad_record_mac', 'a record is not authentic');
    }
    this.#earlyDataLeft = 0;
    if (this.#reads.sequence === this.#readLimit && this.#handshake.isDone) this.updateKeys(true);
    let end = inner.length - 1;
    while (end >= 0 && inner[end] === 0) end--;
    if (end < 0) throw new TlsAlertError('unexpected_message', 'a record of padding alone');
    if (end > maxPlaintext) throw new TlsAlertError('record_overflow', 'the plaintext is too long');
    this.#receiveContent(inner[end] as number, inner.subarray(0, end));
  }

  #receiveContent(type: number, content: Buffer): void {
    if (type === contentType.handshake) return this.#receiveHandshake(content);
    if (this.#messages.length > 0) throw new TlsAlertError('unexpected_message', 'a handshake message is interrupted');
    if (type === contentType.alert) return this.#receiveAlert(content);
    if (type !== contentType.application_data || !this.#handshake.isDone)
      throw new TlsAlertError('unexpected_message', `content type ${type}`);
    if (content.length === 0) return this.#countIdle('empty records');
    this.#idleRecords = 0;
    if (!this.push(content)) {
      this.#readable = false;
      this.#transport.pause();
    }
  }

  #receiveHandshake(content: Buffer): void {
    if (content.length === 0) throw new TlsAlertError('unexpected_message', 'an empty handshake record');
    this.#messages = this.#messages.length === 0 ? content : Buffer.concat([this.#messages, content]);
    while (this.#messages.length >= 4) {
      const length = 4 + this.#messages.readUIntBE(1, 3);
      if (length > maxHandshakeMessage)
        throw new TlsAlertError('decode_error', `a handshake message of ${length} bytes`);
      if (this.#messages.length < length) return;
      const message = this.#messages.subarray(0, length);
      this.#messages = this.#messages.subarray(length);
      const changesKeys = !this.#handshake.awaitsHello || message[0] === handshakeType.client_hello;
      if (changesKeys && this.#messages.length > 0)
        throw new TlsAlertError('unexpected_message', 'a message across a change of keys');
      if (this.#handshake.isDone) this.#receiveKeyUpdate(message);
      else this.#advance(message);
    }
  }

  #advance(message: Buffer): void {
    const pending = this.#handshake.receive(message);
    if (pending) {
      this.#waiting = true;
      pending.then(
        () => {
          this.#waiting = false;
          if (this.destroyed) return;
          this.#readRecords();
          this.#transport.resume();
        },
        (error: unknown) => this.#fail(error),
      );
    } else if (this.#handshake.isDone) {
      clearTimeout(this.#deadline);
      this.emit('secure');
      for (const go of this.#afterHandshake.splice(0)) go();
    }
  }

  #receiveKeyUpdate(message: Buffer): void {
    if (message[0] !== handshakeType.key_update)
      throw new TlsAlertError('unexpected_message', `handshake message ${message[0]}`);
    if (message.length !== 5) throw new TlsAlertError('decode_error', 'the length of KeyUpdate');
    const request = message[4] as number;
    if (request > 1) throw new TlsAlertError('illegal_parameter', 'KeyUpdate.request_update');
    this.#countIdle('key updates');
    this.#reads?.update();
    if (request === 1 && !this.writableEnded) this.updateKeys();
  }

  /** RFC 8446 5 and D.4: exactly the one byte, between the ClientHello and the client's Finished. */
  #receiveChangeCipherSpec(body: Buffer): void {
    const allowed =
      !this.#handshake.isDone &&
      (this.#reads !== undefined || this.#outgoingBegan) &&
      body.length === 1 &&
      body[0] === 1;
    if (!allowed || ++this.#changeCipherSpecs > 2) throw new TlsAlertError('unexpected_message', 'change_cipher_spec');
  }

  #outgoingBegan = false;

  #receiveAlert(body: Buffer): void {
    if (body.length !== 2) throw new TlsAlertError('decode_error', 'the length of an alert');
    const code = body[1] as number;
    if (code === alerts.user_canceled) return this.#countIdle('warnings');
    if (code === alerts.close_notify) {
      this.#gotCloseNotify = true;
      this.#transport.resume();
      if (this.#handshake.isDone) this.push(null);
      else this.destroy(new TlsStreamError('ERR_TLS_PEER_ALERT', 'the client left before the handshake was done'));
      return;
    }
    const name = Object.entries(alerts).find(([, number]) => number === code)?.[0] ?? String(code);
    this.#sentAlert = true;
    this.destroy(new TlsStreamError('ERR_TLS_PEER_ALERT', `the client sent the alert ${name}`));
  }

  #skipEarlyData({ body }: TlsRecord): void {
    this.#earlyDataLeft -= body.length;
    if (this.#earlyDataLeft < 0) throw new TlsAlertError('unexpected_message', 'too much early data');
  }

  #countIdle(what: string): void {
    if (++this.#idleRecords > maxIdleRecords) throw new TlsAlertError('unexpected_message', `too many ${what}`);
  }

  // What goes out

  #sendHandshake(messages: Buffer): void {
    for (let at = 0; at < messages.length; at += maxPlaintext) {
      const part = messages.subarray(at, at + maxPlaintext);
      if (this.#writes) this.#writes.seal(contentType.handshake, part, this.#outgoing);
      else
        this.#outgoing.push(
          Buffer.concat([Buffer.from([contentType.handshake, 3, 3]), build.uint16(part.length), part]),
        );
    }
  }

  #flush(done?: (error?: Error | null) => void): void {
    this.#outgoingBegan = true;
    const parts = this.#outgoing;
    this.#outgoing = [];
    if (this.#transport.destroyed) return done?.();
    this.#transport.cork();
    for (const part of parts.slice(0, -1)) this.#transport.write(part);
    // The next turn, so that small writes of this one gather in one record.
    this.#transport.write(parts.at(-1) ?? Buffer.alloc(0), (error) => process.nextTick(() => done?.(error)));
    this.#transport.uncork();
  }

  #sendData(chunks: Buffer[], done: (error?: Error | null) => void): void {
    const writes = this.#writes as RecordCipher;
    for (const data of joinSmall(chunks)) {
      for (let at = 0; at < data.length; at += maxPlaintext) {
        writes.seal(
          contentType.application_data,
          data.length <= maxPlaintext ? data : data.subarray(at, at + maxPlaintext),
          this.#outgoing,
        );
      }
    }
    if (writes.sequence >= this.#writeLimit) {
      this.#sendHandshake(build.keyUpdate(false));
      writes.update();
    }
    this.#flush(done);
  }

  #whenDone(go: () => void): void {
    if (this.#handshake.isDone) go();
    else this.#afterHandshake.push(go);
  }

  /** Ends the connection by an alert, or by `internal_error` where the fault is ours. */
  #fail(error: unknown): void {
    if (this.destroyed) return;
    const alert: AlertName = error instanceof TlsAlertError ? error.alert : 'internal_error';
    this.#outgoing = [];
    if (this.#writes) this.#writes.seal(contentType.alert, Buffer.from([2, alerts[alert]]), this.#outgoing);
    else this.#outgoing.push(plaintextAlertRecord(alert));
    this.#sentAlert = true;
    this.#transport.write(Buffer.concat(this.#outgoing.splice(0)));
    this.destroy(error as Error);
  }

  // Duplex

  override _read(): void {
    if (this.#readable) return;
    this.#readable = true;
    if (!this.#waiting) this.#readRecords();
    if (this.#readable) this.#transport.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#whenDone(() => this.#sendData([chunk], done));
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#whenDone(() =>
      this.#sendData(
        chunks.map(({ chunk }) => chunk),
        done,
      ),
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#whenDone(() => {
      this.#writes?.seal(contentType.alert, Buffer.from([1, alerts.close_notify]), this.#outgoing);
      this.#flush();
      this.#transport.end(done);
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#deadline);
    this.#abort.abort();
    this.#afterHandshake = [];
    const transport = this.#transport;
    transport.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose);
    transport.on('error', () => {});
    // Only what was said completely, or an alert, is worth waiting for.
    if (transport.writableEnded || this.#sentAlert) closeGently(transport);
    else transport.destroy();
    done(error);
  }
}

/** Lets what was written reach the other end before the connection goes, for a bounded time. */
function closeGently(transport: Duplex): void {
  if (transport.destroyed) return;
  const timer = setTimeout(() => transport.destroy(), closeTimeoutMs);
  transport.once('close', () => clearTimeout(timer));
  transport.once('end', () => transport.destroy());
  transport.end();
  transport.resume();
  if (transport.readableEnded) transport.once('finish', () => transport.destroy());
  if (transport.readableEnded && transport.writableFinished) transport.destroy();
}

/** Joins neighbours that fit one record together. */
function joinSmall(chunks: Buffer[]): Buffer[] {
  if (chunks.length === 1) return chunks;
  const joined: Buffer[] = [];
  let gathered: Buffer[] = [];
  let size = 0;
  const close = () => {
    if (size > 0) joined.push(gathered.length === 1 ? (gathered[0] as Buffer) : Buffer.concat(gathered, size));
    gathered = [];
    size = 0;
  };
  for (const chunk of chunks) {
    if (size + chunk.length > maxPlaintext) close();
    gathered.push(chunk);
    size += chunk.length;
  }
  close();
  return joined;
}
