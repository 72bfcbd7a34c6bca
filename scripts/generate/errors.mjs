import { catalogueOf, codesOf, operationsOf, responsesOf } from './document.mjs';
import { violationsOf } from './violations.mjs';

/** The error catalogue, where it is this contract's, and what each operation may answer with, as TypeScript constants. */
export function renderErrors(document, { hasCatalogue = true } = {}) {
  const operations = operationsOf(document);
  const errors = Object.fromEntries(
    operations.map((operation) => [operation.operationId, errorsOf(document, operation)]),
  );
  const violations = Object.fromEntries(
    operations
      .map((operation) => [operation.operationId, violationsOf(document, operation)])
      .filter(([, codes]) => Object.keys(codes).length > 0),
  );
  const ownCatalogue = `
/** Every error code: its usual HTTP status, its meaning, whether to retry and when (seconds), and what a client does. */
export const errorCatalogue = ${JSON.stringify(catalogue(document))} as const;

export type ErrorCode = keyof typeof errorCatalogue;
`;
  return `${hasCatalogue ? ownCatalogue : ''}
/** For each operation the codes that it may give, with the statuses that they may have there. */
export const operationErrors = ${JSON.stringify(errors)} as const;

/** Values of a request that are refused with a code of their own: JSON pointer into \`{ body, params, query }\` -> code. */
export const violationCodes = ${JSON.stringify(violations)} as const;
`;
}

function catalogue(document) {
  return Object.fromEntries(
    Object.entries(catalogueOf(document)).map(([code, entry]) => {
      const {
        status,
        other_statuses: otherStatuses,
        meaning,
        retry,
        retry_after_seconds: retryAfterSeconds,
        action,
      } = entry;
      return [code, { status, otherStatuses, meaning, retry, retryAfterSeconds, action }];
    }),
  );
}

function errorsOf(document, operation) {
  const errors = {};
  for (const { status, response } of responsesOf(document, operation))
    if (status >= 400) for (const code of codesOf(document, response)) (errors[code] ??= []).push(status);
  return errors;
}
