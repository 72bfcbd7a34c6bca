import { createHash } from 'node:crypto';
import { rootHost } from '../own-route.js';
import { cpuSeconds } from '../proc.js';
import type { Content } from '../content.js';
import { type Route, measure } from '../route.js';
import { alternate, concurrently } from '../rounds.js';
import type { TlsServerScriptOptions } from '../tls-server.js';
import { download, ticketFrom, upload } from '../visitor.js';
import { type Bench, type Scenario, valuesOf } from './scenario.js';

const atOnce = 4;
const visitBytes = 64;
const handshakeTarget = 2;
const bulkTarget = 1.6;
const native = 'node:tls';

/** The TLS server of tenants, signing by itself, beside that of Node: no relay, no tunnel. */
export const tenantTls: Scenario = async (bench) => {
  const { content, options, report } = bench;
  const servers = [await start(bench, 'ours', 'tenant TLS'), await start(bench, 'node', native)];
  for (const { address } of servers) {
    await concurrently(options.visits, atOnce, () => download(address, content, visitBytes));
    await download(address, content, options.bulkBytes);
  }
  for (const kind of ['full', 'resumed'] as const) {
    const results = await alternate(servers, options.rounds, async (server) => {
      const session = kind === 'resumed' ? await ticketFrom(server.address) : undefined;
      return await measure(server, () =>
        concurrently(options.visits, atOnce, () => download(server.address, content, visitBytes, { session })),
      );
    });
    report.add({
      scenario: `tenant TLS, ${kind} handshake`,
      metric: 'CPU',
      unit: 'us each',
      values: valuesOf(results, ({ relayCpu }) => (relayCpu / options.visits) * 1e6),
      targets: kind === 'full' ? [{ against: native, atMost: handshakeTarget }] : [],
    });
  }
  for (const direction of ['down', 'up'] as const) {
    const transfer = direction === 'down' ? download : upload;
    content.hash(options.bulkBytes);
    const results = await alternate(servers, options.rounds, (server) =>
      measure(server, () => transfer(server.address, content, options.bulkBytes)),
    );
    // What both spend on checking is not TLS.
    const hashing = direction === 'up' ? hashSeconds(content, options.bulkBytes) : 0;
    const values = valuesOf(results, ({ relayCpu }) => ((relayCpu - hashing) / options.bulkBytes) * 1e9);
    report.add({
      scenario: `tenant TLS, bulk ${direction}`,
      metric: 'CPU',
      unit: 's/GB',
      values,
      targets: [{ against: native, atMost: bulkTarget }],
    });
  }
  report.note('tenant TLS: CPU of the whole serving process; in bulk up less the hash of what arrives.');
};

/** CPU that the hash of so many bytes takes, here and now. */
function hashSeconds(content: Content, length: number): number {
  const began = process.cpuUsage();
  const hash = createHash('sha256');
  for (const piece of content.pieces(length)) hash.update(piece);
  hash.digest();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
}

async function start({ workshop, relay }: Bench, kind: TlsServerScriptOptions['kind'], name: string): Promise<Route> {
  const options: TlsServerScriptOptions = { kind, certFile: relay.certFile, keyFile: relay.keyFile };
  const { pid, started } = await workshop.startScript<{ port: number }>('tls-server', options);
  return {
    name,
    address: { port: started.port, servername: `bench.${rootHost}`, ca: relay.ca },
    relayCpu: () => cpuSeconds(pid),
    agentCpu: () => 0,
  };
}
