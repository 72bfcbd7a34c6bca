import { createCipheriv, createDecipheriv, randomBytes, randomInt } from 'node:crypto';
import { type HashName, maxTicketLifetimeSeconds, ticketAgeToleranceMs } from '../codec/constants.js';

/** The session state in a ticket. */
export interface TicketSession {
  readonly hash: HashName;
  readonly psk: Buffer;
  /** Time (clock of the keys, milliseconds) when the server last proved the certificate's key to this client. */
  readonly authenticatedAt: number;
  /** The PSK comes from a key exchange that also holds against a quantum computer. */
  readonly isQuantumSafe: boolean;
}

export interface IssuedTicket {
  readonly ticket: Buffer;
  readonly ageAdd: number;
  readonly lifetimeSeconds: number;
}

export interface TicketKeysOptions {
  /** Lifetime in seconds, from the signature of the full handshake; at most one hour. */
  lifetimeSeconds?: number;
  /** Monotonic clock in milliseconds; replaceable in tests. */
  now?: () => number;
}

interface TicketKey {
  readonly name: Buffer;
  readonly key: Buffer;
  readonly createdAt: number;
}

const nameLength = 8;
const nonceLength = 12;
const tagLength = 16;
const hashIds: Readonly<Record<HashName, number>> = { sha256: 1, sha384: 2 };
const quantumSafeBit = 0x80;
/** Bytes of the sealed part before the PSK: hash, time of issue, time of authentication, age_add. */
const fixedLength = 1 + 6 + 6 + 4;

/**
 * Encrypts sessions into tickets (RFC 8446 4.6.1, 2.2) with keys that never leave memory: a restart voids all
 * tickets. A key encrypts for one lifetime and decrypts for one more, then it is deleted (forward secrecy). A
 * session's lifetime counts from its signature, not from its last resumption.
 */
export class TicketKeys {
  readonly #lifetimeMs: number;
  readonly #now: () => number;
  #keys: TicketKey[] = [];

  constructor(options: TicketKeysOptions = {}) {
    const lifetimeSeconds = options.lifetimeSeconds ?? maxTicketLifetimeSeconds;
    if (!(lifetimeSeconds > 0 && lifetimeSeconds <= maxTicketLifetimeSeconds)) {
      throw new RangeError(`a ticket lives up to ${maxTicketLifetimeSeconds} seconds, not ${lifetimeSeconds}`);
    }
    this.#lifetimeMs = lifetimeSeconds * 1000;
    this.#now = options.now ?? (() => performance.now());
  }

  /** The current time, for `authenticatedAt` of a session after a full handshake. */
  now(): number {
    return Math.floor(this.#now());
  }

  /**
   * Encrypts a session. The ticket decrypts only with the same `context`. `undefined` when the session has less than
   * a second left.
   */
  issue(session: TicketSession, context: Buffer): IssuedTicket | undefined {
    const now = this.now();
    const lifetimeSeconds = Math.floor((session.authenticatedAt + this.#lifetimeMs - now) / 1000);
    if (lifetimeSeconds < 1) return undefined;
    const ageAdd = randomInt(0x1_0000_0000);
    const state = Buffer.allocUnsafe(fixedLength + session.psk.length);
    state.writeUInt8(hashIds[session.hash] | (session.isQuantumSafe ? quantumSafeBit : 0), 0);
    state.writeUIntBE(now, 1, 6);
    state.writeUIntBE(session.authenticatedAt, 7, 6);
    state.writeUInt32BE(ageAdd, 13);
    session.psk.copy(state, fixedLength);
    const { name, key } = this.#sealingKey(now);
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(context);
    const sealed = cipher.update(state);
    cipher.final();
    return { ticket: Buffer.concat([name, nonce, sealed, cipher.getAuthTag()]), ageAdd, lifetimeSeconds };
  }

  /**
   * Decrypts a ticket. Returns `undefined` when it is foreign, of another context, too old, or its age differs from
   * the client's claim (RFC 8446 4.2.11.1). Never throws, whatever a client offers.
   */
  redeem(ticket: Buffer, obfuscatedAge: number, context: Buffer): TicketSession | undefined {
    const now = this.now();
    this.#dropOldKeys(now);
    const state = this.#open(ticket, context);
    if (state === undefined || state.length <= fixedLength) return undefined;
    const first = state.readUInt8(0);
    const isQuantumSafe = (first & quantumSafeBit) !== 0;
    const hash = (first & ~quantumSafeBit) === hashIds.sha256 ? 'sha256' : 'sha384';
    const authenticatedAt = state.readUIntBE(7, 6);
    if (now - authenticatedAt >= this.#lifetimeMs) return undefined;
    const age = now - state.readUIntBE(1, 6);
    const claimedAge = (obfuscatedAge - state.readUInt32BE(13)) >>> 0;
    if (Math.abs(claimedAge - age) > ticketAgeToleranceMs) return undefined;
    return { hash, psk: state.subarray(fixedLength), authenticatedAt, isQuantumSafe };
  }

  #open(ticket: Buffer, context: Buffer): Buffer | undefined {
    const sealedStart = nameLength + nonceLength;
    const sealedEnd = ticket.length - tagLength;
    const name = ticket.subarray(0, nameLength);
    const key = this.#keys.find((candidate) => candidate.name.equals(name))?.key;
    if (key === undefined || sealedEnd <= sealedStart) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, ticket.subarray(nameLength, sealedStart));
      decipher.setAAD(context);
      decipher.setAuthTag(ticket.subarray(sealedEnd));
      const state = decipher.update(ticket.subarray(sealedStart, sealedEnd));
      decipher.final();
      return state;
    } catch {
      return undefined;
    }
  }

  #sealingKey(now: number): TicketKey {
    this.#dropOldKeys(now);
    let newest = this.#keys.at(-1);
    if (newest === undefined || now - newest.createdAt >= this.#lifetimeMs) {
      newest = { name: randomBytes(nameLength), key: randomBytes(32), createdAt: now };
      this.#keys.push(newest);
    }
    return newest;
  }

  #dropOldKeys(now: number): void {
    this.#keys = this.#keys.filter(({ createdAt }) => now - createdAt < 2 * this.#lifetimeMs);
  }
}
