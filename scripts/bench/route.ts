import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from './visitor.js';

/** A way from visitors to the local service: our relay and tunnel, or something to compare them with. */
export interface Route {
  name: string;
  address: Address;
  /** CPU seconds so far of what stands between (relay, sshd, proxy), and of what runs beside the service. */
  relayCpu(): number;
  agentCpu(): number;
  /** Process whose memory counts, where it can be told to collect its garbage first. */
  relayPid?: number;
}

const settledAfterMs = 300;
const settleTimeoutMs = 3_000;

/** Waits until a route has done what its last visitors left it to do, so that this counts as theirs and not the next's. */
export async function settle(route: Route): Promise<void> {
  const deadline = performance.now() + settleTimeoutMs;
  for (let last = -1; performance.now() < deadline; await sleep(settledAfterMs)) {
    const now = route.relayCpu() + route.agentCpu();
    if (now === last) return;
    last = now;
  }
}

export interface Measured {
  /** Until `work` was done; the CPU of what it left behind counts as well. */
  seconds: number;
  relayCpu: number;
  agentCpu: number;
}

export async function measure(route: Route, work: () => Promise<unknown>): Promise<Measured> {
  const before = { relay: route.relayCpu(), agent: route.agentCpu() };
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  await settle(route);
  return { seconds, relayCpu: route.relayCpu() - before.relay, agentCpu: route.agentCpu() - before.agent };
}
