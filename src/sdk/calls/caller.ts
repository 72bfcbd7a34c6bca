import createClient, { type Client } from 'openapi-fetch';
import {
  operationRoutes,
  type EnvelopeOperationId,
  type Parameters,
  type paths,
  type RequestBody,
  type SuccessData,
} from '../../contract/operations.js';
import { dataOf, errorOfAnswer } from './answers.js';
import { boundedFetch, type Fetch } from './bounded-fetch.js';
import { withDeadline } from './deadline.js';
import { AnswerError, asNetworkError, NetworkError, UsageError } from './errors.js';
import { parseRelayUrl } from './relay-url.js';
import { portalHeaders } from '../../protocol/headers.js';

/** Deadline of one call, from first byte out to last byte in. */
export const callTimeoutMs = 10_000;
/** Largest answer taken. A certificate chain of 64 KiB, JSON-escaped, is the largest thing in the contract. */
export const maxAnswerBytes = 262_144;

export interface PortalClientOptions {
  /** The relay's URL, `https://host[:port]`; `http://` for a mock on this machine only. */
  relay: string | URL;
  /** How requests travel; `globalThis.fetch` by default. On Node, `RelayTransport` knows private CAs and localhost names. */
  fetch?: Fetch | undefined;
  /** Deadline of each call in milliseconds. */
  timeoutMs?: number | undefined;
  /** Largest answer taken, in bytes. */
  maxAnswerBytes?: number | undefined;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** A field of a request: absent, optional or required as the contract has it. */
type Field<Name extends string, Value> = [Value] extends [never]
  ? { [Key in Name]?: undefined }
  : Record<never, never> extends Value
    ? { [Key in Name]?: Value }
    : { [Key in Name]: Value };

/** What an operation takes. */
export type SendRequest<Op extends EnvelopeOperationId> = CallOptions & {
  /** Goes into `X-Portal-Access-Token`. */
  accessToken?: string;
  headers?: Record<string, string>;
} & Field<'path', Parameters<Op, 'path'>> &
  Field<'query', Parameters<Op, 'query'>> &
  Field<'body', RequestBody<Op>>;

/** An answer, as it came. */
export interface Exchange {
  status: number;
  /** As parsed from JSON, or the text where that failed. */
  body: unknown;
  retryAfter: string | null;
  date: string | null;
}

/** What openapi-fetch gives, for whichever operation. */
interface AnyAnswer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

export interface Caller {
  readonly relay: URL;
  readonly http: Client<paths>;
  /** One call under its deadline. Throws as `PortalClient` says, but for failures that the contract names. */
  exchange<Op extends EnvelopeOperationId>(operationId: Op, request: SendRequest<Op>): Promise<Exchange>;
  /** The `data` of its success, and the relay's clock. Throws what the answer is otherwise. */
  call<Op extends EnvelopeOperationId>(
    operationId: Op,
    request: SendRequest<Op>,
  ): Promise<{ data: SuccessData<Op>; date: string | null }>;
}

/**
 * What the clients of the contract have in common.
 * @param maxBytes of an answer
 * @throws UsageError when `relay` is not a relay URL
 */
export function createCaller(options: PortalClientOptions, maxBytes: number): Caller {
  const relay = parseRelayUrl(options.relay.toString(), { mocks: true });
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const http = createClient<paths>({ baseUrl: relay.origin, fetch: boundedFetch(fetch, maxBytes) });

  async function exchange<Op extends EnvelopeOperationId>(
    operationId: Op,
    { signal, timeoutMs = options.timeoutMs ?? callTimeoutMs, ...request }: SendRequest<Op>,
  ): Promise<Exchange> {
    const { method, path } = routeOf(operationId);
    if (method === 'get' && request.body !== undefined) throw new UsageError(`${operationId} takes no body`);
    const headers = {
      ...request.headers,
      ...(request.accessToken === undefined ? {} : { [portalHeaders.accessToken]: request.accessToken }),
    };
    const params = { path: request.path, query: request.query };
    // The types of `send` are those of the contract; openapi-fetch cannot follow them through a variable path.
    const run = http.request as unknown as (method: string, path: string, init: object) => Promise<AnyAnswer>;
    const expired = () => new NetworkError('timeout', `${relay.host} did not answer within ${timeoutMs / 1000} s`);
    return await withDeadline(timeoutMs, signal, expired, async (callSignal) => {
      try {
        const init = { params, headers, body: request.body, signal: callSignal };
        const { data, error, response } = await run(method, path, init);
        const [retryAfter, date] = ['Retry-After', 'Date'].map((name) => response.headers.get(name));
        return {
          status: response.status,
          body: response.ok ? data : error,
          retryAfter: retryAfter ?? null,
          date: date ?? null,
        };
      } catch (error) {
        if (error instanceof SyntaxError)
          throw new AnswerError('the response is not JSON', undefined, { cause: error });
        throw asNetworkError(error, relay.host);
      }
    });
  }

  async function call<Op extends EnvelopeOperationId>(operationId: Op, request: SendRequest<Op>) {
    const { status, body, retryAfter, date } = await exchange(operationId, request);
    if (status >= 400) throw errorOfAnswer(status, body, retryAfter);
    const data = dataOf(body) as SuccessData<Op> | undefined;
    if (data === undefined) throw new AnswerError('the response is not from a Portal relay', status);
    return { data, date };
  }

  return { relay, http, exchange, call };
}

/** Whoever writes plain JavaScript may ask for anything. */
function routeOf(operationId: EnvelopeOperationId): (typeof operationRoutes)[EnvelopeOperationId] {
  if (!Object.hasOwn(operationRoutes, operationId))
    throw new UsageError(`the contract has no operation ${operationId}`);
  return operationRoutes[operationId];
}
