import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express';
import { ApiError, failure, success } from '../contract/index.js';
import { expressPath } from '../http-api/express-path.js';
import { jsonBody } from '../http-api/json-body.js';
import { apiErrorOf } from '../http-api/library-errors.js';
import { contractValidation } from '../http-api/validation.js';
import { listen } from '../net/listen.js';
import { guard } from '../util/boundary.js';
import type { Logger } from '../util/logger.js';
import type { Agent } from './agent.js';
import {
  type AgentLogLine,
  agentRoutes,
  agentViolationCode,
  type AgentComponents,
  type AgentOperationId,
  type AgentStatus,
  isDeclaredByAgent,
  loadAgentContract,
} from './contract.js';
import { EventStream } from './event-stream.js';
import type { TomlTable } from './toml-text.js';

const maxBodyBytes = 8_192;
const requestTimeoutMs = 30_000;
const maxConnections = 256;

export interface AgentApiOptions {
  agent: Agent;
  token: string;
  /** What the status says of the agent itself. */
  about: Pick<AgentStatus, 'config_path' | 'started_at' | 'version'>;
  /** Somebody asks the agent to end. */
  shutDown(): void;
  logger: Logger;
  /** Also validates answers against the contract. For tests, since it costs time. */
  validateResponses?: boolean;
}

type Handler = (request: Request, response: Response) => Promise<void> | void;
type Schemas = AgentComponents['schemas'];

/** The agent's API: plain HTTP on a loopback port, laid out by its contract. */
export class AgentApi {
  readonly #options: AgentApiOptions;
  readonly #server: Server;

  constructor(options: AgentApiOptions) {
    this.#options = options;
    const app = this.#app();
    this.#server = createServer(
      { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
      guard(
        'agent request',
        (request: IncomingMessage, response: Response) => app(request as Request, response),
        (_request, response) => response.destroy(),
      ) as never,
    );
    this.#server.maxConnections = maxConnections;
    // boundary: cannot throw.
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** `127.0.0.1:4018` */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${address}:${port}`;
  }

  /** @throws the system's error, such as EADDRINUSE */
  async start(port: number): Promise<void> {
    await listen(this.#server, { host: '127.0.0.1', port });
    this.#server.on('error', () => undefined);
  }

  /** Requests that are being answered have a second. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server.listening) return;
    server.close().closeIdleConnections();
    const cut = setTimeout(() => this.#server.closeAllConnections(), 1_000);
    await once(this.#server, 'close');
    clearTimeout(cut);
  }

  #app(): express.Express {
    const app = express();
    for (const off of ['x-powered-by', 'etag']) app.disable(off);
    for (const on of ['case sensitive routing', 'strict routing']) app.enable(on);
    app.use(this.#guard());
    const contract = loadAgentContract();
    const validation = contractValidation(contract, this.#options.validateResponses ?? false);
    const routes = Object.entries(agentRoutes) as [AgentOperationId, { method: 'get'; path: string }][];
    const handlers = this.#handlers();
    for (const path of new Set(routes.map(([, route]) => route.path))) {
      const here = routes.filter(([, route]) => route.path === path);
      const allow = here.map(([, { method }]) => method.toUpperCase()).join(', ');
      const route = app.route(expressPath(path));
      for (const [operationId, { method }] of here) {
        const { requestBody } = contract.paths[path]?.[method] as { requestBody?: unknown };
        const takesBody = requestBody !== undefined;
        route[method]((_request: Request, response: Response, next: () => void) => {
          response.locals['operationId'] = operationId;
          next();
        });
        if (takesBody) route[method](jsonBody(maxBodyBytes));
        route[method](validation(takesBody), handlers[operationId]);
      }
      route.all((_request, response) => {
        response.set('Allow', allow);
        throw new ApiError('method_not_allowed', `use ${allow}`);
      });
    }
    app.use(() => {
      throw new ApiError('not_found', 'no such endpoint');
    });
    app.use(this.#answerErrors());
    return app;
  }

  /** Before anything else of a request is looked at. */
  #guard(): RequestHandler {
    const expected = Buffer.from(`Bearer ${this.#options.token}`);
    return (request, response, next) => {
      response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
      const given = Buffer.from(request.get('authorization') ?? '');
      const isKnown = given.length === expected.length && timingSafeEqual(given, expected);
      if (!isLoopbackHost(request.get('host')))
        throw new ApiError('unauthorized', 'the Host of the request is not this machine');
      if (
        request.get('origin') !== undefined ||
        !['none', 'same-origin', undefined].includes(request.get('sec-fetch-site'))
      )
        throw new ApiError('unauthorized', 'the request comes from a web page');
      if (!isKnown) throw new ApiError('unauthorized', 'the token of agent-endpoint.json is needed');
      next();
    };
  }

  #answerErrors(): ErrorRequestHandler {
    const { logger, validateResponses } = this.#options;
    // Express recognizes error handlers by their four parameters.
    return (thrown: unknown, _request, response, _next) => {
      const { operationId } = response.locals as { operationId?: AgentOperationId };
      let error = apiErrorOf(thrown, logger, (pointer) => agentViolationCode(operationId, pointer));
      if (validateResponses && operationId && !isDeclaredByAgent(operationId, error))
        error = new ApiError('internal', `${operationId} does not declare ${error.code} with status ${error.status}`);
      if (response.headersSent) return void response.destroy();
      response.status(error.status).json(failure(error));
    };
  }

