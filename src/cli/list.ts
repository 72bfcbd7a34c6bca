import { parseArgs } from 'node:util';
import { UsageError } from '../sdk/errors.js';
import type { FindRelaysOptions, FoundRelay } from '../sdk/find-relays.js';
import { readCertificates } from './files.js';

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
    // Late, for it brings much along: wrong usage should be told at once.
    const { findRelays } = await import('../sdk/find-relays.js');
    const found = await findRelays(options);
    process.stdout.write(options.json ? `${JSON.stringify({ relays: found.map(asJson) })}\n` : asTable(found));
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
  try {
    return parseArgs({
      args: argv,
      options: {
        relay: { type: 'string', multiple: true },
        ca: { type: 'string' },
        'allow-private': { type: 'boolean' },
        timeout: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    // Node's first sentence says what is wrong; the rest is advice on quoting.
    throw new UsageError((error as Error).message.split(/\. |\n/)[0]!, { cause: error });
  }
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

function asTable(found: FoundRelay[]): string {
  const rows = [
    ['RELAY', 'LATENCY', 'CONNECTIONS', 'THROUGHPUT', 'PORTS', 'ADDRESS'],
    ...found.map(({ url, reachable, latencyMs, facts, fault }) => [
      url,
      reachable && latencyMs !== undefined ? `${latencyMs.toFixed(1)} ms` : '-',
      facts ? String(facts.activeConnections) : '-',
      facts ? throughput(facts.tcpBps) : '-',
      facts ? [facts.supportsTcp && 'tcp', facts.supportsUdp && 'udp'].filter(Boolean).join(',') || 'none' : '-',
      fault ?? facts?.address ?? 'discovery is off there',
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
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
