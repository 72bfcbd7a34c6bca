import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler, type Request, type Response } from 'express';
import { ApiError, failure } from '../../contract/index.js';
import { expressPath } from '../../http-api/express-path.js';
import { jsonBody } from '../../http-api/json-body.js';
import { apiErrorOf } from '../../http-api/library-errors.js';
import { contractValidation } from '../../http-api/validation.js';
import { listen } from '../../net/listen.js';
import { guard } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';
import {
  type AgentOperationId,
  agentRoutes,
  agentViolationCode,
  isDeclaredByAgent,
  loadAgentContract,
} from '../contract.js';
import { Access, type Credential } from './access.js';
import { agentHandlers, type HandlerOptions } from './handlers.js';
import { dashboardPage, pagePaths } from './page.js';
import { PageTokens } from './page-tokens.js';
import { WalletSessions } from './wallet-sessions.js';

const maxBodyBytes = 8_192;
const requestTimeoutMs = 30_000;
const maxConnections = 256;

export interface AgentApiOptions extends Pick<HandlerOptions, 'agent' | 'about' | 'shutDown'> {
  token: string;
  logger: Logger;
  /** Also validates answers against the contract. For tests, since it costs time. */
  validateResponses?: boolean;
}

interface Definition {
  requestBody?: unknown;
  security?: Partial<Record<Credential, unknown>>[];
}

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
    const { agent, about, shutDown, token, validateResponses = false } = this.#options;
    const app = express();
    for (const off of ['x-powered-by', 'etag']) app.disable(off);
    for (const on of ['case sensitive routing', 'strict routing']) app.enable(on);
    const pages = new PageTokens();
    const wallets = new WalletSessions(() => agent.settings.allowedWallets);
    const access = new Access(token, pages, wallets);
    app.use((_request, response, next) => {
      response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
      next();
    }, access.fromHere);
    app.get(pagePaths, dashboardPage());
    const contract = loadAgentContract();
    const validation = contractValidation(contract, validateResponses);
    const routes = Object.entries(agentRoutes) as [AgentOperationId, { method: 'get'; path: string }][];
    const handlers = agentHandlers({ agent, about, shutDown, wallets, pages, address: () => this.address });
    const everybody = access.require(['agent_token', 'wallet_session']);
    for (const path of new Set(routes.map(([, route]) => route.path))) {
      const here = routes.filter(([, route]) => route.path === path);
      const allow = here.map(([, { method }]) => method.toUpperCase()).join(', ');
      const route = app.route(expressPath(path));
      for (const [operationId, { method }] of here) {
        const { requestBody, security = [{ agent_token: [] }] } = contract.paths[path]?.[method] as Definition;
        const takesBody = requestBody !== undefined;
        route[method](access.require(security.flatMap((each) => Object.keys(each) as Credential[])));
        route[method]((_request: Request, response: Response, next: () => void) => {
          response.locals['operationId'] = operationId;
          next();
        });
        if (takesBody) route[method](jsonBody(maxBodyBytes));
        route[method](validation(takesBody), handlers[operationId]);
      }
      route.all(everybody, (_request, response) => {
        response.set('Allow', allow);
        throw new ApiError('method_not_allowed', `use ${allow}`);
      });
    }
    app.use(everybody, () => {
      throw new ApiError('not_found', 'no such endpoint');
    });
    app.use(this.#answerErrors());
    return app;
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
      if (error.retryAfterSeconds !== undefined) response.set('Retry-After', String(error.retryAfterSeconds));
      response.status(error.status).json(failure(error));
    };
  }
}
