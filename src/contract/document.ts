import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { OperationId } from './operations.js';

/** The contract in one file, every reference inside it. From dist/src/contract/ the root of the package is three up. */
export const contractPath: string = fileURLToPath(new URL('../../../generated/openapi.json', import.meta.url));

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

export type HttpMethod = (typeof methods)[number];

/** The parts of an OpenAPI document that this program reads itself. */
export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string; [field: string]: unknown };
  paths: Record<string, Record<string, unknown>>;
  components: Record<string, Record<string, unknown>>;
  [field: string]: unknown;
}

export interface ContractOperation {
  operationId: OperationId;
  method: HttpMethod;
  /** In OpenAPI's form: `/admin/ips/{ip}/ban`. */
  path: string;
}

let loaded: OpenApiDocument | undefined;

/** The contract, read once; not to be changed. Throws when the file is missing, which means a broken package. */
export function loadContract(): OpenApiDocument {
  return (loaded ??= JSON.parse(readFileSync(contractPath, 'utf8')) as OpenApiDocument);
}

/** Every operation, in the order of the document. */
export function listOperations(document: OpenApiDocument): ContractOperation[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    methods
      .filter((method) => item[method] !== undefined)
      .map((method) => {
        const { operationId } = item[method] as { operationId: OperationId };
        return { operationId, method, path };
      }),
  );
}
