import { catalogueOf, operationsOf, resolve, responsesOf } from '../document.mjs';

/**
 * What SDKs in other languages need of the contract, without what is particular to OpenAPI: the types of request bodies and of `data`, the
 * operations that answer with an envelope, and the error catalogue.
 *
 * @typedef {{ kind: 'string' | 'integer' | 'number' | 'boolean' | 'any' } | { kind: 'list', of: Type } | { kind: 'named', name: string }} Type
 * @typedef {{ name: string, type: Type, required: boolean, doc: string }} Field
 * @typedef {{ name: string, doc: string, inRequests: boolean } & ({ fields: Field[] } | { values: string[] })} NamedType
 */
export function sdkModel(document) {
  const types = new Map();

  const nameOf = (node) => node.$ref.split('/').pop();

  const typeOf = (node, inlineName, inRequests) => {
    if (node.$ref) {
      const target = resolve(document, node);
      if (target.type === 'object' || target.enum) return named(nameOf(node), target, inRequests);
      return typeOf(target, inlineName, inRequests);
    }
    if (node.oneOf) return typeOf(node.oneOf[0], inlineName, inRequests);
    if (node.const !== undefined) return { kind: typeof node.const };
    if (node.type === 'object') return node.properties ? named(inlineName, node, inRequests) : { kind: 'any' };
    if (node.enum) return named(inlineName, node, inRequests);
    if (node.type === 'array') return { kind: 'list', of: typeOf(node.items, `${inlineName}Item`, inRequests) };
    if (['string', 'integer', 'number', 'boolean'].includes(node.type)) return { kind: node.type };
    throw new Error(`no type for ${inlineName}: ${JSON.stringify(node)}`);
  };

  const named = (name, node, inRequests) => {
    const known = types.get(name);
    if (known !== undefined && (known.inRequests || !inRequests)) return { kind: 'named', name };
    const doc = sentence(node.description);
    const type = { name, doc, inRequests };
    types.set(name, type);
    if (node.enum) type.values = node.enum;
    else {
      type.fields = Object.entries(node.properties ?? {}).map(([field, property]) => ({
        name: field,
        type: typeOf(property, `${name}${pascalCase(field)}`, inRequests),
        required: node.required?.includes(field) ?? false,
        doc: sentence(property.description ?? resolve(document, property).description),
      }));
    }
    return { kind: 'named', name };
  };

  const operations = operationsOf(document).flatMap((operation) => {
    const data = dataOf(document, operation);
    if (data === undefined) return [];
    const { operationId, method, path, summary, parameters, requestBody, security = [] } = operation;
    const body = requestBody?.content['application/json'].schema;
    return {
      id: operationId,
      method: method.toUpperCase(),
      path,
      summary,
      needsToken: security.some((scheme) => 'access_token' in scheme),
      body: body && typeOf(body, pascalCase(operationId), true),
      pathParameters: parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name),
      queryParameters: parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
      parameterDocs: parameters
        .filter((parameter) => ['path', 'query'].includes(parameter.in))
        .map(({ name, description }) => ({ name, doc: sentence(description) })),
      answer: typeOf(data, pascalCase(operationId), false),
    };
  });
  const errors = Object.entries(catalogueOf(document)).map(([code, entry]) => ({ code, ...entry }));
  return { types: [...types.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), operations, errors };
}

/** The schema of an answer's `data`; undefined where an operation answers with something else than envelopes. */
function dataOf(document, operation) {
  const success = responsesOf(document, operation).find(({ status }) => status >= 200 && status < 300);
  const schema = success?.response.content?.['application/json']?.schema;
  for (const candidate of schema?.oneOf ?? [schema]) {
    const { properties } = resolve(document, candidate) ?? {};
    if (properties?.ok && properties.data) return properties.data;
  }
  return undefined;
}

const pascalCase = (name) =>
  name.replaceAll(/(?:^|[_-])(\w)/g, (_, first) => first.toUpperCase()).replace(/^./, (c) => c.toUpperCase());

/** `registerLease` -> `register_lease`. */
export const snakeCase = (name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The first paragraph of a description, on one line. */
function sentence(text = '') {
  return text.trim().split('\n\n')[0].replaceAll(/\s+/g, ' ');
}

/** Words in lines of `width` at most. */
export function wrap(text, width) {
  const lines = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
