import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { components, operations } from '../../generated/agent/api.js';
import { operationErrors, violationCodes } from '../../generated/agent/errors.js';
import type { ErrorCode, OpenApiDocument } from '../contract/index.js';

export { operationRoutes as agentRoutes } from '../../generated/agent/routes.js';
export type { components as AgentComponents, paths as AgentPaths } from '../../generated/agent/api.js';

export type AgentOperationId = keyof operations;
export type AgentStatus = components['schemas']['Status'];
export type AgentTunnel = components['schemas']['Tunnel'];
export type AgentNotice = components['schemas']['Notice'];
export type AgentRequestLine = components['schemas']['RequestLine'];
export type AgentRequest = components['schemas']['Request'];
export type AgentTraffic = components['schemas']['Traffic'];
export type AgentConfiguration = components['schemas']['Configuration'];
export type AgentLogLine = components['schemas']['LogLine'];

/** The agent's contract in one file. From dist/src/agent/ the root of the package is three up. */
const contractPath = fileURLToPath(new URL('../../../generated/agent/openapi.json', import.meta.url));

let loaded: OpenApiDocument | undefined;

/** The contract, read once; not to be changed. Throws when the file is missing, which means a broken package. */
export function loadAgentContract(): OpenApiDocument {
  return (loaded ??= JSON.parse(readFileSync(contractPath, 'utf8')) as OpenApiDocument);
}

/** As `violationCode` of the relay's contract. */
export function agentViolationCode(operationId: AgentOperationId | undefined, pointer: string): ErrorCode {
  const codes: Partial<Record<AgentOperationId, Record<string, ErrorCode>>> = violationCodes;
  return (operationId && codes[operationId]?.[pointer]) ?? 'invalid_request';
}

/** As `isDeclared` of the relay's contract. */
export function isDeclaredByAgent(operationId: AgentOperationId, error: { code: ErrorCode; status: number }): boolean {
  const statuses: Partial<Record<ErrorCode, readonly number[]>> = operationErrors[operationId];
  return statuses[error.code]?.includes(error.status) ?? false;
}
