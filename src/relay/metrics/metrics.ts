import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { ErrorCode, OperationId } from '../../contract/index.js';
import { type DatagramCounters, dropReasons } from '../datagrams/counters.js';
import type { DiscoveryReport } from '../discovery/discovery.js';
import { refusals } from '../discovery/refusals.js';
import { type ConnectionOutcome, connectionOutcomes } from '../ingress/connection-outcome.js';
import type { LeaseSessions } from '../reverse/lease-sessions.js';
import { droppedWrites } from '../../util/standard-output.js';
import type { Fault } from '../../util/boundary.js';
import { LeaseTraffic, type TrafficSource } from './lease-traffic.js';
import type { StoreObserver } from './timed-store.js';

/** Hostnames with their own byte counters in the metrics: the busiest ones. */
const metricsHostnames = 20;

/** Values that are read at each scrape. */
export interface MetricsSources {
  releaseVersion: string;
  sessions: TrafficSource;
  /** Live leases. */
  leases(): number;
  /** Leases renewed while the store failed. */
  unwrittenLeases(): number;
  /** When the certificate ends, in seconds since the epoch. */
  certificateExpiry(): number;
  publicConnections(): number;
  datagrams: { readonly totals: Readonly<DatagramCounters>; readonly flows: number };
  /** Present when discovery is on. */
  discovery?: (() => DiscoveryReport) | undefined;
  /** Present where the relay has several nodes. */
  nodes?: { readonly connected: number; readonly isStoreUp: boolean } | undefined;
  /** Present when the relay is to be a part of the overlay. */
  overlay?: { readonly facts: unknown; readonly size: number } | undefined;
}

/** The outcome of an API request: `ok`, or its error code. */
export type ApiResult = ErrorCode | 'ok';

/**
 * The relay's metrics for Prometheus. The parts of the relay do not know it: they report rare events (a connection, a
 * request, a signature) by callbacks, and byte counts are read from their own counters at each scrape.
 */
