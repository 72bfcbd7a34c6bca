import { type OwnRelay, rootHost } from './own-route.js';
import { cpuSeconds } from './proc.js';
import type { Route } from './route.js';
import type { SpliceAgentOptions } from './splice-agent.js';
import type { SpliceRelayOptions, SpliceRelayPorts } from './splice-relay.js';
import type { Workshop } from './workshop.js';

const collectGarbage = new URL('collect-garbage.js', import.meta.url).href;
/** As many as the relay's ready queue of a lease holds. */
const usuallyWaiting = 8;

/** A bare splice of node:net or node:tls: the same topology as ours, and nothing but `pipe` in it. */
export async function startSplice(
  workshop: Workshop,
  certificate: Pick<OwnRelay, 'ca' | 'caFile' | 'certFile' | 'keyFile'>,
  leg: 'net' | 'tls',
  servicePort: number,
  waiting = usuallyWaiting,
): Promise<Route & { relayPid: number; stop(): Promise<void> }> {
  const { certFile, keyFile, caFile, ca } = certificate;
  const relayOptions: SpliceRelayOptions = { leg, certFile, keyFile };
  const relay = await workshop.startScript<SpliceRelayPorts>('splice-relay', relayOptions, {
    nodeOptions: ['--expose-gc', '--import', collectGarbage],
  });
  const { publicPort, reversePort } = relay.started;
  const agentOptions: SpliceAgentOptions = {
    mode: 'dial',
    leg,
    port: reversePort,
    waiting,
    caFile,
    servername: rootHost,
    servicePort,
  };
  const agent = await workshop.startScript('splice-agent', agentOptions);
  return {
    name: leg === 'net' ? 'net splice' : 'tls splice',
    address: { port: publicPort, servername: `bench.${rootHost}`, ca },
    relayCpu: () => cpuSeconds(relay.pid),
    agentCpu: () => cpuSeconds(agent.pid),
    relayPid: relay.pid,
    async stop() {
      await workshop.stop(agent);
      await workshop.stop(relay);
    },
  };
}
