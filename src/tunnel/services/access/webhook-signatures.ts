import { createHmac, timingSafeEqual } from 'node:crypto';
import { UsageError } from '../../../sdk/calls/errors.js';
import { sourceOf } from '../../../net/source-network.js';
import { ConcurrencyLimiter } from '../../../util/concurrency-limiter.js';
import type { Gate, Verdict } from '../http/gate.js';
import { plainAnswer } from '../http/local-answer.js';
import { type Field, field, valuesOf } from '../http/message/fields.js';
import type { RequestHead } from '../http/message/message-head.js';

/** Largest body that is checked. */
const maxBodyBytes = 1_048_576;
/** How old a signature may be where it has a time (Stripe and Slack recommend it). */
const maxAgeSeconds = 300;
/** Bodies that are held until they are checked and forwarded, of one source and of all. */
const maxHeldOfSource = 8;
const maxHeld = 64;

export interface WebhookRule {
  /** Requests with this path must be signed. */
  path: string;
  /** Who signs: `github` (X-Hub-Signature-256), `stripe`, `slack`, or `hmac` (X-Signature: hex of HMAC-SHA256 of the body). */
  kind: 'github' | 'stripe' | 'slack' | 'hmac';
  secret: string;
}

export const webhookKinds = ['github', 'stripe', 'slack', 'hmac'] as const;

/**
 * Lets requests to the paths of webhooks in only if the sender has signed their body. A sender cannot sign in: other gates
 * are not asked for them. All other requests are for `rest`.
 */
export class WebhookSignatures implements Gate {
  readonly #heldBySource = new ConcurrencyLimiter(maxHeldOfSource);
  #held = 0;

  /** @throws UsageError when a rule is not valid */
  constructor(
    private readonly rules: readonly WebhookRule[],
    private readonly rest: Gate | undefined,
  ) {
    for (const { path, kind, secret } of rules) {
      if (!/^\/[!-<>-~]*$/.test(path)) throw new UsageError(`webhook ${path}: give a path such as /hooks/github`);
      if (!webhookKinds.includes(kind))
        throw new UsageError(`webhook ${path}: ${kind} is not ${webhookKinds.join(', ')}`);
      if (secret.length < 8) throw new UsageError(`webhook ${path}: the secret is shorter than 8 characters`);
    }
  }

  async start(context: Parameters<NonNullable<Gate['start']>>[0]): Promise<void> {
    await this.rest?.start?.(context);
  }

  /** @see Gate */
  check(request: RequestHead, facts: Parameters<Gate['check']>[1]): Verdict | Promise<Verdict> {
    const path = plainPath(request.target);
    const rule = this.rules.find((each) => plainPath(each.path) === path);
    if (!rule) return this.rest?.check(request, facts) ?? {};
    const { kind, secret } = rule;
    const signatures = signaturesOf[kind](request.fields);
    if (signatures.length === 0) return { answer: unsigned };
    const source = facts.address === undefined ? '' : sourceOf(facts.address);
    if (this.#held >= maxHeld || !this.#heldBySource.add(source)) return { answer: busy };
    this.#held++;
    const release = () => {
      this.#held--;
      this.#heldBySource.remove(source);
    };
    return {
      body: {
        most: maxBodyBytes,
        release,
        decide: (body) => (signatures.some((each) => isValid(each, body, secret)) ? {} : { answer: unsigned }),
      },
    };
  }
}

const busy = plainAnswer(503, 'Too many signed requests at once. Send this one again later.\n', {
  fields: [field('Retry-After', '5')],
});
const unsigned = plainAnswer(401, 'The signature of this request is missing, not valid, or too old.\n');

/** A path as loosely as any service might read it: what could be the webhook's path must be signed. */
function plainPath(target: string): string {
  let path = target.split(/[?#;]/, 1)[0] as string;
  try {
    path = decodeURIComponent(path);
  } catch {
    // As it is.
  }
  const segments: string[] = [];
  for (const segment of path.toLowerCase().split(/[/\\]/)) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}`;
}

interface Signature {
  /** Signed before the body. */
  prefix: string;
  hex: string;
  /** Seconds since the epoch. */
  time?: string | undefined;
}

/** Most signatures of one request: senders have two while a secret is changed. */
const maxSignatures = 4;

const signaturesOf: Record<WebhookRule['kind'], (fields: readonly Field[]) => Signature[]> = {
  github: (fields) => single(fields, 'x-hub-signature-256', /^sha256=([0-9a-f]{64})$/),
  hmac: (fields) => single(fields, 'x-signature', /^(?:sha256=)?([0-9a-f]{64})$/),
  slack(fields) {
    const [time = ''] = valuesOf(fields, 'x-slack-request-timestamp');
    return single(fields, 'x-slack-signature', /^v0=([0-9a-f]{64})$/).map(({ hex }) => ({
      prefix: `v0:${time}:`,
      hex,
      time,
    }));
  },
  stripe(fields) {
    const [header = ''] = valuesOf(fields, 'stripe-signature');
    const items = header.split(',', 20).map((item) => item.trim().split('=', 2));
    const time = items.find(([name]) => name === 't')?.[1] ?? '';
    const found = items.filter(([name, value]) => name === 'v1' && /^[0-9a-f]{64}$/.test(value ?? ''));
    return found.slice(0, maxSignatures).map(([, hex = '']) => ({ prefix: `${time}.`, hex, time }));
  },
};

function single(fields: readonly Field[], key: string, pattern: RegExp): Signature[] {
  const values = valuesOf(fields, key);
  const hex = values.length === 1 ? pattern.exec((values[0] as string).toLowerCase())?.[1] : undefined;
  return hex === undefined ? [] : [{ prefix: '', hex }];
}

function isValid({ prefix, hex, time }: Signature, body: Buffer, secret: string): boolean {
  if (time !== undefined) {
    const age = Math.abs(Date.now() / 1000 - Number(time));
    if (!/^\d{1,12}$/.test(time) || age > maxAgeSeconds) return false;
  }
  const expected = createHmac('sha256', secret).update(prefix).update(body).digest();
  return timingSafeEqual(expected, Buffer.from(hex, 'hex'));
}

/** Parses `/hooks/github=github:` and what follows, the file of the secret. @throws UsageError for anything else */
export function parseWebhook(text: string): { path: string; kind: WebhookRule['kind']; file: string } {
  const [, path = '', kind = '', file = ''] = /^(\/[^=]*)=([a-z]+):(.+)$/.exec(text.trim()) ?? [];
  if (!webhookKinds.includes(kind as WebhookRule['kind']))
    throw new UsageError(
      `webhook ${JSON.stringify(text)} is not a path, who signs and the file of the secret, such as /hooks/github=github:secret.txt (${webhookKinds.join(', ')})`,
    );
  return { path, kind: kind as WebhookRule['kind'], file };
}
