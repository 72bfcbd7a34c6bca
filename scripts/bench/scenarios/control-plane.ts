import type { BareExpressOptions } from '../bare-express.js';
import { type HttpRequest, httpLoad } from '../http-load.js';
import { rootHost } from '../own-route.js';
import { cpuSeconds } from '../proc.js';
import { alternate } from '../rounds.js';
import { type Route, measure } from '../route.js';
import { newLease, tunnelStatus } from '../sign-in.js';
import { type Scenario, valuesOf } from './scenario.js';

const connections = 16;

/** The API's requests a second, beside express alone. */
export const controlPlane: Scenario = async ({ workshop, report, relay, options: { rounds, loadSeconds } }) => {
  const load = await httpLoad(workshop);
  const api = { port: relay.apiPort, rootHost, ca: relay.ca };
  const name = 'control-plane';
  const { token } = await newLease(api, { name, ttlSeconds: 3_600 });
  const statusPath = `/tunnel/status?hostname=${name}.${rootHost}`;
  const status = await tunnelStatus(api, token, statusPath);
  const bareOptions: BareExpressOptions = { certFile: relay.certFile, keyFile: relay.keyFile, status };
  const bare = await workshop.startScript<{ port: number }>('bare-express', bareOptions);
  const server = (name: string, port: number, pid: number): Route => ({
    name,
    address: { port, servername: rootHost, ca: relay.ca },
    relayCpu: () => cpuSeconds(pid),
    agentCpu: () => 0,
  });
  const servers = [server('portal', relay.apiPort, relay.pid), server('express', bare.started.port, bare.pid)];
  const calls: HttpRequest[] = [
    { method: 'GET', path: '/healthz' },
    { method: 'GET', path: statusPath, headers: { 'x-portal-access-token': token } },
  ];
  for (const what of calls) {
    for (const { address } of servers) await load.run(address, what, connections, 1);
    const results = await alternate(servers, rounds, async (route) => {
      let answered = 0;
      const measured = await measure(route, async () => {
        answered = await load.run(route.address, what, connections, loadSeconds);
      });
      return { ...measured, answered };
    });
    const scenario = `${what.method} ${what.path.replace(/\?.*/, '')}`;
    report.add({
      scenario,
      metric: 'number',
      unit: '1/s',
      values: valuesOf(results, ({ answered, seconds }) => answered / seconds),
    });
    report.add({
      scenario,
      metric: 'relay CPU',
      unit: 'us each',
      values: valuesOf(results, ({ relayCpu, answered }) => (relayCpu / answered) * 1e6),
    });
  }
};
