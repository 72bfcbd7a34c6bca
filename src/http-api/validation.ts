import type { RequestHandler } from 'express';
import { middleware } from 'express-openapi-validator';
import type { OpenApiDocument } from '../contract/index.js';

type Step = ReturnType<typeof middleware>[number];

/**
 * Validates requests, and optionally responses, against the contract.
 * @returns makes the validation middleware of one operation
 */
export function contractValidation(
  contract: OpenApiDocument,
  validateResponses: boolean,
): (takesBody: boolean) => RequestHandler[] {
  const steps = stepsOf(contract, validateResponses);
  return (takesBody) => [
    oneMediaType(takesBody),
    ...(steps.map((step) => (step.name === 'metadataMiddleware' ? lookUpOnce(step) : step)) as RequestHandler[]),
  ];
}

/** By contract, and whether responses are validated: half of what it takes to start a relay, and the same for each in a process. */
const known = new WeakMap<OpenApiDocument, Map<boolean, Step[]>>();

function stepsOf(contract: OpenApiDocument, validateResponses: boolean): Step[] {
  const ofContract = known.get(contract) ?? new Map<boolean, Step[]>();
  known.set(contract, ofContract);
  let steps = ofContract.get(validateResponses);
  if (!steps) {
    steps = middleware({
      // The validator changes what it is given.
      apiSpec: structuredClone(contract) as never,
      validateRequests: { allowUnknownQueryParameters: true },
      validateResponses,
      // Credentials are checked before, for upgrades and calls alike.
      validateSecurity: false,
      // No operation accepts form data.
      fileUploader: false,
    });
    ofContract.set(validateResponses, steps);
  }
  return steps;
}

/**
 * The validator compiles and caches its schemas for every distinct `Content-Type`, which a caller could repeat
 * without bound. So the header is normalized: `jsonBody` has already checked its parameters, and where no body is
 * declared it is removed.
 */
function oneMediaType(takesBody: boolean): RequestHandler {
  return ({ headers }, _response, next) => {
    const type = headers['content-type'];
    if (type !== undefined) headers['content-type'] = takesBody ? type.replace(/;.*/, '') : undefined;
    next();
  };
}

/**
 * To find the operation of a request the validator compiles path patterns one by one until one matches, a third of
 * the cost of a small request. Behind one operation's route the result is always the same, so it is cached.
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
