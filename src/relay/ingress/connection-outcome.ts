/** The outcome of a public connection: `routed` and `api` are served, all others refused. */
export const connectionOutcomes = [
  'routed',
  'api',
  'over_limit',
  'too_many_pending',
  'no_proxy_header',
  'no_client_hello',
  'unknown_name',
  'acme_refused',
  'lease_over_limit',
  'no_session',
  'path_broken',
  'no_hop_header',
  'unknown_hop_token',
  'hop_loop',
] as const;
export type ConnectionOutcome = (typeof connectionOutcomes)[number];

/** Called once per connection, as soon as the outcome is known. */
export type OutcomeObserver = (outcome: ConnectionOutcome) => void;
