import type * as oidc from 'openid-client';
import { UsageError } from '../../../../sdk/calls/errors.js';
import { RelayTransport } from '../../../../sdk/transport/relay-transport.js';
import type { Verdict } from '../../http/gate.js';
import { pageAnswer, plainAnswer } from '../../http/local-answer.js';
import { field } from '../../http/message/fields.js';
import type { CookieKind } from '../sealed-cookies.js';
import type { LoginMethod, LoginRequest } from './login-method.js';

export interface OidcOptions {
  /** The provider's issuer URL, such as `https://accounts.google.com`. */
  issuer: string;
  clientId: string;
  /** Without it the client is a public one, protected by PKCE alone. */
  clientSecret?: string | undefined;
  /** Who may come in: addresses, `@example.com` for all of a domain, or `*` for everybody whom the provider knows. */
  emails?: string[] | undefined;
  /** Members of one of these groups may come in as well: values of the claim `groups`. */
  groups?: string[] | undefined;
  /** By default `openid email profile`. */
  scope?: string | undefined;
}

/** Loaded once somebody signs in. */
const library = () => import('openid-client');

const loopbackHost = /^(?:localhost|127\.0\.0\.1|\[::1\])$/;
const login: CookieKind = { name: 'login', seconds: 600 };
/** A deadline for each call of the provider. */
const providerTimeoutSeconds = 10;

/** Signing in with an OpenID provider: authorization code flow with PKCE, state and nonce. */
export class OidcLogin implements LoginMethod {
  readonly html = '<p><a href="oidcQUERY">Sign in with your account</a></p>';
  readonly rules: string;
  readonly #issuer: URL;
  readonly #transport: RelayTransport;
  #provider: Promise<oidc.Configuration> | undefined;

  /** @throws UsageError */
  constructor(
    private readonly options: OidcOptions,
    proxy?: string | URL | false,
  ) {
    this.#transport = new RelayTransport({ proxy });
    const { issuer, clientId, emails = [], groups = [] } = options;
    if (!URL.canParse(issuer)) throw new UsageError(`the issuer ${JSON.stringify(issuer)} is not a URL`);
    this.#issuer = new URL(issuer);
    this.rules = JSON.stringify([issuer, clientId, [...emails].sort(), [...groups].sort()]);
    const isLocal = this.#issuer.protocol === 'http:' && loopbackHost.test(this.#issuer.hostname);
    if (this.#issuer.protocol !== 'https:' && !isLocal)
      throw new UsageError(`the issuer ${issuer} must be https://, or on this machine`);
    if (clientId === '') throw new UsageError('an OpenID provider needs a client id');
    if (emails.length + groups.length === 0)
      throw new UsageError("say who may come in: e-mail addresses, @domains or groups, or '*' for everybody");
  }

  /** @see LoginMethod */
  handle(request: LoginRequest): Promise<Verdict> | undefined {
    if (request.request.method !== 'GET') return undefined;
    if (request.path === 'oidc') return this.#begin(request);
    return request.path === 'oidc/callback' ? this.#finish(request) : undefined;
  }

  async #begin({ origin, hostname, cookies, to }: LoginRequest): Promise<Verdict> {
    let provider: oidc.Configuration;
    try {
      provider = await this.#discovered();
    } catch {
      return { answer: unreachable };
    }
    const oidc = await library();
    const [verifier, state, nonce] = [oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce()];
    const url = oidc.buildAuthorizationUrl(provider, {
      redirect_uri: `${origin}/.portal/oidc/callback`,
      scope: this.options.scope ?? 'openid email profile',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    const cookie = await cookies.seal(login, hostname, { verifier, state, nonce, to });
    return { answer: plainAnswer(303, 'See the provider.\n', { fields: [cookie, field('Location', url.href)] }) };
  }

  async #finish({ origin, hostname, cookies, query, request, admit }: LoginRequest): Promise<Verdict> {
    const begun = await cookies.open(login, hostname, request.fields);
    const { verifier, state, nonce, to } = (begun ?? {}) as Record<string, string | undefined>;
    if (verifier === undefined || state === undefined || nonce === undefined) return { answer: outOfDate };
    let claims: oidc.IDToken | undefined;
    const { authorizationCodeGrant } = await library();
    try {
      const answer = new URL(`${origin}/.portal/oidc/callback?${query.toString()}`);
      const tokens = await authorizationCodeGrant(await this.#discovered(), answer, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      claims = tokens.claims();
    } catch {
      return { answer: outOfDate };
    }
    const user = claims && this.#admitted(claims);
    return user === undefined ? { answer: notAllowed } : await admit({ user }, to ?? '/');
  }

  /** @returns who it is, if they may come in */
  #admitted(claims: oidc.IDToken): string | undefined {
    const { emails = [], groups = [] } = this.options;
    // An address that the provider has not verified is only what somebody typed.
    const given = claims['email_verified'] === true ? claims['email'] : undefined;
    const email = typeof given === 'string' ? given.toLowerCase() : undefined;
    const user = email ?? claims.sub;
    if (/[\0-\x1f\x7f]/.test(user)) return undefined; // eslint-disable-line no-control-regex
    const fits = (rule: string) =>
      rule === '*' || (email !== undefined && (rule.startsWith('@') ? email.endsWith(rule) : email === rule));
    if (emails.map((rule) => rule.toLowerCase()).some(fits)) return user;
    const member: unknown = claims['groups'];
    return Array.isArray(member) && groups.some((group) => member.includes(group)) ? user : undefined;
  }

  /** @throws when the provider cannot be reached or is not one */
  async #discovered(): Promise<oidc.Configuration> {
    const { clientId, clientSecret } = this.options;
    const oidc = await library();
    this.#provider ??= oidc.discovery(this.#issuer, clientId, clientSecret, undefined, {
      timeout: providerTimeoutSeconds,
      // Through the proxy that the tunnel uses.
      ...(this.#issuer.protocol === 'https:' && { [oidc.customFetch]: this.#transport.fetch as oidc.CustomFetch }),
      // The issuer was checked: plain HTTP is for loopback only.
      execute: this.#issuer.protocol === 'http:' ? [oidc.allowInsecureRequests] : [],
    });
    try {
      return await this.#provider;
    } catch (error) {
      this.#provider = undefined;
      throw error;
    }
  }
}

const again = 'Go back to the page that you wanted, and try again.';
const unreachable = pageAnswer({
  status: 502,
  title: 'Sign-in is not available',
  text: `The sign-in provider does not answer. ${again}`,
});
const outOfDate = pageAnswer({
  status: 400,
  title: 'Sign-in failed',
  text: `The sign-in took too long, was begun in another window, or was refused by the provider. ${again}`,
});
const notAllowed = pageAnswer({
  status: 403,
  title: 'Not allowed',
  text: 'You have signed in, but the owner of this name does not let this account in.',
});
