import { createHash } from 'node:crypto';
import { sourceOf } from '../../../../net/source-network.js';
import { TokenBuckets } from '../../../../util/token-buckets.js';
import { htmlPage } from '../../html-page.js';
import type { RequestFacts } from '../../http/forwarded-headers.js';
import type { Gate, GateContext, Verdict } from '../../http/gate.js';
import { htmlAnswer, plainAnswer } from '../../http/local-answer.js';
import { field, itemsOf, valueOf } from '../../http/message/fields.js';
import type { RequestHead } from '../../http/message/message-head.js';
import { type CookieKind, removeCookie, SealedCookies, withoutOwnCookies } from '../sealed-cookies.js';
import type { LoginMethod, LoginRequest, SignedIn } from './login-method.js';

/** Paths of signing in and out. The service never gets requests for them. */
const ownPath = '/.portal/';
const session: CookieKind = { name: 'session', seconds: 86_400 };
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Steps of signing in, of one source: so many at once, then one in two seconds. */
const attempts = { burst: 30, perSecond: 0.5 };
const referrerPolicy = field('Referrer-Policy', 'same-origin');

/** Lets in only visitors who have signed in, for a day, by a sealed cookie of this host. */
export class LoginGate implements Gate {
  readonly #cookies = new SealedCookies();
  readonly #attempts = new TokenBuckets(attempts.burst, attempts.perSecond);

  constructor(private readonly methods: readonly LoginMethod[]) {}

  /** @see Gate */
  async start(context: GateContext): Promise<void> {
    this.#cookies.start(await context.secret(), JSON.stringify(this.methods.map(({ rules }) => rules)));
  }

  /** @see Gate */
  async check(request: RequestHead, facts: RequestFacts): Promise<Verdict> {
    const host = valueOf(request.fields, 'host')?.toLowerCase();
    const { hostname } = facts;
    if (host === undefined || hostname === undefined) return { answer: plainAnswer(400, 'A Host is needed.\n') };
    const origin = `https://${host.replace(/:443$/, '')}`;
    const [path = '/', search = ''] = splitAt(request.target, '?');
    if (path.startsWith(ownPath)) return await this.#own({ request, facts, path, search, origin, hostname });
    const payload = await this.#cookies.open(session, hostname, request.fields);
    const user = payload?.sub;
    if (user === undefined || isForged(request, origin)) return this.#signInFirst(request);
    return {
      request: { ...request, fields: withoutOwnCookies(request.fields) },
      fields: [field('X-Portal-User', Buffer.from(user).toString('latin1'))],
    };
  }