  #followAgent(response: Response): void {
    const { agent } = this.#options;
    const first = agent.tunnels();
    const stream = new EventStream(response);
    const sent = new Map<string, string>();
    const leave = () => response.destroy();
    const onChanged = guard(
      'agent event stream',
      (id: string) => {
        const tunnel = agent.tunnel(id);
        const text = JSON.stringify(tunnel);
        if (sent.get(id) === text) return;
        sent.set(id, text);
        stream.send('tunnel', tunnel);
      },
      leave,
    );
    const onRemoved = (id: string) => {
      sent.delete(id);
      stream.send('removed', { id });
    };
    for (const { id } of first) onChanged(id);
    agent.on('changed', onChanged).on('removed', onRemoved);
    // boundary: cannot throw.
    response.once('close', () => agent.off('changed', onChanged).off('removed', onRemoved));
  }

  /** @throws ApiError `not_found` */
  #followLog(id: string, response: Response): void {
    const { agent } = this.#options;
    const lines = agent.log(id);
    const stream = new EventStream(response);
    const onLine = (of: string, line: AgentLogLine) => {
      if (of === id) stream.send('line', line);
    };
    const onRemoved = (removed: string) => {
      if (removed === id) stream.end();
    };
    for (const line of lines) stream.send('line', line);
    agent.on('line', onLine).on('removed', onRemoved);
    // boundary: cannot throw.
    response.once('close', () => agent.off('line', onLine).off('removed', onRemoved));
  }

  #handlers(): Record<AgentOperationId, Handler> {
    const { agent, about, shutDown } = this.#options;
    const idOf = ({ params }: Request) => params['id'] as string;
    const accepted = (response: Response) => void response.status(202).json(success({ accepted: true }));
    const answer = (response: Response, tunnel: Schemas['Tunnel']) => void response.status(202).json(success(tunnel));
    const setting =
      (changes: (request: Request) => TomlTable): Handler =>
      async (request, response) =>
        answer(response, await agent.set(idOf(request), changes(request)));
    return {
      getAgentStatus: (_request, response) => {
        const { configError: config_error } = agent;
        const data: AgentStatus = {
          ...about,
          control_addr: this.address,
          ...(config_error !== undefined && { config_error }),
          tunnels: agent.tunnels(),
        };
        response.json(success(data));
      },
      followAgent: (_request, response) => this.#followAgent(response),
      followTunnelLog: (request, response) => this.#followLog(idOf(request), response),
      shutDownAgent: (_request, response) => {
        accepted(response);
        response.once('finish', shutDown);
      },
      addTunnel: async (request, response) => answer(response, await agent.add(request.body as Schemas['NewTunnel'])),
      changeTunnel: setting(({ body }) => changesOf(body as Schemas['TunnelChange'])),
      removeTunnel: async (request, response) => {
        await agent.remove(idOf(request));
        accepted(response);
      },
      startTunnel: setting(() => ({ disabled: undefined })),
      stopTunnel: setting(() => ({ disabled: true })),
      restartTunnel: async (request, response) => answer(response, await agent.restart(idOf(request))),
      getTunnelLog: (request, response) => void response.json(success({ lines: agent.log(idOf(request)) })),
      addTunnelRelay: setting((request) => ({ relays: withRelay(agent.relays(idOf(request)), relayOf(request)) })),
      removeTunnelRelay: setting((request) => ({
        relays: withoutRelay(agent.relays(idOf(request)), relayOf(request)),
      })),
      setTunnelPath: setting(({ body }) => ({ hops: (body as Schemas['Path']).relays, max_relays: undefined })),
      clearTunnelPath: setting(() => ({ hops: undefined })),
    };
  }
}

/** Names that cannot be made to lead elsewhere: a page of another origin has its own in `Host` (DNS rebinding). */
function isLoopbackHost(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?$/i.test(host ?? '');
}

/** Metadata is replaced as a whole: what is not given goes. */
function changesOf({ max_active_relays: most, metadata }: Schemas['TunnelChange']): TomlTable {
  const listed = ['description', 'owner', 'thumbnail', 'tags', 'hide'] as const;
  return {
    ...(most !== undefined && { max_relays: most ?? undefined }),
    ...(metadata !== undefined && Object.fromEntries(listed.map((key) => [key, metadata?.[key]]))),
  };
}

/** @throws ApiError `invalid_request` for what is no URL of a relay */
function relayOf({ body }: Request): string {
  const { relay_url: url } = body as Schemas['RelayChoice'];
  if (!URL.canParse(url) || !url.startsWith('https://'))
    throw new ApiError('invalid_request', 'relay_url is https://host[:port]');
  return new URL(url).origin;
}

function withRelay(relays: string[], relay: string): string[] {
  if (relays.includes(relay)) throw new ApiError('invalid_request', `${relay} is used already`);
  return [...relays, relay];
}

function withoutRelay(relays: string[], relay: string): string[] {
  if (!relays.includes(relay)) throw new ApiError('invalid_request', `${relay} is not used`);
  if (relays.length === 1)
    throw new ApiError('invalid_request', 'this is the last relay of the service: remove or stop it instead');
  return relays.filter((each) => each !== relay);
}
