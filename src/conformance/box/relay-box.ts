import { EventEmitter, once } from 'node:events';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { verifyMessage } from 'ethers/hash';
import { ApiError, errorCatalogue, failure, isApiError, isErrorCode, success } from '../../contract/index.js';
import { portalHeaders, reverseProtocol } from '../../protocol/headers.js';
import { type Certificate, signingKeyId } from '../../relay/certs/certificate.js';
import { ReverseSession } from '../../relay/reverse/reverse-session.js';
import { VisitedSession } from './visited-session.js';

/** What an SDK may make the box keep or hold at once. */
const maxCalls = 5_000;
const maxConnections = 256;
const maxBodyBytes = 128 * 1024;

export type BoxOperation =
  | 'getDomain'
  | 'createRegisterChallenge'
  | 'registerLease'
  | 'renewLease'
  | 'unregisterLease'
  | 'signHandshake'
  | 'openReverseSession';

export interface BoxCall {
  operation: BoxOperation;
  token: string | undefined;
  body: Record<string, unknown>;
  /** Milliseconds of a clock that only goes forward. */
  at: number;
  headers: IncomingMessage['headers'];
}

/** What a call gets, in place of what it usually gets. `undefined`: the usual. */
export type BoxAnswer = (call: BoxCall, response: ServerResponse) => void;

const operations: Record<string, BoxOperation> = {
  'GET /sdk/domain': 'getDomain',
  'POST /sdk/register/challenge': 'createRegisterChallenge',
  'POST /sdk/register': 'registerLease',
  'POST /sdk/renew': 'renewLease',
  'POST /sdk/unregister': 'unregisterLease',
  'POST /v1/sign': 'signHandshake',
  'GET /sdk/connect': 'openReverseSession',
};

interface BoxEvents {
  call: [BoxCall];
  session: [VisitedSession];
  /** A request for something that no tunnel asks for. */
  stray: [];
}

/** An HTTPS relay on this machine that answers as a relay would, unless a scenario says otherwise. */
export class RelayBox extends EventEmitter<BoxEvents> {
  readonly calls: BoxCall[] = [];
  /** Sessions that wait for a visitor, oldest first. */
  readonly waiting: VisitedSession[] = [];
  /** Sessions that have sent something before a visitor came. */
  earlyBytes = 0;
  /** Seconds that leases live. */
  ttl = 30;
  /** Milliseconds that the relay's clock is ahead of this machine's. */
  clockOffset = 0;
  /** Changes a sign-in message before it is sent. */
  lie: (message: string) => string = (message) => message;
  /** More fields of `getDomain`. */
  domain: Record<string, unknown> = {};
  /** Whether sessions may be recycled, and sign inside. */
  recycles = true;
  /** The certificate that tenants use. */
  tenants: Certificate;
  hostname = '';
  /** A fault of the box's own, which must not pass for one of the SDK. */
  fault: Error | undefined;
  /** The newest token. */
  token = '';
  /** Handshakes that were signed, and the reasons why others were not. */
  readonly signed: string[] = [];
  readonly refusals: string[] = [];
  readonly #script = new Map<BoxOperation, BoxAnswer[]>();
  readonly #sockets = new Set<Socket>();
  readonly #routed = new Map<string, VisitedSession>();
  readonly #challenges = new Map<string, { message: string; address: string }>();
  readonly #server: Server;
  #tokens = 0;

