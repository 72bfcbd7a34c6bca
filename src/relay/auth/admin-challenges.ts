import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { getAddress } from 'ethers';
import { ApiError } from '../../contract/index.js';
import { challengeTtlMs } from './siwe.js';
import { signInMessage, verifySignIn } from './siwe.js';

export interface AdminChallenge {
  id: string;
  /** EIP-4361. */
  message: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

const randomLength = 16;
const timeLength = 6;
const addressLength = 20;
const macLength = 16;
const macStart = randomLength + timeLength + addressLength;

/**
 * Challenges that only their signer's address can answer. Anybody may ask for one, for any address, so none is kept: its id
 * says what it is and bears a MAC, and the message follows from the id. What is kept are those that were answered well, which
 * only admins can add to. The key lives with the process: challenges of before a restart are void, and so cannot come twice.
 */
export class AdminChallenges {
  readonly #key = randomBytes(32);
  /** id -> its end. */
  readonly #spent = new Map<string, number>();

  constructor(private readonly portalUrl: URL) {}

  /** @param address EIP-55 checksum form */
  issue(address: string, now = Date.now()): AdminChallenge {
    const time = Buffer.alloc(timeLength);
    time.writeUIntBE(now, 0, timeLength);
    const content = Buffer.concat([randomBytes(randomLength), time, Buffer.from(address.slice(2), 'hex')]);
    const id = Buffer.concat([content, this.#mac('id', content)]).toString('base64url');
    return this.#challenge(id, content);
  }

  /**
   * Checks an answer, and spends the challenge when it is good.
   * @returns the address that signed: that of the challenge
   * @throws ApiError `unauthorized`
   */
  answer(answer: { id: string; message: string; signature: string }, now = Date.now()): string {
    const bytes = Buffer.from(answer.id, 'base64url');
    const content = bytes.subarray(0, macStart);
    if (
      bytes.length !== macStart + macLength ||
      bytes.toString('base64url') !== answer.id ||
      !timingSafeEqual(bytes.subarray(macStart), this.#mac('id', content))
    )
      throw new ApiError('unauthorized', 'the challenge is unknown');
    const { message, expiresAt } = this.#challenge(answer.id, content);
    if (expiresAt <= now || this.#spent.has(answer.id))
      throw new ApiError('unauthorized', 'the challenge is spent or expired');
    if (answer.message !== message) throw new ApiError('unauthorized', 'the message is not the one issued');
    const address = addressIn(content);
    verifySignIn(message, answer.signature, address);
    for (const [id, end] of this.#spent) if (end <= now) this.#spent.delete(id);
    this.#spent.set(answer.id, expiresAt);
    return address;
  }

  #challenge(id: string, content: Buffer): AdminChallenge {
    const issuedAt = content.readUIntBE(randomLength, timeLength);
    const expiresAt = issuedAt + challengeTtlMs;
    const nonce = this.#mac('nonce', content).toString('hex');
    const message = signInMessage(this.portalUrl, '/admin/auth/login', {
      address: addressIn(content),
      requestId: id,
      issuedAt,
      expiresAt,
      nonce,
    });
    return { id, message, expiresAt };
  }

  #mac(purpose: 'id' | 'nonce', content: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(purpose).update(content).digest().subarray(0, macLength);
  }
}

function addressIn(content: Buffer): string {
  return getAddress(`0x${content.toString('hex', randomLength + timeLength, macStart)}`);
}
