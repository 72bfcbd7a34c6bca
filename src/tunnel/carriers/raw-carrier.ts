import { request as httpRequest } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { AnswerError, asNetworkError } from '../../sdk/errors.js';
import type { RelayTransport } from '../../sdk/relay-transport.js';
import type { Carrier, DialRequest, OpenedSession } from './carrier.js';
import { tcpKeepAliveMs } from '../constants.js';
import { dialRelay, readRefusal, recycles, sessionHeaders } from './dial.js';

const protocol = 'portal-reverse';
const maxHeadBytes = 16_384;

/** The raw carrier by upgrade: bytes straight over the TLS connection to the relay, after a 101. */
export class RawCarrier implements Carrier {
  readonly name = 'raw';

  constructor(
    private readonly relay: URL,
    private readonly transport: RelayTransport,
  ) {}

  async dial({ accessToken, signal }: DialRequest): Promise<OpenedSession> {
    return await dialRelay(this.relay, this.transport, signal, (socket) => this.#upgrade(socket, accessToken));
  }

  #upgrade(socket: TLSSocket, accessToken: string): Promise<OpenedSession> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        path: '/sdk/connect',
        createConnection: () => socket,
        maxHeaderSize: maxHeadBytes,
        setHost: false,
        headers: { Host: this.relay.host, Connection: 'Upgrade', Upgrade: protocol, ...sessionHeaders(accessToken) },
      });
      request.once('upgrade', (response, upgraded, head) => {
        if (response.headers.upgrade?.toLowerCase() !== protocol) {
          reject(new AnswerError('the relay switched to another protocol', response.statusCode));
          return;
        }
        if (head.length > 0) upgraded.unshift(head);
        socket.setKeepAlive(true, tcpKeepAliveMs);
        resolve({ stream: upgraded, recycles: recycles(response) });
      });
      request.once('response', (response) => {
        readRefusal(response).then(reject, reject);
      });
      request.on('error', (error) => reject(asNetworkError(error, this.relay.host)));
      request.end();
    });
  }
}
