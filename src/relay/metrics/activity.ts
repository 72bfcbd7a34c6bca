import { EventEmitter } from 'node:events';
import type { ErrorCode, OperationId } from '../../contract/index.js';
import { repeat } from '../../util/boundary.js';
import type { DatagramCounters } from '../datagrams/counters.js';
import type { ConnectionOutcome } from '../ingress/connection-outcome.js';
import type { SessionRegistry } from '../reverse/session-registry.js';
import { LeaseMinutes, minuteMs } from './lease-minutes.js';
import type { ApiResult, RelayMetrics } from './metrics.js';

export const sampleIntervalMs = 5_000;
/** Samples that are kept: an hour. */
const maxSamples = 720;

/** What lived at a moment, and what happened since the sample before. Times are milliseconds since the epoch. */
export interface Sample {
  at: number;
  leases: number;
  ready: number;
  connections: number;
  publicConnections: number;
  udpFlows: number;
  routed: number;
  refused: number;
  received: number;
  sent: number;
  signatures: number;
  signaturesRefused: number;
  requests: number;
  requestsRefused: number;
  datagramsDropped: number;
  storeCalls: number;
  storeFailures: number;
  storeSeconds: number;
}

/** Values that are read for each sample. */
export interface ActivitySources {
  sessions: Pick<SessionRegistry, 'all' | 'pastTraffic'>;
  leases(): number;
  publicConnections(): number;
  datagrams: { readonly totals: Readonly<DatagramCounters>; readonly flows: number };
}

const counters = () => ({
  routed: 0,
  refused: 0,
  signatures: 0,
  signaturesRefused: 0,
  requests: 0,
  requestsRefused: 0,
  storeCalls: 0,
  storeFailures: 0,
  storeSeconds: 0,
});

/**
 * How busy the relay is, for its operator: counts since the start, and a sample every five seconds of the last hour.
 * It gets the events that the metrics for Prometheus get, and passes them on where those are on.
 */
export class Activity extends EventEmitter<{ sample: [sample: Sample] }> {
  readonly startedAt = Date.now();
  /** What became of public connections. */
  readonly outcomes = new Map<ConnectionOutcome, number>();
  /** Errors of the API. */
  readonly errors = new Map<ErrorCode, number>();
  readonly leaseMinutes = new LeaseMinutes();
  readonly #samples: Sample[] = [];
  #sources: ActivitySources | undefined;
  #counts = counters();
  /** Sums at the last sample that only grow. */
  #before = { received: 0, sent: 0, datagramsDropped: 0 };
  #timers: NodeJS.Timeout[] = [];

  constructor(private readonly metrics: RelayMetrics | undefined) {
    super();
    // A listener for each event stream, whose number is bounded.
    this.setMaxListeners(0);
  }

  readonly connection = (outcome: ConnectionOutcome): void => {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    if (outcome === 'routed') this.#counts.routed++;
    else if (outcome !== 'api') this.#counts.refused++;
    this.metrics?.connection(outcome);
  };
  readonly signature = (mode: 'transcript' | 'digest', result: ApiResult): void => {
    if (result === 'ok') this.#counts.signatures++;
    else this.#counts.signaturesRefused++;
    this.metrics?.signature(mode, result);
  };
  readonly answer = (operation: OperationId | undefined, result: ApiResult): void => {
    if (result === 'ok') this.#counts.requests++;
    else {
      this.#counts.requestsRefused++;
      this.errors.set(result, (this.errors.get(result) ?? 0) + 1);
    }
    this.metrics?.answer(operation, result);
  };
  readonly storeCall = (call: string, seconds: number, failed: boolean): void => {
    this.#counts.storeCalls++;
    this.#counts.storeSeconds += seconds;
    if (failed) this.#counts.storeFailures++;
    this.metrics?.storeCall(call, seconds, failed);
  };

  /** Connections of visitors now, and bytes a second in the last minute, as far as samples tell. */
  load(): { connections: number; bytesPerSecond: number } {
    const last = this.#samples.slice(-60_000 / sampleIntervalMs);
    const bytes = last.reduce((sum, { received, sent }) => sum + received + sent, 0);
    const seconds = (last.length * sampleIntervalMs) / 1_000;
    return { connections: last.at(-1)?.connections ?? 0, bytesPerSecond: seconds > 0 ? bytes / seconds : 0 };
  }

  /** The oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Begins to take samples. */
  start(sources: ActivitySources): void {
    this.#sources = sources;
    this.#timers = [
      repeat('activity sample', () => this.take(), sampleIntervalMs),
      repeat('lease minutes', () => this.leaseMinutes.take(sources.sessions.all()), minuteMs),
    ];
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Takes a sample now. */
  take(): void {
    if (!this.#sources) return;
    const { sessions, leases, publicConnections, datagrams } = this.#sources;
    const { pastTraffic } = sessions;
    const sums = { received: pastTraffic.up, sent: pastTraffic.down, datagramsDropped: datagrams.totals.droppedInAll };
    let [ready, connections] = [0, 0];
    for (const { ready: idle, connections: live, traffic } of sessions.all()) {
      ready += idle;
      connections += live;
      sums.received += traffic.up;
      sums.sent += traffic.down;
    }
    const sample: Sample = {
      at: Date.now(),
      leases: leases(),
      ready,
      connections,
      publicConnections: publicConnections(),
      udpFlows: datagrams.flows,
      ...this.#counts,
      received: Math.max(0, sums.received - this.#before.received),
      sent: Math.max(0, sums.sent - this.#before.sent),
      datagramsDropped: Math.max(0, sums.datagramsDropped - this.#before.datagramsDropped),
    };
    this.#before = sums;
    this.#counts = counters();
    this.#samples.push(sample);
    if (this.#samples.length > maxSamples) this.#samples.shift();
    this.emit('sample', sample);
  }
}
