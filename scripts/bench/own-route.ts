import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './ports.js';
import { cpuSeconds } from './proc.js';
import type { Route } from './route.js';
import type { RunningProgram, Workshop } from './workshop.js';

const cli = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const collectGarbage = new URL('collect-garbage.js', import.meta.url).href;
export const rootHost = 'portal.localhost';

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
export async function startRelay(workshop: Workshop, nodeOptions: string[] = []): Promise<OwnRelay> {
  const publicPort = await freePort();
  const url = `https://${rootHost}:${publicPort}`;
  const stateDir = workshop.file(`relay-${publicPort}`);
  const flags = ['--portal-url', url, '--state-dir', stateDir, '--host', '127.0.0.1'];
  const ports = ['--sni-port', String(publicPort), '--api-port', '0'];
  const node = ['--expose-gc', '--import', collectGarbage, ...nodeOptions];
  const program = await workshop.start(process.execPath, [...node, cli, 'relay', ...flags, ...ports], {
    ready: { from: 'stderr', line: (line) => line.includes('relay started') },
  });
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

/** `portal expose` in front of a service. */
export async function exposeService(
  workshop: Workshop,
  relay: OwnRelay,
  servicePort: number,
  nodeOptions: string[] = [],
): Promise<Route> {
  const name = 'bench';
  const flags = ['--relay', relay.url, '--ca', relay.caFile, '--name', name, '--ttl', '3600', '--json'];
  const args = [...nodeOptions, cli, 'expose', String(servicePort), ...flags];
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
