import type { RequestHandler } from 'express';
import { middleware } from 'express-openapi-validator';
import type { OpenApiDocument } from '../../../contract/index.js';

type Step = ReturnType<typeof middleware>[number];

/**
 * Holds requests against the contract, and answers as well where that is wished.
 * @returns gives what stands in front of the handler of one operation, and of that one alone
 */
export function contractValidation(
  contract: OpenApiDocument,
  validateResponses: boolean,
): (takesBody: boolean) => RequestHandler[] {
  const steps = middleware({
    apiSpec: contract as never,
    validateRequests: { allowUnknownQueryParameters: true },
    validateResponses,
    // Credentials are read by src/relay/auth alone, for upgrades and calls alike.
    validateSecurity: false,
    // No operation takes a form.
    fileUploader: false,
  });
  return (takesBody) => [
    oneMediaType(takesBody),
    ...(steps.map((step) => (step.name === 'metadataMiddleware' ? lookUpOnce(step) : step)) as RequestHandler[]),
  ];
}

/**
 * The validator compiles its schemas again for every `Content-Type` that it meets, and keeps them: no caller may have it do that
 * without end. Parameters are nothing to it, as `jsonBody` has looked at those of a body; where no body is declared the whole is.
 */
function oneMediaType(takesBody: boolean): RequestHandler {
  return ({ headers }, _response, next) => {
    const type = headers['content-type'];
    if (type !== undefined) headers['content-type'] = takesBody ? type.replace(/;.*/, '') : undefined;
    next();
  };
}

/**
 * To find the operation of a request, the validator compiles the patterns of all paths one by one until one fits: a third of all
 * that a small request costs. Behind the route of one operation it finds the same each time, so that once is enough.
 */
function lookUpOnce(lookUp: Step): Step {
  let found: Parameters<Step>[0]['openapi'];
  return (request, response, next) => {
    if (!found) {
      lookUp(request, response, (error) => {
        found = request.openapi;
        next(error);
      });
      return;
    }
    request.openapi = { ...found, pathParams: request.params as Record<string, string> };
    next();
  };
}
