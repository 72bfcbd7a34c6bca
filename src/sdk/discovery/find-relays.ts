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

/** Relays looked at in one search, and at once. */
const maxFoundRelays = 64;
const maxFindVisits = 8;
/** Deadline for each relay that is looked at. */
const findTimeoutMs = 5_000;
/** Calls that latency is taken from. */
const latencySamples = 3;

export interface FindRelaysOptions {
  /** Relays to begin with; one or more. */
  relays: (string | URL)[];
  /** PEM certificates to trust instead of the well-known ones. */
  ca?: string | Uint8Array | undefined;
  /** As for `expose`. */
  proxy?: string | URL | false | undefined;
  /** Look at the relays that those know as well; true by default. */
  others?: boolean | undefined;
  /** Relays heard of in an earlier search: looked at as those are that a relay tells of, and asked whom they know. */
  known?: (string | URL)[] | undefined;
  /** Go also where relays that nobody here has named lead to loopback or private addresses. */
  allowPrivate?: boolean | undefined;
  /** For each relay, in milliseconds. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Told those that were named or known from before, as soon as these have been looked at and before the others are. */
  onFirst?: ((found: FoundRelay[]) => void) | undefined;
}

/** What a relay says of itself, signed. Load is its own word: see `chooseRelays`. */
export interface RelayFacts {
  /** Its signing address. */
  address: string;
  supportsUdp: boolean;
  supportsTcp: boolean;
  activeConnections: number;
  /** Bytes a second. */
  tcpBps: number;
  /** RFC 3339; what it reports was sampled then. */
  issuedAt: string;
  expiresAt: string;
  /** WireGuard, for relays that route over several hops. */
  overlay?: { publicKey: string; port: number };
}

export interface FoundRelay {
  /** `https://host[:port]` */
  url: string;
  /** Whether the caller named it, and no relay. */
  named: boolean;
  /** Whether it answers and takes new tunnels. */
  reachable: boolean;
  /** Verified: signed by its address, and served by its own URL. None where discovery is off. */
  facts?: RelayFacts | undefined;
  /** Shortest of a few calls over an open connection, in milliseconds. */
  latencyMs?: number;
  /** One line for people: what is wrong with it. */
  fault?: string;
}

/**
 * Asks relays whom they know, and looks at each of those: whether it answers, proves who it is, and how far away it is. What
 * one relay says of another is not believed.
 * @returns those named first, then those known from before, then the first that each of these tells of, and so on; each once
 * @throws UsageError for what is no relay URL; the signal's reason when aborted
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

/** The first of each list, then the second of each: whoever tells of very many crowds out nobody that others tell of. */
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
    // All of it together: one that answers each call at the last moment would hold up the others.
    await withDeadline(timeoutMs, signal, expired, async (visitSignal) => {
      const trusted = ca instanceof Uint8Array ? Buffer.from(ca) : ca;
      const visit: FetchDescriptorOptions = { ca: trusted, proxy, addresses, timeoutMs, signal: visitSignal };
      await withClient(url, visit, async (client) => {
        const listed = await listing(client, url, visitSignal);
        others = listed.others;
        if (listed.own) found.facts = factsOf(listed.own);
        found.latencyMs = await latency(client, visitSignal);
        found.reachable = true;
      });
    });
  } catch (error) {
    signal?.throwIfAborted();
    found.fault = faultOf(error);
  }
  // A relay that was not asked for has to prove that it is one.
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
    // With discovery off it is a relay all the same.
    if (error instanceof ApiError && error.code === 'feature_unavailable') return { others: [] };
    throw error;
  }
  const own = ownDescriptor(relays, url);
  return { own: own.descriptor, others: relays.filter((entry) => entry !== own.entry).flatMap(urlOf) };
}

/** Where to look for a relay that another one lists. Its signature is not verified: what its own URL serves will be. */
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

/** The connection stands by now: each call is one way there and back. The shortest is the least disturbed. */
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

/** @throws what is no fault of the relay */
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

/** A few at a time. */
async function inTurns<Item, Result>(items: Item[], run: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await run(items[at] as Item);
  };
  await Promise.all(Array.from({ length: Math.min(maxFindVisits, items.length) }, worker));
  return results;
}
