import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { errorOfAnswer } from '../sdk/answers.js';
import { maxAnswerBytes } from '../sdk/constants.js';
import { withDeadline } from '../sdk/deadline.js';
import { AnswerError, asNetworkError, NetworkError } from '../sdk/errors.js';
import type { RelayTransport } from '../sdk/relay-transport.js';
import type { Carrier, DialRequest } from './carrier.js';
import { dialTimeoutMs, tcpKeepAliveMs } from './constants.js';

const protocol = 'portal-reverse';
const maxHeadBytes = 16_384;

/** The raw carrier by upgrade: bytes straight over the TLS connection to the relay, after a 101. */
export class RawCarrier implements Carrier {
  readonly name = 'raw';

  constructor(
    private readonly relay: URL,
    private readonly transport: RelayTransport,
  ) {}

  async dial({ accessToken, signal }: DialRequest): Promise<Duplex> {
    const expired = () =>
      new NetworkError('timeout', `${this.relay.host} did not open a session within ${dialTimeoutMs / 1000} s`);
    return await withDeadline(dialTimeoutMs, signal, expired, async (dialSignal) => {
      // The token leaves this process only after the relay's certificate was verified.
      const socket = await this.transport.connect(this.relay, dialSignal);
      socket.on('error', () => undefined);
      const giveUp = () => socket.destroy();
      dialSignal.addEventListener('abort', giveUp, { once: true });
      try {
        return await this.#upgrade(socket, accessToken);
      } catch (error) {
        socket.destroy();
        throw error;
      } finally {
        dialSignal.removeEventListener('abort', giveUp);
      }
    });
  }

  #upgrade(socket: TLSSocket, accessToken: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        path: '/sdk/connect',
        createConnection: () => socket,
        maxHeaderSize: maxHeadBytes,
        setHost: false,
        headers: {
          Host: this.relay.host,
          Connection: 'Upgrade',
          Upgrade: protocol,
          'X-Portal-Access-Token': accessToken,
          'X-Portal-Binding': '1',
          'X-Portal-Proxy': '2',
        },
      });
      request.once('upgrade', (response, upgraded, head) => {
        if (response.headers.upgrade?.toLowerCase() !== protocol) {
          reject(new AnswerError('the relay switched to another protocol', response.statusCode));
          return;
        }
        if (head.length > 0) upgraded.unshift(head);
        socket.setKeepAlive(true, tcpKeepAliveMs);
        resolve(upgraded);
      });
      request.once('response', (response) => {
        readRefusal(response).then(reject, reject);
      });
      request.on('error', (error) => reject(asNetworkError(error, this.relay.host)));
      request.end();
    });
  }
}

/** The error that an ordinary answer to `GET /sdk/connect` stands for. */
async function readRefusal(response: IncomingMessage): Promise<Error> {
  const status = response.statusCode ?? 0;
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += chunk as string;
    if (text.length > maxAnswerBytes)
      return new AnswerError(`the answer is larger than ${maxAnswerBytes} bytes`, status);
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return errorOfAnswer(status, body, response.headers['retry-after']);
}
