import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { getAddress } from 'ethers/address';
import { ApiError } from '../contract/index.js';
import { challengeTtlMs, signInMessage, verifySignIn } from './siwe.js';

export interface SignInChallenge {
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
 * Stateless login challenges, each for one address. Anybody may ask for one, so none is stored: the id carries its
 * data and a MAC, and the message is derived from the id. Only spent ids are stored, and each takes a valid signature. The
 * MAC key lives as long as the process, so a restart voids all challenges and none can be replayed. Where several processes have one key,
 * they have to see to that themselves.
 */
export class SignInChallenges {
  /** Spent ids, each with its expiry. */
  readonly #spent = new Map<string, number>();

  /**
   * @param path of the endpoint that accepts the signature
   * @param key of the MACs
   */
  constructor(
    private readonly path: string,
    private readonly key: Buffer = randomBytes(32),
  ) {}

  /** @param site what is signed in to @param address EIP-55 checksum form */
  issue(site: URL, address: string, now = Date.now()): SignInChallenge {
    const time = Buffer.alloc(timeLength);
    time.writeUIntBE(now, 0, timeLength);
    const content = Buffer.concat([randomBytes(randomLength), time, Buffer.from(address.slice(2), 'hex')]);
    const id = Buffer.concat([content, this.#mac('id', content)]).toString('base64url');
    return this.#challenge(site, id, content);
  }

  /**
   * Verifies a signed challenge and marks it as spent.
   * @returns the address that signed, which is the challenge's
   * @throws ApiError `unauthorized`
   */
  answer(site: URL, answer: { id: string; message: string; signature: string }, now = Date.now()): string {
    const bytes = Buffer.from(answer.id, 'base64url');
    const content = bytes.subarray(0, macStart);
    if (
      bytes.length !== macStart + macLength ||
      bytes.toString('base64url') !== answer.id ||
      !timingSafeEqual(bytes.subarray(macStart), this.#mac('id', content))
    )
      throw new ApiError('unauthorized', 'the challenge is unknown');
    const { message, expiresAt } = this.#challenge(site, answer.id, content);
    if (expiresAt <= now || this.#spent.has(answer.id))
      throw new ApiError('unauthorized', 'the challenge is spent or expired');
    if (answer.message !== message) throw new ApiError('unauthorized', 'the message is not the one issued');
    const address = addressIn(content);
    verifySignIn(message, answer.signature, address);
    for (const [id, end] of this.#spent) if (end <= now) this.#spent.delete(id);
    this.#spent.set(answer.id, expiresAt);
    return address;
  }

  #challenge(site: URL, id: string, content: Buffer): SignInChallenge {
    const issuedAt = content.readUIntBE(randomLength, timeLength);
    const expiresAt = issuedAt + challengeTtlMs;
    const nonce = this.#mac('nonce', content).toString('hex');
    const message = signInMessage(site, this.path, {
      address: addressIn(content),
      requestId: id,
      issuedAt,
      expiresAt,
      nonce,
    });
    return { id, message, expiresAt };
  }

  #mac(purpose: 'id' | 'nonce', content: Buffer): Buffer {
    return createHmac('sha256', this.key).update(purpose).update(content).digest().subarray(0, macLength);
  }
}

function addressIn(content: Buffer): string {
  return getAddress(`0x${content.toString('hex', randomLength + timeLength, macStart)}`);
}
