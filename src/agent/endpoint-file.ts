import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readPrivateFile, writePrivateFile } from '../sdk/identity/private-file.js';
import { systemCode } from '../sdk/calls/errors.js';

const maxFileBytes = 4_096;

/** Where an agent is, and what it asks for. */
export interface AgentEndpoint {
  /** Loopback address and port. */
  control_addr: string;
  token: string;
}

export const endpointPath = (stateDir: string) => join(stateDir, 'agent-endpoint.json');

export async function writeEndpoint(stateDir: string, endpoint: AgentEndpoint): Promise<void> {
  await writePrivateFile(endpointPath(stateDir), `${JSON.stringify(endpoint)}\n`, 'replace');
}

/** @returns undefined when there is none @throws UsageError when others may read it, or it says something else */
export async function readEndpoint(stateDir: string): Promise<AgentEndpoint | undefined> {
  let text: string;
  try {
    text = await readPrivateFile(endpointPath(stateDir), maxFileBytes);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { control_addr, token } = JSON.parse(text) as Partial<AgentEndpoint>;
    if (typeof control_addr === 'string' && typeof token === 'string') return { control_addr, token };
  } catch {
    // As a file of something else.
  }
  return undefined;
}

/** Removes it, if it is still this agent's. */
export async function removeEndpoint(stateDir: string, token: string): Promise<void> {
  const now = await readEndpoint(stateDir).catch(() => undefined);
  if (now?.token === token) await rm(endpointPath(stateDir), { force: true });
}
