import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, FlattenedSign, type JWK } from 'jose';
import { type Fetch, readBounded } from '../sdk/calls/bounded-fetch.js';
import { AnswerError } from '../sdk/calls/errors.js';
import { sleep } from '../sdk/lease/sleep.js';

/** Deadline of one call. */
const callTimeoutMs = 30_000;
/** A chain of certificates is the largest answer. */
const maxAnswerBytes = 262_144;
/** Deadline for the CA to validate, and to issue. */
const pollTimeoutMs = 120_000;
const firstPollMs = 500;
const longestPollMs = 10_000;
/** Calls that are repeated with a fresh nonce (RFC 8555 6.5). */
const maxBadNonces = 5;
/** Longest Retry-After that is believed. */
const maxRetryAfterMs = 86_400_000;

/** What the CA refused (RFC 7807), with what it says. */
export class AcmeError extends Error {
  override readonly name = 'AcmeError';

  /** @param type without `urn:ietf:params:acme:error:` */
  constructor(
    readonly type: string,
    message: string,
    /** How long to wait before another try, where the CA says it. */
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

/** External account binding (RFC 8555 7.3.4), as some CAs hand it out. */
export interface ExternalAccount {
  kid: string;
  /** base64url */
  hmacKey: string;
}

export interface AcmeClientOptions {
  directory: URL;
  fetch: Fetch;
  /** P-256; made by `generateAccountKey`. */
  accountKey: KeyObject;
  /** For notices of the CA. */
  email?: string | undefined;
  externalAccount?: ExternalAccount | undefined;
}

interface Directory {
  newNonce: string;
  newAccount: string;
  newOrder: string;
  renewalInfo?: string;
  meta?: { termsOfService?: string; externalAccountRequired?: boolean };
}

interface Order {
  status: string;
  authorizations: string[];
  finalize: string;
  certificate?: string;
  error?: Problem;
}

interface Authorization {
  status: string;
  identifier?: { value: string };
  challenges: { type: string; url: string; token: string; status: string; error?: Problem }[];
}

interface Problem {
  type?: string;
  detail?: string;
  subproblems?: Problem[];
}

interface Answer {
  body: Buffer;
  location: string | undefined;
  retryAfterMs: number | undefined;
}

/** Times are milliseconds since the epoch. */
export interface RenewalWindow {
  start: number;
  end: number;
  /** When to ask again. */
  retryAfterMs: number | undefined;
}

/** By which of its challenges a CA is shown that names are one's own: RFC 8737, RFC 8555 8.4. */
export type ChallengeType = 'tls-alpn-01' | 'dns-01';

/** What a name is proven with. */
export interface Proof {
  /** Of a wildcard without `*.`. */
  hostname: string;
  keyAuthorization: string;
}

/**
 * Puts all proofs of an order in place, where the CA looks for them.
 * @returns what takes them away again; it must not throw
 */
export type Prove = (proofs: Proof[], signal: AbortSignal) => Promise<() => unknown>;

/** Orders certificates of an ACME CA (RFC 8555). */
export class AcmeClient {
  #directory: Directory | undefined;
  #account: Promise<string> | undefined;
  #nonces: string[] = [];

  constructor(private readonly options: AcmeClientOptions) {}

  /**
   * @returns the chain, PEM
   * @throws AcmeError, AnswerError, what `fetch` throws; the signal's reason
   */
  async order(
    facts: {
      /** Host names, and wildcards (`*.example.com`). */
      names: readonly string[];
      /** DER. */
      csr: Buffer;
      /** ARI id of the certificate that this one replaces. */
      replaces?: string | undefined;
      challenge: ChallengeType;
      prove: Prove;
    },
    signal: AbortSignal,
  ): Promise<string> {
    const { newOrder } = await this.#directoryOf(signal);
    const identifiers = facts.names.map((value) => ({ type: 'dns', value }));
    const placed = await this.#post(newOrder, { identifiers, replaces: facts.replaces }, signal);
    const { location } = placed;
    if (location === undefined) throw new AnswerError('the CA did not say where its order is');
    const order = parse<Order>(placed);
    await this.#authorize(list(order.authorizations), facts, signal);
    const isReady = ({ status }: Order) => status === 'ready' || status === 'valid';
    await this.#poll<Order>(location, isReady, signal);
    await this.#post(order.finalize, { csr: facts.csr.toString('base64url') }, signal);
    const done = await this.#poll<Order>(location, ({ status }) => status === 'valid', signal);
    if (done.certificate === undefined) throw new AnswerError('the CA did not say where its certificate is');
    return (await this.#post(done.certificate, '', signal)).body.toString('utf8');
  }

  /**
   * When a certificate should be renewed (ACME Renewal Information, RFC 9773).
   * @param id `renewalId` of the certificate
   * @returns undefined when the CA does not say so
   */
  async renewalWindow(id: string, signal: AbortSignal): Promise<RenewalWindow | undefined> {
    const { renewalInfo } = await this.#directoryOf(signal);
    if (renewalInfo === undefined) return undefined;
    const answer = await this.#call(`${renewalInfo.replace(/\/$/, '')}/${id}`, { method: 'GET' }, signal);
    const { suggestedWindow } = parse<{ suggestedWindow?: { start?: string; end?: string } }>(answer);
    const [start, end] = [Date.parse(suggestedWindow?.start ?? ''), Date.parse(suggestedWindow?.end ?? '')];
    if (!(start <= end)) throw new AnswerError('the CA suggests no time of renewal that can be read');
    return { start, end, retryAfterMs: answer.retryAfterMs };
  }

  /** The CA's terms, which ordering a certificate accepts. */
  async terms(signal: AbortSignal): Promise<string | undefined> {
    return (await this.#directoryOf(signal)).meta?.termsOfService;
  }

  /** The account's URL, opened when there is none yet. */
  async account(signal: AbortSignal): Promise<string> {
    return await (this.#account ??= this.#openAccount(signal).catch((error: unknown) => {
      this.#account = undefined;
      throw error;
    }));
  }

  /** All proofs are in place before the CA looks for the first: those of a host and its wildcard are at one name. */
  async #authorize(
    urls: string[],
    { names, challenge: type, prove }: { names: readonly string[]; challenge: ChallengeType; prove: Prove },
    signal: AbortSignal,
  ): Promise<void> {
    const thumbprint = await calculateJwkThumbprint(await this.#publicJwk());
    const open: { url: string; challengeUrl: string; proof: Proof }[] = [];
    for (const url of urls) {
      const authorization = parse<Authorization>(await this.#post(url, '', signal));
      if (authorization.status === 'valid') continue;
      if (authorization.status !== 'pending') throw asAcmeError(problemOf(authorization), undefined);
      const challenge = list(authorization.challenges).find((each) => each.type === type);
      if (!challenge) throw new AcmeError('unsupported', `the CA does not offer the challenge ${type}`);
      const keyAuthorization = `${challenge.token}.${thumbprint}`;
      const hostname = authorization.identifier?.value;
      // Programs get it, which do with it what they like.
      if (!names.some((name) => name.replace('*.', '') === hostname))
        throw new AnswerError('the CA asks for a proof of a name that is not of the order');
      open.push({ url, challengeUrl: challenge.url, proof: { hostname: hostname!, keyAuthorization } });
    }
    if (open.length === 0) return;
    const done = await prove(
      open.map(({ proof }) => proof),
      signal,
    );
    try {
      for (const { challengeUrl } of open) await this.#post(challengeUrl, {}, signal);
      for (const { url } of open) await this.#poll<Authorization>(url, ({ status }) => status === 'valid', signal);
    } finally {
      await done();
    }
  }

  /** Asks until it is so. @throws AcmeError when it becomes invalid, or not in time */
  async #poll<State extends { status: string }>(
    url: string,
    isDone: (state: State) => boolean,
    signal: AbortSignal,
  ): Promise<State> {
    const deadline = performance.now() + pollTimeoutMs;
    for (let wait = firstPollMs; ; wait = Math.min(wait * 2, longestPollMs)) {
      const answer = await this.#post(url, '', signal);
      const state = parse<State>(answer);
      if (isDone(state)) return state;
      if (!['pending', 'processing', 'ready', 'valid'].includes(state.status))
        throw asAcmeError(problemOf(state), undefined);
      if (performance.now() > deadline) throw new AcmeError('timeout', 'the CA did not decide in time');
      await sleep(Math.min(Math.max(wait, answer.retryAfterMs ?? 0), longestPollMs), signal);
      signal.throwIfAborted();
    }
  }

  /** A signed POST; with `''` it reads (POST-as-GET). */
  async #post(url: string, payload: object | '', signal: AbortSignal): Promise<Answer> {
    return await this.#signed(url, payload, { kid: await this.account(signal) }, signal);
  }

  /** @returns the account's URL; a key that the CA knows already has one */
  async #openAccount(signal: AbortSignal): Promise<string> {
    const { newAccount, meta } = await this.#directoryOf(signal);
    const { email, externalAccount } = this.options;
    if (meta?.externalAccountRequired === true && externalAccount === undefined)
      throw new AcmeError(
        'externalAccountRequired',
        'the CA asks for an external account: give its key id and HMAC key',
      );
    const jwk = await this.#publicJwk();
    const payload = {
      termsOfServiceAgreed: true,
      contact: email === undefined ? undefined : [`mailto:${email}`],
      externalAccountBinding: externalAccount && (await bound(externalAccount, jwk, newAccount)),
    };
    const { location } = await this.#signed(newAccount, payload, { jwk }, signal);
    if (location === undefined) throw new AnswerError('the CA did not say where the account is');
    return location;
  }

