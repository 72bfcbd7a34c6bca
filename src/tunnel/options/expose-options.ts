import { UsageError } from '../../sdk/calls/errors.js';
import type { Identity } from '../../sdk/identity/identity.js';
import type { Metadata } from '../../sdk/lease/lease-keeper.js';
import { checkName } from '../../sdk/identity/name.js';
import { parseRelayUrl } from '../../sdk/calls/relay-url.js';
import { type RelayTimes } from './relay-times.js';
import { checkHostHeader } from '../services/http/forwarded-headers.js';
import { LocalService, type ServiceOptions } from '../services/local-service.js';
import type { LinkServices } from '../link/relay-link.js';
import type { ProbeTimes } from '../link/self-probe.js';
import { describeTarget, parsePortTarget, parseTarget, type Target } from '../services/upstream/target.js';
import { UdpService } from '../services/udp/udp-service.js';

/** How many relays a tunnel uses where discovery finds more than were named. */
const defaultMaxRelays = 3;
const maxMaxRelays = 16;
/** Relays that can be named for one tunnel. */
const maxNamedRelays = 64;

/** Which relays a tunnel is to use. */
export interface RelayChoice {
  /** The relay's URL, `https://host[:port]`, or several. */
  relay: string | URL | (string | URL)[];
  /** Use also relays that those know. Anyone can run one: see `banMitm`. */
  discovery?: boolean | undefined;
  /**
   * On how many relays at once, 16 at most. By default on all that are named; with `discovery` on 3, or all that are named
   * where these are more. The best are used, the others are spares.
   */
  maxRelays?: number | undefined;
}

export interface ExposeOptions extends RelayChoice {
  /**
   * The local service that visitors of the public HTTPS name are led to: `3000`, `host:port`, `[::1]:3000` or
   * `http://host:port`. Any of it, `tcp` and `udp` are given, at least one.
   */
  target?: string | number | undefined;
  /** The local service behind a public TCP port of its own: `22`, `host:port` or `[::1]:22`. */
  tcp?: string | number | undefined;
  /** The local service behind a public UDP port: `53`, `host:port` or `[::1]:53`. */
  udp?: string | number | undefined;
  /** With `discovery`: use also relays that lead to loopback or private addresses, though they were not named. */
  allowPrivate?: boolean | undefined;
  /** One DNS label, the same on each relay; derived from the identity's address by default, always the same for it. */
  name?: string | undefined;
  /** Who leases the name. By default the identity of `identityFile`. */
  identity?: Identity | undefined;
  /** Made when it does not exist; `$XDG_CONFIG_HOME/portal/identity.json` by default. */
  identityFile?: string | undefined;
  /** PEM certificates to trust for the relays instead of the well-known ones. */
  ca?: string | Buffer | undefined;
  /**
   * The HTTP proxy to reach relays through, `http(s)://[user:password@]host[:port]`. By default what the environment says
   * (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`), though not for relays on this machine; none when false.
   */
  proxy?: string | URL | false | undefined;
  /**
   * How reverse sessions reach the relay: `raw`, `ws`, or, by default, `auto`: raw, and over WebSocket where something on
   * the way lets only that through.
   */
  carrier?: 'auto' | 'raw' | 'ws' | undefined;
  /**
   * Whether TLS to the relay may be taken off raw sessions that carry nothing but visitors' TLS, which saves encrypting it once
   * more (docs/protocol.md, Unwrapped sessions). On by default.
   */
  unwrap?: boolean | undefined;
  /**
   * How datagrams reach the relay: `ws`, over WebSocket; `quic`, which needs the optional package `@currentspace/http3`; or, by default,
   * `auto`: QUIC while the relay has it, the package is there and UDP gets through, and else WebSocket.
   */
  udpCarrier?: 'auto' | 'quic' | 'ws' | undefined;
  /** For the relay's listings. */
  metadata?: Metadata | undefined;
  /** Begin each connection to the service with a PROXY protocol v2 header that names the visitor. */
  proxyProtocol?: boolean | undefined;
  /**
   * Pass requests on instead of bytes, with X-Forwarded-For, -Host and -Proto set and the visitor's own dropped. So it is for
   * `http://` targets unless this is false; for others only when this is true, or `hostHeader` is given.
   */
  http?: boolean | undefined;
  /** The Host that the service is sent, for one that checks it; `rewrite` for the target's own. */
  hostHeader?: string | undefined;
  /** Seconds of lease to ask for; the relay's default without. Renewed for as long as the tunnel runs. */
  ttl?: number | undefined;
  /**
   * Whether, and when, the tunnel visits its own public name to see whether TLS ends here: after visitors came, every 30 s
   * at most, on each relay. On by default.
   */
  probe?: boolean | ProbeTimes | undefined;
  /** Leaves a relay, with an `InterceptionError`, once a probe shows that visitors' TLS ends elsewhere, for good. */
  banMitm?: boolean | undefined;
  /** When relays are looked at and replaced, where these are more than one. */
  relayTimes?: Partial<RelayTimes> | undefined;
  /** Aborting closes the tunnel as `close()` does. */
  signal?: AbortSignal | undefined;
  /** How long live connections may continue after that, in milliseconds; 10 s by default. */
  closeGraceMs?: number | undefined;
}

