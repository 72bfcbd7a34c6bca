import { type Measured, type Route, measure } from '../route.js';
import { alternate } from '../rounds.js';
import { download, upload } from '../visitor.js';
import { type Bench, type Scenario, valuesOf } from './scenario.js';

const gigabyte = 1e9;
const megabyte = 1e6;
const connectionCounts = [1, 16];
/** Of the ssh baseline, by direction. */
const cpuTargets = { down: 0.9, up: 0.5 };
const throughputTarget = 1.1;

/** Bulk transfer with one connection and with several: CPU a gigabyte and throughput. */
export const bulk: Scenario = async (bench) => {
  await bulkOver(bench, 'bulk');
  bench.report.note('bulk: visitors speak TLS to the service end to end over every route; ours ends it in the tunnel.');
};

/** The same over the routes of `bench`, under another title. */
export async function bulkOver(bench: Bench, title: string): Promise<void> {
  const { content, routes, options } = bench;
  for (const direction of ['down', 'up'] as const) {
    const transfer = direction === 'down' ? download : upload;
    for (const connections of connectionCounts) {
      const each = Math.floor(options.bulkBytes / connections);
      // Its hash must be known before the clock runs.
      content.hash(each);
      const run = (route: Route) =>
        measure(route, () => all(connections, () => transfer(route.address, content, each)));
      const results = await alternate(routes, options.rounds, run);
      addRows(bench, `${title} ${direction}, ${connections} conn.`, results, {
        bytes: each * connections,
        cpuTarget: cpuTargets[direction],
      });
    }
  }
}

/** Both directions with a few readers that take little by little: nobody else may lose a byte, or much time. */
export const bulkWithSlowReaders: Scenario = async (bench) => {
  const { content, report, routes, options } = bench;
  const [fast, slow] = [12, 4];
  const fastBytes = Math.floor(options.bulkBytes / fast);
  const slowBytes = Math.floor(Math.min(fastBytes, 12 * megabyte));
  for (const length of [fastBytes, slowBytes]) content.hash(length);
  for (const direction of ['down', 'up'] as const) {
    const one = async (route: Route, isSlow: boolean) => {
      const length = isSlow ? slowBytes : fastBytes;
      if (direction === 'up') await upload(route.address, content, length, isSlow);
      else await download(route.address, content, length, { slow: isSlow });
    };
    const run = async (route: Route) => {
      let fastSeconds = 0;
      const measured = await measure(route, async () => {
        const began = performance.now();
        const slowOnes = all(slow, () => one(route, true));
        await all(fast, () => one(route, false));
        fastSeconds = (performance.now() - began) / 1000;
        await slowOnes;
      });
      return { ...measured, seconds: fastSeconds };
    };
    const results = await alternate(routes, options.rounds, run);
    addRows(bench, `bulk ${direction}, ${fast} fast, ${slow} slow`, results, {
      bytes: fastBytes * fast + slowBytes * slow,
      fastBytes: fastBytes * fast,
    });
  }
  report.note('slow readers: throughput is that of the fast ones; every hash was right, of the slow ones too.');
};

function addRows(
  { report }: Bench,
  scenario: string,
  results: Map<Route, Measured[]>,
  { bytes, fastBytes = bytes, cpuTarget }: { bytes: number; fastBytes?: number; cpuTarget?: number },
): void {
  report.add({
    scenario,
    metric: 'relay CPU',
    unit: 's/GB',
    values: valuesOf(results, ({ relayCpu }) => (relayCpu / bytes) * gigabyte),
    targets: cpuTarget === undefined ? [] : [{ against: 'ssh -R', atMost: cpuTarget }],
  });
  report.add({
    scenario,
    metric: 'agent CPU',
    unit: 's/GB',
    values: valuesOf(results, ({ agentCpu }) => (agentCpu / bytes) * gigabyte),
  });
  report.add({
    scenario,
    metric: 'throughput',
    unit: 'MB/s',
    values: valuesOf(results, ({ seconds }) => fastBytes / seconds / megabyte),
    targets: cpuTarget === undefined ? [] : [{ against: 'ssh -R', atLeast: throughputTarget }],
  });
}

async function all(count: number, work: () => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: count }, work));
}
