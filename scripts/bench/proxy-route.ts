import { writeFileSync } from 'node:fs';
import { type OwnRelay, rootHost } from './own-route.js';
import { accepting, freePort } from './ports.js';
import { cpuSeconds, treeCpuSeconds } from './proc.js';
import type { Route } from './route.js';
import type { SpliceAgentOptions } from './splice-agent.js';
import { exists, findTool } from './tools.js';
import type { Workshop } from './workshop.js';

type Certificate = Pick<OwnRelay, 'ca' | 'certFile' | 'keyFile'>;

const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

/** Whether a proxy encrypts once more on the way to an agent beside the service, or leads to the service itself. */
export type Leg = 'TLS leg' | 'no TLS leg';

/** haproxy passing TCP on, on one thread. @returns undefined where it is missing */
export async function startHaproxy(
  workshop: Workshop,
  certificate: Certificate,
  servicePort: number,
  leg: Leg,
): Promise<Route | undefined> {
  const haproxy = await findTool('haproxy');
  if (!haproxy) return undefined;
  return await startProxy(workshop, certificate, servicePort, ['haproxy', leg], async (publicPort, nextPort) => {
    const config = [
      'global',
      '  nbthread 1',
      'defaults',
      '  mode tcp',
      '  timeout connect 5s',
      '  timeout client 120s',
      '  timeout server 120s',
      'frontend public',
      `  bind 127.0.0.1:${publicPort}`,
      '  default_backend agent',
      'backend agent',
      `  server one 127.0.0.1:${nextPort}${leg === 'TLS leg' ? ' ssl verify none' : ''}`,
    ];
    const file = workshop.file(`haproxy-${publicPort}.cfg`);
    writeFileSync(file, `${config.join('\n')}\n`);
    return await workshop.start(haproxy, ['-db', '-q', '-f', file]);
  });
}

/** nginx, its stream module, the same way. @returns undefined where either is missing */
export async function startNginx(
  workshop: Workshop,
  certificate: Certificate,
  servicePort: number,
  leg: Leg,
): Promise<Route | undefined> {
  const nginx = await findTool('nginx');
  if (!nginx || !(await exists(streamModule))) return undefined;
  const encrypts = leg === 'TLS leg' ? ' proxy_ssl on; proxy_ssl_verify off;' : '';
  return await startProxy(workshop, certificate, servicePort, ['nginx', leg], async (publicPort, nextPort) => {
    const config = [
      `load_module ${streamModule};`,
      'daemon off;',
      ...(process.getuid?.() === 0 ? ['user root;'] : []),
      'worker_processes 1;',
      `pid ${workshop.file(`nginx-${publicPort}.pid`)};`,
      'error_log stderr crit;',
      'events { worker_connections 8192; }',
      `stream { server { listen 127.0.0.1:${publicPort}; proxy_pass 127.0.0.1:${nextPort}; proxy_half_close on;${encrypts} } }`,
    ];
    const file = workshop.file(`nginx-${publicPort}.conf`);
    writeFileSync(file, `${config.join('\n')}\n`);
    return await workshop.start(nginx, ['-p', workshop.directory, '-e', 'stderr', '-c', file]);
  });
}

async function startProxy(
  workshop: Workshop,
  { ca, certFile, keyFile }: Certificate,
  servicePort: number,
  [name, leg]: [string, Leg],
  start: (publicPort: number, nextPort: number) => Promise<{ pid: number }>,
): Promise<Route> {
  const agentOptions: SpliceAgentOptions = { mode: 'accept', certFile, keyFile, servicePort };
  const agent =
    leg === 'TLS leg' ? await workshop.startScript<{ port: number }>('splice-agent', agentOptions) : undefined;
  const publicPort = await freePort();
  const proxy = await start(publicPort, agent?.started.port ?? servicePort);
  await accepting(publicPort);
  return {
    name: agent ? name : `${name}, no TLS leg`,
    address: { port: publicPort, servername: `bench.${rootHost}`, ca },
    relayCpu: () => treeCpuSeconds(proxy.pid),
    agentCpu: () => (agent ? cpuSeconds(agent.pid) : 0),
  };
}
