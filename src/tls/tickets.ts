import { type KeyObject, createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import type { HashName } from './constants.js';

/** What a ticket remembers of the handshake it came from; it resumes only one that agrees in all of it. */
export interface TicketState {
  hash: HashName;
  /** The resumption PSK. */
  psk: Buffer;
  serverName: string;
  alpn: string;
  /** Digest of the certificate chain. */
  chain: string;
  /** Milliseconds since the epoch. */
  issuedAt: number;
  ageAdd: number;
}

interface TicketKey {
  name: string;
  key: KeyObject;
  /** Milliseconds since the epoch. */
  madeAt: number;
}

const maxLifetimeSeconds = 3_600;
const nameLength = 8;
const ivLength = 12;
const tagLength = 16;
/** How far a client's idea of a ticket's age may be from ours (RFC 8446 4.2.11.1). */
const ageToleranceMs = 10_000;

/**
 * Seals and opens session tickets. The keys live in memory alone and change every lifetime; the one before is kept for
 * as long as its tickets live.
 */
export class TicketKeys {
  #keys: TicketKey[] = [];

  /** @param lifetimeSeconds of a ticket, an hour at most */
  constructor(readonly lifetimeSeconds = maxLifetimeSeconds) {
    if (lifetimeSeconds <= 0 || lifetimeSeconds > maxLifetimeSeconds)
      throw new RangeError('a ticket lives for an hour at most');
  }

  seal(state: TicketState, now = Date.now()): Buffer {
    const { name, key } = this.#currentKey(now);
    const iv = randomBytes(ivLength);
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    const sealed = cipher.update(JSON.stringify({ ...state, psk: state.psk.toString('base64') }), 'utf8');
    cipher.final();
    return Buffer.concat([Buffer.from(name, 'latin1'), iv, sealed, cipher.getAuthTag()]);
  }

  /**
   * @param obfuscatedAge as the client sent it, milliseconds modulo 2^32
   * @returns undefined for a ticket that is not ours, too old, or whose age is told wrong
   */
  open(ticket: Buffer, obfuscatedAge: number, now = Date.now()): TicketState | undefined {
    if (ticket.length <= nameLength + ivLength + tagLength) return undefined;
    const name = ticket.toString('latin1', 0, nameLength);
    const key = this.#keys.find((held) => held.name === name)?.key;
    if (!key) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', key, ticket.subarray(nameLength, nameLength + ivLength));
    decipher.setAuthTag(ticket.subarray(-tagLength));
    let state: TicketState;
    try {
      const plain = Buffer.concat([
        decipher.update(ticket.subarray(nameLength + ivLength, -tagLength)),
        decipher.final(),
      ]);
      const stored = JSON.parse(plain.toString('utf8')) as Omit<TicketState, 'psk'> & { psk: string };
      state = { ...stored, psk: Buffer.from(stored.psk, 'base64') };
    } catch {
      return undefined;
    }
    const age = now - state.issuedAt;
    const toldAge = (obfuscatedAge - state.ageAdd + 2 ** 32) % 2 ** 32;
    const fresh = age >= -ageToleranceMs && age < this.lifetimeSeconds * 1000;
    return fresh && Math.abs(age - toldAge) <= ageToleranceMs ? state : undefined;
  }

  #currentKey(now: number): TicketKey {
    const lifetimeMs = this.lifetimeSeconds * 1000;
    const held = this.#keys[0];
    if (held && now - held.madeAt < lifetimeMs) return held;
    const fresh = {
      name: randomBytes(nameLength).toString('latin1'),
      key: createSecretKey(randomBytes(32)),
      madeAt: now,
    };
    this.#keys = [fresh, ...this.#keys.filter(({ madeAt }) => now - madeAt < 2 * lifetimeMs)];
    return fresh;
  }
}