  async #signed(
    url: string,
    payload: object | '',
    key: { kid: string } | { jwk: JWK },
    signal: AbortSignal,
  ): Promise<Answer> {
    const bytes = new TextEncoder().encode(payload === '' ? '' : JSON.stringify(payload));
    for (let tries = 1; ; tries++) {
      const header = { alg: 'ES256', nonce: await this.#nonce(signal), url, ...key };
      const body = await new FlattenedSign(bytes).setProtectedHeader(header).sign(this.options.accountKey);
      const headers = { 'Content-Type': 'application/jose+json' };
      try {
        return await this.#call(url, { method: 'POST', headers, body: JSON.stringify(body) }, signal);
      } catch (error) {
        if (!(error instanceof AcmeError) || error.type !== 'badNonce' || tries >= maxBadNonces) throw error;
      }
    }
  }

  async #nonce(signal: AbortSignal): Promise<string> {
    // Another order may take the one that was asked for.
    for (let tries = 0; this.#nonces.length === 0 && tries < maxBadNonces; tries++) {
      const { newNonce } = await this.#directoryOf(signal);
      await this.#call(newNonce, { method: 'HEAD' }, signal);
    }
    const nonce = this.#nonces.pop();
    if (nonce === undefined) throw new AnswerError('the CA gave no nonce');
    return nonce;
  }

  async #directoryOf(signal: AbortSignal): Promise<Directory> {
    if (this.#directory) return this.#directory;
    const { directory } = this.options;
    const found = parse<Directory>(await this.#call(directory.href, { method: 'GET' }, signal));
    for (const name of ['newNonce', 'newAccount', 'newOrder'] as const)
      if (typeof found[name] !== 'string') throw new AnswerError(`${directory.href} is no ACME directory`);
    return (this.#directory = found);
  }

  async #publicJwk(): Promise<JWK> {
    return await exportJWK(createPublicKey(this.options.accountKey));
  }

  async #call(url: string, init: RequestInit, signal: AbortSignal): Promise<Answer> {
    if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
      throw new AnswerError('the CA names an address that is not https');
    const response = await this.options.fetch(url, {
      ...init,
      headers: { 'User-Agent': 'portal-relay', ...(init.headers as Record<string, string> | undefined) },
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]),
    });
    const nonce = response.headers.get('replay-nonce');
    if (nonce !== null && /^[A-Za-z0-9_-]{1,256}$/.test(nonce)) this.#nonces = [nonce];
    const body = Buffer.from(await readBounded(response, maxAnswerBytes));
    const retryAfterMs = retryAfterOf(response.headers.get('retry-after'));
    if (!response.ok) throw asAcmeError(problemIn(body) ?? {}, retryAfterMs, response.status);
    return { body, location: response.headers.get('location') ?? undefined, retryAfterMs };
  }
}

