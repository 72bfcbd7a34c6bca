import type { RequestListener } from 'node:http';
import express, { type Request, type RequestHandler, type Response } from 'express';
import {
  ApiError,
  type ContractOperation,
  type ErrorCode,
  type OperationId,
  failure,
  listOperations,
  loadContract,
} from '../../contract/index.js';
import type { Logger } from '../../util/logger.js';
import type { ClientAddresses } from './middleware/client-address.js';
import { adminHeaders } from './middleware/admin-guard.js';
import { allowOrigins } from './middleware/cors.js';
import { answerErrors } from './middleware/errors.js';
import { jsonBody } from '../../http-api/json-body.js';
import { expressPath } from '../../http-api/express-path.js';
import { contractValidation } from '../../http-api/validation.js';
import { portalHeaders } from '../../protocol/headers.js';

const maxJsonBodyBytes = 65_536;
/** A transcript of 64 KiB is 88 KiB in base64; the rest is the other fields. */
const maxSignBodyBytes = 98_304;

/** Handles one operation of the contract; a thrown error becomes the error envelope. */
export type Handler = (request: Request, response: Response) => Promise<void> | void;
export type Handlers = Partial<Record<OperationId, Handler>>;

/** Operations whose body needs a lease's access token. For signing the token is in the header only. */
const leaseOperations: ReadonlySet<OperationId> = new Set(['signHandshake', 'renewLease', 'unregisterLease']);

export type AnswerObserver = (operation: OperationId | undefined, result: ErrorCode | 'ok') => void;

export interface AppOptions {
  handlers: Handlers;
  addresses: ClientAddresses;
  /** Checks the access token in a request's header. @throws ApiError */
  authenticate(request: Request): Promise<void>;
  /** Guards every path under `/admin`. */
  adminGuard: RequestHandler;
  logger: Logger;
  /** Called for each response with its operation, if any, and `ok` or the error code. */
  onAnswer?: AnswerObserver | undefined;
  /** Also validates responses against the contract. For tests, since it costs time. */
  validateResponses: boolean;
}

/**
 * The HTTP API, laid out by the contract: each of its paths is routed, each request validated against it, and an
 * operation without a handler answers `feature_unavailable`.
 */
export function createApp({
  handlers,
  addresses,
  authenticate,
  adminGuard,
  logger,
  onAnswer,
  validateResponses,
}: AppOptions): RequestListener {
  const contract = loadContract();
  const operations = listOperations(contract);
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  // Paths match exactly as the contract spells them; CORS and upgrades use the same rule.
  app.enable('case sensitive routing');
  app.enable('strict routing');
  // No response has a validator (ETag), yet express would answer `If-None-Match: *` with 304.
  Object.defineProperty(app.request, 'fresh', { value: false });
  // Replaces express's own parser, so that calls and upgrades share one.
  Object.defineProperty(app.request, 'ip', { value: undefined, writable: true });
  app.use((request: Request, _response, next) => {
    (request as { ip: string }).ip = addresses.of(request.socket, request.get('x-forwarded-for'));
    next();
  });
  if (logger.isLevelEnabled('debug')) app.use(logRequests(logger));
  // Runs before anything that responds, so that pages of other origins can read refusals too.
  app.use(allowOrigins(contract));
  if (onAnswer) app.use(observeAnswers(onAnswer));
  app.use('/admin', adminHeaders);

  const validation = contractValidation(contract, validateResponses);
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const here = operations.filter((operation) => operation.path === path);
    // All middleware of a request is on its path's one route, so that express tries no other route.
    const route = app.route(expressPath(path)).all(chooseOperation(here));
    for (const { method, operationId } of here) {
      const handler = handlers[operationId];
      if (!handler) {
        route[method](unavailable);
        continue;
      }
      const { requestBody } = contract.paths[path]?.[method] as { requestBody?: unknown };
      // Where no body is declared, a body has no meaning (RFC 9110 9.3) and is not read.
      const takesBody = requestBody !== undefined;
      const limit = path === '/v1/sign' ? maxSignBodyBytes : maxJsonBodyBytes;
      if (/^\/admin(?:\/|$)/.test(path)) route[method](adminGuard);
      // With the credential in a header, no body of an unauthenticated caller is buffered.
      if (leaseOperations.has(operationId))
        route[method](async (request, _response, next) => {
          if (operationId === 'signHandshake' || request.get(portalHeaders.accessToken)) await authenticate(request);
          next();
        });
      if (takesBody) route[method](jsonBody(limit));
      route[method](validation(takesBody), handler);
    }
  }
  // The page's own links are relative to its path without the slash.
  app.get('/admin/', (_request, response) => response.redirect(308, '../admin'));
  // The guard runs first, so that an unauthenticated caller cannot learn which paths exist.
  app.use('/admin', adminGuard);
  app.use(() => {
    throw new ApiError('not_found', 'no such endpoint');
  });
  app.use(answerErrors(logger, validateResponses));
  return (request, response) => {
    // A request target may be a whole URL (RFC 9112 3.2.2), of which only the path matters here.
    request.url = request.url?.replace(/^https?:\/\/[^/?#]+\/?/i, '/');
    // Express does not route a target without a path (`http://`) and would answer with its own page.
    app(request as Request, response as Response, () => {
      const error = new ApiError('invalid_request', 'the request target has no path');
      response.statusCode = error.status;
      response.setHeader('Content-Type', 'application/json; charset=utf-8');
      response.end(JSON.stringify(failure(error)));
    });
  };
}

/** First middleware of a path: finds the operation of the request. */
function chooseOperation(here: ContractOperation[]): RequestHandler {
  const byMethod = new Map<string, OperationId>();
  for (const { method, operationId } of here) {
    byMethod.set(method.toUpperCase(), operationId);
    // The contract has no HEAD: it is a GET whose body Node leaves out (RFC 9110 9.3.2). An operation that switches
    // protocols has no response that could be sent without a body.
    if (method === 'get' && operationId !== 'openReverseSession') byMethod.set('HEAD', operationId);
  }
  const allow = [...byMethod.keys()].join(', ');
  return (request, response, next) => {
    const operationId = byMethod.get(request.method);
    if (!operationId) {
      response.set('Allow', allow);
      throw new ApiError('method_not_allowed', `${request.method} is not allowed here: use ${allow}`);
    }
    response.locals['operationId'] = operationId;
    if (request.method === 'HEAD') request.method = 'GET';
    next();
  };
}

function unavailable(): void {
  throw new ApiError('feature_unavailable', 'this relay does not offer this');
}

function observeAnswers(onAnswer: AnswerObserver): RequestHandler {
  return (_request, response, next) => {
    response.once('finish', () => {
      const { operationId, code } = response.locals as { operationId?: OperationId; code?: ErrorCode };
      onAnswer(operationId, code ?? 'ok');
    });
    next();
  };
}

function logRequests(logger: Logger): RequestHandler {
  return (request, response, next) => {
    const began = performance.now();
    const from = request.ip;
    response.once('finish', () => {
      const ms = Math.round(performance.now() - began);
      // Log the route, not the path: the client controls the path.
      const { openapi } = request as { openapi?: { openApiRoute?: string } };
      const route = openapi?.openApiRoute ?? '(none)';
      logger.debug({ from, method: request.method, route, status: response.statusCode, ms }, 'request');
    });
    next();
  };
}
