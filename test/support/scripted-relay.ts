import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { SiweMessage } from 'siwe';
import { ApiError, failure, success, type ErrorCode } from '../../src/contract/index.js';
import { certificateFiles } from './certificates.js';

export type Operation = 'domain' | 'challenge' | 'register' | 'renew' | 'unregister' | 'connect' | 'sign';

export interface Call {
  operation: Operation;
  token: string | undefined;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

type Answer = (call: Call, response: ServerResponse) => void | Promise<void>;

const operations: Record<string, Operation> = {
  'GET /sdk/domain': 'domain',
  'POST /sdk/register/challenge': 'challenge',
  'POST /sdk/register': 'register',
  'POST /sdk/renew': 'renew',
  'POST /sdk/unregister': 'unregister',
  'GET /sdk/connect': 'connect',
  'POST /v1/sign': 'sign',
};

/**
 * A relay that misbehaves as its test wants: HTTPS on loopback, answers as a relay would unless told otherwise. For what a
 * real relay does not do; everything else is tested against the real one.
 */
export class ScriptedRelay {
  readonly calls: Call[] = [];
  /** Seconds that leases live. */
  ttl = 30;
  /** Changes made to the sign-in messages. */
  siwe: Partial<SiweMessage> = {};
  readonly #script = new Map<Operation, Answer[]>();
  #tokens = 0;
  #name = '';

  private constructor(
    readonly url: string,
    readonly ca: string,
  ) {}

  static async start(t: TestContext): Promise<ScriptedRelay> {
    const certificate = await certificateFiles('portal.localhost');
    t.after(() => certificate.remove());
    const server = createServer({ cert: certificate.certPem, key: readFileSync(certificate.keyFile) });
    const open = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      open.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => open.delete(socket));
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    });
    const url = `https://portal.localhost:${(server.address() as AddressInfo).port}`;
    const relay = new ScriptedRelay(url, certificate.certPem);
    server.on('request', (request, response) => void relay.#receive(request, response));
    return relay;
  }

  /** Answers the next call of an operation in another way; more than one are taken in turn. */
  next(operation: Operation, answer: Answer): this {
    this.#script.set(operation, [...(this.#script.get(operation) ?? []), answer]);
    return this;
  }

  count(operation: Operation): number {
    return this.calls.filter((call) => call.operation === operation).length;
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = operations[`${request.method} ${request.url}`];
    if (operation === undefined) {
      response.writeHead(404).end();
      return;
    }
    const token = request.headers['x-portal-access-token'] as string | undefined;
    const call: Call = { operation, token, body: request.method === 'POST' ? await json(request) : undefined };
    this.calls.push(call);
    const scripted = this.#script.get(operation)?.shift();
    await (scripted ?? this.#usual(operation))(call, response);
  }

  #usual(operation: Operation): Answer {
    const lease = () => ({
      access_token: `token-${++this.#tokens}`,
      expires_at: new Date(Date.now() + this.ttl * 1000).toISOString(),
    });
    const usual: Record<Operation, Answer> = {
      domain: (_call, response) => {
        const keyless = { modes: ['transcript'], key_id: 'relay-cert', certificate_chain: this.ca };
        const domain = {
          protocol_version: '5',
          release_version: '0',
          root_host: 'portal.localhost',
          transports: ['raw'],
        };
        answer(response, 200, success({ ...domain, keyless }));
      },
      challenge: ({ body }, response) => {
        const id = randomBytes(8).toString('hex');
        answer(
          response,
          201,
          success({ challenge_id: id, expires_at: inMinutes(2), siwe_message: this.#message(id, body) }),
        );
      },
      register: ({ body }, response) => {
        const identity = { name: this.#name, address: new SiweMessage(body.siwe_message).address };
        answer(response, 201, success({ identity, hostname: `${this.#name}.portal.localhost`, ...lease() }));
      },
      renew: (_call, response) => answer(response, 200, success(lease())),
      unregister: (_call, response) => answer(response, 200, success({})),
      connect: fail('feature_unavailable'),
      sign: fail('feature_unavailable'),
    };
    return usual[operation];
  }

  #message(id: string, body: { identity: { name: string; address: string } }): string {
    this.#name = body.identity.name;
    return new SiweMessage({
      domain: new URL(this.url).host,
      address: body.identity.address,
      uri: `${this.url}/sdk/register`,
      version: '1',
      chainId: 1,
      nonce: 'abcdefgh12345678',
      issuedAt: inMinutes(0),
      expirationTime: inMinutes(2),
      requestId: id,
      ...this.siwe,
    }).prepareMessage();
  }
}

export const inMinutes = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString();

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** An answer with an error of the catalogue. */
export function fail(code: ErrorCode, headers: Record<string, string> = {}): Answer {
  return (_call, response) => {
    const error = new ApiError(code);
    answer(response, error.status, failure(error), headers);
  };
}

/** An answer of exactly these words. */
export function say(status: number, text: string, headers: Record<string, string> = {}): Answer {
  return (_call, response) => void response.writeHead(status, headers).end(text);
}

/** A success with data that need not be of the contract. */
export function succeed(status: number, data: unknown): Answer {
  return (_call, response) => answer(response, status, success(data));
}

/** Not an answer at all. */
export const hangUp: Answer = (_call, response) => void response.destroy();
