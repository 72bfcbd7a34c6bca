import { UsageError } from '../../sdk/calls/errors.js';
import { BasicAuth } from '../services/access/basic-auth.js';
import { LoginGate } from '../services/access/login/login-gate.js';
import type { LoginMethod } from '../services/access/login/login-method.js';
import { OidcLogin, type OidcOptions } from '../services/access/login/oidc-login.js';
import { WalletLogin } from '../services/access/login/wallet-login.js';
import { type WebhookRule, WebhookSignatures } from '../services/access/webhook-signatures.js';
import type { Gate } from '../services/http/gate.js';

export type { OidcOptions, WebhookRule };

/** Which visitors of `target` may come in. The service gets who it is as `X-Portal-User`; a visitor's own is dropped. */
export interface AccessOptions {
  /** Password file as `htpasswd -B` writes it: lines of `user:hash`. */
  basicAuth?: string | undefined;
  /** Sign in with an OpenID provider. */
  oidc?: OidcOptions | undefined;
  /** Sign in with one of these Ethereum wallets. */
  wallets?: string[] | undefined;
  /** Paths whose requests must be signed by the sender of a webhook; they need no sign-in. */
  webhooks?: WebhookRule[] | undefined;
}

/**
 * @param proxy of calls to an OpenID provider, as `ExposeOptions` has it
 * @returns undefined when everybody may come in
 * @throws UsageError
 */
export function accessGate({
  basicAuth,
  oidc,
  wallets,
  webhooks,
  proxy,
}: AccessOptions & { proxy?: string | URL | false | undefined }): Gate | undefined {
  const methods: LoginMethod[] = [];
  if (oidc !== undefined) methods.push(new OidcLogin(oidc, proxy));
  if (wallets !== undefined) {
    if (wallets.length === 0) throw new UsageError('no wallet may come in: give at least one');
    methods.push(new WalletLogin(wallets));
  }
  if (basicAuth !== undefined && methods.length > 0)
    throw new UsageError('a password file cannot be combined with an OpenID provider or wallets');
  const gate =
    basicAuth !== undefined ? new BasicAuth(basicAuth) : methods.length > 0 ? new LoginGate(methods) : undefined;
  return webhooks === undefined ? gate : new WebhookSignatures(webhooks, gate);
}
