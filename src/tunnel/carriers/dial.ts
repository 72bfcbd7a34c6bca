import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { errorOfAnswer } from '../../sdk/calls/answers.js';
import { maxAnswerBytes } from '../../sdk/calls/caller.js';
import { withDeadline } from '../../sdk/calls/deadline.js';
import { AnswerError, asNetworkError, NetworkError } from '../../sdk/calls/errors.js';
import { portalHeaders } from '../../protocol/headers.js';
import type { SessionTerms } from './carrier.js';

/** Deadline from the first byte sent to the end of the response. */
const dialTimeoutMs = 10_000;

/** The request headers of every carrier. */
export function sessionHeaders(accessToken: string): Record<string, string> {
  return {
    [portalHeaders.accessToken]: accessToken,
    [portalHeaders.binding]: '1',
    [portalHeaders.proxy]: '2',
    [portalHeaders.recycle]: '1',
    [portalHeaders.sign]: '1',
  };
}

/** What the relay has agreed to. Older relays omit the headers. */
export function termsOf(answer: IncomingMessage): SessionTerms {
  const isAgreed = (name: string) => answer.headers[name.toLowerCase()] === '1';
  const recycles = isAgreed(portalHeaders.recycle);
  return { recycles, signs: recycles && isAgreed(portalHeaders.sign) };
}

/**
 * Opens a session over its own TLS connection, within the dial deadline. The token is sent only after the relay's
 * certificate was verified.
 * @throws NetworkError; what `open` throws; the signal's reason when aborted
 */
export async function dialRelay<Opened>(
  connect: (signal: AbortSignal) => Promise<TLSSocket>,
  relay: URL,
  signal: AbortSignal,
  open: (socket: TLSSocket, signal: AbortSignal) => Promise<Opened>,
): Promise<Opened> {
  const expired = () =>
    new NetworkError('timeout', `${relay.host} did not open a session within ${dialTimeoutMs / 1000} s`);
  return await withDeadline(dialTimeoutMs, signal, expired, async (dialSignal) => {
    const socket = await connect(dialSignal);
    socket.on('error', () => undefined);
    const giveUp = () => socket.destroy();
    dialSignal.addEventListener('abort', giveUp, { once: true });
    try {
      return await open(socket, dialSignal);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      dialSignal.removeEventListener('abort', giveUp);
    }
  });
}

/** The error for an ordinary response to `GET /sdk/connect`. @param host of the relay */
export async function readRefusal(response: IncomingMessage, host: string): Promise<Error> {
  const status = response.statusCode ?? 0;
  let text = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response) {
      text += chunk as string;
      if (text.length > maxAnswerBytes)
        return new AnswerError(`the response is larger than ${maxAnswerBytes} bytes`, status);
    }
  } catch (error) {
    // The response was cut off, so the reason is unknown; a retry may tell.
    return asNetworkError(error, host);
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return errorOfAnswer(status, body, response.headers['retry-after']);
}
