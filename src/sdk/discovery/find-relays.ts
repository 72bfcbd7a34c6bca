import { ApiError } from '../../contract/errors.js';
import { type AddressRule, addressRefusedCode, publicAddressesOnly } from '../transport/address-rule.js';
import type { PortalClient } from '../calls/client.js';
import { withDeadline } from '../calls/deadline.js';
import { AnswerError, NetworkError, UsageError, systemCode } from '../calls/errors.js';
import {
  DescriptorError,
  checkTimes,
  parseDescriptor,
  type RelayDescriptor,
  type WireDescriptor,
} from './relay-descriptor.js';
import { parseRelayUrl } from '../calls/relay-url.js';
import { ownDescriptor, withClient, type FetchDescriptorOptions } from './fetch-descriptor.js';

/** Most relays probed in one search, and in parallel. */
const maxFoundRelays = 64;
const maxConcurrentRelays = 8;
/** Deadline for probing one relay. */
const findTimeoutMs = 5_000;
/** Calls per latency measurement. */
const latencySamples = 3;

export interface FindRelaysOptions {
  /** Relays to start from; one or more. */
  relays: (string | URL)[];
  /** PEM certificates to trust instead of the well-known ones. */
  ca?: string | Uint8Array | undefined;
  /** As for `expose`. */
  proxy?: string | URL | false | undefined;
  /** Also probe the relays that these list; true by default. */
  others?: boolean | undefined;
  /** Relays found in an earlier search: treated like relays listed by another, and asked for their listing. */
  known?: (string | URL)[] | undefined;
  /** Also connect to discovered relays at loopback or private addresses. */
  allowPrivate?: boolean | undefined;
  /** Deadline per relay in milliseconds. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the named and previously known relays once these have been probed, before the others. */
  onFirst?: ((found: FoundRelay[]) => void) | undefined;
}

/** A relay's signed descriptor. The load is self-reported: see `chooseRelays`. */
export interface RelayFacts {
  /** Its signing address. */
  address: string;
  /** Of the discovery protocol. */
  version: string;
  supportsUdp: boolean;
  supportsTcp: boolean;
  activeConnections: number;
  /** Bytes a second. */
  tcpBps: number;
  /** Time of the report, RFC 3339. */
  issuedAt: string;
  expiresAt: string;
  /** WireGuard, for relays with multi-hop routing. */
  overlay?: { publicKey: string; port: number };
}

export interface FoundRelay {
  /** `https://host[:port]` */
  url: string;
  /** Whether the caller named it (and not another relay). */
  named: boolean;
  /** Whether it answers and accepts new tunnels. */
  reachable: boolean;
  /** Verified descriptor: signed by its address and served by its own URL. Absent when discovery is off. */
  facts?: RelayFacts | undefined;
  /** Shortest of a few round trips over an open connection, in milliseconds. */
  latencyMs?: number;
  /** The address that it was reached at, unless by a proxy. */
  remoteAddress?: string | undefined;
  /** Why it cannot be used, as one line of text. */
  fault?: string;
}

/**
 * Discovers relays by their listings and probes each: whether it answers, its verified descriptor, and its latency. A
 * listing is only a source of candidates.
 * @returns the named relays, then the previously known ones, then the first listed by each of these, and so on,
 * without duplicates
 * @throws UsageError for an invalid relay URL; the signal's reason when aborted
 */
export async function findRelays(options: FindRelaysOptions): Promise<FoundRelay[]> {
  if (options.relays.length === 0) throw new UsageError('give at least one relay to begin with');
  const { others: withOthers = true, known = [] } = options;
  const named = byOrigin(options.relays);
  const asked = new Map([...named, ...byOrigin(known)].slice(0, Math.max(named.size, maxFoundRelays)));
  const answers = await inTurns([...asked.values()], (url) => inspect(url, named.has(url.origin), options));
  const first = answers.map(({ found }) => found);
  if (!withOthers) return first;
  options.onFirst?.(first);
  const heard = inRounds(answers.map(({ others }) => others)).filter(({ origin }) => !asked.has(origin));
  const rest = [...byOrigin(heard).values()].slice(0, Math.max(0, maxFoundRelays - first.length));
  return [...first, ...(await inTurns(rest, async (url) => (await inspect(url, false, options)).found))];
}

/** Round robin over the lists, so that a very long list cannot crowd out the others. */
function inRounds<Item>(lists: Item[][]): Item[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => list.slice(at, at + 1))).flat();
}

