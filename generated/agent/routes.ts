// Generated from openapi/ by `npm run generate`. Do not edit.

/** Where each operation is, its path in OpenAPI's form. */
export const operationRoutes = {
  getAgentStatus: { method: 'get', path: '/v1/agent/status' },
  followAgent: { method: 'get', path: '/v1/agent/events' },
  shutDownAgent: { method: 'post', path: '/v1/agent/shutdown' },
  addTunnel: { method: 'post', path: '/v1/agent/tunnels' },
  removeTunnel: { method: 'delete', path: '/v1/agent/tunnels/{id}' },
  changeTunnel: { method: 'patch', path: '/v1/agent/tunnels/{id}' },
  startTunnel: { method: 'post', path: '/v1/agent/tunnels/{id}/start' },
  stopTunnel: { method: 'post', path: '/v1/agent/tunnels/{id}/stop' },
  restartTunnel: { method: 'post', path: '/v1/agent/tunnels/{id}/restart' },
  getTunnelLog: { method: 'get', path: '/v1/agent/tunnels/{id}/log' },
  followTunnelLog: { method: 'get', path: '/v1/agent/tunnels/{id}/log/events' },
  addTunnelRelay: { method: 'post', path: '/v1/agent/tunnels/{id}/relays' },
  removeTunnelRelay: { method: 'delete', path: '/v1/agent/tunnels/{id}/relays' },
  setTunnelPath: { method: 'post', path: '/v1/agent/tunnels/{id}/multi-hop' },
  clearTunnelPath: { method: 'delete', path: '/v1/agent/tunnels/{id}/multi-hop' },
} as const;
