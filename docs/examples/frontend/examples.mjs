// The contract's examples for tests of a frontend: what an operation answers, without a server. See docs/sdk.md.
import contract from 'portal-relay/openapi.json' with { type: 'json' };

const resolve = (node) =>
  node?.$ref === undefined
    ? node
    : resolve(
        node.$ref
          .slice(2)
          .split('/')
          .reduce((parent, name) => parent[name.replaceAll('~1', '/').replaceAll('~0', '~')], contract),
      );

/**
 * @param {string} operationId such as `getSnapshot`
 * @param {number} status 200 unless you say otherwise
 * @param {string} [name] one example of several, such as `rate_limited`; the first, if it is not given
 * @returns {{ method: string, path: string, status: number, body: unknown }} the path in OpenAPI's form
 */
export function exampleOf(operationId, status = 200, name = undefined) {
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (operation.operationId !== operationId) continue;
      const examples = resolve(operation.responses[status])?.content?.['application/json']?.examples ?? {};
      const example = resolve(examples[name ?? Object.keys(examples)[0]]);
      if (example === undefined) throw new Error(`${operationId} has no example ${name ?? ''} for ${status}`);
      return { method: method.toUpperCase(), path, status, body: example.value };
    }
  }
  throw new Error(`there is no operation ${operationId}`);
}
