import { UsageError } from '../sdk/calls/errors.js';
import type { FindRelaysOptions, FoundRelay } from '../sdk/discovery/find-relays.js';
import { parseArguments } from './support/arguments.js';
import { readCertificates } from './support/files.js';
import { type Column, table } from './support/table.js';

/** Most characters printed of a URL, and of the reason why a relay cannot be used. */
const maxUrl = 300;
const maxFault = 160;

const help = `Usage: portal list --relay URL [options]

Prints the relays that one or more relays know: how far away each is, and what it says of itself. Each is asked itself, and
listed with what it has signed; one that cannot prove who it is, or does not answer, is listed with the reason.

  --relay URL          PORTAL_RELAY        a relay to begin with; may be given several times, in the environment divided by commas
  --ca FILE            PORTAL_CA           PEM certificates to trust instead of the well-known ones
  --allow-private                          look also at relays on loopback and private addresses that were not given
  --timeout SECONDS                        for each relay [5]
  --json                                   one line of JSON
  --help                                   this text

Exit code: 0 when some relay answered, 1 when none did, 2 for wrong usage.
`;

/** `portal list`. @returns the exit code */
export async function listCommand(argv: string[]): Promise<number> {
  try {
    const options = readOptions(argv, process.env);
    if (options === 'help') {
      process.stdout.write(help);
      return 0;
    }
    // Imported late because it loads many modules: a usage error should be reported at once.
    const { findRelays } = await import('../sdk/discovery/find-relays.js');
    const found = await findRelays(options);
    process.stdout.write(options.json ? `${JSON.stringify({ relays: found.map(asJson) })}\n` : table(columns, found));
    return found.some(({ reachable }) => reachable) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`portal list: ${error.message}\n`);
    return 2;
  }
}

function readOptions(argv: string[], env: NodeJS.ProcessEnv): (FindRelaysOptions & { json: boolean }) | 'help' {
  const values = parse(argv);
  if (values.help === true) return 'help';
  const relays = (values.relay ?? env.PORTAL_RELAY?.split(',') ?? []).map((url) => url.trim()).filter(Boolean);
  if (relays.length === 0) throw new UsageError('give a relay to begin with: --relay URL, or PORTAL_RELAY');
  const caFile = values.ca ?? env.PORTAL_CA;
  const seconds = Number(values.timeout ?? 5);
  if (!(seconds > 0 && seconds <= 60)) throw new UsageError('--timeout is a number of seconds up to 60');
  return {
    relays,
    ca: caFile ? readCertificates(caFile) : undefined,
    allowPrivate: values['allow-private'],
    timeoutMs: seconds * 1000,
    json: values.json === true,
  };
}

function parse(argv: string[]) {
  const { values, positionals } = parseArguments(argv, {
    relay: { type: 'string', multiple: true },
    ca: { type: 'string' },
    'allow-private': { type: 'boolean' },
    timeout: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (positionals.length > 0) throw new UsageError(`unexpected ${positionals[0]}: relays are given by --relay`);
  return values;
}

function asJson({ url, named, reachable, latencyMs, facts, fault }: FoundRelay) {
  return {
    url,
    named,
    reachable,
    latency_ms: latencyMs === undefined ? undefined : Number(latencyMs.toFixed(2)),
    address: facts?.address,
    active_connections: facts?.activeConnections,
    tcp_bps: facts?.tcpBps,
    supports_udp: facts?.supportsUdp,
    supports_tcp: facts?.supportsTcp,
    supports_overlay: facts && facts.overlay !== undefined,
    issued_at: facts?.issuedAt,
    expires_at: facts?.expiresAt,
    fault,
  };
}

const columns: Column<FoundRelay>[] = [
  { title: 'RELAY', of: ({ url }) => url, longest: maxUrl },
  {
    title: 'LATENCY',
    of: ({ reachable, latencyMs }) => (reachable && latencyMs !== undefined ? `${latencyMs.toFixed(1)} ms` : '-'),
    right: true,
  },
  { title: 'CONNECTIONS', of: ({ facts }) => (facts ? String(facts.activeConnections) : '-'), right: true },
  { title: 'THROUGHPUT', of: ({ facts }) => (facts ? throughput(facts.tcpBps) : '-'), right: true },
  { title: 'PORTS', of: ({ facts }) => (facts ? ports(facts) : '-') },
  { title: 'OVERLAY', of: ({ facts }) => (facts ? (facts.overlay ? 'yes' : 'no') : '-') },
  {
    title: 'ADDRESS',
    of: ({ facts, fault }) => fault ?? facts?.address ?? 'discovery is off on that relay',
    longest: maxFault,
  },
];

function ports({ supportsTcp, supportsUdp }: NonNullable<FoundRelay['facts']>): string {
  return [supportsTcp && 'tcp', supportsUdp && 'udp'].filter(Boolean).join(',') || 'none';
}

function throughput(bps: number): string {
  for (const [unit, size] of [
    ['GB/s', 1e9],
    ['MB/s', 1e6],
    ['kB/s', 1e3],
  ] as const) {
    if (bps >= size) return `${(bps / size).toFixed(1)} ${unit}`;
  }
  return `${Math.round(bps)} B/s`;
}
