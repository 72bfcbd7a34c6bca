import { randomBytes } from 'node:crypto';
import { guard } from '../../util/boundary.js';
import type { ProbeConnection } from './probe-connection.js';

/** Between the beginnings of two probes of the tunnel's own public name, at least. */
const probeIntervalMs = 30_000;
/** Longest part of it that a probe waits by chance, so that it does not always follow a visitor at once. */
const maxProbeDelayMs = 5_000;
/** Sessions that began during one probe's handshake and are kept to be compared with it. */
const maxWitnessedSessions = 4_096;

export type ProbeResult = ProbeReport['result'];

/**
 * What came of visiting the tunnel's own public name. docs/probe.md says what it proves.
 * - `pass`: the TLS of that visit ended in this tunnel;
 * - `mismatch`: it ended elsewhere;
 * - `unknown`: there was no way to tell, for the reason in `error`.
 */
export type ProbeReport = {
  hostname: string;
  /** One line for people, without secrets. */
  message: string;
} & (
  | { result: 'pass'; error?: undefined }
  | { result: 'mismatch'; error: InterceptionError }
  | { result: 'unknown'; error: Error }
);

export interface ProbeTimes {
  /** Between the beginnings of two probes, at least, in milliseconds. */
  intervalMs?: number;
  /** A probe follows the traffic that calls for it after a random part of this, in milliseconds. */
  maxDelayMs?: number;
}

/** Someone between the visitors and this tunnel ends their TLS, with a certificate that is valid for the public name. */
export class InterceptionError extends Error {
  override readonly name = 'InterceptionError';

  constructor(readonly hostname: string) {
    super(
      `TLS for ${hostname} does not end in this tunnel: the relay, or something in front of it, can read and change the traffic`,
    );
  }
}

/** Where a probe goes: what the tunnel holds at the moment. */
export interface ProbeTarget {
  readonly hostname: string;
  /** `https://hostname[:port]` */
  readonly url: string;
}

export interface SelfProbeOptions<Target extends ProbeTarget> extends ProbeTimes {
  /** What to visit; nothing while there is no lease, or no room for one more connection. */
  target(): Target | undefined;
  /** @throws when the handshake cannot be completed */
  visit(url: URL, signal: AbortSignal): Promise<ProbeConnection>;
  /** Resolves when the relay has confirmed that the name is still this tunnel's. @throws when that cannot be had */
  confirm(target: Target, signal: AbortSignal): Promise<void>;
  report(report: ProbeReport): void;
}

/** The server's end of a TLS session. */
export interface ProbedSession {
  exportKeyingMaterial(length: number, label: string, context: Buffer): Buffer;
}

/** RFC 5705 4: a label that no other use of these connections has. It is never sent. */
const label = 'EXPORTER-Portal-Self-Probe';
const exporterLength = 32;

interface Witness {
  readonly context: Buffer;
  readonly exporters: Set<string>;
  overflowed: boolean;
}

/**
 * Visits the tunnel's own public name from time to time and looks whether that visit's TLS ends here: both ends of one TLS
 * session, and nobody else, can compute the same exporter (RFC 8446 7.5).
 *
 * A session's exporter is noted before the server's Finished leaves, and without that no visitor completes its handshake.
 * So when the probe's has been completed, its session is known or it never was one of ours: nothing is waited for, and no
 * delay, cut connection or suspended machine is taken for an interception. Each probe has a random context of its own: what
 * was noted during one says nothing to another, and while none is under way nothing is computed or kept.
 */
export class SelfProbe<Target extends ProbeTarget> {
  readonly #options: SelfProbeOptions<Target>;
  readonly #stop = new AbortController();
  #pending: NodeJS.Timeout | undefined;
  #running = false;
  /** While a probe's handshake is under way. */
  #witness: Witness | undefined;
  /** The last probe's exporter at the visitor's end. */
  #own: string | undefined;
  #startedAt = -Infinity;

  constructor(options: SelfProbeOptions<Target>) {
    this.#options = options;
  }

  /** No probe from here on; one under way is broken off without a report. */
  stop(): void {
    clearTimeout(this.#pending);
    this.#stop.abort(new Error('the tunnel closes'));
  }

  /**
   * Takes notice of a session whose keys are there and whose flight has not left.
   * @returns what `isOwn` wants; nothing while no probe is under way
   */
  witness(session: ProbedSession): string | undefined {
    const witness = this.#witness;
    if (witness === undefined) return undefined;
    const exporter = session.exportKeyingMaterial(exporterLength, label, witness.context).toString('base64');
    if (witness.exporters.size < maxWitnessedSessions) witness.exporters.add(exporter);
    else witness.overflowed = true;
    return exporter;
  }

  /** Whether a session is the probe's own and nobody's visit. Right from the moment its handshake is done. */
  isOwn(exporter: string | undefined): boolean {
    return exporter !== undefined && exporter === this.#own;
  }

  /** Tells that there is traffic: a probe follows, as soon as the interval allows. */
  visited(): void {
    if (this.#stop.signal.aborted || this.#pending !== undefined || this.#running) return;
    const { intervalMs = probeIntervalMs, maxDelayMs = maxProbeDelayMs } = this.#options;
    // By the monotonic clock: the system's time being set brings no probe forward and holds none back.
    const due = Math.max(this.#startedAt + intervalMs - performance.now(), 0);
    this.#pending = setTimeout(
      guard('self-probe', () => this.#run()),
      due + Math.random() * maxDelayMs,
    );
  }

  async #run(): Promise<void> {
    this.#pending = undefined;
    const target = this.#options.target();
    // The next visitor brings the next occasion.
    if (target === undefined) return;
    this.#startedAt = performance.now();
    this.#running = true;
    let visit: ProbeConnection | undefined;
    let report: ProbeReport;
    try {
      const witness: Witness = { context: randomBytes(32), exporters: new Set(), overflowed: false };
      this.#witness = witness;
      visit = await this.#options.visit(new URL(target.url), this.#stop.signal);
      report = await this.#judge(visit, witness, target);
    } catch (error) {
      report = unknown(target, error as Error);
    } finally {
      this.#witness = undefined;
    }
    if (!this.#stop.signal.aborted) this.#options.report(report);
    await visit?.close(this.#stop.signal);
    this.#running = false;
  }

  /** To be called at once when the handshake is done, for its session may be ours and wants to know whose it is. */
  async #judge(visit: ProbeConnection, witness: Witness, target: Target): Promise<ProbeReport> {
    const { hostname } = target;
    // This tunnel has nothing older, so that what is older is not this tunnel.
    if (visit.protocol === 'TLSv1.3') {
      const exporter = visit.exportKeyingMaterial(exporterLength, label, witness.context).toString('base64');
      this.#own = exporter;
      this.#witness = undefined;
      if (witness.exporters.has(exporter)) {
        return { result: 'pass', hostname, message: `TLS for ${hostname} ended in this tunnel when it was checked` };
      }
      if (witness.overflowed) throw new Error('too many visitors at the same time');
    }
    // It may be another process of the same identity that has taken the name over, which this one has yet to hear.
    await this.#options.confirm(target, this.#stop.signal);
    const error = new InterceptionError(hostname);
    return { result: 'mismatch', hostname, message: error.message, error };
  }
}

function unknown({ hostname }: ProbeTarget, error: Error): ProbeReport {
  const message = `could not check where TLS for ${hostname} ends: ${error.message}`;
  return { result: 'unknown', hostname, message, error };
}
