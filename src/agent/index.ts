/** For programs that control the agent of this machine (`portal agent run`), by its contract (`portal-relay/agent.json`). */
export { createAgentClient, type AgentClient } from './agent-client.js';
export type { AgentLogLine, AgentStatus, AgentTunnel } from './contract.js';
export { type AgentEndpoint, readEndpoint } from './endpoint-file.js';
