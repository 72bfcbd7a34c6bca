import { extensionType, handshakeType, helloRetryRandom, tls12, tls13 } from './constants.js';

// Builders of the server's handshake messages (RFC 8446 4), each with its 4-byte header.

const empty = Buffer.alloc(0);

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function vector8(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function vector16(...parts: Buffer[]): Buffer {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([uint16(bytes.length), bytes]);
}

function vector24(...parts: Buffer[]): Buffer {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([bytes.length >> 16]), uint16(bytes.length & 0xffff), bytes]);
}

function message(type: number, ...body: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([type]), vector24(...body)]);
}

function extension(type: number, data: Buffer): Buffer {
  return Buffer.concat([uint16(type), vector16(data)]);
}

export interface ServerHelloFields {
  random: Buffer;
  sessionId: Buffer;
  cipherSuite: number;
  group: number;
  keyShare: Buffer;
  /** Index of the PSK that is taken. */
  pskIndex?: number;
}

export function serverHello({ random, sessionId, cipherSuite, group, keyShare, pskIndex }: ServerHelloFields): Buffer {
  const extensions = [
    extension(extensionType.supported_versions, uint16(tls13)),
    extension(extensionType.key_share, Buffer.concat([uint16(group), vector16(keyShare)])),
    pskIndex === undefined ? empty : extension(extensionType.pre_shared_key, uint16(pskIndex)),
  ];
  return message(
    handshakeType.server_hello,
    uint16(tls12),
    random,
    vector8(sessionId),
    uint16(cipherSuite),
    Buffer.from([0]),
    vector16(...extensions),
  );
}

export function helloRetryRequest(sessionId: Buffer, cipherSuite: number, group: number): Buffer {
  const extensions = [
    extension(extensionType.supported_versions, uint16(tls13)),
    extension(extensionType.key_share, uint16(group)),
  ];
  return message(
    handshakeType.server_hello,
    uint16(tls12),
    helloRetryRandom,
    vector8(sessionId),
    uint16(cipherSuite),
    Buffer.from([0]),
    vector16(...extensions),
  );
}

/** @param acknowledgeName the server name was used to choose the certificate (RFC 6066 3) */
export function encryptedExtensions(alpn: string | undefined, acknowledgeName: boolean): Buffer {
  const protocols =
    alpn === undefined ? empty : extension(extensionType.alpn, vector16(vector8(Buffer.from(alpn, 'latin1'))));
  return message(
    handshakeType.encrypted_extensions,
    vector16(acknowledgeName ? extension(extensionType.server_name, empty) : empty, protocols),
  );
}

/** @param chain DER, leaf first */
export function certificate(chain: Buffer[]): Buffer {
  const entries = chain.map((der) => Buffer.concat([vector24(der), uint16(0)]));
  return message(handshakeType.certificate, Buffer.from([0]), vector24(...entries));
}

export function certificateVerify(scheme: number, signature: Buffer): Buffer {
  return message(handshakeType.certificate_verify, uint16(scheme), vector16(signature));
}

export function finished(mac: Buffer): Buffer {
  return message(handshakeType.finished, mac);
}

export function newSessionTicket(lifetimeSeconds: number, ageAdd: number, nonce: Buffer, ticket: Buffer): Buffer {
  return message(
    handshakeType.new_session_ticket,
    uint32(lifetimeSeconds),
    uint32(ageAdd),
    vector8(nonce),
    vector16(ticket),
    vector16(),
  );
}

export function keyUpdate(requestPeer: boolean): Buffer {
  return message(handshakeType.key_update, Buffer.from([requestPeer ? 1 : 0]));
}