  async #own({
    request,
    facts,
    path,
    search,
    origin,
    hostname,
  }: Record<'path' | 'search' | 'origin' | 'hostname', string> & {
    request: RequestHead;
    facts: RequestFacts;
  }): Promise<Verdict> {
    const query = new URLSearchParams(search);
    const to = localPath(query.get('to'));
    const login: LoginRequest = {
      request,
      facts,
      path: path.slice(ownPath.length),
      query,
      origin,
      hostname,
      cookies: this.#cookies,
      to,
      admit: (signedIn, leadsTo, answersScript) => this.#admit(hostname, signedIn, leadsTo, answersScript),
    };
    if (!safeMethods.has(request.method) && valueOf(request.fields, 'origin') !== origin)
      return { answer: plainAnswer(403, 'This request does not come from a page of this host.\n') };
    if (login.path === 'logout') return this.#logout(request);
    if (login.path === 'login' && request.method === 'GET') return { answer: this.#loginPage(to) };
    const source = facts.address === undefined ? '' : sourceOf(facts.address);
    if (!this.#attempts.tryTake(source)) return { answer: tooMany(this.#attempts.secondsUntilToken(source)) };
    for (const method of this.methods) {
      const verdict = method.handle(login);
      if (verdict) return await verdict;
    }
    return { answer: plainAnswer(404, 'Nothing is served at this path.\n') };
  }

  async #admit(hostname: string, { user }: SignedIn, to: string, answersScript = false): Promise<Verdict> {
    const cookie = await this.#cookies.seal(session, hostname, { sub: user });
    const fields = [cookie, removeCookie({ name: 'login', seconds: 0 })];
    if (answersScript) return { answer: plainAnswer(200, 'signed in\n', { fields }) };
    return { answer: plainAnswer(303, 'signed in\n', { fields: [...fields, field('Location', localPath(to))] }) };
  }

  #logout({ method }: RequestHead): Verdict {
    if (method === 'POST')
      return {
        answer: plainAnswer(303, 'signed out\n', {
          fields: [removeCookie(session), field('Location', `${ownPath}login`), field('Clear-Site-Data', '"cache"')],
        }),
      };
    const form = '<form method="post"><button>Sign out</button></form>';
    return { answer: htmlAnswer(200, htmlPage('Sign out', form), { fields: [policy([])] }) };
  }

  /** Pages lead to the login page; what is no page is told that it has to. */
  #signInFirst(request: RequestHead): Verdict {
    const accepts = valueOf(request.fields, 'accept') ?? '';
    const mode = valueOf(request.fields, 'sec-fetch-mode');
    const isPage =
      request.method === 'GET' && (mode === undefined ? accepts.includes('text/html') : mode === 'navigate');
    if (!isPage || itemsOf(request.fields, 'upgrade').length > 0)
      return { answer: plainAnswer(401, `Sign in first, at ${ownPath}login.\n`) };
    const location = `${ownPath}login?to=${encodeURIComponent(asText(request.target))}`;
    return { answer: plainAnswer(303, 'Sign in first.\n', { fields: [field('Location', location)] }) };
  }

  #loginPage(to: string) {
    const query = `?to=${encodeURIComponent(to)}`;
    const body = this.methods.map(({ html }) => html.replaceAll('QUERY', query.replaceAll('&', '&amp;'))).join('\n');
    const scripts = this.methods.flatMap(({ script }) => (script === undefined ? [] : [script]));
    const tags = scripts.map((script) => `<script>${script}</script>`).join('\n');
    return htmlAnswer(
      200,
      htmlPage('Sign in', `<p>The owner of this name wants to know who you are.</p>\n${body}\n${tags}`),
      {
        fields: [policy(scripts), referrerPolicy],
      },
    );
  }
}

function tooMany(seconds: number) {
  return plainAnswer(429, `Too many attempts to sign in. Try again in ${seconds} seconds.\n`, {
    fields: [field('Retry-After', String(seconds))],
  });
}

/** Other hosts under the same root host are of the same site, so their pages can send requests with our cookies. */
function isForged(request: RequestHead, origin: string): boolean {
  const from = valueOf(request.fields, 'origin');
  const isSafe = safeMethods.has(request.method) && itemsOf(request.fields, 'upgrade').length === 0;
  return !isSafe && from !== undefined && from !== origin;
}

/** A path of this host, whatever is given: nothing that leads a browser elsewhere. */
function localPath(given: string | null): string {
  // Browsers take `//` and `/\` for the start of another host, and leave control characters out.
  if (given === null || !/^\/(?![/\\])[^\0-\x20\x7f\\]*$/.test(given) || given.startsWith(ownPath)) return '/';
  return encodeURI(decodeSafely(given));
}

function decodeSafely(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return '/';
  }
}

/** The UTF-8 text of a head's bytes. */
function asText(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}

function splitAt(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Nothing is loaded, nobody may frame it, and only these scripts run. */
function policy(scripts: string[]) {
  const hashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  const scriptSource = hashes.length > 0 ? hashes.join(' ') : "'none'";
  return field(
    'Content-Security-Policy',
    `default-src 'none'; script-src ${scriptSource}; style-src 'unsafe-inline'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  );
}