function byOrigin(relays: (string | URL)[]): Map<string, URL> {
  return new Map(relays.map((relay) => parseRelayUrl(relay.toString())).map((url) => [url.origin, url]));
}

async function inspect(
  url: URL,
  named: boolean,
  { ca, proxy, allowPrivate = false, timeoutMs = findTimeoutMs, signal }: FindRelaysOptions,
): Promise<{ found: FoundRelay; others: URL[] }> {
  const addresses: AddressRule | undefined = named || allowPrivate ? undefined : publicAddressesOnly;
  const found: FoundRelay = { url: url.origin, named, reachable: false };
  let others: URL[] = [];
  const expired = () => new NetworkError('timeout', `${url.host} did not answer within ${timeoutMs / 1000} s`);
  try {
    // One deadline for everything: a relay that answers each call at the last moment would delay the others.
    await withDeadline(timeoutMs, signal, expired, async (callSignal) => {
      const trusted = ca instanceof Uint8Array ? Buffer.from(ca) : ca;
      const fetchOptions: FetchDescriptorOptions = { ca: trusted, proxy, addresses, timeoutMs, signal: callSignal };
      await withClient(url, fetchOptions, async (client, transport) => {
        const listed = await listing(client, url, callSignal);
        others = listed.others;
        if (listed.own) found.facts = factsOf(listed.own);
        found.latencyMs = await latency(client, callSignal);
        found.remoteAddress = transport.remoteAddress;
        found.reachable = true;
      });
    });
  } catch (error) {
    signal?.throwIfAborted();
    found.fault = faultOf(error);
  }
  // A discovered relay must have a valid descriptor.
  if (!named && found.reachable && !found.facts)
    Object.assign(found, { reachable: false, fault: 'does not say who it is' });
  return { found, others };
}

async function listing(
  client: PortalClient,
  url: URL,
  signal: AbortSignal | undefined,
): Promise<{ own?: RelayDescriptor; others: URL[] }> {
  let relays: unknown[];
  try {
    ({ relays } = await client.getDiscovery({ signal }));
  } catch (error) {
    // A named relay may have discovery turned off.
    if (error instanceof ApiError && error.code === 'feature_unavailable') return { others: [] };
    throw error;
  }
  const own = ownDescriptor(relays, url);
  return { own: own.descriptor, others: relays.filter((entry) => entry !== own.entry).flatMap(urlOf) };
}

/**
 * The URL of a listed relay. The listing's signature is not verified, since the descriptor from its own URL will be.
 */
function urlOf(entry: unknown): URL[] {
  try {
    const descriptor = parseDescriptor(entry);
    checkTimes(descriptor);
    return [descriptor.url];
  } catch (error) {
    if (error instanceof DescriptorError) return [];
    throw error;
  }
}

/** The connection is open, so each call is one round trip. The shortest has the least noise. */
async function latency(client: PortalClient, signal: AbortSignal | undefined): Promise<number> {
  let shortest = Infinity;
  for (let sample = 0; sample < latencySamples; sample++) {
    const began = performance.now();
    await client.getHealth({ signal });
    shortest = Math.min(shortest, performance.now() - began);
  }
  return shortest;
}

function factsOf({ wire }: RelayDescriptor): RelayFacts {
  return {
    address: wire.address,
    version: wire.version,
    supportsUdp: wire.supports_udp,
    supportsTcp: wire.supports_tcp,
    activeConnections: wire.active_connections,
    tcpBps: wire.tcp_bps,
    issuedAt: wire.issued_at,
    expiresAt: wire.expires_at,
    ...overlayOf(wire),
  };
}

function overlayOf({ supports_overlay: has, wireguard_public_key: publicKey, wireguard_port: port }: WireDescriptor) {
  return has && publicKey && port ? { overlay: { publicKey, port } } : {};
}

/** @throws errors that are not the relay's fault */
function faultOf(error: unknown): string {
  if (systemCode(error) === addressRefusedCode) return 'leads to a loopback or private address';
  if (error instanceof ApiError && error.code === 'feature_unavailable') return 'takes no new tunnels';
  if (
    error instanceof ApiError ||
    error instanceof NetworkError ||
    error instanceof AnswerError ||
    error instanceof DescriptorError
  ) {
    return error.message;
  }
  throw error;
}

/** Runs a few at a time. */
async function inTurns<Item, Result>(items: Item[], run: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await run(items[at] as Item);
  };
  await Promise.all(Array.from({ length: Math.min(maxConcurrentRelays, items.length) }, worker));
  return results;
}
