import { UsageError } from '../../sdk/calls/errors.js';
import type { ExposeOptions } from '../../tunnel/index.js';
import { parseWebhook } from '../../tunnel/services/access/webhook-signatures.js';
import { mapTargetPath } from '../../tunnel/services/upstream/target.js';
import { withoutUndefined } from '../../util/without-undefined.js';
import { readCertificates, readText } from '../support/files.js';
import { type GivenSettings, type SettingKey, settingEntries } from './settings.js';

export interface ReadContext {
  /** The setting's name in the source it came from. */
  nameOf(key: SettingKey): string;
  /** Maps a path as written to a path that can be opened. */
  pathOf(path: string): string;
}

/** @throws UsageError with one clear line when a value is out of range, or the certificates cannot be read */
export function toExposeOptions(given: GivenSettings, { nameOf, pathOf }: ReadContext): ExposeOptions {
  for (const [key, { kind, least = 0 }] of settingEntries) {
    const value = given[key];
    if (kind === 'seconds' && typeof value === 'number' && (value < least || value > 86_400))
      throw new UsageError(`${nameOf(key)} must be a number of seconds from ${least} to 86400`);
  }
  if (given.raw && given.http) throw new UsageError(`${nameOf('raw')} and ${nameOf('http')} contradict each other`);
  const hops = hopsOf(given.hops);
  const { description, owner, thumbnail, tags, hide } = given;
  const metadata = withoutUndefined({ description, owner, thumbnail, tags, hide });
  return {
    target: given.target === undefined ? undefined : mapTargetPath(given.target, pathOf),
    tcp: given.tcp === undefined ? undefined : mapTargetPath(given.tcp, pathOf),
    udp: given.udp,
    tcpPort: given.tcp_port,
    udpPort: given.udp_port,
    group: given.group,
    relay: given.relays ?? [],
    hops,
    passVisitorAddress: given.pass_visitor_address,
    discovery: given.discovery,
    maxRelays: given.max_relays,
    allowPrivate: given.allow_private,
    name: given.name,
    domain: given.domain,
    ownCertificate: ownCertificate(given, { nameOf, pathOf }),
    acme: acmeOptions(given, { nameOf, pathOf }),
    identityFile: given.identity === undefined ? undefined : pathOf(given.identity),
    ca: given.ca === undefined ? undefined : readCertificates(pathOf(given.ca), nameOf('ca')),
    carrier: given.carrier as ExposeOptions['carrier'],
    unwrap: given.unwrap,
    udpCarrier: given.udp_carrier as ExposeOptions['udpCarrier'],
    metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
    ttl: given.ttl,
    sessionWait: given.session_wait,
    http: given.raw ? false : given.http,
    hostHeader: given.host_header,
    routes: given.routes?.map((route) => mapRoutePath(route, pathOf)),
    stripPrefix: given.strip_prefix,
    spa: given.spa,
    listing: given.listing,
    upstreamCa:
      given.upstream_ca === undefined ? undefined : readCertificates(pathOf(given.upstream_ca), nameOf('upstream_ca')),
    upstreamInsecure: given.upstream_insecure,
    allowIp: given.allow_ip,
    denyIp: given.deny_ip,
    basicAuth: given.basic_auth === undefined ? undefined : readText(pathOf(given.basic_auth), nameOf('basic_auth')),
    inspect: given.inspect_port === undefined ? given.inspect : { port: given.inspect_port },
    oidc: oidcOptions(given, { nameOf, pathOf }),
    wallets: given.wallets,
    webhooks: given.webhooks?.map((text) => {
      const { path, kind, file } = parseWebhook(text);
      return { path, kind, secret: readText(pathOf(file), nameOf('webhooks')).trim() };
    }),
    proxyProtocol: given.proxy_protocol,
    closeGraceMs: given.grace === undefined ? undefined : given.grace * 1000,
    probe: given.probe,
    banMitm: given.ban_mitm,
  };
}

/** The relays that are given: those of a path, or others. */
export function givenRelays({ relays, hops }: GivenSettings): string[] {
  const path = hopsOf(hops);
  return Array.isArray(path) ? path.map(String) : (relays ?? []);
}

/** `2`, or URLs. */
function hopsOf(given: string[] | undefined): ExposeOptions['hops'] {
  const hops = given
    ?.flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter(Boolean);
  if (hops === undefined || hops.length === 0) return undefined;
  return hops.length === 1 && /^\d{1,3}$/.test(hops[0]!) ? Number(hops[0]) : hops;
}

/** @throws UsageError when only one of the two files is given */
function ownCertificate(given: GivenSettings, { nameOf, pathOf }: ReadContext): ExposeOptions['ownCertificate'] {
  const { certificate: cert, certificate_key: key } = given;
  if (cert === undefined && key === undefined) return given.own_certificate;
  if (cert === undefined || key === undefined)
    throw new UsageError(`${nameOf('certificate')} and ${nameOf('certificate_key')} are given together`);
  return { cert: pathOf(cert), key: pathOf(key) };
}

/** @throws UsageError when only a part of the external account is given, or a file cannot be read */
function acmeOptions(given: GivenSettings, { nameOf, pathOf }: ReadContext): ExposeOptions['acme'] {
  const { acme_eab_kid: kid, acme_eab_key: key } = given;
  if ((kid === undefined) !== (key === undefined))
    throw new UsageError(`${nameOf('acme_eab_kid')} and ${nameOf('acme_eab_key')} are given together`);
  const options = withoutUndefined({
    directory: given.acme_directory,
    email: given.acme_email,
    ca: given.acme_ca === undefined ? undefined : readCertificates(pathOf(given.acme_ca), nameOf('acme_ca')),
    externalAccount:
      kid === undefined || key === undefined
        ? undefined
        : { kid, hmacKey: readText(pathOf(key), nameOf('acme_eab_key')).trim() },
  });
  return Object.keys(options).length === 0 ? undefined : options;
}

/** @throws UsageError when only a part is given, or the file cannot be read */
function oidcOptions(given: GivenSettings, { nameOf, pathOf }: ReadContext): ExposeOptions['oidc'] {
  const parts = ['oidc_client', 'oidc_secret', 'oidc_emails', 'oidc_groups', 'oidc_scope'] as const;
  if (given.oidc === undefined) {
    const lone = parts.find((key) => given[key] !== undefined);
    if (lone !== undefined) throw new UsageError(`${nameOf(lone)} needs ${nameOf('oidc')}: the provider's URL`);
    return undefined;
  }
  if (given.oidc_client === undefined) throw new UsageError(`${nameOf('oidc')} needs ${nameOf('oidc_client')}`);
  const secret = given.oidc_secret;
  return {
    issuer: given.oidc,
    clientId: given.oidc_client,
    clientSecret: secret === undefined ? undefined : readText(pathOf(secret), nameOf('oidc_secret')).trim(),
    emails: given.oidc_emails,
    groups: given.oidc_groups,
    scope: given.oidc_scope,
  };
}

/** A route's target may be a path. */
function mapRoutePath(route: string, pathOf: (path: string) => string): string {
  const at = route.indexOf('=') + 1;
  return route.slice(0, at) + String(mapTargetPath(route.slice(at), pathOf));
}