export interface CheckedRelays {
  /** Each once. */
  relays: URL[];
  discovery: boolean;
  maxRelays: number;
}

export interface CheckedOptions extends CheckedRelays {
  services: LinkServices;
  name: string | undefined;
}

/**
 * Looks at all that can be known before anything is done.
 * @throws UsageError in one clear line
 */
export function checkExposeOptions(options: ExposeOptions): CheckedOptions {
  const { probe = true, banMitm = false, carrier = 'auto', udpCarrier = 'auto', name } = options;
  if (banMitm && probe === false) throw new UsageError('without probes there is no interception to be seen');
  const relays = checkRelays(options);
  const services = localServices(options);
  if (!['auto', 'raw', 'ws'].includes(carrier))
    throw new UsageError(`the carrier is auto, raw or ws, not ${JSON.stringify(carrier)}`);
  if (!['auto', 'quic', 'ws'].includes(udpCarrier))
    throw new UsageError(`the carrier of datagrams is auto, quic or ws, not ${JSON.stringify(udpCarrier)}`);
  return { ...relays, services, name: name === undefined ? undefined : checkName(name) };
}

/** @throws UsageError in one clear line */
export function checkRelays({ relay, discovery = false, maxRelays }: RelayChoice): CheckedRelays {
  const given = Array.isArray(relay) ? relay : [relay];
  const relays = [
    ...new Map(given.map((each) => parseRelayUrl(String(each))).map((url) => [url.origin, url])).values(),
  ];
  if (relays.length === 0) throw new UsageError('there is no relay: give one at least');
  if (relays.length > maxNamedRelays) throw new UsageError(`${maxNamedRelays} relays can be named at most`);
  if (maxRelays !== undefined && !(Number.isInteger(maxRelays) && maxRelays >= 1 && maxRelays <= maxMaxRelays))
    throw new UsageError(`a tunnel uses 1 to ${maxMaxRelays} relays, not ${maxRelays}`);
  const byDefault = Math.min(Math.max(relays.length, discovery ? defaultMaxRelays : 1), maxMaxRelays);
  return { relays, discovery, maxRelays: maxRelays ?? byDefault };
}

/** @throws UsageError when nothing is to be exposed, a target is none, or the options contradict each other */
function localServices(options: ExposeOptions): LinkServices {
  const { target, tcp, udp, proxyProtocol } = options;
  if (target === undefined && tcp === undefined && udp === undefined)
    throw new UsageError('there is nothing to expose: give a target');
  const services: LinkServices = {};
  if (target !== undefined) {
    const https = parseTarget(target);
    services.https = new LocalService(https, serviceOptions(options, https));
  } else if (options.http === true || options.hostHeader !== undefined) {
    throw new UsageError('requests are only passed on to an HTTPS target, and none is given');
  }
  if (tcp !== undefined) services.tcp = new LocalService(parsePortTarget(tcp), { proxyProtocol, raw: true });
  if (udp !== undefined) services.udp = new UdpService(parsePortTarget(udp));
  return services;
}

/** @throws UsageError when the options contradict each other */
function serviceOptions({ proxyProtocol, http, hostHeader }: ExposeOptions, target: Target): ServiceOptions {
  if (hostHeader !== undefined && http === false) throw new UsageError('a Host header can only be set over HTTP');
  const isHttp = http ?? (hostHeader !== undefined || target.speaksHttp === true);
  if (!isHttp) return { proxyProtocol };
  const host = hostHeader === 'rewrite' ? describeTarget(target) : hostHeader;
  return { proxyProtocol, http: { hostHeader: host === undefined ? undefined : checkHostHeader(host) } };
}
