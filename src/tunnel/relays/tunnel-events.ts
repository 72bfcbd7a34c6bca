import type { ConnectionReport } from '../link/relay-link.js';
import type { ProbeReport } from '../link/self-probe.js';

export interface TunnelReady {
  /** Where the service is now, the first of `urls`. */
  url: string;
  /** `https://hostname[:port]`, `tcp://host:port` and `udp://host:port`, as far as they were asked for, in this order. */
  urls: string[];
  hostname: string;
  /** The relay's URL. */
  relay: string;
}

export type TunnelState =
  /** Looking which relays there are. */
  | 'searching'
  | 'connecting'
  | 'registered'
  /** A call failed; it is made again in `retryInMs`. */
  | 'retrying'
  /** The relay's operator has to approve the name first. */
  | 'awaiting_approval'
  /** The lease is gone and another is sought. */
  | 'lease_lost'
  /** Something on the way does not let the raw carrier through; or datagrams now use QUIC, or no longer do so. */
  | 'carrier_changed'
  /** The relay has turned off a kind of port that it had given; the tunnel continues without. */
  | 'port_lost'
  /** Another relay does not serve, and this one is taken in its place. */
  | 'spare_taken'
  /** This relay is no longer needed. */
  | 'relay_left'
  /** This relay no longer answers, though its connections stand. */
  | 'relay_silent'
  /** This relay is not used again: it refuses, or it reads the traffic. */
  | 'relay_refused'
  | 'target_down'
  | 'target_up'
  /** This process may not open as many files and sockets as it needs; the service may well be up. */
  | 'too_many_open_files'
  /** Datagrams were given up: one side is slower than the other, or they are too large for the carrier. */
  | 'datagrams_dropped'
  | 'closing';

export interface TunnelStatus {
  state: TunnelState;
  /** One line for people, without secrets. */
  message: string;
  /** URL of the relay that it is about; absent where it is about all, or the service. */
  relay?: string;
  error?: Error | undefined;
  retryInMs?: number;
}

export interface TunnelEnd {
  /** What made continuing pointless; absent after `close()` or an abort. */
  error?: Error;
}

/** What happens on the way through one relay. */
export interface RelayEvents {
  /** Visitors are served at the URL, for the first time or again. */
  ready: [ready: TunnelReady];
  status: [status: TunnelStatus];
  /** A visitor's connection is over. */
  connection: [report: ConnectionReport];
  /** The tunnel has visited its own public name. */
  probe: [report: ProbeReport];
}

export interface TunnelEvents extends RelayEvents {
  closed: [end: TunnelEnd];
}

/** Of several relays none can be used. */
export class NoRelayLeftError extends Error {
  override readonly name = 'NoRelayLeftError';

  /** @param refusals what each relay was left for, by its URL */
  constructor(readonly refusals: ReadonlyMap<string, Error>) {
    super(
      `no relay is left: ${[...refusals].map(([url, { message }]) => `${new URL(url).host}: ${message}`).join('; ')}`,
    );
  }
}
