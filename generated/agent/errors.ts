// Generated from openapi/ by `npm run generate`. Do not edit.

/** For each operation the codes that it may give, with the statuses that they may have there. */
export const operationErrors = {
  getAgentStatus: { unauthorized: [401], internal: [500] },
  followAgent: { unauthorized: [401], internal: [500] },
  shutDownAgent: { unauthorized: [401], internal: [500] },
  addTunnel: { invalid_json: [400], invalid_request: [400, 413, 415], unauthorized: [401], internal: [500] },
  removeTunnel: { invalid_request: [400], unauthorized: [401], not_found: [404], internal: [500] },
  changeTunnel: {
    invalid_json: [400],
    invalid_request: [400, 413, 415],
    unauthorized: [401],
    not_found: [404],
    internal: [500],
  },
  startTunnel: { invalid_request: [400], unauthorized: [401], not_found: [404], internal: [500] },
  stopTunnel: { invalid_request: [400], unauthorized: [401], not_found: [404], internal: [500] },
  restartTunnel: { invalid_request: [400], unauthorized: [401], not_found: [404], internal: [500] },
  getTunnelLog: { invalid_request: [400], unauthorized: [401], not_found: [404], internal: [500] },
  followTunnelLog: { invalid_request: [400], unauthorized: [401], not_found: [404], internal: [500] },
  addTunnelRelay: {
    invalid_json: [400],
    invalid_request: [400, 413, 415],
    unauthorized: [401],
    not_found: [404],
    internal: [500],
  },
  removeTunnelRelay: {
    invalid_json: [400],
    invalid_request: [400, 413, 415],
    unauthorized: [401],
    not_found: [404],
    internal: [500],
  },
  setTunnelPath: {
    invalid_json: [400],
    invalid_request: [400, 413, 415],
    unauthorized: [401],
    not_found: [404],
    internal: [500],
  },
  clearTunnelPath: { invalid_request: [400], unauthorized: [401], not_found: [404], internal: [500] },
} as const;

/** Values of a request that are refused with a code of their own: JSON pointer into `{ body, params, query }` -> code. */
export const violationCodes = {} as const;
