/** Numbers of TLS 1.3 (RFC 8446 and the IANA TLS registries), and this implementation's limits. */

export const tls12 = 0x0303;
export const tls13 = 0x0304;

export const contentType = { change_cipher_spec: 20, alert: 21, handshake: 22, application_data: 23 } as const;

export const handshakeType = {
  client_hello: 1,
  server_hello: 2,
  new_session_ticket: 4,
  encrypted_extensions: 8,
  certificate: 11,
  certificate_verify: 15,
  finished: 20,
  key_update: 24,
  message_hash: 254,
} as const;

export const extensionType = {
  server_name: 0,
  supported_groups: 10,
  signature_algorithms: 13,
  alpn: 16,
  pre_shared_key: 41,
  early_data: 42,
  supported_versions: 43,
  cookie: 44,
  psk_key_exchange_modes: 45,
  key_share: 51,
} as const;

export type HashName = 'sha256' | 'sha384';

export interface CipherSuite {
  id: number;
  name: string;
  aead: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305';
  /** Bytes. */
  keyLength: number;
  hash: HashName;
  /** Bytes. */
  hashLength: number;
  /** Records after which the key is changed, well below the AEAD's limit (RFC 8446 5.5). */
  recordLimit: number;
}

const suites: CipherSuite[] = [
  {
    id: 0x1301,
    name: 'TLS_AES_128_GCM_SHA256',
    aead: 'aes-128-gcm',
    keyLength: 16,
    hash: 'sha256',
    hashLength: 32,
    recordLimit: 2 ** 24,
  },
  {
    id: 0x1302,
    name: 'TLS_AES_256_GCM_SHA384',
    aead: 'aes-256-gcm',
    keyLength: 32,
    hash: 'sha384',
    hashLength: 48,
    recordLimit: 2 ** 24,
  },
  {
    id: 0x1303,
    name: 'TLS_CHACHA20_POLY1305_SHA256',
    aead: 'chacha20-poly1305',
    keyLength: 32,
    hash: 'sha256',
    hashLength: 32,
    recordLimit: 2 ** 32,
  },
];
export const cipherSuites: ReadonlyMap<number, CipherSuite> = new Map(suites.map((suite) => [suite.id, suite]));

export const namedGroup = { secp256r1: 0x0017, x25519: 0x001d } as const;

/** ServerHello.random of a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 8446 4.1.3). */
export const helloRetryRandom = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');
