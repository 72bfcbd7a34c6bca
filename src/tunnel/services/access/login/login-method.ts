import type { RequestFacts } from '../../http/forwarded-headers.js';
import type { Verdict } from '../../http/gate.js';
import type { RequestHead } from '../../http/message/message-head.js';
import type { SealedCookies } from '../sealed-cookies.js';

/** Who has signed in. */
export interface SignedIn {
  /** For `X-Portal-User`: an e-mail address, a subject or a wallet's address. */
  user: string;
}

/** A request for one of the paths of signing in. */
export interface LoginRequest {
  request: RequestHead;
  facts: RequestFacts;
  /** Below `/.portal/`, without the query. */
  path: string;
  query: URLSearchParams;
  /** `https://host[:port]` as the visitor sees it. */
  origin: string;
  hostname: string;
  cookies: SealedCookies;
  /** Where the visitor wanted to go: a path of this host. */
  to: string;
  /** The answer for a visitor who has signed in, with the cookie. @param answersScript JSON instead of a redirect */
  admit(signedIn: SignedIn, to: string, answersScript?: boolean): Promise<Verdict>;
}

/** A way to sign in. */
export interface LoginMethod {
  /** Its part of the login page: HTML, and the scripts that it needs. */
  readonly html: string;
  readonly script?: string;
  /** Who may come in, as text: sessions end when it changes. */
  readonly rules: string;
  /** @returns undefined for paths of others */
  handle(login: LoginRequest): Verdict | Promise<Verdict> | undefined;
}
