import type { Duplex } from 'node:stream';
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
  /** Gives the signature of `content` in TLS form. A rejection ends the handshake with `internal_error`. */
  sign(request: SignRequest): Promise<Buffer>;
  /** Protocols, most preferred first. Without a list the client's is ignored. */
  alpn?: string[];
  /** `false` ends the handshake with `unrecognized_name`. Names are in lower case. */
  acceptServerName?(name: string | undefined): boolean;
  /** Without them no tickets are given out. */
  tickets?: TicketKeys;
  /** Most preferred first. */
  cipherSuites?: number[];
  groups?: number[];
  handshakeTimeoutMs?: number;
  /** Records sealed before the key is renewed. */
  maxRecordsPerKey?: number;
  /**
   * Reads a transport that brings much into buffers that are used again: `take` is given each chunk instead of `data`, and
   * calls `release` when it needs it no more. @returns undefined where that cannot be had; `flush` gives out what is held back.
   */
  readBulk?(transport: Duplex, take: (chunk: Buffer, release: () => void) => void): { flush(): void } | undefined;
}
