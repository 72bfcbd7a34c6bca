import {
  listOperations,
  loadContract,
  operationErrors,
  type ContractOperation,
  type ErrorCode,
} from '../../../src/contract/index.js';

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

/** One thing that the contract says an operation may answer. */
export interface Case {
  /** `renewLease 409 hostname_conflict`, or `renewLease 200`. */
  id: string;
  operation: TestedOperation;
  status: number;
  /** Of a failure. */
  code?: ErrorCode;
}

/** Every answer that the contract declares: each success status, and each code under each of its statuses. */
export function declaredCases(): Case[] {
  return testedOperations().flatMap((operation) => {
    const { operationId } = operation;
    const successes = operation.responses
      .filter(({ status }) => status < 400)
      .map(({ status }): Case => ({ id: `${operationId} ${status}`, operation, status }));
    const errors: Partial<Record<ErrorCode, readonly number[]>> = operationErrors[operationId];
    const failures = Object.entries(errors).flatMap(([code, statuses]) =>
      statuses.map((status): Case => {
        return { id: `${operationId} ${status} ${code}`, operation, status, code: code as ErrorCode };
      }),
    );
    return [...successes, ...failures];
  });
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

/** Operations whose success is no JSON: a switch of protocols, a picture, pages and a script. */
export const withoutJsonAnswer: readonly string[] = [
  'openReverseSession',
  'getThumbnail',
  'getLandingPage',
  'getReference',
  'getReferenceScript',
  'getErrorReference',
  'getDocumentationPage',
  'getConsole',
  'getConsoleAsset',
  'followRelay',
];
