import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import * as OpenApiValidator from 'express-openapi-validator';
import { contractPath } from '../../../src/contract/index.js';

export interface ValidatedServer {
  url: string;
  stop(): Promise<void>;
}

/** An express server that holds requests and answers against the contract; what breaks it is answered with `{ violation, errors }`. */
export async function startValidated(handler: RequestHandler): Promise<ValidatedServer> {
  const app = express();
  app.use(express.json({ limit: '96kb' }));
  app.use((request, _response, next) => {
    // where the validator looks for a cookie credential
    request.cookies = Object.fromEntries((request.headers.cookie ?? '').split('; ').map((pair) => pair.split('=')));
    next();
  });
  app.use(
    OpenApiValidator.middleware({
      apiSpec: contractPath,
      validateRequests: { allowUnknownQueryParameters: true },
      validateResponses: true,
      validateSecurity: {
        handlers: { access_token: () => true, access_token_subprotocol: () => true, admin_session: () => true },
      },
    }),
  );
  app.use(handler);
  const onError: ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(error.status ?? 500).json({ violation: error.message, errors: error.errors });
  };
  app.use(onError);
  const server: Server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
