/** For programs that control the agent of this machine (`portal agent run`), by its contract (`portal-relay/agent.json`). */
export { createAgentClient, type AgentClient } from './client/agent-client.js';
export { AgentStore, type AgentView } from './client/agent-store.js';
export { readEvents, type ServerSentEvent } from './client/read-events.js';
export type {
  AgentConfiguration,
  AgentLogLine,
  AgentNotice,
  AgentRequest,
  AgentRequestLine,
  AgentStatus,
  AgentTraffic,
  AgentTunnel,
} from './contract.js';
export { type AgentEndpoint, readEndpoint } from './endpoint-file.js';
