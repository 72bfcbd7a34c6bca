import { type Wallet } from 'ethers';
import type { OperationId } from '../../../src/contract/index.js';
import type { RelayConfig } from '../../../src/relay/config.js';
import type { Store } from '../../../src/relay/store/store.js';
import { type HeldLease, call, freshWallet, register } from '../../support/by-hand.js';
import { descriptorOf } from '../../support/discovery.js';
import { type TestRelay, freePort, startTestRelay } from '../../support/relay.js';
import type { TestedOperation } from './document.js';
import { type Caller, callerOf, type HttpAnswer, type HttpRequest } from './http.js';

/** Relays in the states that answers need, each started when first asked for. */
const kinds: Record<string, Partial<RelayConfig>> = {
  usual: {},
  /** Signs digests as well. */
  digests: { digestSigning: true },
  /** Its store and its handlers fail, once told to. */
  failing: { discovery: { bootstraps: [], allowPrivate: true } },
  /** Looks for other relays, on this machine too. */
  discovering: { discovery: { bootstraps: [], allowPrivate: true }, trustedProxies: ['127.0.0.1/32'] },
  /** About to stop. */
  draining: {},
  /** One lease is as many as a wallet may have. */
  crowded: { maxLeasesPerWallet: 1 },
  /** For too many forged tokens from here. */
  pestered: {},
  /** For too many challenges from here. */
  hurried: {},
};

export type Kind = keyof typeof kinds;

interface Running {
  relay: TestRelay;
  caller: Caller;
}

/** What goes wrong in the failing relay: thrown by every call of its store, and by the handlers named. */
export class Faults {
  store = false;
  handlers = new Set<OperationId>();

  static thrown = new Error('the disk is on fire: /var/lib/portal/secret');

  readonly parts = {
    wrapStore: (store: Store) => this.#breakable(store),
    wrapHandlers: <Handlers extends object>(handlers: Handlers): Handlers =>
      Object.fromEntries(
        Object.entries(handlers).map(([operationId, handler]) => [
          operationId,
          (...args: unknown[]) => {
            if (this.handlers.has(operationId as OperationId)) throw Faults.thrown;
            return (handler as (...args: unknown[]) => unknown)(...args);
          },
        ]),
      ) as Handlers,
  };

  /** A store whose every call fails while told to, in its parts too. */
  #breakable<Part extends object>(part: Part): Part {
    return new Proxy(part, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value === 'object' && value !== null) return this.#breakable(value);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          if (this.store && name !== 'close') throw Faults.thrown;
          return (await (value as (...args: unknown[]) => unknown).apply(target, args)) as unknown;
        };
      },
    });
  }
}

export class Bench {
  readonly faults = new Faults();
  readonly #running = new Map<Kind, Promise<Running>>();
  readonly #names = new Set<string>();
  #announced = 0;

  at(kind: Kind = 'usual'): Promise<Running> {
    const running = this.#running.get(kind) ?? this.#start(kind);
    this.#running.set(kind, running);
    return running;
  }

  async send(request: HttpRequest, kind: Kind = 'usual'): Promise<HttpAnswer> {
    const { caller } = await this.at(kind);
    return await caller.send(request);
  }

  /** The relay that has what the operation is about. */
  home({ operationId }: TestedOperation): Kind {
    return ['getDiscovery', 'announceRelay'].includes(operationId) ? 'discovering' : 'usual';
  }

  /** A lease of its own for whoever asks. */
  async lease(
    kind: Kind = 'usual',
    options: { wallet?: Wallet; name?: string; ttl?: number } = {},
  ): Promise<HeldLease> {
    const { relay } = await this.at(kind);
    return await register(relay, { name: this.freshName(), ttl: 600, ...options });
  }

  freshName(): string {
    const name = `lease-${this.#names.size}`;
    this.#names.add(name);
    return name;
  }

  /** Body of a registration whose challenge has just been issued and signed. */
  async signedChallenge(kind: Kind = 'usual', name = this.freshName(), wallet = freshWallet()): Promise<object> {
    const { relay } = await this.at(kind);
    const identity = { name, address: wallet.address };
    const { body } = await call(relay, 'POST', '/sdk/register/challenge', { body: { identity } });
    const { challenge_id, siwe_message } = (body as { data: { challenge_id: string; siwe_message: string } }).data;
    return { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
  }

  /** A request that the relay would grant, made out for a lease where it needs one. */
  async grantable(operation: TestedOperation, kind: Kind = 'usual'): Promise<HttpRequest> {
    const { operationId, method } = operation;
    const { path, body } = operation.request;
    const plain: HttpRequest = { method, path, body };
    if (operationId === 'createRegisterChallenge')
      return { ...plain, body: { identity: { name: this.freshName(), address: freshWallet().address } } };
    if (operationId === 'registerLease') return { ...plain, body: await this.signedChallenge(kind) };
    if (operationId === 'announceRelay') {
      // Genuine, though nobody serves it there.
      const descriptor = descriptorOf(`https://localhost:${await freePort()}`);
      // Few are taken from one address.
      const headers = { 'x-forwarded-for': `198.51.100.${this.#announced++ % 256}` };
      return { ...plain, headers, body: { protocol_version: '5', descriptor } };
    }
    if (!takesToken(operation)) return plain;
    return forLease(operation, await this.lease(kind));
  }

  async stop(): Promise<void> {
    this.faults.store = false;
    for (const running of this.#running.values()) {
      const { relay, caller } = await running;
      await caller.close();
      await relay.stop();
    }
  }

  async #start(kind: Kind): Promise<Running> {
    const relay = await startTestRelay(kinds[kind], kind === 'failing' ? this.faults.parts : {});
    const caller = callerOf(relay);
    if (kind === 'draining') await relay.relay.drain(AbortSignal.abort());
    return { relay, caller };
  }
}

export function takesToken({ definition }: TestedOperation): boolean {
  return (definition.security as object[]).some((alternative) => 'access_token' in alternative);
}

/** The operation's request, for a lease and under its token. */
export function forLease(
  { operationId, method, request }: TestedOperation,
  { hostname, token }: { hostname: string; token: string },
): HttpRequest {
  const headers: Record<string, string> = { 'x-portal-access-token': token };
  if (operationId === 'getTunnelStatus') return { method, path: `/tunnel/status?hostname=${hostname}`, headers };
  if (operationId === 'openReverseSession') headers['x-portal-binding'] = '1';
  // The examples of renewal and unregistration carry a token in their bodies.
  const body = { ...(request.body as Record<string, unknown> | undefined) };
  delete body['access_token'];
  return { method, path: request.path, headers, body: request.body === undefined ? undefined : body };
}

/** As the text of a request on a connection of its own, for what becomes no HTTP. */
export function asText({ method, path, headers = {} }: HttpRequest, version = '1.1'): string {
  const lines = Object.entries({ host: 'portal.localhost', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `${method.toUpperCase()} ${path} HTTP/${version}\r\n${lines.join('')}\r\n`;
}
