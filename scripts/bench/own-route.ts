import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './ports.js';
import { cpuSeconds } from './proc.js';
import type { Route } from './route.js';
import type { ServicePorts } from './service.js';
import type { RunningProgram, Workshop } from './workshop.js';

const cli = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const collectGarbage = new URL('collect-garbage.js', import.meta.url).href;
export const rootHost = 'portal.localhost';
const portCount = 16;

export interface OwnRelay {
  pid: number;
  url: string;
  publicPort: number;
  apiPort: number;
  /** PEM, and files: the CA, and the chain and key that tenants are signed with, for what is compared with them. */
  ca: string;
  caFile: string;
  certFile: string;
  keyFile: string;
  program: RunningProgram;
}

/** A relay as its operator starts it, but for the wish to be told when to collect its garbage. */
export async function startRelay(
  workshop: Workshop,
  nodeOptions: string[] = [],
  settings: string[] = [],
): Promise<OwnRelay> {
  const publicPort = await freePort();
  const url = `https://${rootHost}:${publicPort}`;
  const stateDir = workshop.file(`relay-${publicPort}`);
  const flags = ['--portal-url', url, '--state-dir', stateDir, '--host', '127.0.0.1'];
  const ports = ['--sni-port', String(publicPort), '--api-port', '0'];
  const portFlags = await portRangeFlags();
  const node = ['--expose-gc', '--import', collectGarbage, ...nodeOptions];
  const program = await workshop.start(
    process.execPath,
    [...node, cli, 'relay', ...flags, ...ports, ...portFlags, ...settings],
    {
      ready: { from: 'stderr', line: (line) => line.includes('relay started') },
    },
  );
  const { apiPort } = JSON.parse(program.line) as { apiPort: number };
  const caFile = join(stateDir, 'development-ca.pem');
  return {
    pid: program.pid,
    url,
    publicPort,
    apiPort,
    ca: readFileSync(caFile, 'utf8'),
    caFile,
    certFile: join(stateDir, 'development-cert.pem'),
    keyFile: join(stateDir, 'development-key.pem'),
    program,
  };
}

/** Ports for leases: what of them other programs have is passed over. */
async function portRangeFlags(): Promise<string[]> {
  const first = Math.min(await freePort(), 65_000);
  return ['--min-port', String(first), '--max-port', String(first + portCount - 1), '--tcp-enabled', '--udp-enabled'];
}

/** `portal expose --tcp` or `--udp` in front of a service: the address has the public port. */
export async function exposePorts(
  workshop: Workshop,
  relay: OwnRelay,
  { tcp, udp, udpCarrier = 'ws' }: { tcp?: number; udp?: number; udpCarrier?: 'ws' | 'quic' },
): Promise<Route> {
  const kind = tcp === undefined ? 'udp' : 'tcp';
  const name = kind === 'udp' ? `bench-udp-${udpCarrier}` : 'bench-tcp';
  const target = [`--${kind}`, String(tcp ?? udp), '--udp-carrier', udpCarrier];
  const flags = ['--relay', relay.url, '--ca', relay.caFile, '--name', name, '--ttl', '3600', '--json'];
  const identity = ['--identity', workshop.file(`identity-${name}-${relay.publicPort}.json`)];
  const tunnel = await workshop.start(process.execPath, [cli, 'expose', ...target, ...flags, ...identity], {
    ready: { from: 'stdout', line: (line) => line.startsWith('{') },
  });
  const { url } = JSON.parse(tunnel.line) as { url: string };
  return {
    name: udpCarrier === 'quic' ? 'portal over QUIC' : 'portal',
    address: { port: Number(url.split(':').at(-1)), servername: `bench.${rootHost}`, ca: relay.ca },
    relayCpu: () => cpuSeconds(relay.pid),
    agentCpu: () => cpuSeconds(tunnel.pid),
    relayPid: relay.pid,
  };
}

/** `portal expose` in front of a service. */
export async function exposeService(
  workshop: Workshop,
  relay: OwnRelay,
  servicePort: number,
  nodeOptions: string[] = [],
): Promise<Route> {
  const name = 'bench';
  const flags = ['--relay', relay.url, '--ca', relay.caFile, '--name', name, '--ttl', '3600', '--json'];
  const args = [...nodeOptions, cli, 'expose', String(servicePort), '--raw', ...flags];
  const tunnel = await workshop.start(
    process.execPath,
    [...args, '--identity', workshop.file(`identity-${relay.publicPort}.json`)],
    { ready: { from: 'stdout', line: (line) => line.startsWith('{') } },
  );
  const { hostname } = JSON.parse(tunnel.line) as { hostname: string };
  return {
    name: 'portal',
    address: { port: relay.publicPort, servername: hostname, ca: relay.ca },
    relayCpu: () => cpuSeconds(relay.pid),
    agentCpu: () => cpuSeconds(tunnel.pid),
    relayPid: relay.pid,
  };
}

/** To the service itself, with nothing between. */
export function directRoute({ relay, service }: { relay: OwnRelay; service: ServicePorts }): Route {
  return {
    name: 'directly',
    address: { port: service.tls, servername: `bench.${rootHost}`, ca: relay.ca },
    relayCpu: () => 0,
    agentCpu: () => 0,
  };
}
