import { operationsOf } from './document.mjs';

/** Method and path of each operation, as a TypeScript constant: what a client needs of the document at run time. */
export function renderRoutes(document) {
  const routes = Object.fromEntries(
    operationsOf(document).map(({ operationId, method, path }) => [operationId, { method, path }]),
  );
  return `
/** Where each operation is, its path in OpenAPI's form. */
export const operationRoutes = ${JSON.stringify(routes)} as const;
`;
}
