import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type TLSSocket, connect } from 'node:tls';
import { Wallet } from 'ethers';
import { listOperations, loadContract, type OperationId } from '../../contract/index.js';
import { portalHeaders } from '../../protocol/headers.js';
import { checkSignInMessage } from '../../sdk/identity/sign-in.js';
import { readBounded } from '../../sdk/calls/bounded-fetch.js';
import { RelayTransport } from '../../sdk/transport/relay-transport.js';
import { RawCarrier } from '../../tunnel/carriers/raw-carrier.js';
import type { OpenedSession } from '../../tunnel/carriers/carrier.js';
import { NotMet } from '../not-met.js';
import { AnswerChecker, type HttpAnswer } from './answer-checker.js';

const callTimeoutMs = 10_000;
const maxAnswerBytes = 8 * 1024 * 1024;

export interface Lease {
  name: string;
  wallet: Wallet;
  hostname: string;
  token: string;
  sniPort: number;
}

export interface CallOptions {
  /** An object goes as JSON, a string as it is. */
  body?: unknown;
  token?: string;
  headers?: Record<string, string>;
  query?: string;
}

/** A relay that is held against the contract: every answer of its own is checked by its schema. */
export class RelayUnderTest {
  readonly #transport: RelayTransport;
  readonly #checker: AnswerChecker;
  readonly #operations = new Map(listOperations(loadContract()).map((operation) => [operation.operationId, operation]));
  readonly #leases = new Set<Lease>();
  readonly #open = new Set<{ destroy(): void }>();
  readonly #leaving = new AbortController();

  constructor(
    readonly url: URL,
    private readonly ca: Buffer | undefined,
  ) {
    this.#transport = new RelayTransport({ ca });
    this.#checker = new AnswerChecker();
  }

  /** Calls an operation. @throws NotMet when the answer is not one that the contract has for it */
  async call(
    operationId: OperationId,
    { body, token, headers = {}, query = '' }: CallOptions = {},
  ): Promise<HttpAnswer> {
    const operation = this.#operations.get(operationId);
    if (!operation) throw new Error(`there is no operation ${operationId}`);
    const answer = await this.fetch(operation.method.toUpperCase(), operation.path + query, {
      body,
      ...(token ? { token } : {}),
      headers,
    });
    const faults = this.#checker.faults(operation, answer);
    if (faults.length > 0) throw new NotMet(`${operationId} ${answer.status}: ${faults.slice(0, 3).join('; ')}`);
    return answer;
  }

  /** @throws NotMet when there is no answer */
  async fetch(method: string, path: string, { body, token, headers = {} }: CallOptions = {}): Promise<HttpAnswer> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    try {
      const response = await this.#transport.fetch(new URL(path, this.url).href, {
        method,
        redirect: 'manual',
        signal: AbortSignal.timeout(callTimeoutMs),
        headers: {
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { [portalHeaders.accessToken]: token }),
          ...headers,
        },
        ...(text === undefined ? {} : { body: text }),
      });
      const bytes = await readBounded(response, maxAnswerBytes);
      return { status: response.status, headers: Object.fromEntries(response.headers), body: Buffer.from(bytes) };
    } catch (error) {
      throw new NotMet(`${method} ${path} gets no answer: ${(error as Error).message}`, { cause: error });
    }
  }

  /** The answer's data. @throws NotMet when it is a refusal */
  async data(operationId: OperationId, options: CallOptions = {}): Promise<Record<string, unknown>> {
    const answer = await this.call(operationId, options);
    const envelope = JSON.parse(answer.body.toString()) as { ok: boolean; data?: Record<string, unknown> };
    if (!envelope.ok) throw new NotMet(`${operationId} is refused: ${answer.status} ${codeOf(answer)}`);
    return envelope.data ?? {};
  }

  /** @throws NotMet unless it is this refusal */
  async refusal(operationId: OperationId, options: CallOptions, status: number, ...codes: string[]): Promise<void> {
    const answer = await this.call(operationId, options);
    if (answer.status !== status || !codes.includes(codeOf(answer) ?? ''))
      throw new NotMet(
        `${operationId} answers ${answer.status} ${codeOf(answer) ?? ''}, not ${status} ${codes.join(' or ')}`,
      );
  }

  /** A name that nobody has. */
  freshName(): string {
    return `conformance-${randomBytes(5).toString('hex')}`;
  }

  async challenge(name: string, address: string): Promise<{ id: string; message: string }> {
    const body = { identity: { name, address }, ttl: 60 };
    const { challenge_id: id, siwe_message: message } = await this.data('createRegisterChallenge', { body });
    return { id: String(id), message: String(message) };
  }

  /** Signs in, by what an SDK checks before it signs. */
  async register({ name = this.freshName(), wallet = new Wallet(randomKey()) } = {}): Promise<Lease> {
    const { id, message } = await this.challenge(name, wallet.address);
    try {
      checkSignInMessage(message, { relay: this.url, address: wallet.address, challengeId: id });
    } catch (error) {
      throw new NotMet((error as Error).message, { cause: error });
    }
    const body = { challenge_id: id, siwe_message: message, siwe_signature: await wallet.signMessage(message) };
    const data = await this.data('registerLease', { body });
    const lease: Lease = {
      name,
      wallet,
      hostname: String(data['hostname']),
      token: String(data['access_token']),
      sniPort: Number(data['sni_port'] ?? 443),
    };
    this.#leases.add(lease);
    return lease;
  }

  async unregister(lease: Lease): Promise<void> {
    this.#leases.delete(lease);
    await this.data('unregisterLease', { token: lease.token, body: {} });
  }

  /** A reverse session, by upgrade. @throws NotMet */
  async session(lease: Pick<Lease, 'token'>): Promise<OpenedSession> {
    const carrier = new RawCarrier(this.url, this.#transport, { unwrap: false });
    try {
      const session = await carrier.dial({ accessToken: lease.token, signal: this.#leaving.signal });
      session.stream.on('error', () => {});
      this.#open.add(session.stream);
      return session;
    } catch (error) {
      throw new NotMet(`no reverse session: ${(error as Error).message}`, { cause: error });
    }
  }

  /** A visitor of a name. @throws the error of its handshake */
  async visit(hostname: string, port: number): Promise<TLSSocket> {
    const { hostname: relayHost } = this.url;
    const host = relayHost === 'localhost' || relayHost.endsWith('.localhost') ? '127.0.0.1' : relayHost;
    const visitor = connect({
      host,
      port,
      servername: hostname,
      ALPNProtocols: ['http/1.1'],
      ...(this.ca ? { ca: this.ca } : {}),
    });
    visitor.on('error', () => {});
    this.#open.add(visitor);
    visitor.setTimeout(callTimeoutMs, () => visitor.destroy(new Error('no answer in time')));
    await once(visitor, 'secureConnect');
    return visitor;
  }

  /** Gives names back, and closes what is open. */
  async leave(): Promise<void> {
    this.#leaving.abort();
    for (const each of this.#open) each.destroy();
    for (const { token } of this.#leases)
      await this.fetch('POST', '/sdk/unregister', { token, body: {} }).catch(() => undefined);
    await this.#transport.close();
  }
}

export const randomKey = (): string => `0x${randomBytes(32).toString('hex')}`;

export function codeOf({ body }: HttpAnswer): string | undefined {
  try {
    return (JSON.parse(body.toString()) as { error?: { code?: string } }).error?.code;
  } catch {
    return undefined;
  }
}
