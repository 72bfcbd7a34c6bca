import { join } from 'node:path';
import { UsageError } from '../../sdk/calls/errors.js';
import type { Identity } from '../../sdk/identity/identity.js';
import type { Metadata } from '../../sdk/lease/lease-keeper.js';
import { configDirectory } from '../../sdk/identity/identity-file.js';
import { checkDomain, checkName } from '../../sdk/identity/name.js';
import { type AcmeOptions, AcmeCertificates } from '../certificates/acme-certificates.js';
import { CertificateFiles, type CertificateFilePaths } from '../certificates/certificate-files.js';
import type { OwnCertificates } from '../certificates/own-certificate.js';
import { parseRelayUrl } from '../../sdk/calls/relay-url.js';
import { type RelayTimes } from './relay-times.js';
import type { LinkServices } from '../link/relay-link.js';
import type { ProbeTimes } from '../link/self-probe.js';
import { AddressRules, RestrictedService } from '../services/address-rules.js';
import type { LocalService } from '../services/local-service.js';
import { BytesService } from '../services/bytes-service.js';
import { Upstream } from '../services/upstream/upstream.js';
import { parsePortsTarget, parseStreamTarget } from '../services/upstream/target.js';
import { needsHttp, type WebOptions, webService } from './web-service.js';
import { Http2Service } from '../services/http2/http2-service.js';
import { InspectedService } from '../inspect/inspected-service.js';
import { UdpService } from '../services/udp/udp-service.js';

/** How many relays a tunnel uses when discovery finds more than were named. */
const defaultMaxRelays = 3;
const maxMaxRelays = 16;
/** Relays of a path. */
const minHops = 2;
const maxHops = 3;
/** Most relays that one tunnel can be given. */
const maxNamedRelays = 64;

/** Which relays a tunnel uses. */
export interface RelayChoice {
  /** The relay's URL, `https://host[:port]`, or several. Needed, except where `hops` names relays. */
  relay?: string | URL | (string | URL)[] | undefined;
  /** Also use relays that these list. Anyone can run one: see `banMitm`. */
  discovery?: boolean | undefined;
  /**
   * How many relays to use at once, at most 16. By default all that are named; with `discovery` 3, or all that are
   * named if these are more. The best are used, the others are spares.
   */
  maxRelays?: number | undefined;
}