export class RelayMetrics {
  readonly registry = new Registry();
  readonly #connections = new Counter({
    name: 'portal_public_connections_total',
    help: 'Connections to the public port by what became of them; routed and api are served, all others refused.',
    labelNames: ['outcome'],
    registers: [this.registry],
  });
  readonly #oldTls = new Counter({
    name: 'portal_visitors_without_tls13_total',
    help: 'Connections to leases whose ClientHello does not offer TLS 1.3: tunnels refuse these.',
    registers: [this.registry],
  });
  readonly #signatures = new Counter({
    name: 'portal_signatures_total',
    help: 'Signatures asked for by mode and result: ok, or the code of the error.',
    labelNames: ['mode', 'result'],
    registers: [this.registry],
  });
  readonly #requests = new Counter({
    name: 'portal_api_requests_total',
    help: 'API requests by operation of the contract and result: ok, or the code of the error.',
    labelNames: ['operation', 'result'],
    registers: [this.registry],
  });
  readonly #faults = new Counter({
    name: 'portal_handler_faults_total',
    help: 'Handlers that failed by a fault of this program, each of which ended one connection, datagram or timer run.',
    labelNames: ['boundary'],
    registers: [this.registry],
  });
  readonly #store = new Histogram({
    name: 'portal_store_call_seconds',
    help: 'Time that calls to the store took.',
    labelNames: ['call'],
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [this.registry],
  });
  readonly #storeFailures = new Counter({
    name: 'portal_store_failures_total',
    help: 'Calls to the store that failed.',
    labelNames: ['call'],
    registers: [this.registry],
  });

  readonly connection = (outcome: ConnectionOutcome): void => this.#connections.inc({ outcome });
  readonly oldTls = (): void => this.#oldTls.inc();
  readonly signature = (mode: 'transcript' | 'digest', result: ApiResult): void =>
    this.#signatures.inc({ mode, result });
  readonly answer = (operation: OperationId | undefined, result: ApiResult): void =>
    this.#requests.inc({ operation: operation ?? 'none', result });
  readonly fault = ({ boundary }: Fault): void => this.#faults.inc({ boundary });
  readonly storeCall: StoreObserver = (call, seconds, failed) => {
    this.#store.observe({ call }, seconds);
    if (failed) this.#storeFailures.inc({ call });
  };

  /** Adds the values read from the relay's parts, and Node's process metrics. */
  watch({
    releaseVersion,
    sessions,
    leases,
    unwrittenLeases,
    certificateExpiry,
    publicConnections,
    datagrams,
    discovery,
    nodes,
    overlay,
  }: MetricsSources): void {
    const { registry } = this;
    const registers = [registry];
    collectDefaultMetrics({ register: registry });
    // Initialized to zero: otherwise the first event of each kind would not be an increase.
    for (const outcome of connectionOutcomes) this.#connections.inc({ outcome }, 0);
    this.#signatures.inc({ mode: 'transcript', result: 'ok' }, 0);
    new Gauge({ name: 'portal_build_info', help: 'Always 1.', labelNames: ['version'], registers }).set(
      { version: releaseVersion },
      1,
    );
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    const sum = (of: (sessions: LeaseSessions) => number) => () => {
      let all = 0;
      for (const each of sessions.all()) all += of(each);
      return all;
    };
    gauge('portal_certificate_expiry_timestamp_seconds', 'When the certificate ends.', certificateExpiry);
    gauge('portal_leases', 'Live leases.', leases);
    if (nodes) {
      gauge('portal_nodes_connected', 'Other nodes of the relay that this one is connected to.', () => nodes.connected);
      gauge('portal_store_up', 'Whether the shared store answers: 1 or 0.', () => Number(nodes.isStoreUp));
    }
    gauge('portal_leases_unwritten', 'Live leases that were renewed while the store failed.', unwrittenLeases);
    gauge(
      'portal_sessions_ready',
      'Reverse sessions that wait for a visitor.',
      sum(({ ready }) => ready),
    );
    gauge(
      'portal_sessions_live',
      'Reverse sessions joined to a visitor.',
      sum(({ connections }) => connections),
    );
    gauge('portal_public_connections', 'Connections open on the public port.', publicConnections);
    gauge('portal_udp_flows', 'Peers of public UDP ports with recent datagrams.', () => datagrams.flows);
    new Counter({
      name: 'portal_log_writes_dropped_total',
      help: 'Writes to stdout or stderr that nobody was there to read.',
      registers,
      collect() {
        this.reset();
        this.inc(droppedWrites());
      },
    });
    new Counter({
      name: 'portal_datagrams_total',
      help: 'Datagrams passed on. up: from the public to a tunnel.',
      labelNames: ['direction'],
      registers,
      collect() {
        this.reset();
        this.inc({ direction: 'up' }, datagrams.totals.up);
        this.inc({ direction: 'down' }, datagrams.totals.down);
      },
    });
    new Counter({
      name: 'portal_datagrams_dropped_total',
      help: 'Datagrams given up, by the reason.',
      labelNames: ['reason'],
      registers,
      collect() {
        this.reset();
        for (const reason of dropReasons) this.inc({ reason }, datagrams.totals.dropped[reason]);
      },
    });

    if (discovery) {
      gauge(
        'portal_relays_believed',
        'Other relays whose descriptor is believed now.',
        () => discovery().believed.length,
      );
      gauge(
        'portal_relays_held',
        'URLs of other relays held: believed, silent, or not visited yet.',
        () => discovery().held,
      );
      new Counter({
        name: 'portal_relay_refusals_total',
        help: 'Descriptors and answers of other relays that were not believed, by kind.',
        labelNames: ['kind'],
        registers,
        collect() {
          const { refused } = discovery();
          this.reset();
          for (const kind of refusals) this.inc({ kind }, refused[kind] ?? 0);
        },
      });
    }

    if (overlay) {
      gauge('portal_overlay_up', '1 while the relay is a part of the overlay.', () => (overlay.facts ? 1 : 0));
      gauge('portal_overlay_peers', 'Relays that are peers in the overlay.', () => overlay.size);
    }

    const traffic = new LeaseTraffic(sessions, metricsHostnames);
    new Counter({
      name: 'portal_lease_bytes_total',
      help: `Bytes by hostname, for the ${metricsHostnames} with the most recent traffic; "other" has the rest. up: from visitors.`,
      labelNames: ['hostname', 'direction'],
      registers,
      collect() {
        traffic.update();
        this.reset();
        for (const [hostname, bytes] of [...traffic.named, ['other', traffic.others] as const]) {
          this.inc({ hostname, direction: 'up' }, bytes.up);
          this.inc({ hostname, direction: 'down' }, bytes.down);
        }
      },
    });
  }
}
