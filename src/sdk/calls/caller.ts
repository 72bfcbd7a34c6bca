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

/** Deadline of one call, from the first byte sent to the last byte received. */
export const callTimeoutMs = 10_000;
/** Largest response accepted. The largest in the contract is a certificate chain of 64 KiB, JSON-escaped. */
export const maxAnswerBytes = 262_144;

export interface PortalClientOptions {
  /** The relay's URL, `https://host[:port]`; `http://` for a mock on this machine only. */
  relay: string | URL;
  /**
   * The `fetch` to use; `globalThis.fetch` by default. On Node, `RelayTransport` supports private CAs and localhost
   * names.
   */
  fetch?: Fetch | undefined;
  /** Deadline of each call in milliseconds. */
  timeoutMs?: number | undefined;
  /** Largest response accepted, in bytes. */
  maxAnswerBytes?: number | undefined;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** A field of a request: absent, optional or required as in the contract. */
type Field<Name extends string, Value> = [Value] extends [never]
  ? { [Key in Name]?: undefined }
  : Record<never, never> extends Value
    ? { [Key in Name]?: Value }
    : { [Key in Name]: Value };

/** The parameters of an operation. */
export type SendRequest<Op extends EnvelopeOperationId> = CallOptions & {
  /** Sent as `X-Portal-Access-Token`. */
  accessToken?: string;
  headers?: Record<string, string>;
} & Field<'path', Parameters<Op, 'path'>> &
  Field<'query', Parameters<Op, 'query'>> &
  Field<'body', RequestBody<Op>>;

/** A response as received. */
export interface Exchange {
  status: number;
  /** The parsed JSON, or the text if it is not JSON. */
  body: unknown;
  retryAfter: string | null;
  date: string | null;
}

/** The result of openapi-fetch for any operation. */
interface AnyAnswer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

export interface Caller {
  readonly relay: URL;
  readonly http: Client<paths>;
  /**
   * Makes one call with its deadline. Throws as `PortalClient` documents, except for failures defined in the
   * contract.
   */
  exchange<Op extends EnvelopeOperationId>(operationId: Op, request: SendRequest<Op>): Promise<Exchange>;
  /** Returns the `data` of a success, and the relay's clock. Throws for any other response. */
  call<Op extends EnvelopeOperationId>(
    operationId: Op,
    request: SendRequest<Op>,
  ): Promise<{ data: SuccessData<Op>; date: string | null }>;
}

/**
 * The common part of the contract's clients.
 * @param maxBytes of a response
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
    // `send` has the contract's types; openapi-fetch cannot infer them for a variable path.
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

/** Callers in plain JavaScript may pass anything. */
function routeOf(operationId: EnvelopeOperationId): (typeof operationRoutes)[EnvelopeOperationId] {
  if (!Object.hasOwn(operationRoutes, operationId))
    throw new UsageError(`the contract has no operation ${operationId}`);
  return operationRoutes[operationId];
}
