import { holdsWholeFrames } from '../protocol/frames.js';
import { cipherSuites, contentType, maxCiphertextLength, recordHeaderLength } from '../tls/codec/constants.js';
import { RecordOpener, RecordSealer, type TrafficState } from '../tls/records/record-protection.js';

// The records of a session that was unwrapped (docs/protocol.md, Unwrapped sessions): how they are told apart from frames in the
// clear, and what they may hold.

/** TLS_AES_128_GCM_SHA256 */
const suite = cipherSuites.get(0x1301)!;

/**
 * Bytes of frames that are encrypted before one may be in the clear: enough for both ClientHellos and the rest of a
 * handshake.
 */
export const sealedFirstBytes = 40_960;
/** Records under one key after which a session takes no further connection; far from what the AEAD allows (RFC 8446 5.5). */
export const wornAfterRecords = 2 ** 23;

/** Both directions of a session that is between two connections. */
export interface SessionKeys {
  send: TrafficState;
  receive: TrafficState;
}

/** Keys that no record was made with. @param send, receive traffic secrets as of RFC 8446 7.3 */
export function freshKeys(send: Buffer, receive: Buffer): SessionKeys {
  return { send: { secret: send, sequence: 0 }, receive: { secret: receive, sequence: 0 } };
}

export function sealerOf({ secret, sequence }: TrafficState): RecordSealer {
  return new RecordSealer(suite, secret, sequence);
}

export function openerOf({ secret, sequence }: TrafficState): RecordOpener {
  return new RecordOpener(suite, secret, sequence);
}

/** @returns the length of the record that begins so. @throws Error when it is none */
export function recordLength(header: Buffer): number {
  const length = header.readUInt16BE(3);
  if (header[0] !== contentType.applicationData || header[1] !== 3 || length > maxCiphertextLength)
    throw new Error('neither a record nor a frame');
  return recordHeaderLength + length;
}

/**
 * @returns the content, and whether it is frames of a connection and nothing else
 * @throws Error when the record does not authenticate, or holds what it must not
 */
export function openRecord(opener: RecordOpener, record: Buffer): { content: Buffer; isFrames: boolean } {
  const opened = tryOpen(opener, record);
  if (!opened) throw new Error('a record that does not authenticate');
  const { type, content } = opened;
  const isFrames = type === contentType.applicationData;
  if (!isFrames && type !== contentType.handshake) throw new Error(`a record of type ${type}`);
  // Nothing may be inserted between the parts of a frame, where it would look like bytes that the other side encrypted.
  if (isFrames && !holdsWholeFrames(content)) throw new Error('a record that holds a part of a frame');
  return { content, isFrames };
}

function tryOpen(opener: RecordOpener, record: Buffer) {
  try {
    return opener.open(record.subarray(0, recordHeaderLength), record.subarray(recordHeaderLength));
  } catch {
    return undefined;
  }
}
