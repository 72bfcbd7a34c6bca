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
  /** Signed by its address, valid now, and served by the URL that it names. */
  descriptor: RelayDescriptor;
  /** What else the answer lists, as it came. */
  others: unknown[];
  /** Where the connection went. */
  remoteAddress: string | undefined;
}

/**
 * Asks a relay who it is and whom it knows, over a connection of its own.
 * @throws what `PortalClient.getDiscovery` throws; DescriptorError when its own descriptor is missing or not to be believed
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
 * Hands a descriptor to a relay.
 * @returns whether the descriptor counts there now
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

/**
 * A client whose connections end with the call: relays are many and are asked rarely.
 */
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
 * The first descriptor that names the URL it came from. Only the first: a relay may list others that claim its URL, having
 * believed them, but begins with itself.
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
