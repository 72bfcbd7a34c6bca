import { type Hash, createHash } from 'node:crypto';
import { type HashName, handshakeHeaderLength, handshakeType } from './constants.js';
import { isHelloRetryRequest } from './messages.js';

const certificateVerifyPrefix = Buffer.concat([
  Buffer.alloc(64, 0x20),
  Buffer.from('TLS 1.3, server CertificateVerify\0', 'latin1'),
]);

/** What a server's CertificateVerify signs for the transcript hash up to its Certificate (RFC 8446 4.4.3). */
export function certificateVerifyContent(transcriptHash: Buffer): Buffer {
  return Buffer.concat([certificateVerifyPrefix, transcriptHash]);
}

/** The transcript hash (RFC 8446 4.4.1), computed incrementally. */
export class Transcript {
  #hash: Hash;
  readonly #name: HashName;

  constructor(name: HashName) {
    this.#name = name;
    this.#hash = createHash(name);
  }

  /** Adds one or more messages with their headers. */
  update(message: Buffer): void {
    this.#hash.update(message);
  }

  /** After a HelloRetryRequest the first ClientHello is replaced by a `message_hash` message with its hash. */
  updateRetried(firstClientHello: Buffer): void {
    this.#hash.update(messageHash(this.#name, firstClientHello));
  }

  /** The hash so far, with `partial` appended if given, as needed for a PSK binder (RFC 8446 4.2.11.2). */
  digest(partial?: Buffer): Buffer {
    const copy = this.#hash.copy();
    if (partial !== undefined) copy.update(partial);
    return copy.digest();
  }
}

/**
 * The transcript hash of complete handshake messages in order. If the second is a HelloRetryRequest, the first is
 * replaced by its `message_hash` (RFC 8446 4.4.1).
 */
export function transcriptHash(name: HashName, messages: readonly Buffer[]): Buffer {
  const transcript = new Transcript(name);
  const second = messages[1];
  const retried = second !== undefined && isHelloRetryRequest(second);
  messages.forEach((message, index) => {
    if (index === 0 && retried) transcript.updateRetried(message);
    else transcript.update(message);
  });
  return transcript.digest();
}

function messageHash(name: HashName, firstClientHello: Buffer): Buffer {
  const digest = createHash(name).update(firstClientHello).digest();
  const header = Buffer.alloc(handshakeHeaderLength);
  header.writeUInt8(handshakeType.messageHash, 0);
  header.writeUIntBE(digest.length, 1, 3);
  return Buffer.concat([header, digest]);
}
