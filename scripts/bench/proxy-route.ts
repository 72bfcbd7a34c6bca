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

/** haproxy passing TCP on over a TLS leg of its own, on one thread. @returns undefined where it is missing */
export async function startHaproxy(
  workshop: Workshop,
  certificate: Certificate,
  servicePort: number,
): Promise<Route | undefined> {
  const haproxy = await findTool('haproxy');
  if (!haproxy) return undefined;
  return await startProxy(workshop, certificate, servicePort, 'haproxy', async (publicPort, agentPort) => {
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
      `  server one 127.0.0.1:${agentPort} ssl verify none`,
    ];
    const file = workshop.file('haproxy.cfg');
    writeFileSync(file, `${config.join('\n')}\n`);
    return await workshop.start(haproxy, ['-db', '-q', '-f', file]);
  });
}

/** nginx, its stream module, the same way. @returns undefined where either is missing */
export async function startNginx(
  workshop: Workshop,
  certificate: Certificate,
  servicePort: number,
): Promise<Route | undefined> {
  const nginx = await findTool('nginx');
  if (!nginx || !(await exists(streamModule))) return undefined;
  return await startProxy(workshop, certificate, servicePort, 'nginx', async (publicPort, agentPort) => {
    const config = [
      `load_module ${streamModule};`,
      'daemon off;',
      ...(process.getuid?.() === 0 ? ['user root;'] : []),
      'worker_processes 1;',
      `pid ${workshop.file('nginx.pid')};`,
      'error_log stderr crit;',
      'events { worker_connections 8192; }',
      `stream { server { listen 127.0.0.1:${publicPort}; proxy_pass 127.0.0.1:${agentPort}; proxy_half_close on; proxy_ssl on; proxy_ssl_verify off; } }`,
    ];
    const file = workshop.file('nginx.conf');
    writeFileSync(file, `${config.join('\n')}\n`);
    return await workshop.start(nginx, ['-p', workshop.directory, '-e', 'stderr', '-c', file]);
  });
}

async function startProxy(
  workshop: Workshop,
  { ca, certFile, keyFile }: Certificate,
  servicePort: number,
  name: string,
  start: (publicPort: number, agentPort: number) => Promise<{ pid: number }>,
): Promise<Route> {
  const agentOptions: SpliceAgentOptions = { mode: 'accept', certFile, keyFile, servicePort };
  const agent = await workshop.startScript<{ port: number }>('splice-agent', agentOptions);
  const publicPort = await freePort();
  const proxy = await start(publicPort, agent.started.port);
  await accepting(publicPort);
  return {
    name,
    address: { port: publicPort, servername: `bench.${rootHost}`, ca },
    relayCpu: () => treeCpuSeconds(proxy.pid),
    agentCpu: () => cpuSeconds(agent.pid),
  };
}
