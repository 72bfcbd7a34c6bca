import { parseArgs } from 'node:util';
import { Content } from './content.js';
import { exposeService, startRelay } from './own-route.js';
import { startHaproxy, startNginx } from './proxy-route.js';
import { Report } from './report.js';
import { type Route, settle } from './route.js';
import { concurrently } from './rounds.js';
import { bulk, bulkWithSlowReaders } from './scenarios/bulk.js';
import { connections } from './scenarios/connections.js';
import { controlPlane } from './scenarios/control-plane.js';
import { datagrams } from './scenarios/datagrams.js';
import { latency } from './scenarios/latency.js';
import { memory } from './scenarios/memory.js';
import { rawTcp } from './scenarios/raw-tcp.js';
import { requests } from './scenarios/requests.js';
import type { Bench, BenchOptions, Scenario } from './scenarios/scenario.js';
import { tenantTls } from './scenarios/tenant-tls.js';
import type { ServiceOptions, ServicePorts } from './service.js';
import { startSplice } from './splice-route.js';
import { startSsh } from './ssh-route.js';
import { download, upload } from './visitor.js';
import { Workshop } from './workshop.js';

const scenarios: Record<string, Scenario> = {
  bulk,
  'slow-readers': bulkWithSlowReaders,
  requests,
  latency,
  connections,
  memory,
  'control-plane': controlPlane,
  'tenant-tls': tenantTls,
  'raw-tcp': rawTcp,
  datagrams,
};

const help = `Usage: npm run bench [-- [options] [NAME ...]]

Measures the relay and tunnel beside others, over loopback. NAME: ${Object.keys(scenarios).join(', ')} [all].

  --json FILE            where the figures go [bench.json]
  --rounds N             of each measurement, the median counts [3]
  --bulk-mb N            megabytes of one bulk run [1000]
  --visits N             new connections of one run [1000]
  --idle-sessions N      [5000]
  --live-connections N   [900]; a tunnel takes 1000
  --load-seconds N       of one run under load [3]
  --round-trips N        of one run of the echo [2000]
  --only NAME            compare with these alone, such as 'ssh -R'; may be given several times
  --cpu-profile DIR      have node write CPU profiles of our relay and tunnel there
  --markdown             print the table in Markdown at the end
`;

/** Enough for Node to have compiled what matters: relay and tunnel run for weeks, and are measured as they are then. */
const warmUp = { bytes: 300_000_000, visits: 1_500, atOnce: 8 };

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string', default: 'bench.json' },
    rounds: { type: 'string', default: '3' },
    'bulk-mb': { type: 'string', default: '1000' },
    visits: { type: 'string', default: '1000' },
    'idle-sessions': { type: 'string', default: '5000' },
    'live-connections': { type: 'string', default: '900' },
    'load-seconds': { type: 'string', default: '3' },
    'round-trips': { type: 'string', default: '2000' },
    only: { type: 'string', multiple: true },
    'cpu-profile': { type: 'string' },
    markdown: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const chosen = positionals.length > 0 ? positionals : Object.keys(scenarios);
  const unknown = chosen.filter((name) => !(name in scenarios));
  if (flags.help || unknown.length > 0) {
    process.stdout.write(unknown.length > 0 ? `no such scenario: ${unknown.join(', ')}\n\n${help}` : help);
    return flags.help ? 0 : 2;
  }
  const options: BenchOptions = {
    rounds: count('rounds'),
    bulkBytes: count('bulk-mb') * 1_000_000,
    visits: count('visits'),
    idleSessions: count('idle-sessions'),
    liveConnections: count('live-connections'),
    loadSeconds: count('load-seconds'),
    roundTrips: count('round-trips'),
  };
  const workshop = new Workshop();
  const interrupt = () => void workshop.close().then(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const report = new Report(options);
  try {
    const bench = await prepare(workshop, report, options);
    for (const name of chosen) await scenarios[name]!(bench);
  } finally {
    await workshop.close();
  }
  if (flags.markdown) process.stdout.write(`\n${report.table()}\n`);
  report.write(flags.json);
  process.stdout.write(`figures written to ${flags.json}\n`);
  return 0;
}

/** Starts the service and every route to it, and warms them up. */
async function prepare(workshop: Workshop, report: Report, options: BenchOptions): Promise<Bench> {
  const profile = flags['cpu-profile'] === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', flags['cpu-profile']];
  const relay = await startRelay(workshop, profile);
  const certificate: ServiceOptions = { certFile: relay.certFile, keyFile: relay.keyFile };
  const { started: service } = await workshop.startScript<ServicePorts>('service', certificate);
  const routes: Route[] = [await exposeService(workshop, relay, service.plain, profile)];
  const others: Record<string, () => Promise<Route | undefined>> = {
    'portal, node': () => startNodeEngine(workshop, service.plain),
    'net splice': () => startSplice(workshop, relay, 'net', service.tls),
    'tls splice': () => startSplice(workshop, relay, 'tls', service.tls),
    'ssh -R': () => startSsh(workshop, relay.ca, service.tls, { label: 'ssh -R' }),
    'ssh -R, AES': () =>
      startSsh(workshop, relay.ca, service.tls, { label: 'ssh -R, AES', cipher: 'aes128-gcm@openssh.com' }),
    haproxy: () => startHaproxy(workshop, relay, service.tls, 'TLS leg'),
    'haproxy, no TLS leg': () => startHaproxy(workshop, relay, service.tls, 'no TLS leg'),
    nginx: () => startNginx(workshop, relay, service.tls, 'TLS leg'),
    'nginx, no TLS leg': () => startNginx(workshop, relay, service.tls, 'no TLS leg'),
  };
  for (const [name, start] of Object.entries(others)) {
    if (flags.only && !flags.only.includes(name)) continue;
    const route = await start();
    if (route) routes.push(route);
    else report.note(`${name}: not found here, left out`);
  }
  const content = new Content();
  for (const route of routes) {
    await download(route.address, content, warmUp.bytes);
    await upload(route.address, content, warmUp.bytes);
    await concurrently(warmUp.visits, warmUp.atOnce, () => download(route.address, content, 1));
    await settle(route);
  }
  return { options, workshop, report, content, relay, service, routes };
}

/** The same relay and tunnel, with the data plane of Node. */
async function startNodeEngine(workshop: Workshop, servicePort: number): Promise<Route> {
  const relay = await startRelay(workshop, [], ['--data-plane', 'node']);
  return { ...(await exposeService(workshop, relay, servicePort)), name: 'portal, node' };
}

function count(
  name: 'rounds' | 'bulk-mb' | 'visits' | 'idle-sessions' | 'live-connections' | 'load-seconds' | 'round-trips',
) {
  const value = Number(flags[name]);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} is a whole number above 0`);
}

process.exitCode = await main();