export interface ExposeOptions extends RelayChoice, WebOptions {
  /**
   * Serve through a path of two or three relays, so that none of them knows both visitors and this machine: their URLs, the one that visitors
   * see first, or how many are to be chosen of those that `relay` knows. Not with `tcp`, `udp` and `group`.
   */
  hops?: number | (string | URL)[] | undefined;
  /** With `hops`: have visitors' addresses passed on along the path, where the operators of its relays allow it. */
  passVisitorAddress?: boolean | undefined;
  /**
   * The local service behind the public HTTPS name: `3000`, `host:port`, `[::1]:3000`, `http://host:port`,
   * `https://host:port`, `h2c://host:port`, `h2://host:port`, `unix:/path`, or a folder whose files are served: `./dist`. At least one of `target`, `tcp` and
   * `udp` is required.
   */
  target?: string | number | undefined;
  /** The local service behind a public TCP port of its own: `22`, `host:port`, `[::1]:22` or `unix:/path`. */
  tcp?: string | number | undefined;
  /**
   * The local service behind a public UDP port: `53`, `host:port` or `[::1]:53`; or behind several with consecutive
   * numbers, all or none, at most 16: `2456-2458`, `host:2456-2458`.
   */
  udp?: string | number | undefined;
  /** The very public TCP port for `tcp`, which must be in each relay's range; by default any. */
  tcpPort?: number | undefined;
  /** The very public UDP port for `udp`, or the first of several, which must be in each relay's range; by default any. */
  udpPort?: number | undefined;
  /**
   * Share the name with other tunnels of the same identity that give the same group: each relay sends visitors to the
   * one with the fewest connections. Without it, a second tunnel replaces the first. Not with `udp`.
   */
  group?: string | undefined;
  /** With `discovery`: also use relays that were not named and that resolve to loopback or private addresses. */
  allowPrivate?: boolean | undefined;
  /** One DNS label, the same on each relay. By default it is derived from the identity's address. */
  name?: string | undefined;
  /**
   * A domain of one's own instead of a name under the relay's, such as `shop.example.com`. Its DNS leads to the relay, and
   * its TXT record `_portal.<domain>` says `portal-identity=<address>`. TLS ends with a certificate of its own.
   */
  domain?: string | undefined;
  /**
   * A name under the relay's host gets a certificate of the tunnel's own too, where the operator allows it. The key does
   * not leave this machine, and visitors may use HTTP/2. With files, instead of ordering one by ACME.
   */
  ownCertificate?: boolean | CertificateFilePaths | undefined;
  /** Where certificates are ordered; from Let's Encrypt by default. Ordering accepts the CA's terms. */
  acme?: AcmeOptions | undefined;
  /** Where ordered certificates and their keys are kept; `$XDG_CONFIG_HOME/portal/certificates` by default. */
  certificateFolder?: string | undefined;
  /** The identity that leases the name. By default that of `identityFile`. */
  identity?: Identity | undefined;
  /** Created if it does not exist; `$XDG_CONFIG_HOME/portal/identity.json` by default. */
  identityFile?: string | undefined;
  /** PEM certificates to trust for the relays instead of the well-known ones. */
  ca?: string | Buffer | undefined;
  /**
   * The HTTP proxy to reach relays through, `http(s)://[user:password@]host[:port]`. By default that of the environment
   * (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`), except for relays on this machine; false for none.
   */
  proxy?: string | URL | false | undefined;
  /**
   * How reverse sessions reach the relay: `raw`, `ws`, or, by default, `auto`: raw, and WebSocket where a middlebox
   * blocks raw.
   */
  carrier?: 'auto' | 'raw' | 'ws' | undefined;
  /**
   * Whether the outer TLS of raw sessions that carry only visitors' TLS may be removed, which saves encrypting twice
   * (docs/protocol.md, Unwrapped sessions). On by default.
   */
  unwrap?: boolean | undefined;
  /**
   * How datagrams reach the relay: `ws`, over WebSocket; `quic`, which needs the optional package
   * `@currentspace/http3`; or, by default, `auto`: QUIC while the relay offers it, the package is installed and UDP
   * gets through, else WebSocket.
   */
  udpCarrier?: 'auto' | 'quic' | 'ws' | undefined;
  /** Shown in the relay's listings. */
  metadata?: Metadata | undefined;
  /**
   * Addresses and ranges (`192.0.2.1`, `2001:db8::/32`) of the visitors that may use `target` and `tcp`; all by default.
   * Others get a page that says so (403), or are disconnected.
   */
  allowIp?: string[] | undefined;
  /** Addresses and ranges of visitors that may not, even where `allowIp` has them. */
  denyIp?: string[] | undefined;
  /** Lease duration to request, in seconds; by default the relay's. Renewed as long as the tunnel runs. */
  ttl?: number | undefined;
  /**
   * How many seconds a relay lets a visitor wait while this tunnel has no connection ready, as when it reconnects: 0 to
   * 60; by default the relay's 10.
   */
  sessionWait?: number | undefined;
  /**
   * Whether the tunnel connects to its own public name to check that TLS terminates here: after visitors have
   * connected, at most every 30 s, on each relay. On by default.
   */
  probe?: boolean | ProbeTimes | undefined;
  /** Stop using a relay, with an `InterceptionError`, once a probe shows that visitors' TLS terminates elsewhere. */
  banMitm?: boolean | undefined;
  /** Intervals of relay checks and replacement, for more than one relay. */
  relayTimes?: Partial<RelayTimes> | undefined;
  /** Aborting closes the tunnel as `close()` does. */
  signal?: AbortSignal | undefined;
  /** How long live connections may continue after that, in milliseconds; 10,000 by default. */
  closeGraceMs?: number | undefined;
}

export interface CheckedRelays {
  /** Without duplicates. */
  relays: URL[];
  discovery: boolean;
  maxRelays: number;
}

export interface CheckedOptions extends CheckedRelays {
  services: LinkServices;
  /** That of the HTTPS name, where its requests are kept. */
  inspected: InspectedService | undefined;
  /** The relays of a path, entry first, or how many. */
  hops: URL[] | number | undefined;
  name: string | undefined;
  /** Of the tunnel's own; absent for the relay's. */
  certificates: OwnCertificates | undefined;
}

/**
 * Validates everything that can be checked without the network; a folder must be there.
 * @throws UsageError with a one-line message
 */
export function checkExposeOptions(options: ExposeOptions): CheckedOptions {
  const { probe = true, banMitm = false, carrier = 'auto', udpCarrier = 'auto', name } = options;
  if (banMitm && probe === false) throw new UsageError('without probes there is no interception to be seen');
  const hops = checkHops(options);
  const relays = checkRelays(Array.isArray(hops) ? { relay: hops } : options);
  const { services, inspected } = localServices(options);
  if (!['auto', 'raw', 'ws'].includes(carrier))
    throw new UsageError(`the carrier is auto, raw or ws, not ${JSON.stringify(carrier)}`);
  if (!['auto', 'quic', 'ws'].includes(udpCarrier))
    throw new UsageError(`the carrier of datagrams is auto, quic or ws, not ${JSON.stringify(udpCarrier)}`);
  checkSharing(options);
  const { sessionWait = 0 } = options;
  if (!Number.isInteger(sessionWait) || sessionWait < 0 || sessionWait > 60)
    throw new UsageError(`visitors wait 0 to 60 seconds for a connection, not ${sessionWait}`);
  const { domain } = options;
  if (domain !== undefined && name !== undefined) throw new UsageError('give a name or a domain, not both');
  return {
    ...relays,
    services,
    inspected,
    hops,
    name: domain !== undefined ? checkDomain(domain) : name === undefined ? undefined : checkName(name),
    certificates: ownCertificates(options),
  };
}

