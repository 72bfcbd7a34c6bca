import { type Hash, createHash } from 'node:crypto';
import { type HashName, handshakeType } from './constants.js';

const context = Buffer.concat([Buffer.alloc(64, 0x20), Buffer.from('TLS 1.3, server CertificateVerify\0', 'latin1')]);

/** What a server's CertificateVerify signs (RFC 8446 4.4.3). */
export function certificateVerifyContent(transcriptHash: Buffer): Buffer {
  return Buffer.concat([context, transcriptHash]);
}

/** The message that stands for the first ClientHello once it was answered by a HelloRetryRequest (RFC 8446 4.4.1). */
export function messageHash(hash: HashName, clientHello: Buffer): Buffer {
  const digest = createHash(hash).update(clientHello).digest();
  return Buffer.concat([Buffer.from([handshakeType.message_hash, 0, 0, digest.length]), digest]);
}

/**
 * The transcript hash over whole messages; where the second is a HelloRetryRequest (a ServerHello followed by another
 * ClientHello), the first goes in as its message_hash.
 */
export function transcriptHash(hash: HashName, messages: Buffer[]): Buffer {
  const retried = messages[1]?.[0] === handshakeType.server_hello && messages[2]?.[0] === handshakeType.client_hello;
  const running: Hash = createHash(hash);
  messages.forEach((message, index) => running.update(retried && index === 0 ? messageHash(hash, message) : message));
  return running.digest();
}
