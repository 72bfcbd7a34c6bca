/** The numbers of TLS 1.3 (RFC 8446 and the IANA registries) and the limits of this implementation. */

export type HashName = 'sha256' | 'sha384';

export interface CipherSuite {
  readonly id: number;
  readonly name: string;
  /** Name of the AEAD in node:crypto. */
  readonly aead: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305';
  /** Bytes. */
  readonly keyLength: number;
  readonly hash: HashName;
  /** Bytes. */
  readonly hashLength: number;
}

/** RFC 8446 B.4, by id. */
export const cipherSuites: ReadonlyMap<number, CipherSuite> = new Map(
  (
    [
      {
        id: 0x1301,
        name: 'TLS_AES_128_GCM_SHA256',
        aead: 'aes-128-gcm',
        keyLength: 16,
        hash: 'sha256',
        hashLength: 32,
      },
      {
        id: 0x1302,
        name: 'TLS_AES_256_GCM_SHA384',
        aead: 'aes-256-gcm',
        keyLength: 32,
        hash: 'sha384',
        hashLength: 48,
      },
      {
        id: 0x1303,
        name: 'TLS_CHACHA20_POLY1305_SHA256',
        aead: 'chacha20-poly1305',
        keyLength: 32,
        hash: 'sha256',
        hashLength: 32,
      },
    ] as const
  ).map((suite) => [suite.id, suite]),
);

export const chacha20Poly1305Sha256 = 0x1303;

/** RFC 8446 4.2.7, and draft-ietf-tls-ecdhe-mlkem: the key exchange groups that the server speaks. */
export const namedGroup = { secp256r1: 0x0017, secp384r1: 0x0018, x25519: 0x001d, x25519MlKem768: 0x11ec } as const;

/** RFC 8446 B.1. */
export const contentType = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** RFC 8446 B.3. */
export const handshakeType = {
  clientHello: 1,
  serverHello: 2,
  newSessionTicket: 4,
  encryptedExtensions: 8,
  certificate: 11,
  certificateVerify: 15,
  finished: 20,
  keyUpdate: 24,
  messageHash: 254,
} as const;

/** RFC 8446 4.2, RFC 7685 (padding), RFC 9849 (encrypted_client_hello). */
export const extensionType = {
  serverName: 0,
  supportedGroups: 10,
  signatureAlgorithms: 13,
  applicationLayerProtocolNegotiation: 16,
  padding: 21,
  preSharedKey: 41,
  earlyData: 42,
  supportedVersions: 43,
  cookie: 44,
  pskKeyExchangeModes: 45,
  keyShare: 51,
  encryptedClientHello: 0xfe0d,
} as const;

/** RFC 8446 6, the `AlertDescription` codes. */
export const alertCodes = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  missing_extension: 109,
  unsupported_extension: 110,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120,
} as const;

export type AlertName = keyof typeof alertCodes;

export const tls12 = 0x0303;
export const tls13 = 0x0304;
/** RFC 8446 4.2.9. */
export const pskDheKe = 1;

/** RFC 8446 4.1.3: the `random` that makes a ServerHello a HelloRetryRequest, SHA-256 of "HelloRetryRequest". */
export const helloRetryRequestRandomHex = 'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c';

/** Bytes of a record header; RFC 8446 5.1. */
export const recordHeaderLength = 5;
/** Bytes of plaintext in one record; RFC 8446 5.1. */
export const maxPlaintextLength = 16_384;
/** Bytes of a protected record's body; RFC 8446 5.2. */
export const maxCiphertextLength = maxPlaintextLength + 256;
/** Bytes of a handshake message's header: type and length. */
export const handshakeHeaderLength = 4;

/** Bytes of a ClientHello, and of the records that carry it when it is read ahead of the handshake. */
export const maxClientHelloBytes = 16_384;
/**
 * Bytes of early data that are skipped, since it is never accepted (RFC 8446 4.2.10). Common servers allow 16 KiB,
 * and a client may only send what an earlier server of this name allowed.
 */
export const maxSkippedEarlyDataBytes = 65_536;
/** A client in middlebox compatibility mode sends one (RFC 8446 D.4); two are tolerated. */
export const maxChangeCipherSpecs = 4;
/** Empty records in a row: allowed as padding against traffic analysis, but they cost work. */
export const maxEmptyRecordsInRow = 32;
/** Most warning alerts (user_canceled) on one connection; they have no effect. */
export const maxWarningAlerts = 4;
/** Most KeyUpdates without application data between them. */
export const maxKeyUpdatesInRow = 32;
/**
 * Records under one key before the next is used. AES-GCM bears 2^24.5 full ones (RFC 8446 5.5); the limit is checked
 * once per write, with room for the records of a long one.
 */
export const maxRecordsPerKey = 2 ** 24;

/** Deadline of the handshake, including the remote signature. */
export const defaultHandshakeTimeoutMs = 10_000;
/** Time for the peer to receive a fatal alert before the connection is destroyed. */
export const alertLingerMs = 1_000;

/** Lifetime of a ticket, counted from the signature of its original full handshake. */
export const maxTicketLifetimeSeconds = 3_600;
/** Allowed difference between the ticket age claimed by a client and the real age. */
export const ticketAgeToleranceMs = 60_000;
/** Most offered tickets that are tried. */
export const maxTicketsTried = 4;
/**
 * Tickets issued: two after a full handshake, since browsers open several connections at once and use each ticket
 * once.
 */
export const ticketsAfterFullHandshake = 2;
export const ticketsAfterResumption = 1;

/** Bytes buffered per direction before backpressure applies. */
export const streamHighWaterMark = 65_536;
/** Most record contents buffered: contents of one byte take far more memory than one byte. */
export const maxWaitingContents = 512;