/** @throws UsageError with a one-line message */
function checkSharing({ tcp, udp, tcpPort, udpPort, group }: ExposeOptions): void {
  for (const [what, target, port] of [
    ['TCP', tcp, tcpPort],
    ['UDP', udp, udpPort],
  ] as const) {
    if (port === undefined) continue;
    if (target === undefined) throw new UsageError(`a ${what} port is asked for, and no ${what} target is given`);
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new UsageError(`a ${what} port is 1 to 65535, not ${port}`);
  }
  if (group === undefined) return;
  if (!/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(group))
    throw new UsageError(`not a group: ${JSON.stringify(group)} (a-z, digits and inner hyphens, 32 at most)`);
  if (udp !== undefined) throw new UsageError('a group shares no UDP port: expose UDP by itself');
}

/** @throws UsageError with a one-line message */
function ownCertificates(options: ExposeOptions): OwnCertificates | undefined {
  const { domain, target, group, acme, proxy, certificateFolder } = options;
  const { ownCertificate = domain !== undefined } = options;
  if (ownCertificate === false) {
    if (domain !== undefined) throw new UsageError('a domain needs a certificate of its own');
    return undefined;
  }
  if (target === undefined)
    throw new UsageError('a certificate and a domain are for an HTTPS target, and none is given');
  if (ownCertificate !== true) return new CertificateFiles(ownCertificate);
  if (group !== undefined)
    throw new UsageError('tunnels of a group cannot order one certificate together: give it to each of them as files');
  const folder = certificateFolder ?? join(configDirectory(process.env), 'certificates');
  return new AcmeCertificates({ ...acme, folder, proxy });
}

/** @throws UsageError with a one-line message */
function checkHops({ hops, tcp, udp, group, discovery, maxRelays, passVisitorAddress }: ExposeOptions) {
  if (hops === undefined) {
    if (passVisitorAddress) throw new UsageError("visitors' addresses are passed on along a path: give hops");
    return undefined;
  }
  if (tcp !== undefined || udp !== undefined) throw new UsageError('a path of relays has no TCP or UDP ports');
  if (group !== undefined) throw new UsageError('a path of relays has no group');
  if (maxRelays !== undefined) throw new UsageError('a path of relays is one: leave out how many relays to use');
  const length = typeof hops === 'number' ? hops : hops.length;
  if (!Number.isInteger(length) || length < minHops || length > maxHops)
    throw new UsageError(`a path has ${minHops} or ${maxHops} relays, not ${length}`);
  if (typeof hops === 'number') return hops;
  if (discovery) throw new UsageError('the relays of the path are given: leave out discovery, or give their number');
  const urls = hops.map((hop) => parseRelayUrl(String(hop)));
  const twice = urls.find(({ origin }, index) => urls.findIndex((each) => each.origin === origin) !== index);
  if (twice) throw new UsageError(`${twice.host} is in the path twice`);
  return urls;
}

/** @throws UsageError with a one-line message */
export function checkRelays({ relay = [], discovery = false, maxRelays }: RelayChoice): CheckedRelays {
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

/** @throws UsageError when nothing is to be exposed, a target is invalid, or the options contradict each other */
function localServices(options: ExposeOptions): Pick<CheckedOptions, 'services' | 'inspected'> {
  const { target, tcp, udp, proxyProtocol } = options;
  if (target === undefined && tcp === undefined && udp === undefined)
    throw new UsageError('there is nothing to expose: give a target');
  if (udp !== undefined && (options.allowIp ?? options.denyIp) !== undefined)
    throw new UsageError('addresses of UDP peers are not known here: expose UDP by itself, without a list');
  const services: LinkServices = {};
  const web = target === undefined ? undefined : webService(options, target);
  if (web) services.https = new Http2Service(restricted(options, web));
  else if (needsHttp(options))
    throw new UsageError('requests are only passed on to an HTTPS target, and none is given');
  if (tcp !== undefined) {
    const bytes = new BytesService(new Upstream(parseStreamTarget(tcp), { proxyProtocol }), { raw: true });
    services.tcp = restricted(options, bytes, { raw: true });
  }
  if (udp !== undefined) services.udp = new UdpService(parsePortsTarget(udp));
  return { services, inspected: web instanceof InspectedService ? web : undefined };
}

/** @throws UsageError when an address is not valid */
function restricted(options: ExposeOptions, service: LocalService, kind?: { raw: true }): LocalService {
  const { allowIp, denyIp } = options;
  if (allowIp === undefined && denyIp === undefined) return service;
  return new RestrictedService(service, new AddressRules({ allowIp, denyIp }), kind);
}
