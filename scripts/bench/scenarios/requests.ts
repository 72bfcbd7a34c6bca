import { httpLoad } from '../http-load.js';
import { directRoute } from '../own-route.js';
import { type Route, measure } from '../route.js';
import { alternate } from '../rounds.js';
import { type Scenario, valuesOf } from './scenario.js';

const connections = 32;
const target = 1.9;
const warmUpSeconds = 3;

/** Small requests on connections that stay open; also to the service itself, which is as many as there can be. */
export const requests: Scenario = async (bench) => {
  const { workshop, report, routes, options } = bench;
  const { rounds, loadSeconds } = options;
  const direct = directRoute(bench);
  const load = await httpLoad(workshop);
  const what = { method: 'GET', path: '/' } as const;
  for (const route of [...routes, direct]) await load.run(route.address, what, connections, warmUpSeconds);
  const results = await alternate([...routes, direct], rounds, async (route: Route) => {
    let answered = 0;
    const measured = await measure(route, async () => {
      answered = await load.run(route.address, what, connections, loadSeconds);
    });
    return { ...measured, answered };
  });
  const scenario = `requests, ${connections} conn. kept alive`;
  report.add({
    scenario,
    metric: 'number',
    unit: '1/s',
    values: valuesOf(results, ({ answered, seconds }) => answered / seconds),
    targets: [{ against: 'ssh -R', atLeast: target }],
  });
  results.delete(direct);
  report.add({
    scenario,
    metric: 'relay CPU',
    unit: 'us each',
    values: valuesOf(results, ({ relayCpu, answered }) => (relayCpu / answered) * 1e6),
  });
  report.add({
    scenario,
    metric: 'agent CPU',
    unit: 'us each',
    values: valuesOf(results, ({ agentCpu, answered }) => (agentCpu / answered) * 1e6),
  });
  report.note(
    `requests: made by ${load.name}; with all parts on one machine, their number follows the sum of their CPU.`,
  );
};
