import { type Wallet } from 'ethers';
import type { OperationId } from '../../../src/contract/index.js';
import type { RelayConfig } from '../../../src/relay/config/config.js';
import type { Store } from '../../../src/relay/store/store.js';
import { type HeldLease, call, freshWallet, register } from '../../support/by-hand.js';
import { type Admin, adminChallenge, adminWith, login, leasePath } from '../../support/admin.js';
import { descriptorOf } from '../../support/discovery.js';
import { type TestRelay, freePort, startTestRelay } from '../../support/relay.js';
import { requireTool } from '../../support/tools.js';
import type { TestedOperation } from './document.js';
import { type Caller, callerOf, type HttpAnswer, type HttpRequest } from './http.js';

const policy: RelayConfig['policy'] = {
  approvalMode: 'auto',
  landingPageEnabled: false,
  udp: { enabled: true, maxLeases: 0 },
  tcpPort: { enabled: true, maxLeases: 0 },
};

/** Relays in the states that answers need, each started when first asked for. */
const kinds: Record<string, Partial<RelayConfig>> = {
  /** No admins, no ports, no browser. */
  usual: {},
  /** For what its admin does; callers say their address. */
  governed: { trustedProxies: ['127.0.0.1/32'] },
  /** For too many calls of strangers to its admin plane. */
  besieged: {},
  /** Shows a landing page. */
  landing: { policy: { ...policy, landingPageEnabled: true } },
  /** Of its one port of each kind each test has to make sure for itself. */
  ported: { policy },
  /** Takes pictures of public pages. */
  pictured: {},
  /** One lease is as many as may have a port of each kind. */
  narrow: { policy: { ...policy, udp: { enabled: true, maxLeases: 1 }, tcpPort: { enabled: true, maxLeases: 1 } } },
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
  /** Takes domains, which it cannot look up. */
  domains: { domains: true, dnsServers: ['127.0.0.1:9'] },
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
  /** The admin of every relay but the usual one. */
  readonly adminWallet = freshWallet();
  readonly #running = new Map<Kind, Promise<Running>>();
  readonly #names = new Set<string>();
  readonly #sessions = new Map<Kind, Promise<string>>();
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
  home({ operationId, definition }: TestedOperation): Kind {
    if ((definition.tags as string[])[0] === 'admin') return 'governed';
    if (operationId === 'getLandingPage') return 'landing';
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

  /** Body of a registration whose challenge has just been issued and signed. @param wanted what else the lease is to have */
  async signedChallenge(
    where: Kind | TestRelay = 'usual',
    name = this.freshName(),
    wallet = freshWallet(),
    wanted: object = {},
  ): Promise<object> {
    const relay = typeof where === 'string' ? (await this.at(where)).relay : where;
    const identity = { name, address: wallet.address };
    const { body } = await call(relay, 'POST', '/sdk/register/challenge', { body: { identity, ...wanted } });
    const { challenge_id, siwe_message } = (body as { data: { challenge_id: string; siwe_message: string } }).data;
    return { challenge_id, siwe_message, siwe_signature: await wallet.signMessage(siwe_message) };
  }

  /** Body of a log-in of the admin whose challenge has just been issued and signed. */
  async signedLogin(kind: Kind): Promise<{ challenge_id: string; siwe_message: string; siwe_signature: string }> {
    const { relay } = await this.at(kind);
    const { challenge_id, siwe_message } = await adminChallenge(relay, this.adminWallet.address);
    return { challenge_id, siwe_message, siwe_signature: await this.adminWallet.signMessage(siwe_message) };
  }

  /** A Cookie header, of a session that all share who do not end it. The usual relay has no admin: any value will do. */
  async session(kind: Kind): Promise<string> {
    if (kind === 'usual') return 'portal_admin=nobody';
    const shared = this.#sessions.get(kind) ?? this.ownSession(kind);
    this.#sessions.set(kind, shared);
    return await shared;
  }

  async ownSession(kind: Kind): Promise<string> {
    return await login((await this.at(kind)).relay, this.adminWallet);
  }

  async admin(kind: Kind): Promise<Admin> {
    return adminWith((await this.at(kind)).relay, await this.session(kind));
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
    if (operationId === 'loginAdmin')
      return kind === 'usual' ? plain : { ...plain, body: await this.signedLogin(kind) };
    if (operationId === 'getConsoleAsset') return { ...plain, path: await this.#consoleAsset() };
    if (operationId === 'getLease' && kind !== 'usual') {
      const { name, wallet } = await this.lease(kind);
      const own = leasePath({ name, address: wallet.address }, '').slice(0, -1);
      return { ...plain, path: `/admin${own}`, headers: { cookie: await this.session(kind) } };
    }
    if (operationId === 'endAdminSession' && kind !== 'usual') {
      // Of a session that nobody needs, by the one that all share.
      await this.ownSession(kind);
      const cookie = await this.session(kind);
      const listed = await this.send({ method: 'GET', path: '/admin/sessions', headers: { cookie } }, kind);
      const { data } = JSON.parse(listed.body.toString()) as { data: { sessions: { id: string; is_own: boolean }[] } };
      const { id } = data.sessions.find(({ is_own }) => !is_own)!;
      return { ...plain, path: `/admin/sessions/${id}`, headers: { cookie } };
    }
    if (takesSession(operation)) {
      const spent = operationId === 'logoutAdmin' && kind !== 'usual';
      return { ...plain, headers: { cookie: await (spent ? this.ownSession(kind) : this.session(kind)) } };
    }
    if (!takesToken(operation)) return plain;
    return forLease(operation, await this.lease(kind));
  }

  /** A file that the console's page names. */
  async #consoleAsset(): Promise<string> {
    const { body } = await this.send({ method: 'GET', path: '/admin' }, 'governed');
    return `/${/admin\/assets\/[^"]+/.exec(body.toString())![0]}`;
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
    const adminWallets = kind === 'usual' ? [] : [this.adminWallet.address];
    const port = kind === 'ported' || kind === 'narrow' ? await freePort() : undefined;
    // With the next port free as well, the narrow relay is short of leases, not of ports.
    const portRange = port === undefined ? undefined : { first: port, last: kind === 'narrow' ? port + 8 : port };
    const chromium = kind === 'pictured' || kind === 'failing' ? await requireTool('chromium') : undefined;
    const config = { adminWallets, portRange, chromium, ...kinds[kind] };
    const relay = await startTestRelay(config, kind === 'failing' ? this.faults.parts : {});
    const caller = callerOf(relay);
    if (kind === 'draining') await relay.relay.drain(AbortSignal.abort());
    return { relay, caller };
  }
}

export function takesToken({ definition }: TestedOperation): boolean {
  return (definition.security as object[]).some((alternative) => 'access_token' in alternative);
}

export function takesSession({ definition }: TestedOperation): boolean {
  return (definition.security as object[]).some((alternative) => 'admin_session' in alternative);
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
