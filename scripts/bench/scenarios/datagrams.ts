import { loadQuic } from '../../../src/streams/quic/quic-package.js';
import type { LoadOptions, LoadResult } from '../datagram-load.js';
import { exposePorts } from '../own-route.js';
import { alternate } from '../rounds.js';
import { type Route, measure } from '../route.js';
import { type Scenario, valuesOf } from './scenario.js';

const flows = 200;
const payloadBytes = 64;
/** A game: 60 a second for each of 50 players, and of 200; then what it takes to lose some. */
const rates = [3_000, 12_000, 24_000];

/** Datagrams there and back at bounded rates, over each carrier and directly: how many are lost, what they cost. */
export const datagrams: Scenario = async ({ workshop, report, relay, options: { rounds, loadSeconds } }) => {
  const { started: echo, pid } = await workshop.startScript<{ port: number }>('datagram-echo', {});
  const own = await exposePorts(workshop, relay, { udp: echo.port });
  // Two leases: one hostname has one carrier at a time.
  const overQuic = await loadQuic().then(
    () => [exposePorts(workshop, relay, { udp: echo.port, udpCarrier: 'quic' })],
    (error: Error) => {
      report.note(`datagrams over QUIC: not found here, left out (${error.message})`);
      return [];
    },
  );
  const routes = [own, ...(await Promise.all(overQuic))];
  const directly: Route = {
    name: 'directly',
    address: { ...own.address, port: echo.port },
    relayCpu: () => 0,
    agentCpu: () => 0,
  };
  report.note(`datagrams: the echo is process ${pid}; answers to another flow than asked would end the run.`);
  for (const rate of rates) {
    const run = async (route: Route) => {
      const load: LoadOptions = { port: route.address.port, flows, rate, seconds: loadSeconds, payloadBytes };
      let result: LoadResult | undefined;
      const measured = await measure(route, async () => {
        result = (await workshop.startScript<LoadResult>('datagram-load', load)).started;
      });
      if (!result || result.astray > 0) throw new Error(`${result?.astray} answers went astray`);
      return { ...measured, result };
    };
    const results = await alternate([...routes, directly], rounds, run);
    const scenario = `${rate} datagrams/s, ${flows} flows`;
    const add = (metric: string, unit: string, value: (each: Awaited<ReturnType<typeof run>>) => number) =>
      report.add({ scenario, metric, unit, values: valuesOf(results, value) });
    add('answered', '1/s', ({ result }) => result.answered / result.seconds);
    add('lost', '%', ({ result }) => (1 - result.answered / result.sent) * 100);
    add('round trip p50', 'ms', ({ result }) => result.p50);
    add('round trip p99', 'ms', ({ result }) => result.p99);
    add('relay CPU', 'us there and back', ({ result, relayCpu }) => (relayCpu / result.sent) * 1e6);
    add('agent CPU', 'us there and back', ({ result, agentCpu }) => (agentCpu / result.sent) * 1e6);
  }
};
