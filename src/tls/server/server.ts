import { Duplex } from 'node:stream';
import { writeGathered } from '../../net/gathered-write.js';
import { BulkDetector } from '../../net/pooled-reads.js';
import { TlsAlertError, alertName, plaintextAlertRecord } from '../codec/alerts.js';
import {
  type CipherSuite,
  alertCodes,
  cipherSuites,
  contentType,
  defaultHandshakeTimeoutMs,
  handshakeHeaderLength,
  handshakeType,
  maxKeyUpdatesInRow,
  maxRecordsPerKey,
  maxWaitingContents,
  maxWarningAlerts,
  streamHighWaterMark,
} from '../codec/constants.js';
import { TlsError } from '../codec/errors.js';
import { abandon, endWithAlert } from './final-alert.js';
import { HandshakeJoiner } from '../codec/handshake-joiner.js';
import { ServerHandshake, type ToBeSigned } from '../handshake/handshake.js';
import { InboundRecords } from '../records/inbound-records.js';
import { defaultGroups } from '../crypto/key-exchange.js';
import { exportKeyingMaterial } from '../crypto/key-schedule.js';
import { OutboundRecords } from '../records/outbound-records.js';
import { type RecordOpener } from '../records/record-protection.js';
import { signatureSchemeName } from '../codec/schemes.js';
import { type SignRequest, type TlsServerOptions } from './server-options.js';
import { guard } from '../../util/boundary.js';

export { type SignRequest, type TlsServerOptions } from './server-options.js';

type Callback = (error?: Error | null) => void;
/** The result of one step through the input; a buffer is application data. */
type Step = Buffer | 'secure' | 'end' | 'handled';

const defaultCipherSuites: readonly number[] = [...cipherSuites.keys()];

/**
 * The server's end of a TLS 1.3 connection (RFC 8446) over any Duplex, which it takes over: it sets `allowHalfOpen`
 * on the transport. Emits `secure` when the handshake is complete; writes wait for that. `keys` is emitted earlier,
 * just before the server's flight is sent: keying material can be exported from then on, but the client has not
 * proven yet that it has the keys.
 *
 * `end()` sends close_notify and ends the transport's writing while reading goes on; the peer's close_notify gives
 * 'end' while writing goes on. Errors: `TlsAlertError` for a fault in TLS, with the alert that was sent; `TlsError`
 * for other errors, by `code`; the transport's own errors pass through.
 */
export class TlsServerStream extends Duplex {
  /** The negotiated application protocol. This and the next three are set before `secure`. */
  alpnProtocol: string | undefined;
  /** The client's server_name, in lower case. */
  serverName: string | undefined;
  /** Whether the session was resumed by a ticket. */
  resumed = false;
  cipherSuite: CipherSuite | undefined;

  readonly #transport: Duplex;
  readonly #options: TlsServerOptions;
  readonly #inbound = new InboundRecords();
  readonly #joiner = new HandshakeJoiner();
  /** Present until the handshake is complete. */
  #handshake: ServerHandshake | undefined;
  #outbound: OutboundRecords | undefined;
  #opener: RecordOpener | undefined;
  #exporterSecret: Buffer | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #signing: AbortController | undefined;

  /** Whether the reader wants more. */
  #demand = false;
  /** Contents pushed since the reader last had read everything. */
  #contents = 0;
  #stepping = false;
  #inputEnded = false;
  #transportEnded = false;
  #truncated = false;
  #closeSent = false;
  /** Whether the transport has sent everything, close_notify included. */
  #outputEnded = false;
  #keyUpdateOwed = false;
  readonly #bulkDetector = new BulkDetector();
  #bulk: { flush(): void } | undefined;
  #keyUpdatesInRow = 0;
  #warnings = 0;
  #waitingWrite: { chunks: Buffer[]; callback: Callback } | undefined;
  #waitingFinal: Callback | undefined;

