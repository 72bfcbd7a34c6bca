import { randomBytes } from 'node:crypto';
import { guard } from '../../util/boundary.js';
import type { ProbeConnection } from './probe-connection.js';

/** Least interval between the starts of two probes. */
const probeIntervalMs = 30_000;
/** Longest random delay of a probe, so that it does not always directly follow a connection. */
const maxProbeDelayMs = 5_000;
/** Most sessions recorded during one probe's handshake for comparison. */
const maxWitnessedSessions = 4_096;

export type ProbeResult = ProbeReport['result'];

/**
 * The result of a probe of the tunnel's own public name. docs/probe.md explains what it proves.
 * - `pass`: the probe's TLS was terminated in this tunnel;
 * - `mismatch`: it was terminated elsewhere;
 * - `unknown`: the probe failed, for the reason in `error`.
 */
export type ProbeReport = {
  hostname: string;
  /** One line of text for people, without secrets. */
  message: string;
} & (
  | { result: 'pass'; error?: undefined }
  | { result: 'mismatch'; error: InterceptionError }
  | { result: 'unknown'; error: Error }
);

export interface ProbeTimes {
  /** Least interval between the starts of two probes, in milliseconds. */
  intervalMs?: number;
  /** Most random delay between traffic and its probe, in milliseconds. */
  maxDelayMs?: number;
}

/** TLS of the public name is terminated between the clients and this tunnel, with a valid certificate. */
export class InterceptionError extends Error {
  override readonly name = 'InterceptionError';

  constructor(readonly hostname: string) {
    super(
      `TLS for ${hostname} does not end in this tunnel: the relay, or something in front of it, can read and change the traffic`,
    );
  }
}

/** The target of a probe: the tunnel's current state. */
export interface ProbeTarget {
  readonly hostname: string;
  /** `https://hostname[:port]` */
  readonly url: string;
}

export interface SelfProbeOptions<Target extends ProbeTarget> extends ProbeTimes {
  /** The URL to probe; undefined without a lease or without room for another connection. */
  target(): Target | undefined;
  /** @throws when the handshake fails */
  connect(url: URL, signal: AbortSignal): Promise<ProbeConnection>;
  /** Resolves when the relay has confirmed that this tunnel still has the name. @throws when it cannot */
  confirm(target: Target, signal: AbortSignal): Promise<void>;
  report(report: ProbeReport): void;
  /** Other tunnels share the name: a probe may reach one of them. */
  isShared?: boolean;
}

/** The server side of a TLS session. */
export interface ProbedSession {
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer;
}

/** RFC 5705 4: a label without other uses. It is never sent. */
const label = 'EXPORTER-Portal-Self-Probe';
const exporterLength = 32;

interface Witness {
  readonly context: Buffer;
  readonly exporters: Set<string>;
  overflowed: boolean;
}

/**
 * Probes the tunnel's own public name periodically and checks that the probe's TLS is terminated here: only the two
 * ends of one TLS session can compute the same exporter value (RFC 8446 7.5).
 *
 * A session's exporter value is recorded before the server's Finished is sent, without which no client completes its
 * handshake. So once the probe's handshake is complete, its session is either recorded or was never terminated here:
 * there is no waiting, and no delay, lost connection or suspension can look like an interception. Each probe uses its
 * own random context, so values recorded during one are useless for another, and nothing is computed or kept while no
 * probe runs.
 */
export class SelfProbe<Target extends ProbeTarget> {
  readonly #options: SelfProbeOptions<Target>;
  readonly #stop = new AbortController();
  #pending: NodeJS.Timeout | undefined;
  #running = false;
  /** State of a probe during its handshake. */
  #witness: Witness | undefined;
  /** The last probe's exporter value at the client's end. */
  #own: string | undefined;
  #startedAt = -Infinity;

  constructor(options: SelfProbeOptions<Target>) {
    this.#options = options;
  }

  /** Stops probing; a running probe is aborted without a report. */
  stop(): void {
    clearTimeout(this.#pending);
    this.#stop.abort(new Error('the tunnel closes'));
  }

  /**
   * Records a session that has keys and has not sent its flight yet.
   * @returns the argument of `isOwn`; undefined while no probe is running
   */
  witness(session: ProbedSession): string | undefined {
    const witness = this.#witness;
    if (witness === undefined) return undefined;
    const exporter = session.exportKeyingMaterial(exporterLength, label, witness.context).toString('base64');
    if (witness.exporters.size < maxWitnessedSessions) witness.exporters.add(exporter);
    else witness.overflowed = true;
    return exporter;
  }

  /** Whether a session is the probe's own. Valid once its handshake is complete. */
  isOwn(exporter: string | undefined): boolean {
    return exporter !== undefined && exporter === this.#own;
  }

  /** Reports traffic: a probe follows as soon as the interval allows. */
  onVisitor(): void {
    if (this.#stop.signal.aborted || this.#pending !== undefined || this.#running) return;
    const { intervalMs = probeIntervalMs, maxDelayMs = maxProbeDelayMs } = this.#options;
    // Uses the monotonic clock, so that setting the system clock does not move a probe.
    const due = Math.max(this.#startedAt + intervalMs - performance.now(), 0);
    this.#pending = setTimeout(
      guard('self-probe', () => this.#run()),
      due + Math.random() * maxDelayMs,
    );
  }

  async #run(): Promise<void> {
    this.#pending = undefined;
    const target = this.#options.target();
    // The next connection triggers the next probe.
    if (target === undefined) return;
    this.#startedAt = performance.now();
    this.#running = true;
    let connection: ProbeConnection | undefined;
    let report: ProbeReport;
    try {
      const witness: Witness = { context: randomBytes(32), exporters: new Set(), overflowed: false };
      this.#witness = witness;
      connection = await this.#options.connect(new URL(target.url), this.#stop.signal);
      report = await this.#judge(connection, witness, target);
    } catch (error) {
      report = unknown(target, error as Error);
    } finally {
      this.#witness = undefined;
    }
    if (!this.#stop.signal.aborted) this.#options.report(report);
    await connection?.close(this.#stop.signal);
    this.#running = false;
  }

  /** Call this synchronously when the handshake completes: its session may be local and is waiting for `isOwn`. */
  async #judge(connection: ProbeConnection, witness: Witness, target: Target): Promise<ProbeReport> {
    const { hostname } = target;
    // This tunnel only supports TLS 1.3, so an older version was not negotiated by it.
    if (connection.protocol === 'TLSv1.3') {
      const exporter = connection.exportKeyingMaterial(exporterLength, label, witness.context).toString('base64');
      this.#own = exporter;
      this.#witness = undefined;
      if (witness.exporters.has(exporter)) {
        return { result: 'pass', hostname, message: `TLS for ${hostname} ended in this tunnel when it was checked` };
      }
      if (witness.overflowed) throw new Error('too many visitors at the same time');
    }
    if (this.#options.isShared) throw new Error('the probe may have reached another tunnel of the group');
    // Another process with the same identity may have taken over the name, and this one does not know yet.
    await this.#options.confirm(target, this.#stop.signal);
    const error = new InterceptionError(hostname);
    return { result: 'mismatch', hostname, message: error.message, error };
  }
}

function unknown({ hostname }: ProbeTarget, error: Error): ProbeReport {
  const message = `could not check where TLS for ${hostname} ends: ${error.message}`;
  return { result: 'unknown', hostname, message, error };
}
