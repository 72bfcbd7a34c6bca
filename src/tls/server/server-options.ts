import type { Duplex } from 'node:stream';
import { type ClientHello } from '../codec/messages.js';
import { type TicketKeys } from '../handshake/tickets.js';

export interface SignRequest {
  /** The number and IANA name of the signature scheme. */
  readonly scheme: number;
  readonly schemeName: string;
  /**
   * The handshake messages ClientHello, [HelloRetryRequest, ClientHello,] ServerHello, EncryptedExtensions, Certificate,
   * each with its header, and nothing else.
   */
  readonly transcript: Buffer;
  /** The content of CertificateVerify that is signed (RFC 8446 4.4.3). */
  readonly content: Buffer;
  readonly serverName: string | undefined;
  /** Aborted when the connection ends before the signature is there. */
  readonly signal: AbortSignal;
}

export interface TlsServerOptions {
  /** DER, leaf first. */
  chain: Buffer[];
  /** Numbers of signature schemes that fit the leaf's key, most preferred first. */
  schemes: number[];
  /** Returns the signature of `content` in TLS form. A rejection ends the handshake with `internal_error`. */
  sign(request: SignRequest): Promise<Buffer>;
  /** Replaces some of these options for this handshake; called with each ClientHello. */
  select?(hello: ClientHello): Partial<Pick<TlsServerOptions, 'chain' | 'schemes' | 'alpn' | 'tickets'>> | undefined;
  /** ALPN protocols, most preferred first. Without a list ALPN is ignored. */
  alpn?: string[];
  /** `false` ends the handshake with `unrecognized_name`. Names are in lower case. */
  acceptServerName?(name: string | undefined): boolean;
  /** Without them no tickets are issued. */
  tickets?: TicketKeys | undefined;
  /** Most preferred first. */
  cipherSuites?: number[];
  groups?: number[];
  handshakeTimeoutMs?: number;
  /** Records sealed before a KeyUpdate. */
  maxRecordsPerKey?: number;
  /**
   * Switches a busy transport to pooled reads: `take` gets each chunk instead of `data` and calls `release` when it
   * is done with it. @returns undefined when that is not supported; `flush` delivers buffered chunks.
   */
  readBulk?(transport: Duplex, take: (chunk: Buffer, release: () => void) => void): { flush(): void } | undefined;
}
