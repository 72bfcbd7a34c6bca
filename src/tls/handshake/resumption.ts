/** Pre-shared keys from tickets: which one a ClientHello may use, and new tickets after a handshake. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { TlsAlertError } from '../codec/alerts.js';
import {
  type HashName,
  maxTicketsTried,
  ticketsAfterFullHandshake,
  ticketsAfterResumption,
} from '../codec/constants.js';
import { resumptionBinder, ticketPsk } from '../crypto/key-schedule.js';
import { type ClientHello } from '../codec/messages.js';
import { acceptsTickets } from './negotiation.js';
import { encodeNewSessionTicket } from '../codec/server-messages.js';
import { type TicketKeys, type TicketSession } from './tickets.js';
import { type Transcript } from '../codec/transcript.js';
import { Writer } from '../codec/writer.js';

export interface ResumedSession extends TicketSession {
  /** Index among the client's offers. */
  readonly index: number;
}

/** The context that a ticket is bound to: it is invalid under another server name, protocol or certificate chain. */
export function ticketContext(
  serverName: string | undefined,
  alpn: string | undefined,
  chain: readonly Buffer[],
): Buffer {
  const writer = new Writer(4_096);
  for (const text of [serverName, alpn]) writer.vector(2, (w) => w.bytes(Buffer.from(text ?? '', 'latin1')));
  for (const certificate of chain) writer.vector(3, (w) => w.bytes(certificate));
  return createHash('sha256').update(writer.finish()).digest();
}

/**
 * The session of the first usable ticket, with its binder verified; `undefined` means a full handshake. `transcript`
 * are the messages before this ClientHello. Throws `decrypt_error` for a valid ticket with a wrong binder (RFC 8446
 * 4.2.11).
 */
export function resumeSession(
  hello: ClientHello,
  keys: TicketKeys,
  context: Buffer,
  hash: HashName,
  transcript: Transcript,
): ResumedSession | undefined {
  const offer = hello.preSharedKey;
  if (offer === undefined || !acceptsTickets(hello)) return undefined;
  for (const [index, { identity, obfuscatedTicketAge }] of offer.identities.slice(0, maxTicketsTried).entries()) {
    const session = keys.redeem(identity, obfuscatedTicketAge, context);
    if (session?.hash !== hash) continue;
    const partial = hello.raw.subarray(0, hello.raw.length - offer.bindersLength);
    const expected = resumptionBinder(hash, session.psk, transcript.digest(partial));
    const binder = offer.binders[index];
    if (binder?.length !== expected.length || !timingSafeEqual(binder, expected)) {
      throw new TlsAlertError('decrypt_error', 'the binder of a pre-shared key is wrong');
    }
    return { ...session, index };
  }
  return undefined;
}

/** The NewSessionTicket messages after a handshake, concatenated. */
export function newTickets(
  keys: TicketKeys,
  context: Buffer,
  hash: HashName,
  resumptionSecret: Buffer,
  { resumed, isQuantumSafe }: { resumed: ResumedSession | undefined; isQuantumSafe: boolean },
): Buffer {
  const authenticatedAt = resumed?.authenticatedAt ?? keys.now();
  const count = resumed === undefined ? ticketsAfterFullHandshake : ticketsAfterResumption;
  const messages: Buffer[] = [];
  for (let number = 0; number < count; number++) {
    const nonce = Buffer.from([number]);
    const psk = ticketPsk(hash, resumptionSecret, nonce);
    const issued = keys.issue({ hash, psk, authenticatedAt, isQuantumSafe }, context);
    if (issued !== undefined) {
      messages.push(encodeNewSessionTicket(issued.lifetimeSeconds, issued.ageAdd, nonce, issued.ticket));
    }
  }
  return Buffer.concat(messages);
}
