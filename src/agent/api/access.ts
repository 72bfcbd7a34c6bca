import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Request, RequestHandler } from 'express';
import { ApiError } from '../../contract/index.js';
import type { PageTokens } from './page-tokens.js';
import type { WalletSessions } from './wallet-sessions.js';

/** As the contract's `security` has it. */
export type Credential = 'agent_token' | 'wallet_session';

/** What is known of who calls, in the response's `locals`. */
export interface CallLocals {
  /** By a token, not by a wallet's cookie. */
  isOwner: boolean;
  /** Whether it may still call. */
  mayGoOn(): boolean;
}

/** Who may call what: the owner by a token, a wallet by its cookie, and both from this machine alone. */
export class Access {
  readonly #tokenHash: Buffer;

  constructor(
    token: string,
    private readonly pages: PageTokens,
    private readonly wallets: WalletSessions,
  ) {
    this.#tokenHash = hashOf(token);
  }

  /** For each request, before anything else of it is looked at. */
  readonly fromHere: RequestHandler = ({ headers }, _response, next) => {
    if (!isLoopbackHost(headers.host))
      throw new ApiError('unauthorized', 'the Host of the request is not this machine');
    if (!isOwnPage(headers)) throw new ApiError('unauthorized', 'the request comes from a web page of another origin');
    next();
  };

  /** @param accepted any of these; none needed where there are none */
  require(accepted: readonly Credential[]): RequestHandler {
    return (request, response, next) => {
      const mayCall = () => accepted.length === 0 || accepted.some((credential) => this.#has(request, credential));
      // A stream asks again: sessions end, and wallets are taken out of the configuration.
      const locals: CallLocals = { isOwner: this.#has(request, 'agent_token'), mayGoOn: mayCall };
      Object.assign(response.locals, locals);
      if (!mayCall())
        throw new ApiError(
          'unauthorized',
          accepted.includes('wallet_session')
            ? 'the token of agent-endpoint.json is needed, or a wallet that is signed in'
            : 'the token of agent-endpoint.json is needed',
        );
      next();
    };
  }

  #has({ headers }: Request, credential: Credential): boolean {
    if (credential === 'wallet_session') return this.wallets.walletOf(headers.cookie) !== undefined;
    const { authorization = '' } = headers;
    if (!authorization.startsWith('Bearer ')) return false;
    const given = authorization.slice('Bearer '.length);
    // Hashes have the same length, so the comparison takes the same time.
    return timingSafeEqual(hashOf(given), this.#tokenHash) || this.pages.isToken(given);
  }
}

/** Names that cannot be made to lead elsewhere: a page of another origin has its own in `Host` (DNS rebinding). */
function isLoopbackHost(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?$/i.test(host ?? '');
}

/** Programs send neither field. A port of this machine is another origin, whoever listens there. */
function isOwnPage(headers: IncomingHttpHeaders): boolean {
  const { origin, host } = headers;
  if (origin !== undefined && origin !== `http://${host}`) return false;
  const site = headers['sec-fetch-site'];
  // A link that leads to the dashboard is followed; what the page then asks for is of its own origin.
  const isVisit = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  return site === undefined || site === 'none' || site === 'same-origin' || isVisit;
}

const hashOf = (text: string) => createHash('sha256').update(text).digest();
