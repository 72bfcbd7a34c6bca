import type { ConnectionReport } from '../link/relay-link.js';
import type { ProbeReport } from '../link/self-probe.js';

export interface TunnelReady {
  /** Public URL of the service, the first of `urls`. */
  url: string;
  /** `https://hostname[:port]`, `tcp://host:port` and `udp://host:port[-last port]`, those that were asked for, in this order. */
  urls: string[];
  hostname: string;
  /** The relay's URL. */
  relay: string;
  /** What visitors go without there, for people, where the relay is of an earlier release. */
  compat?: string;
}

export type TunnelState =
  /** Searching for relays. */
  | 'searching'
  | 'connecting'
  | 'registered'
  /** A call failed; it is retried in `retryInMs`. */
  | 'retrying'
  /** The relay's operator has to approve the name first. */
  | 'awaiting_approval'
  /** The lease was lost; the tunnel registers again. */
  | 'lease_lost'
  /** The relay is of an earlier release, whose ways are used: the message says what visitors go without. */
  | 'compat'
  /** A middlebox blocks the raw carrier; or datagrams now use QUIC, or no longer do. */
  | 'carrier_changed'
  /** The relay has turned off a kind of port that the lease had; the tunnel continues without it. */
  | 'port_lost'
  /** The tunnel's own certificate is ordered, has come, or cannot be had. */
  | 'certificate'
  /** Visitors come through this path of relays now. */
  | 'path'
  /** Another relay does not serve, and this one replaces it. */
  | 'spare_taken'
  /** This relay is no longer needed. */
  | 'relay_left'
  /** This relay no longer responds, though its connections are open. */
  | 'relay_silent'
  /** This relay is not used again: it refuses the tunnel, or it intercepts the traffic. */
  | 'relay_refused'
  /** It was found out what the service speaks: HTTP or something else. */
  | 'target_protocol'
  /** A development server refuses the public name: the option `hostHeader` helps. */
  | 'target_refuses'
  /** The address of the page that shows requests, with its token. */
  | 'inspecting'
  | 'target_down'
  | 'target_up'
  /** This process has no file descriptor left (EMFILE, ENFILE); the service itself may be up. */
  | 'too_many_open_files'
  /** Datagrams were dropped: one side is slower than the other, or they are too large for the carrier. */
  | 'datagrams_dropped'
  | 'closing';

export interface TunnelStatus {
  state: TunnelState;
  /** One line of text for people, without secrets. */
  message: string;
  /** URL of the relay that the event is about; absent if it is about all relays or the service. */
  relay?: string;
  error?: Error | undefined;
  retryInMs?: number;
}

export interface RelayLatency {
  /** The relay's URL. */
  relay: string;
  ms: number;
}

export interface TunnelEnd {
  /** The fatal error; absent after `close()` or an abort. */
  error?: Error;
}

/** Events of one relay. */
export interface RelayEvents {
  /** Visitors are served at the URL, for the first time or again. */
  ready: [ready: TunnelReady];
  status: [status: TunnelStatus];
  /** How long a relay took to answer a call, now and then: about one round trip. */
  latency: [latency: RelayLatency];
  /** A visitor's connection has closed. */
  connection: [report: ConnectionReport];
  /** A self-probe has finished. */
  probe: [report: ProbeReport];
}

/** Events of all relays of a tunnel. */
export interface RelaySetEvents extends RelayEvents {
  /** Visitors are no longer served through this relay. */
  down: [url: string];
}

export interface TunnelEvents extends RelayEvents {
  closed: [end: TunnelEnd];
}

/** None of several relays can be used. */
export class NoRelayLeftError extends Error {
  override readonly name = 'NoRelayLeftError';

  /** @param refusals why each relay was left, by its URL */
  constructor(readonly refusals: ReadonlyMap<string, Error>) {
    super(
      `no relay is left: ${[...refusals].map(([url, { message }]) => `${new URL(url).host}: ${message}`).join('; ')}`,
    );
  }
}
