import { alertBody } from '../codec/alerts.js';
import { type AlertName, contentType, maxPlaintextLength } from '../codec/constants.js';
import { type RecordSealer } from './record-protection.js';
import { encodeKeyUpdate } from '../codec/server-messages.js';

/** The records that the server sends after its flight, as pieces to be written in order. */
export class OutboundRecords {
  readonly #sealer: RecordSealer;
  readonly #maxRecordsPerKey: number;

  constructor(sealer: RecordSealer, maxRecordsPerKey: number) {
    this.#sealer = sealer;
    this.#maxRecordsPerKey = maxRecordsPerKey;
  }

  /** Small chunks share records. Updates the key before the AEAD's limit (RFC 8446 5.5). */
  applicationData(chunks: readonly Buffer[]): Buffer[] {
    const pieces: Buffer[] = [];
    for (const fragment of joinSmall(chunks)) this.#sealer.seal(contentType.applicationData, fragment, pieces);
    if (this.#sealer.records >= this.#maxRecordsPerKey) this.#updateKeys(false, pieces);
    return pieces;
  }

  handshake(messages: Buffer): Buffer[] {
    const pieces: Buffer[] = [];
    this.#sealer.seal(contentType.handshake, messages, pieces);
    return pieces;
  }

  alert(name: AlertName): Buffer[] {
    const pieces: Buffer[] = [];
    this.#sealer.seal(contentType.alert, alertBody(name), pieces);
    return pieces;
  }

  /** A KeyUpdate; the next record is under the next key. */
  updateKeys(requestPeer: boolean): Buffer[] {
    const pieces: Buffer[] = [];
    this.#updateKeys(requestPeer, pieces);
    return pieces;
  }

  #updateKeys(requestPeer: boolean, pieces: Buffer[]): void {
    this.#sealer.seal(contentType.handshake, encodeKeyUpdate(requestPeer), pieces);
    this.#sealer.update();
  }
}

/**
 * Joins small chunks into one record; a chunk that fills records itself is not copied, except for the part that
 * completes the record before it.
 */
function joinSmall(chunks: readonly Buffer[]): readonly Buffer[] {
  if (chunks.length < 2) return chunks;
  const joined: Buffer[] = [];
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  for (const chunk of chunks) {
    let rest = chunk;
    if (waitingBytes + rest.length >= maxPlaintextLength && waitingBytes > 0) {
      const room = maxPlaintextLength - waitingBytes;
      joined.push(Buffer.concat([...waiting, rest.subarray(0, room)], maxPlaintextLength));
      rest = rest.subarray(room);
      waiting = [];
      waitingBytes = 0;
    }
    const whole = rest.length - (rest.length % maxPlaintextLength);
    if (whole > 0) joined.push(rest.subarray(0, whole));
    if (whole < rest.length) {
      waiting.push(rest.subarray(whole));
      waitingBytes += rest.length - whole;
    }
  }
  if (waitingBytes > 0) joined.push(Buffer.concat(waiting, waitingBytes));
  return joined;
}
