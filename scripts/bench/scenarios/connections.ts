import { type Route, measure } from '../route.js';
import { alternate, concurrently } from '../rounds.js';
import { download, ticketFrom } from '../visitor.js';
import { type Scenario, valuesOf } from './scenario.js';

const atOnce = 8;
const bytes = 64;
/** Relay CPU of a new connection over a session that is used again. */
const cpuTargetMicroseconds = 150;

/** New visitors one after another: full handshakes, each signed by the relay, and resumed ones. */
export const connections: Scenario = async ({ content, report, routes, options: { rounds, visits } }) => {
  for (const kind of ['full', 'resumed'] as const) {
    const run = async (route: Route) => {
      const session = kind === 'resumed' ? await ticketFrom(route.address) : undefined;
      return await measure(route, () =>
        concurrently(visits, atOnce, () => download(route.address, content, bytes, { session })),
      );
    };
    const results = await alternate(routes, rounds, run);
    const scenario = `new connections, ${kind}`;
    report.add({
      scenario,
      metric: 'relay CPU',
      unit: 'us each',
      values: valuesOf(results, ({ relayCpu }) => (relayCpu / visits) * 1e6),
      targets: [{ atMost: cpuTargetMicroseconds }],
    });
    report.add({
      scenario,
      metric: 'agent CPU',
      unit: 'us each',
      values: valuesOf(results, ({ agentCpu }) => (agentCpu / visits) * 1e6),
    });
    report.add({
      scenario,
      metric: 'number',
      unit: '1/s',
      values: valuesOf(results, ({ seconds }) => visits / seconds),
    });
  }
};
