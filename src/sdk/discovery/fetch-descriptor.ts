import { createPortalClient, type PortalClient } from '../calls/client.js';
import type { TlsDialOptions } from '../transport/dial-tls.js';
import {
  DescriptorError,
  checkSignature,
  checkTimes,
  parseDescriptor,
  type RelayDescriptor,
  type WireDescriptor,
} from './relay-descriptor.js';
import { RelayTransport } from '../transport/relay-transport.js';

const maxDiscoveryAnswerBytes = 1_048_576;

export interface FetchDescriptorOptions extends TlsDialOptions {
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface FetchedDescriptor {
  /** Verified: signed by its address, valid now, and served by its own URL. */
  descriptor: RelayDescriptor;
  /** The other descriptors of the response, unvalidated. */
  others: unknown[];
  /** The remote address of the connection. */
  remoteAddress: string | undefined;
}

/**
 * Fetches a relay's descriptor and its listing, over a separate connection.
 * @throws what `PortalClient.getDiscovery` throws; DescriptorError when its own descriptor is missing or invalid
 */
export async function fetchDescriptor(url: URL, options: FetchDescriptorOptions): Promise<FetchedDescriptor> {
  return await withClient(url, options, async (client, transport) => {
    const { relays } = await client.getDiscovery({ signal: options.signal });
    const own = ownDescriptor(relays, url);
    return {
      descriptor: own.descriptor,
      others: relays.filter((entry) => entry !== own.entry),
      remoteAddress: transport.remoteAddress,
    };
  });
}

/**
 * Announces a descriptor to a relay.
 * @returns whether the relay accepted the descriptor
 * @throws what `PortalClient.announceRelay` throws
 */
export async function announceTo(
  url: URL,
  descriptor: WireDescriptor,
  options: FetchDescriptorOptions,
): Promise<boolean> {
  return await withClient(url, options, async (client) => {
    const body = { protocol_version: descriptor.version, descriptor };
    return (await client.announceRelay(body, { signal: options.signal })).accepted;
  });
}

/** A client that closes its connections after the call: there are many relays, contacted rarely. */
export async function withClient<Result>(
  url: URL,
  options: FetchDescriptorOptions,
  run: (client: PortalClient, transport: RelayTransport) => Promise<Result>,
): Promise<Result> {
  const transport = new RelayTransport(options);
  try {
    const { timeoutMs } = options;
    const limits = { timeoutMs, maxAnswerBytes: maxDiscoveryAnswerBytes };
    return await run(createPortalClient({ relay: url, fetch: transport.fetch, ...limits }), transport);
  } finally {
    await transport.close();
  }
}

/**
 * The first descriptor for the URL that it came from. Only the first counts: a relay lists itself first, and might
 * list others that claim its URL.
 */
export function ownDescriptor(relays: unknown[], url: URL): { entry: unknown; descriptor: RelayDescriptor } {
  const entry = relays.find((candidate) => originOf(candidate) === url.origin);
  if (entry === undefined) throw new DescriptorError('not_served', `${url.host} lists no descriptor of its own`);
  const descriptor = parseDescriptor(entry);
  checkTimes(descriptor);
  checkSignature(descriptor);
  return { entry, descriptor };
}

function originOf(entry: unknown): string | undefined {
  const address = (entry as { api_https_addr?: unknown } | null | undefined)?.api_https_addr;
  return typeof address === 'string' && URL.canParse(address) ? new URL(address).origin : undefined;
}
