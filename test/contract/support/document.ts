import { listOperations, loadContract, type ContractOperation } from '../../../src/contract/index.js';

/** A node of the contract: tests walk it freely. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Node = any;

export interface Response {
  status: number;
  response: Node;
  /** Named examples of the JSON body: name -> value. */
  examples: Record<string, Node>;
}

export interface TestedOperation extends ContractOperation {
  definition: Node;
  responses: Response[];
  /** A request that the contract gives as an example: its path with parameters filled in, and a body. */
  request: { path: string; body?: unknown };
}

export const contract: Node = loadContract();

export function resolve(node: Node): Node {
  if (typeof node?.$ref !== 'string') return node;
  const target = (node.$ref as string)
    .slice(2)
    .split('/')
    .reduce((parent: Node, part) => parent[part.replaceAll('~1', '/').replaceAll('~0', '~')], contract);
  return resolve(target);
}

function examplesOf(content: Node): Record<string, Node> {
  const examples: Record<string, Node> = content?.['application/json']?.examples ?? {};
  return Object.fromEntries(Object.entries(examples).map(([name, example]) => [name, resolve(example).value]));
}

function exampleRequest(operation: ContractOperation, definition: Node): TestedOperation['request'] {
  const item = contract.paths[operation.path];
  const parameters: Node[] = [...(item.parameters ?? []), ...(definition.parameters ?? [])].map(resolve);
  let path = operation.path;
  const query = new URLSearchParams();
  for (const { name, in: place, example, required } of parameters) {
    if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(example));
    if (place === 'query' && required) query.set(name, example);
  }
  if (query.size > 0) path += `?${query}`;
  return { path, body: Object.values(examplesOf(resolve(definition.requestBody)?.content))[0] };
}

export function testedOperations(): TestedOperation[] {
  return listOperations(loadContract()).map((operation) => {
    const definition = contract.paths[operation.path][operation.method];
    const responses = Object.entries(definition.responses).map(([status, response]) => ({
      status: Number(status),
      response: resolve(response),
      examples: examplesOf(resolve(response).content),
    }));
    return { ...operation, definition, responses, request: exampleRequest(operation, definition) };
  });
}

/** Operations whose success is no JSON: a switch of protocols, a picture, a page. */
export const withoutJsonAnswer: readonly string[] = ['openReverseSession', 'getThumbnail', 'getLandingPage'];
