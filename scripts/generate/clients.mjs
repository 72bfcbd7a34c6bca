import { operationsOf, resolve, responsesOf } from './document.mjs';

/**
 * The contract as generators of clients read it best: what a tunnel calls, in OpenAPI 3.0, which more of them know than 3.1. Of what comes back it leaves out
 * what they trip over: `error: null` beside `data`, the constants of `ok`, discriminators, what is deprecated; and examples and links.
 */
export function clientsDocument(document) {
  const simple = simplified(document);
  const chosen = operationsOf(simple).filter((operation) => isForClients(simple, operation));
  const paths = {};
  for (const { path, method } of chosen) {
    const { parameters } = simple.paths[path];
    paths[path] ??= parameters ? { parameters } : {};
    paths[path][method] = simple.paths[path][method];
  }
  const used = new Set(chosen.flatMap(({ tags }) => tags));
  const { title, version, license } = document.info;
  return {
    openapi: '3.0.3',
    'x-generated': document['x-generated'],
    info: { title, version, description, license: { name: license.name } },
    servers: document.servers,
    tags: document.tags.filter(({ name }) => used.has(name)),
    paths,
    components: componentsOf(simple, paths),
  };
}

const description = 'What a tunnel calls. The whole contract, with all that it says, is openapi.json.';

/** Operators and browsers have ways of their own, and what has no envelope is not for a client that is generated. */
function isForClients(document, operation) {
  const hasEnvelope = ({ status, response }) =>
    status < 300 && resolve(document, response.content?.['application/json']?.schema)?.properties?.ok !== undefined;
  return !operation.tags.includes('admin') && responsesOf(document, operation).some(hasEnvelope);
}

/** What is referred to, and what that refers to. */
function componentsOf(document, paths) {
  const components = {};
  const take = (kind, name) => {
    if (components[kind]?.[name] !== undefined) return;
    components[kind] ??= {};
    components[kind][name] = document.components[kind][name];
    visit(components[kind][name]);
  };
  const visit = (node) => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === '$ref') take(...value.split('/').slice(2));
      else if (key === 'security') for (const name of value.flatMap(Object.keys)) take('securitySchemes', name);
      else visit(value);
    }
  };
  visit(paths);
  const sorted = (named) => Object.fromEntries(Object.entries(named).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return Object.fromEntries(Object.entries(components).map(([kind, named]) => [kind, sorted(named)]));
}

/** A copy in OpenAPI 3.0, without what generators trip over. */
function simplified(document) {
  const isDeprecated = (schema) => resolve(document, schema).deprecated === true;
  const isConstantOk = ({ type, const: value }) => type === 'boolean' && value !== undefined;

  const copy = (node, isExample = false) => {
    if (Array.isArray(node)) return node.map((each) => copy(each, isExample));
    if (typeof node !== 'object' || node === null || isExample) return node;
    // Beside a reference 3.0 knows nothing.
    if (node.$ref) return isConstantOk(resolve(document, node)) ? { type: 'boolean' } : { $ref: node.$ref };
    const { oneOf = [] } = node;
    const current = oneOf.filter((each) => !isDeprecated(each));
    if (current.length === 1 && oneOf.length > 1) return copy(current[0]);
    return Object.fromEntries(Object.entries(node).flatMap(([key, value]) => copyField(key, value)));
  };

  const copyField = (key, value) => {
    if (key === 'links') return [];
    // Its mapping makes some forget the property that tells errors apart.
    if (key === 'discriminator') return [];
    if (key === 'const') return [['enum', [value]]];
    if (key === 'examples') return Array.isArray(value) ? [['example', value[0]]] : [];
    if (key === 'properties') {
      const kept = Object.entries(value).filter(([, schema]) => schema.type !== 'null');
      return [[key, Object.fromEntries(kept.map(([name, schema]) => [name, copy(schema)]))]];
    }
    return [[key, copy(value, key === 'example')]];
  };

  return copy(document);
}
