import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { ApiError, failure, isApiError, success, type SuccessData } from '../../contract/index.js';
import { listen } from '../../net/listen.js';
import { ownDescriptor, type FetchedDescriptor } from '../../sdk/discovery/fetch-descriptor.js';
import { guard } from '../../util/boundary.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';

/** TCP port of the overlay address. */
export const overlayServicePort = 7_777;
const maxConnections = 64;
const maxConnectionsPerPeer = 8;
const requestTimeoutMs = 5_000;
const maxHeadBytes = 4_096;
const maxAnswerBytes = 1_048_576;
/** A peer that is not reached so soon is asked the public way. */
const askTimeoutMs = 2_000;

export interface OverlayServiceOptions {
  /** @throws ApiError `feature_unavailable` when the relay goes down */
  health(): SuccessData<'getHealth'>;
  /** @param ip who asks @throws ApiError `rate_limited` */
  list(ip: string): SuccessData<'getDiscovery'>;
}

/** What peers are told in the overlay, in plain HTTP: WireGuard encrypts it. */
export class OverlayService {
  readonly port = overlayServicePort;
  readonly #server: Server;
  readonly #byPeer = new ConcurrencyLimiter(maxConnectionsPerPeer);

  constructor(private readonly options: OverlayServiceOptions) {
    this.#server = createServer(
      {
        maxHeaderSize: maxHeadBytes,
        requestTimeout: requestTimeoutMs,
        headersTimeout: requestTimeoutMs,
        keepAlive: false,
      },
      guard(
        'overlay request',
        (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response),
        (_request, response) => response.destroy(),
      ),
    );
    this.#server.maxConnections = maxConnections;
    this.#server.on(
      'connection',
      guard(
        'overlay request',
        (socket: Socket) => this.#admit(socket),
        (socket) => socket.destroy(),
      ),
    );
    // boundary: cannot throw.
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** @throws the system's error */
  async start(address: string): Promise<void> {
    await listen(this.#server, { host: address, port: overlayServicePort });
    // For example EMFILE, which is temporary.
    this.#server.on('error', () => undefined);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #admit(socket: Socket): void {
    const { remoteAddress = '' } = socket;
    if (!this.#byPeer.add(remoteAddress)) return void socket.destroy();
    // boundary: cannot throw.
    socket.once('close', () => this.#byPeer.remove(remoteAddress));
  }

  #answer({ method, url, socket }: IncomingMessage, response: ServerResponse): void {
    const send = (status: number, body: unknown) => {
      const text = JSON.stringify(body);
      const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
      response.writeHead(status, { ...headers, Connection: 'close' }).end(method === 'HEAD' ? undefined : text);
    };
    try {
      if (method !== 'GET' && method !== 'HEAD') throw new ApiError('method_not_allowed');
      if (url === '/healthz') send(200, success(this.options.health()));
      else if (url === '/discovery') send(200, success(this.options.list(socket.remoteAddress ?? '')));
      else throw new ApiError('not_found');
    } catch (error) {
      if (!isApiError(error)) throw error;
      send(error.status, failure(error));
    }
  }
}

/**
 * Asks a peer in the overlay for its descriptor and its listing.
 * @param url of the relay, which its descriptor must have
 * @throws Error when it does not answer, or not so; DescriptorError as `ownDescriptor`
 */
export async function askPeer(
  url: URL,
  addresses: { own: string; peer: string },
  signal: AbortSignal,
): Promise<FetchedDescriptor> {
  const request = get({
    host: addresses.peer,
    port: overlayServicePort,
    localAddress: addresses.own,
    path: '/discovery',
    agent: false,
    maxHeaderSize: maxHeadBytes,
    signal: AbortSignal.any([signal, AbortSignal.timeout(askTimeoutMs)]),
  });
  request.on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  try {
    if (response.statusCode !== 200) throw new Error(`the peer answered ${response.statusCode}`);
    const relays = listingOf(await readText(response));
    const own = ownDescriptor(relays, url);
    const others = relays.filter((entry) => entry !== own.entry);
    return { descriptor: own.descriptor, others, remoteAddress: undefined };
  } finally {
    request.destroy();
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxAnswerBytes) throw new Error(`the answer is larger than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function listingOf(text: string): unknown[] {
  const { data } = JSON.parse(text) as { data?: { relays?: unknown } };
  if (!Array.isArray(data?.relays)) throw new Error('the answer is no listing');
  return data.relays;
}
