import { type Bench, type Kind, asText } from './bench.js';
import type { TestedOperation } from './document.js';
import { exchangeRaw, type HttpAnswer, type HttpRequest } from './http.js';

/** What truly brings an answer about: one, or several that must all be the declared one. */
export type Cause = (bench: Bench, operation: TestedOperation) => Promise<HttpAnswer | HttpAnswer[]>;

/** Sends a request of an operation, also where the connection may be switched. */
export async function sendTo(
  bench: Bench,
  { operationId }: TestedOperation,
  request: HttpRequest,
  kind: Kind = 'usual',
): Promise<HttpAnswer> {
  if (operationId !== 'openReverseSession') return await bench.send(request, kind);
  return await exchangeRaw((await bench.at(kind)).relay, asText(request));
}

/** Makes a call until it is one too many. */
export async function untilRefused(ask: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
  for (let asked = 0; asked < 1_000; asked++) {
    const answer = await ask();
    if (answer.status === 429) return answer;
  }
  throw new Error('a thousand calls were not too many');
}