  private constructor(certificate: Certificate) {
    super();
    this.setMaxListeners(100);
    this.tenants = certificate;
    this.#server = createServer({
      cert: certificate.chainPem,
      key: certificate.key.export({ format: 'pem', type: 'pkcs8' }),
    });
    this.#server.maxConnections = maxConnections;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('tlsClientError', () => {});
    // boundary: a request that cannot be answered ends with its connection.
    this.#server.on('request', (request, response) => {
      this.#receive(request, response).catch((error: Error) => {
        // A caller that breaks off is none.
        if (request.complete) this.fault ??= error;
        response.destroy();
      });
    });
    // boundary: the same.
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      try {
        this.#upgrade(request, socket, head);
      } catch (error) {
        this.fault ??= error as Error;
        socket.destroy();
      }
    });
  }

  static async start(certificate: Certificate): Promise<RelayBox> {
    const box = new RelayBox(certificate);
    box.#server.listen(0, '127.0.0.1');
    await once(box.#server, 'listening');
    return box;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://portal.localhost:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Answers the next call of an operation in another way; more than one are taken in turn. */
  next(operation: BoxOperation, ...answers: BoxAnswer[]): void {
    this.#script.set(operation, [...(this.#script.get(operation) ?? []), ...answers]);
  }

  of(operation: BoxOperation): BoxCall[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  now(): number {
    return Date.now() + this.clockOffset;
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = operations[`${request.method} ${request.url}`];
    response.setHeader('Date', new Date(this.now()).toUTCString());
    if (operation === undefined) {
      this.emit('stray');
      return respond(response, { status: 404, body: failure(new ApiError('not_found')) });
    }
    const call = this.#note(operation, request, request.method === 'POST' ? await readJson(request) : {});
    const scripted = this.#script.get(operation)?.shift();
    if (scripted) return scripted(call, response);
    try {
      respond(response, this.#usual(call));
    } catch (error) {
      if (!isApiError(error)) throw error;
      if (operation === 'signHandshake') this.refusals.push(error.message);
      respond(response, { status: error.status, body: failure(error) });
    }
  }

  #note(operation: BoxOperation, request: IncomingMessage, body: Record<string, unknown>): BoxCall {
    const inBody = typeof body['access_token'] === 'string' ? body['access_token'] : undefined;
    const header = request.headers[portalHeaders.accessToken.toLowerCase()];
    const token = (typeof header === 'string' ? header : undefined) ?? inBody;
    const call = { operation, token, body, at: performance.now(), headers: request.headers };
    if (this.calls.length < maxCalls) this.calls.push(call);
    this.emit('call', call);
    return call;
  }

  /** @throws ApiError */
  #usual(call: BoxCall): { status: number; body: unknown } {
    switch (call.operation) {
      case 'getDomain':
        return { status: 200, body: success(this.#domain()) };
      case 'createRegisterChallenge':
        return { status: 201, body: success(this.#challenge(call.body)) };
      case 'registerLease':
        return { status: 201, body: success(this.#register(call.body)) };
      case 'renewLease':
        this.#check(call);
        return { status: 200, body: success(this.#grant()) };
      case 'unregisterLease':
        this.#check(call);
        return { status: 200, body: success({}) };
      case 'signHandshake':
        this.#check(call);
        return { status: 200, body: success(this.#sign(call.body)) };
      case 'openReverseSession':
        // Only the form that upgrades is played here.
        throw new ApiError('hijack_unsupported', 'use Connection: Upgrade and Upgrade: portal-reverse');
    }
  }

  #domain(): object {
    return {
      protocol_version: '5',
      release_version: '0.0.0',
      root_host: 'portal.localhost',
      transports: ['raw'],
      keyless: { modes: ['transcript'], key_id: signingKeyId, certificate_chain: this.tenants.chainPem },
      ...this.domain,
    };
  }

  #challenge(body: Record<string, unknown>): object {
    const { name, address } = (body['identity'] ?? {}) as { name?: unknown; address?: unknown };
    if (typeof name !== 'string' || typeof address !== 'string')
      throw new ApiError('invalid_request', 'identity needs a name and an address');
    const id = randomBytes(8).toString('hex');
    this.hostname = `${name.toLowerCase()}.portal.localhost`;
    const message = this.lie(signInMessage(this.url, address, id, this.now()));
    this.#challenges.clear();
    this.#challenges.set(id, { message, address });
    return { challenge_id: id, expires_at: new Date(this.now() + 120_000).toISOString(), siwe_message: message };
  }

  #register(body: Record<string, unknown>): object {
    const id = String(body['challenge_id']);
    const challenge = this.#challenges.get(id);
    this.#challenges.delete(id);
    if (!challenge) throw new ApiError('unauthorized', 'the challenge is not known');
    if (body['siwe_message'] !== challenge.message)
      throw new ApiError('unauthorized', 'the message is not the one that was sent, byte for byte');
    let signer = '';
    try {
      signer = verifyMessage(challenge.message, String(body['siwe_signature']));
    } catch {
      // It is compared below.
    }
    if (signer.toLowerCase() !== challenge.address.toLowerCase())
      throw new ApiError('unauthorized', 'the signature is not one of this address by personal_sign');
    const identity = { name: this.hostname.split('.')[0], address: signer };
    return { identity, hostname: this.hostname, sni_port: this.port, ...this.#grant() };
  }

  #grant(): object {
    this.token = `token-${++this.#tokens}`;
    return { access_token: this.token, expires_at: new Date(this.now() + this.ttl * 1000).toISOString() };
  }

  /** @throws ApiError */
  #check({ token }: BoxCall): void {
    if (token === undefined) throw new ApiError('unauthorized', 'there is no access token');
    if (!/^token-\d+$/.test(token)) throw new ApiError('unauthorized', 'the access token is of another relay');
  }

  #sign(body: Record<string, unknown>): object {
    const session = this.#routed.get(String(body['binding']));
    if (!session) throw new ApiError('invalid_request', 'the binding is not known, or spent');
    this.#routed.delete(String(body['binding']));
    if (body['key_id'] !== signingKeyId) throw new ApiError('invalid_request', 'key_id is not a key of this relay');
    const scheme = String(body['signature_scheme']);
    const signature = session.sign(scheme, Buffer.from(String(body['transcript']), 'base64'));
    this.signed.push('POST /v1/sign');
    return { key_id: signingKeyId, signature_scheme: scheme, signature: signature.toString('base64') };
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {});
    const call = this.#note('openReverseSession', request, {});
    const scripted = this.#script.get('openReverseSession')?.shift();
    const isReverse = request.url === '/sdk/connect' && request.headers.upgrade?.toLowerCase() === reverseProtocol;
    const refuse = (error: ApiError, headers: Record<string, string> = {}) =>
      writeRefusal(socket, error.status, JSON.stringify(failure(error)), headers);
    if (!isReverse) return refuse(new ApiError('not_found'));
    if (scripted) return scripted(call, refusalOf(socket));
    try {
      this.#check(call);
    } catch (error) {
      return refuse(error as ApiError);
    }
    const asks = (name: string, value = '1') => request.headers[name.toLowerCase()] === value;
    if (!asks(portalHeaders.binding))
      return refuse(new ApiError('feature_unavailable', 'the session asks for no binding'));
    const recycle = this.recycles && asks(portalHeaders.recycle);
    const sign = recycle && asks(portalHeaders.sign);
    const agreed = [recycle ? portalHeaders.recycle : undefined, sign ? portalHeaders.sign : undefined];
    const lines = agreed.flatMap((name) => (name ? [`${name}: 1`] : []));
    socket.write(
      ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', `Upgrade: ${reverseProtocol}`, ...lines, '', ''].join(
        '\r\n',
      ),
    );
    if (head.length > 0) this.earlyBytes++;
    const proxy = asks(portalHeaders.proxy, '2');
    this.#await(new ReverseSession(socket, { binding: true, proxy, recycle, sign, unwrap: false }, '127.0.0.1'));
  }

  #await(session: ReverseSession): void {
    const visited = new VisitedSession(session, this);
    this.waiting.push(visited);
    session.once('gone', () => this.#drop(visited));
    session.stream.once('close', () => this.#drop(visited));
    session.once('recycled', () => {
      const { stream, options, from } = session;
      this.#await(new ReverseSession(stream, options, from));
    });
    this.emit('session', visited);
  }

  #drop(session: VisitedSession): void {
    const at = this.waiting.indexOf(session);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  /** A session that is taken for a visitor. */
  claimed(session: VisitedSession, binding: Buffer): void {
    this.#drop(session);
    this.#routed.set(binding.toString('base64'), session);
  }

  /** That its handshake was signed inside, by the one use of its binding. */
  signedInside(binding: Buffer): boolean {
    if (!this.#routed.delete(binding.toString('base64'))) return false;
    this.signed.push('inside the session');
    return true;
  }
}

/** The EIP-4361 message of a relay at this URL. */
export function signInMessage(relay: string, address: string, challengeId: string, now: number): string {
  return [
    `${new URL(relay).host} wants you to sign in with your Ethereum account:`,
    address,
    '',
    '',
    `URI: ${relay}/sdk/register`,
    'Version: 1',
    'Chain ID: 1',
    `Nonce: ${randomBytes(8).toString('hex')}`,
    `Issued At: ${new Date(now).toISOString()}`,
    `Expiration Time: ${new Date(now + 120_000).toISOString()}`,
    `Request ID: ${challengeId}`,
  ].join('\n');
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) return {};
    chunks.push(chunk);
  }
  try {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as unknown;
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function respond(response: ServerResponse, { status, body }: { status: number; body: unknown }): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

/** An answer with an error of the catalogue, or with one that the catalogue does not have yet. */
export function fail(code: string, { status, retryAfter }: { status?: number; retryAfter?: number } = {}): BoxAnswer {
  return (_call, response) => {
    const known: { status: number } | undefined = isErrorCode(code) ? errorCatalogue[code] : undefined;
    const headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
    const body = { ok: false, error: { code, message: `as the scenario has it: ${code}` } };
    response
      .writeHead(status ?? known?.status ?? 500, { 'Content-Type': 'application/json', ...headers })
      .end(JSON.stringify(body));
  };
}

/** An answer of exactly these words. */
export function say(status: number, text: string, headers: Record<string, string> = {}): BoxAnswer {
  return (_call, response) => void response.writeHead(status, headers).end(text);
}

/** No answer at all, for as long as the connection lives. */
export const silence: BoxAnswer = () => undefined;

/** A ServerResponse is not to be had where a connection was to be switched: this has the two calls that answers use. */
function refusalOf(socket: Duplex): ServerResponse {
  let status = 500;
  let headers: Record<string, string> = {};
  const response = {
    writeHead(code: number, fields: Record<string, string> = {}) {
      status = code;
      headers = fields;
      return response;
    },
    end: (text = '') => writeRefusal(socket, status, text, headers),
  };
  return response as unknown as ServerResponse;
}

function writeRefusal(socket: Duplex, status: number, body: string, headers: Record<string, string>): void {
  const fields = {
    'Content-Type': 'application/json',
    Connection: 'close',
    ...headers,
    'Content-Length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} Refused`, ...lines, '', body].join('\r\n'));
}