  constructor(transport: Duplex, options: TlsServerOptions) {
    super({ readableHighWaterMark: streamHighWaterMark, writableHighWaterMark: streamHighWaterMark });
    this.#transport = transport;
    this.#options = options;
    this.#handshake = new ServerHandshake({
      ...options,
      acceptServerName: (name) => options.acceptServerName?.(name) ?? true,
      cipherSuites: options.cipherSuites ?? defaultCipherSuites,
      groups: options.groups ?? defaultGroups,
    });
    transport.allowHalfOpen = true;
    transport.on('data', this.#onData);
    transport.on('end', this.#onEnd);
    transport.on('error', this.#onError);
    transport.on('close', this.#onClose);
    transport.on('drain', this.#onDrain);
    const timeout = options.handshakeTimeoutMs ?? defaultHandshakeTimeoutMs;
    this.#deadline = setTimeout(() => {
      this.destroy(new TlsError('ERR_TLS_HANDSHAKE_TIMEOUT', `no TLS handshake within ${timeout} ms`));
    }, timeout);
    this.#steerTransport();
    if (transport.destroyed) process.nextTick(this.#onClose);
    else if (transport.readableEnded) process.nextTick(this.#onEnd);
  }

  /**
   * Keying material bound to this connection (RFC 8446 7.5, RFC 5705), `length` bytes. Throws `TlsError`
   * `ERR_TLS_INVALID_STATE` before `keys`.
   */
  exportKeyingMaterial(length: number, label: string, context: Buffer = Buffer.alloc(0)): Buffer {
    if (this.cipherSuite === undefined || this.#exporterSecret === undefined) throw notReady();
    return exportKeyingMaterial(this.cipherSuite.hash, this.#exporterSecret, label, context, length);
  }

  /**
   * Updates the sending key and asks the peer to update its own (KeyUpdate, RFC 8446 4.6.3). Throws `TlsError`
   * `ERR_TLS_INVALID_STATE` before `secure` and after the end of writing.
   */
  updateKeys(requestPeer = false): void {
    if (this.#handshake !== undefined || this.#outbound === undefined || this.#closeSent || this.destroyed) {
      throw notReady();
    }
    this.#writePieces(this.#outbound.updateKeys(requestPeer));
  }

  /** Also reports truncation once the last byte before it was read, and continues after backpressure. */
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    if (this.readableLength > 0) return chunk;
    if (this.#truncated) process.nextTick(() => this.#failTruncated());
    if (this.#contents >= maxWaitingContents) {
      this.#contents = 0;
      this.#demand = true;
      process.nextTick(() => this.#pump());
    }
    return chunk;
  }

  override _read(): void {
    // Too many are buffered; `read` continues.
    if (this.#contents >= maxWaitingContents && this.readableLength > 0) return;
    this.#demand = true;
    this.#pump();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#send([chunk], callback);
  }

  override _writev(writes: { chunk: Buffer }[], callback: Callback): void {
    this.#send(
      writes.map(({ chunk }) => chunk),
      callback,
    );
  }

  override _final(callback: Callback): void {
    if (this.#handshake !== undefined || this.#outbound === undefined) {
      this.#waitingFinal = callback;
      return;
    }
    this.#closeSent = true;
    this.#transport.end(Buffer.concat(this.#outbound.alert('close_notify')), (error?: Error | null) => {
      this.#outputEnded = true;
      callback(error);
    });
  }

  override _destroy(error: Error | null, callback: Callback): void {
    clearTimeout(this.#deadline);
    this.#signing?.abort();
    this.#detach();
    const { callback: writeCallback } = this.#waitingWrite ?? {};
    this.#waitingWrite = undefined;
    writeCallback?.(error ?? new TlsError('ERR_TLS_TRANSPORT_CLOSED', 'the connection was destroyed'));
    const transport = this.#transport;
    if (error instanceof TlsAlertError && !transport.destroyed && transport.writable) {
      endWithAlert(transport, this.#lastAlert(error), () => callback(error));
    } else {
      abandon(transport);
      callback(error);
    }
  }

  // Transport events

  readonly #onData = guard(
    'tls data',
    (chunk: Buffer): void => {
      if (this.#inputEnded) return;
      this.#inbound.push(chunk);
      this.#pump();
      if (!this.#bulkDetector.isBulk(chunk.length) || this.destroyed) return;
      this.#bulk = this.#options.readBulk?.(this.#transport, this.#onBulk);
    },
    () => this.#fail(undefined),
  );

  readonly #onBulk = guard(
    'tls data',
    (chunk: Buffer, release: () => void): void => {
      if (!this.#inputEnded && !this.destroyed) {
        this.#inbound.push(chunk);
        this.#pump();
        this.#inbound.keepCopies();
      }
      release();
    },
    () => this.#fail(undefined),
  );

  readonly #onEnd = (): void => {
    this.#bulk?.flush();
    this.#transportEnded = true;
    this.#pump();
  };

  readonly #onError = (error: Error): void => {
    this.destroy(error);
  };

  /** Not an error when both directions are complete; data received before a regular end may still be unread. */
  readonly #onClose = (): void => {
    if (this.#outputEnded && (this.#inputEnded || this.#transportEnded)) return;
    if (this.#transportEnded && (this.#truncated || !this.#inputEnded)) this.#failTruncated();
    else this.destroy(new TlsError('ERR_TLS_TRANSPORT_CLOSED', 'the transport was closed'));
  };

  readonly #onDrain = (): void => {
    this.#payKeyUpdate();
  };

  #detach(): void {
    const transport = this.#transport;
    transport.off('data', this.#onData);
    transport.off('end', this.#onEnd);
    transport.off('error', this.#onError);
    transport.off('close', this.#onClose);
    transport.off('drain', this.#onDrain);
  }

  // Input

  /**
   * Processes the input until it is used up or the reader wants no more. Errors thrown by listeners are not caught:
   * only `#step` is guarded.
   */
  #pump(): void {
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      while (this.#wantsInput()) {
        const step = this.#guardedStep();
        if (step === undefined) {
          if (this.#transportEnded) this.#endTruncated();
          break;
        }
        if (step === 'secure') this.emit('secure');
        else if (step === 'end') this.push(null);
        else if (step !== 'handled') this.#give(step);
      }
    } finally {
      this.#stepping = false;
    }
    this.#steerTransport();
  }

  #give(content: Buffer): void {
    if (this.readableLength === 0) this.#contents = 0;
    this.#contents++;
    this.#demand = this.push(content) && this.#contents < maxWaitingContents;
  }

  #wantsInput(): boolean {
    return !this.destroyed && !this.#inputEnded && (this.#demand || this.#handshake !== undefined);
  }

  /**
   * A paused reader pauses the transport. After close_notify data is discarded (RFC 8446 6.1) and does not pause it.
   */
  #steerTransport(): void {
    if (this.destroyed) return;
    if (this.#inputEnded || this.#wantsInput()) {
      if (this.#transport.isPaused()) this.#transport.resume();
    } else {
      this.#transport.pause();
    }
  }

  #guardedStep(): Step | undefined {
    try {
      return this.#step();
    } catch (error) {
      this.#fail(error);
      return 'handled';
    }
  }

  /** Processes one content of the input; `undefined` when more bytes are needed. */
  #step(): Step | undefined {
    const record = this.#inbound.next();
    if (record === undefined) return undefined;
    const { type, content } = record;
    switch (type) {
      case contentType.applicationData:
        if (this.#handshake !== undefined || this.#joiner.incomplete) {
          throw new TlsAlertError('unexpected_message', 'application data within the handshake');
        }
        this.#keyUpdatesInRow = 0;
        return content;
      case contentType.handshake:
        return this.#takeFragment(content);
      case contentType.alert:
        return this.#takeAlert(content);
      default:
        throw new TlsAlertError('unexpected_message', `a record of type ${type}`);
    }
  }

  #takeFragment(fragment: Buffer): Step {
    const { message, rest } = this.#joiner.take(fragment, (type) => this.#maxMessageLength(type));
    if (message === undefined) return 'handled';
    // Every client message precedes a key change, so it must end its record (RFC 8446 5.1).
    if (rest.length > 0) throw new TlsAlertError('unexpected_message', 'a handshake message does not end its record');
    if (message[0] === handshakeType.clientHello) return this.#takeClientHello(message);
    if (message[0] === handshakeType.finished) return this.#takeFinished(message);
    return this.#takeKeyUpdate(message);
  }

  #maxMessageLength(type: number): number {
    if (this.#handshake !== undefined) return this.#handshake.maxMessageLength(type);
    if (type === handshakeType.keyUpdate) return handshakeHeaderLength + 1;
    throw new TlsAlertError('unexpected_message', `handshake message ${type} after the handshake`);
  }

  #takeAlert(content: Buffer): Step {
    if (content.length !== 2) throw new TlsAlertError('decode_error', 'an alert has two bytes');
    const code = content.readUInt8(1);
    const alert = alertName(code);
    if (code === alertCodes.close_notify && this.#handshake === undefined) {
      this.#inputEnded = true;
      return 'end';
    }
    if (code === alertCodes.user_canceled) {
      if (++this.#warnings > maxWarningAlerts) throw new TlsAlertError('unexpected_message', 'too many warnings');
      return 'handled';
    }
    // The level is ignored: every other alert is fatal (RFC 8446 6).
    const message = `the peer ended the connection with alert ${alert ?? code}`;
    this.destroy(new TlsError('ERR_TLS_ALERT_RECEIVED', message, { alert }));
    return 'handled';
  }

  #takeKeyUpdate(message: Buffer): Step {
    const request = message[handshakeHeaderLength];
    if (message.length !== handshakeHeaderLength + 1) throw new TlsAlertError('decode_error', 'KeyUpdate is empty');
    if (request !== 0 && request !== 1)
      throw new TlsAlertError('illegal_parameter', 'KeyUpdate asks for nothing known');
    if (++this.#keyUpdatesInRow > maxKeyUpdatesInRow) {
      throw new TlsAlertError('unexpected_message', 'too many KeyUpdates');
    }
    this.#opener?.update();
    if (request === 1) {
      this.#keyUpdateOwed = true;
      this.#payKeyUpdate();
    }
    return 'handled';
  }

  // Handshake

  #takeClientHello(message: Buffer): Step {
    const handshake = this.#handshake as ServerHandshake;
    const outcome = handshake.takeClientHello(message);
    this.#inbound.afterHello(outcome.offersEarlyData);
    if (outcome.kind === 'retry') this.#transport.write(outcome.bytes);
    else if (outcome.kind === 'resume') this.#sendFlight(handshake, undefined);
    else this.#sign(handshake, outcome.request);
    return 'handled';
  }

  /** Input is still read meanwhile, so that a disconnect aborts the signature. */
  #sign(handshake: ServerHandshake, { scheme, transcript, content }: ToBeSigned): void {
    const controller = (this.#signing = new AbortController());
    const request: SignRequest = {
      scheme,
      schemeName: signatureSchemeName(scheme) ?? `0x${scheme.toString(16)}`,
      transcript,
      content,
      serverName: handshake.serverName,
      signal: controller.signal,
    };
    const signature = new Promise<Buffer>((resolve) => resolve(this.#options.sign(request)));
    signature
      .then((bytes) => {
        this.#signing = undefined;
        if (!this.destroyed) this.#sendFlight(handshake, bytes);
      })
      .catch((cause: unknown) => {
        this.#fail(new TlsAlertError('internal_error', 'the handshake could not be signed', { cause }));
      });
  }

  #sendFlight(handshake: ServerHandshake, signature: Buffer | undefined): void {
    const { records, opener, sealer, exporterSecret } = handshake.buildFlight(signature);
    this.#outbound = new OutboundRecords(sealer, this.#options.maxRecordsPerKey ?? maxRecordsPerKey);
    this.#exporterSecret = exporterSecret;
    this.cipherSuite = handshake.suite;
    this.#inbound.protect(opener);
    this.emit('keys');
    this.#writePieces(records);
  }

  #takeFinished(message: Buffer): Step {
    const handshake = this.#handshake as ServerHandshake;
    const outbound = this.#outbound as OutboundRecords;
    const { opener, tickets } = handshake.takeFinished(message);
    this.#inbound.protect(opener);
    this.#inbound.afterFinished();
    this.#opener = opener;
    this.#handshake = undefined;
    clearTimeout(this.#deadline);
    this.alpnProtocol = handshake.alpn;
    this.serverName = handshake.serverName;
    this.resumed = handshake.resumed;
    if (tickets.length > 0) this.#writePieces(outbound.handshake(tickets));
    this.#releaseWaiting();
    return 'secure';
  }

  // Output

  #releaseWaiting(): void {
    const write = this.#waitingWrite;
    const final = this.#waitingFinal;
    this.#waitingWrite = undefined;
    this.#waitingFinal = undefined;
    if (write !== undefined) this.#send(write.chunks, write.callback);
    if (final !== undefined) this._final(final);
  }

  #send(chunks: Buffer[], callback: Callback): void {
    if (this.#handshake !== undefined || this.#outbound === undefined) {
      this.#waitingWrite = { chunks, callback };
      return;
    }
    if (this.#keyUpdateOwed) this.#payKeyUpdate();
    this.#writePieces(this.#outbound.applicationData(chunks), callback);
  }

  /** The callback comes when the transport has accepted everything, which provides backpressure. */
  #writePieces(pieces: readonly Buffer[], callback?: Callback): void {
    writeGathered(this.#transport, pieces, callback);
  }

  /** One response serves all requests since the last one (RFC 8446 4.6.3), so that they cannot pile up. */
  #payKeyUpdate(): void {
    if (!this.#keyUpdateOwed || this.#outbound === undefined || this.#closeSent || this.#transport.writableNeedDrain) {
      return;
    }
    this.#keyUpdateOwed = false;
    this.#writePieces(this.#outbound.updateKeys(false));
  }

  // Ends

  #fail(error: unknown): void {
    const fault =
      error instanceof TlsAlertError
        ? error
        : new TlsAlertError('internal_error', 'the connection cannot go on', { cause: error });
    this.destroy(fault);
  }

  #lastAlert(error: TlsAlertError): Buffer {
    return this.#outbound === undefined
      ? plaintextAlertRecord(error.alert)
      : Buffer.concat(this.#outbound.alert(error.alert));
  }

  /** The transport ended without close_notify. Received data can still be read; then the error follows. */
  #endTruncated(): void {
    this.#inputEnded = true;
    this.#truncated = true;
    if (this.readableLength === 0) this.#failTruncated();
  }

  #failTruncated(): void {
    this.destroy(new TlsError('ERR_TLS_TRUNCATED', 'the connection ended without close_notify'));
  }
}

function notReady(): TlsError {
  return new TlsError('ERR_TLS_INVALID_STATE', 'the connection is not open for this');
}
