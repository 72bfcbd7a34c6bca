const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** Follows a local reference, and what it leads to, to the thing itself. */
export function resolve(document, node) {
  while (typeof node?.$ref === 'string') {
    if (!node.$ref.startsWith('#/')) throw new Error(`reference out of the bundle: ${node.$ref}`);
    node = node.$ref
      .slice(2)
      .split('/')
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce((parent, part) => parent[part], document);
  }
  return node;
}

/** Every operation in the order of the document, with the parameters of its path among its own. */
export function operationsOf(document) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    methods
      .filter((method) => item[method])
      .map((method) => {
        const operation = item[method];
        const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((p) =>
          resolve(document, p),
        );
        return { ...operation, path, method, parameters };
      }),
  );
}

/** The answers of an operation: `[{ status, response }]`, references followed. */
export function responsesOf(document, operation) {
  return Object.entries(operation.responses).map(([status, response]) => ({
    status: Number(status),
    response: resolve(document, response),
  }));
}

/** The codes that an error response may carry, in their order: those of its failures. */
export function codesOf(document, response) {
  const codes = [];
  const visit = (node, isNamed = false) => {
    if (node === undefined) return;
    if (node.$ref) return visit(resolve(document, node), true);
    for (const part of [...(node.allOf ?? []), ...(node.oneOf ?? [])]) visit(part, isNamed);
    visit(node.properties?.error, isNamed);
    const { code } = node.properties ?? {};
    if (code?.const !== undefined) codes.push(code.const);
    // A response may narrow the codes itself; by its name the envelope allows every code.
    else if (code?.enum && !isNamed) codes.push(...code.enum);
  };
  visit(response.content?.['application/json']?.schema);
  return codes;
}

export function catalogueOf(document) {
  return document.components.schemas.ErrorCode['x-error-catalogue'];
}
