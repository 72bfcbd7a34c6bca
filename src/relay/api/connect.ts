import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ApiError } from '../../contract/index.js';
import type { Logger } from '../logger.js';
import type { ConnectRequest, ReverseAdmission } from '../reverse/admission.js';
import { ReverseSession } from '../reverse/reverse-session.js';
import { asApiError } from './errors.js';
import { refuseWith } from './raw-answers.js';
import type { RequestHead } from './request-head.js';

const switchedInPlace = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n';
const switchedProtocols = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: portal-reverse\r\n\r\n';

/** `GET /sdk/connect`: from an HTTP request to a reverse session in its lease's queue. */
export class ConnectEndpoint {
  constructor(
    private readonly admission: ReverseAdmission,
    private readonly logger: Logger,
  ) {}

  /** The raw carrier: a plain GET, the first request of its connection. */
  async plain(socket: Socket, head: RequestHead): Promise<void> {
    const request = { httpVersion: head.version, header: (name: string) => head.headers.get(name) };
    await this.#open(socket, request, head.rest, switchedInPlace);
  }

  /** The raw carrier behind `Upgrade: portal-reverse`. */
  async upgrade(socket: Duplex, message: IncomingMessage, rest: Buffer): Promise<void> {
    const header = (name: string) => message.headers[name] as string | undefined;
    await this.#open(socket, { httpVersion: message.httpVersion, header }, rest, switchedProtocols);
  }

  async #open(socket: Duplex, request: ConnectRequest, rest: Buffer, answer: string): Promise<void> {
    const upgrade = request.header('upgrade')?.toLowerCase();
    try {
      if (upgrade === 'websocket') throw new ApiError('feature_unavailable', 'this relay offers the raw carrier only');
      if (upgrade !== undefined && upgrade !== 'portal-reverse')
        throw new ApiError('invalid_request', 'Upgrade must be portal-reverse');
      if (rest.length > 0)
        throw new ApiError('invalid_request', 'nothing may follow the request before it is answered');
      const { sessions, options } = await this.admission.admit(request);
      if (socket.destroyed) return;
      socket.write(answer);
      sessions.add(new ReverseSession(socket, options));
      this.logger.debug({ hostname: sessions.lease.hostname, ready: sessions.queue.ready }, 'reverse session ready');
    } catch (error) {
      refuseWith(socket, asApiError(error, this.logger));
    }
  }
}