async function bound({ kid, hmacKey }: ExternalAccount, jwk: JWK, url: string) {
  return await new FlattenedSign(new TextEncoder().encode(JSON.stringify(jwk)))
    .setProtectedHeader({ alg: 'HS256', kid, url })
    .sign(Buffer.from(hmacKey, 'base64url'));
}

/** @throws AnswerError */
function parse<Body>({ body }: Answer): Body {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null) return parsed as Body;
  } catch (cause) {
    throw new AnswerError('the CA did not answer in JSON', undefined, { cause });
  }
  throw new AnswerError('the CA did not answer with a JSON object');
}

function list<Item>(items: Item[] | undefined): Item[] {
  if (!Array.isArray(items)) throw new AnswerError('the CA left out a list');
  return items;
}

function problemIn(body: Buffer): Problem | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Why an order or an authorization is invalid. */
function problemOf(state: { status: string; error?: Problem; challenges?: { error?: Problem }[] }): Problem {
  return state.error ?? state.challenges?.find(({ error }) => error)?.error ?? { detail: `it is ${state.status}` };
}

/** One line for people: control characters of the answer are dropped. */
function asAcmeError(
  { type, detail, subproblems }: Problem,
  retryAfterMs: number | undefined,
  status?: number,
): AcmeError {
  const details = [detail, ...(Array.isArray(subproblems) ? subproblems : []).map((each) => each.detail)];
  const text = details.filter((each) => typeof each === 'string').join('; ');
  const kind = typeof type === 'string' ? type.replace('urn:ietf:params:acme:error:', '') : `status ${status ?? '?'}`;
  const line = (text || kind).replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ').slice(0, 400);
  return new AcmeError(kind, `the CA refuses: ${line}`, retryAfterMs);
}

/** Seconds, or a date (RFC 9110 10.2.3). */
function retryAfterOf(value: string | null): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), maxRetryAfterMs) : undefined;
}
