import createClient, { type Client } from 'openapi-fetch';
import type { AgentPaths } from '../contract.js';
import type { AgentEndpoint } from '../endpoint-file.js';

export type AgentClient = Client<AgentPaths>;

/** The agent's API, typed by its contract. */
export function createAgentClient({ control_addr, token }: AgentEndpoint): AgentClient {
  return createClient<AgentPaths>({
    baseUrl: `http://${control_addr}`,
    headers: { Authorization: `Bearer ${token}` },
  });
}
