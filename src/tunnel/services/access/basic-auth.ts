import { createHmac, randomBytes } from 'node:crypto';
import { UsageError } from '../../../sdk/calls/errors.js';
import { sourceOf } from '../../../net/source-network.js';
import { TokenBuckets } from '../../../util/token-buckets.js';
import type { Gate, Verdict } from '../http/gate.js';
import { plainAnswer } from '../http/local-answer.js';
import { field, valuesOf } from '../http/message/fields.js';
import type { RequestHead } from '../http/message/message-head.js';
import type { RequestFacts } from '../http/forwarded-headers.js';
import { PasswordChecks } from './password-checks.js';

/** Wrong passwords of one source: so many at once, then one in ten seconds. */
const wrongPasswords = { burst: 10, perSecond: 0.1 };
/** Right passwords that are remembered, so that they are not hashed for each request. */
const maxRemembered = 1_000;
const maxUsers = 10_000;
const bcryptHash = /^\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$/;

/**
 * HTTP Basic authentication (RFC 7617) by a password file as `htpasswd -B` writes it. Hashes are computed in a thread of
 * their own, and wrong passwords are limited by source.
 */
export class BasicAuth implements Gate {
  readonly #hashes: ReadonlyMap<string, string>;
  readonly #wrong = new TokenBuckets(wrongPasswords.burst, wrongPasswords.perSecond);
  readonly #checks = new PasswordChecks();
  /** Keyed hashes of right credentials, and their users. */
  readonly #right = new Map<string, string>();
  /** Credentials that are being checked: a page asks for several things at once. */
  readonly #pending = new Map<string, Promise<boolean | undefined>>();
  readonly #key = randomBytes(32);

  /** @param file lines of `user:hash`. @throws UsageError */
  constructor(file: string) {
    this.#hashes = parsePasswords(file);
  }

  /** @see Gate */
  check(request: RequestHead, { address }: RequestFacts): Verdict | Promise<Verdict> {
    const given = valuesOf(request.fields, 'authorization');
    const [user, password] = given.length === 1 ? credentialsOf(given[0] as string) : [];
    if (user === undefined || password === undefined) return { answer: challenge };
    const token = createHmac('sha256', this.#key).update(`${user}:${password}`).digest('base64');
    if (this.#right.has(token)) return admitted(request, user);
    return this.#verify(request, { user, password, token, source: address === undefined ? '' : sourceOf(address) });
  }

  async #verify(request: RequestHead, given: Credentials): Promise<Verdict> {
    const { user, token, source } = given;
    let pending = this.#pending.get(token);
    if (!pending) {
      const seconds = this.#wrong.secondsUntilToken(source);
      if (seconds > 0) return { answer: tooMany(seconds) };
      pending = this.#compare(given).finally(() => this.#pending.delete(token));
      this.#pending.set(token, pending);
    }
    const isRight = await pending;
    if (isRight === undefined) return { answer: tooMany(1) };
    return isRight ? admitted(request, user) : { answer: challenge };
  }

  /** @returns undefined when it cannot be checked now */
  async #compare({ user, password, token, source }: Credentials): Promise<boolean | undefined> {
    // An unknown user takes as long as a known one: any hash will do.
    const [anyHash = ''] = this.#hashes.values();
    const hash = this.#hashes.get(user);
    this.#wrong.tryTake(source);
    const fits = await this.#checks.compare(password, hash ?? anyHash, source);
    if (!fits) return fits;
    if (hash === undefined) return false;
    if (this.#right.size >= maxRemembered) this.#right.delete(this.#right.keys().next().value as string);
    this.#right.set(token, user);
    return true;
  }
}

interface Credentials {
  user: string;
  password: string;
  /** Keyed hash of both. */
  token: string;
  source: string;
}

const challenge = plainAnswer(401, 'A user name and password are needed.\n', {
  fields: [field('WWW-Authenticate', 'Basic realm="portal", charset="UTF-8"')],
});

function tooMany(seconds: number) {
  return plainAnswer(429, `Too many attempts to sign in. Try again in ${seconds} seconds.\n`, {
    fields: [field('Retry-After', String(seconds))],
  });
}

/** The credentials are the tunnel's, and not the service's. */
function admitted(request: RequestHead, user: string): Verdict {
  const fields = request.fields.filter(({ key }) => key !== 'authorization');
  return { request: { ...request, fields }, fields: [field('X-Portal-User', asHeader(user))] };
}

/** The UTF-8 bytes of a text, each a character, as heads have them. */
function asHeader(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function credentialsOf(authorization: string): [string, string] | [] {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  if (encoded === undefined || encoded.length > 1_024) return [];
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? [] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** @throws UsageError */
function parsePasswords(file: string): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const [index, line] of file.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const [user, hash] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    // eslint-disable-next-line no-control-regex -- a name with them could not be sent to the service
    if (colon < 1 || /[\0-\x1f\x7f]/.test(user))
      throw new UsageError(`password file, line ${index + 1}: it is not user:hash`);
    if (!bcryptHash.test(hash))
      throw new UsageError(
        `password file, line ${index + 1}: not a bcrypt hash of cost 4 to 16: make it with htpasswd -B`,
      );
    hashes.set(user, hash);
    if (hashes.size > maxUsers) throw new UsageError(`password file: more than ${maxUsers} users`);
  }
  if (hashes.size === 0) throw new UsageError('password file: there is no user in it');
  return hashes;
}
