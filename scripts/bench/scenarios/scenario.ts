import type { Content } from '../content.js';
import type { OwnRelay } from '../own-route.js';
import type { Report, Row } from '../report.js';
import type { Route } from '../route.js';
import type { ServicePorts } from '../service.js';
import type { Workshop } from '../workshop.js';

export interface BenchOptions {
  rounds: number;
  /** Bytes of one bulk run, over all its connections. */
  bulkBytes: number;
  /** New connections of one run. */
  visits: number;
  /** Idle reverse sessions, and live connections, whose memory is measured. */
  idleSessions: number;
  liveConnections: number;
  /** Seconds of one run under load, and round trips of one run of the echo. */
  loadSeconds: number;
  roundTrips: number;
}

/** What every scenario works with: the processes stand already, ours first among the routes. */
export interface Bench {
  options: BenchOptions;
  workshop: Workshop;
  report: Report;
  content: Content;
  relay: OwnRelay;
  service: ServicePorts;
  routes: Route[];
}

export type Scenario = (bench: Bench) => Promise<void>;

/** The values of a row from what the rounds gave. */
export function valuesOf<Result>(
  results: Map<{ name: string }, Result[]>,
  value: (result: Result) => number,
): Row['values'] {
  return Object.fromEntries([...results].map(([{ name }, each]) => [name, each.map(value)]));
}
