import { createHash, randomBytes } from 'node:crypto';
import { ApiError } from '../../contract/index.js';

const codeTtlMs = 120_000;
const tokenTtlMs = 43_200_000;
/** Links and tokens that are valid at once: one more ends the oldest. */
const maxEntries = 64;

/** Tokens for pages of the dashboard, each had by a link that works once. Only their hashes are kept. */
export class PageTokens {
  readonly #codes = new Map<string, number>();
  readonly #tokens = new Map<string, number>();

  /** @returns what the link carries, and its end in milliseconds since the epoch */
  issueCode(now = Date.now()): { code: string; expiresAt: number } {
    return { code: this.#add(this.#codes, '', now + codeTtlMs, now), expiresAt: now + codeTtlMs };
  }

  /** Trades a code, once. @throws ApiError `unauthorized` */
  redeem(code: string, now = Date.now()): { token: string; expiresAt: number } {
    const hash = hashOf(code);
    const expiresAt = this.#codes.get(hash) ?? 0;
    this.#codes.delete(hash);
    if (expiresAt <= now)
      throw new ApiError('unauthorized', 'the link is spent or expired: portal agent dashboard --web makes another');
    return { token: this.#add(this.#tokens, 'agent_page_', now + tokenTtlMs, now), expiresAt: now + tokenTtlMs };
  }

  isToken(given: string, now = Date.now()): boolean {
    return (this.#tokens.get(hashOf(given)) ?? 0) > now;
  }

  #add(to: Map<string, number>, prefix: string, expiresAt: number, now: number): string {
    for (const [hash, end] of to) if (end <= now) to.delete(hash);
    if (to.size >= maxEntries) to.delete(to.keys().next().value as string);
    const made = `${prefix}${randomBytes(24).toString('base64url')}`;
    to.set(hashOf(made), expiresAt);
    return made;
  }
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('base64url');
