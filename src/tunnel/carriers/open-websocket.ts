import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { AnswerError, asNetworkError } from '../../sdk/calls/errors.js';
import { tunnelKeepAliveMs } from '../../net/tcp-keepalive.js';
import type { SessionTerms } from './carrier.js';
import { readRefusal, sessionHeaders, termsOf } from './dial.js';

export interface WebSocketRequest {
  relay: URL;
  accessToken: string;
  /** The subprotocol that the relay must select. */
  protocol: string;
  maxMessageBytes: number;
  /** Besides those of a session. */
  headers?: Record<string, string>;
}

export interface OpenedWebSocket {
  webSocket: WebSocket;
  terms: SessionTerms;
}

/**
 * Opens a WebSocket to `/sdk/connect` over an existing connection to the relay.
 * @throws ApiError when the relay refuses; NetworkError; AnswerError
 */
export function openWebSocket(socket: TLSSocket, request: WebSocketRequest): Promise<OpenedWebSocket> {
  const { relay, accessToken, protocol, maxMessageBytes, headers } = request;
  return new Promise((resolve, reject) => {
    const opening = new WebSocket(new URL('/sdk/connect', relay), [protocol], {
      createConnection: () => socket,
      headers: { ...sessionHeaders(accessToken), ...headers },
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      followRedirects: false,
    });
    opening.on('error', (error) => reject(asNetworkError(error, relay.host)));
    opening.once('unexpected-response', (_request, response) => {
      readRefusal(response, relay.host).then(reject, reject);
    });
    let terms: SessionTerms = { recycles: false, signs: false };
    // boundary: cannot throw.
    opening.once('upgrade', (response) => (terms = termsOf(response)));
    opening.once('open', () => {
      if (opening.protocol !== protocol) {
        reject(new AnswerError('the relay chose another subprotocol', 101));
        return;
      }
      socket.setKeepAlive(true, tunnelKeepAliveMs);
      resolve({ webSocket: opening, terms });
    });
  });
}
