import createClient, { type Client } from 'openapi-fetch';
import type { paths } from '../contract/operations.js';
import { errorOfAnswer } from './answers.js';
import { boundedFetch, type Fetch } from './bounded-fetch.js';
import { callTimeoutMs } from './constants.js';
import { withDeadline } from './deadline.js';
import { AnswerError, asNetworkError, NetworkError } from './errors.js';
import { parseRelayUrl } from './relay-url.js';

export interface PortalClientOptions {
  /** The relay's URL, `https://host[:port]`. */
  relay: string | URL;
  /** How requests travel; `globalThis.fetch` by default. On Node, `RelayTransport` knows private CAs and localhost names. */
  fetch?: Fetch;
  /** Deadline of each call in milliseconds. */
  timeoutMs?: number;
  /** Largest answer taken, in bytes. */
  maxAnswerBytes?: number;
}

export interface CallOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** As openapi-fetch gives it. */
export interface Answer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

export interface Caller {
  readonly relay: URL;
  readonly http: Client<paths>;
  /** One call under its deadline: the `data` of its success, and the relay's clock. Throws as `PortalClient` says. */
  call<Data>(
    options: CallOptions,
    run: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<{ data: Data; date: string | null }>;
}

/**
 * What the clients of the contract have in common.
 * @param maxBytes of an answer
 * @throws UsageError when `relay` is not a relay URL
 */
export function createCaller(options: PortalClientOptions, maxBytes: number): Caller {
  const relay = parseRelayUrl(options.relay.toString());
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const http = createClient<paths>({ baseUrl: relay.origin, fetch: boundedFetch(fetch, maxBytes) });
  return {
    relay,
    http,
    async call<Data>(
      { signal, timeoutMs = options.timeoutMs ?? callTimeoutMs }: CallOptions,
      run: (signal: AbortSignal) => Promise<Answer>,
    ) {
      const expired = () => new NetworkError('timeout', `${relay.host} did not answer within ${timeoutMs / 1000} s`);
      return await withDeadline(timeoutMs, signal, expired, async (callSignal) => {
        let answer: Answer;
        try {
          answer = await run(callSignal);
        } catch (error) {
          if (error instanceof SyntaxError)
            throw new AnswerError('the answer is not JSON', undefined, { cause: error });
          throw asNetworkError(error, relay.host);
        }
        return { data: dataOf(answer) as Data, date: answer.response.headers.get('Date') };
      });
    },
  };
}

/** `data` of a success envelope. Throws what the answer is otherwise. */
function dataOf({ data, error, response }: Answer): object {
  if (!response.ok) throw errorOfAnswer(response.status, error, response.headers.get('Retry-After'));
  const envelope = data as { ok?: unknown; data?: unknown } | null | undefined;
  if (envelope?.ok !== true || typeof envelope.data !== 'object' || envelope.data === null) {
    throw new AnswerError('the answer is not one of a Portal relay', response.status);
  }
  return envelope.data;
}
