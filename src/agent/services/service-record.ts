import { EventEmitter } from 'node:events';
import {
  type ConnectionReport,
  type ExchangeSummary,
  InterceptionError,
  type RequestReport,
  type Tunnel,
} from '../../tunnel/index.js';
import { maskTarget } from '../../tunnel/inspect/masking.js';
import { guard } from '../../util/boundary.js';
import { withoutUndefined } from '../../util/without-undefined.js';
import type { AgentLogLine, AgentRequestLine, AgentTraffic } from '../contract.js';

/** Lines of the log that are kept of each service. */
const maxLogLines = 500;
const maxMessage = 1_024;
const maxMethod = 32;
const maxTarget = 2_048;
/** Requests that are kept of a service that is not inspected. */
const maxRequests = 50;
/** Traffic is told so often at most. */
const trafficIntervalMs = 1_000;

export interface RecordEvents {
  changed: [];
  line: [line: AgentLogLine];
  /** One that has begun, gets a response, or is over. */
  request: [request: AgentRequestLine];
  /** It is not reached or does not answer: why, in a line, or undefined when it is over. */
  trouble: [reason: string | undefined, isFinal: boolean];
  /** A relay was left because it intercepts. */
  intercepted: [relay: string | undefined, message: string];
}

/** What is known of a service, beyond its configuration. */
export class ServiceRecord extends EventEmitter<RecordEvents> {
  /** Undefined once it has ended. */
  tunnel: Tunnel | undefined;
  lastError: string | undefined;
  /** Its tunnel has ended by itself. */
  hasFailed = false;
  /** Of the identity that leases the name. */
  address: string | undefined;
  readonly latencies = new Map<string, number>();
  /** Relays that are not used again. */
  readonly banned = new Set<string>();
  traffic: AgentTraffic = noTraffic();
  readonly #log: AgentLogLine[] = [];
  readonly #requests: AgentRequestLine[] = [];
  #lastRequest = 0;
  #isInspected = false;
  #targetFault: string | undefined;
  #telling: NodeJS.Timeout | undefined;

  /** Given to the tunnel, and the same as long as the service is known. */
  readonly onRequest = (report: RequestReport): void => this.#request(report);

  get log(): AgentLogLine[] {
    return [...this.#log];
  }

  /** The oldest first. */
  get requests(): AgentRequestLine[] {
    return this.tunnel?.inspector ? this.tunnel.inspector.list().map(lineOfExchange) : [...this.#requests];
  }

  clearRequests(): void {
    this.tunnel?.inspector?.clear();
    this.#requests.length = 0;
  }

  /** The service has a tunnel, for the first time or anew. */
  follow(tunnel: Tunnel): void {
    this.tunnel = tunnel;
    this.lastError = undefined;
    this.hasFailed = false;
    this.traffic = noTraffic();
    this.#requests.length = 0;
    this.#lastRequest = 0;
    this.#isInspected = false;
    this.#targetFault = undefined;
    this.latencies.clear();
    this.banned.clear();
    tunnel.on('status', ({ state, message, relay, error }) => {
      if (this.tunnel !== tunnel) return;
      this.#inspect(tunnel);
      if (error) this.lastError = oneLine(message);
      if (relay !== undefined && state === 'relay_refused') this.banned.add(relay);
      if (relay !== undefined && error instanceof InterceptionError) this.emit('intercepted', relay, oneLine(message));
      if (state === 'target_down') this.#targetFault = oneLine(message);
      if (state === 'target_up') {
        if (this.lastError === this.#targetFault) this.lastError = undefined;
        this.#targetFault = undefined;
      }
      this.#say(state, message, relay);
      this.#look();
    });
    tunnel.on('ready', ({ urls, relay }) => {
      if (this.tunnel !== tunnel) return;
      this.lastError = this.#targetFault;
      this.#say('ready', `serving at ${urls.join(' and ')}`, relay);
      this.#look();
    });
    tunnel.on('latency', ({ relay, ms }) => this.latencies.set(relay, Math.round(ms * 10) / 10));
    // boundary: it only counts.
    tunnel.on('connection', (report) => this.#connection(report));
    this.#look();
  }

  /** The tunnel has ended. */
  ended(tunnel: Tunnel, error: Error | undefined): void {
    if (this.tunnel !== tunnel) return;
    this.tunnel = undefined;
    this.hasFailed = error !== undefined;
    if (error) this.lastError = oneLine(error.message);
    if (error instanceof InterceptionError) this.emit('intercepted', undefined, oneLine(error.message));
    this.#say('closed', error ? `ended: ${error.message}` : 'ended');
    this.#look();
  }

  /** Nothing more is told. */
  stop(): void {
    clearTimeout(this.#telling);
    this.removeAllListeners();
  }

  #look(): void {
    if (this.hasFailed) this.emit('trouble', `has ended: ${this.lastError ?? 'unknown'}`, true);
    else if (!this.tunnel?.current) this.emit('trouble', `is not reached: ${this.lastError ?? 'no relay yet'}`, false);
    else this.emit('trouble', this.#targetFault, false);
  }

  #say(event: string, message: string, relay?: string): void {
    const line = withoutUndefined({ time: new Date().toISOString(), event, message: oneLine(message), relay });
    this.#log.push(line);
    if (this.#log.length > maxLogLines) this.#log.shift();
    this.emit('line', line);
    this.emit('changed');
  }

  #inspect({ inspector }: Tunnel): void {
    if (this.#isInspected || !inspector) return;
    this.#isInspected = true;
    inspector.on('changed', (summary) => this.emit('request', lineOfExchange(summary)));
  }

  #request({ address, method, target, status, durationMs, error }: RequestReport): void {
    this.traffic.requests++;
    if (error !== undefined || status === undefined || status >= 500) this.traffic.failed++;
    this.#touch();
    if (this.#isInspected) return;
    const line = withoutUndefined({
      id: ++this.#lastRequest,
      started_at: new Date(Date.now() - durationMs).toISOString(),
      method: method.slice(0, maxMethod),
      target: maskTarget(Buffer.from(target.slice(0, maxTarget), 'latin1').toString()),
      status,
      took_ms: Math.round(durationMs * 10) / 10,
      address,
      error: error?.message,
    });
    this.#requests.push(line);
    if (this.#requests.length > maxRequests) this.#requests.shift();
    this.emit('request', line);
  }

  #connection({ received, sent, error }: ConnectionReport): void {
    this.traffic.connections++;
    this.traffic.received += received;
    this.traffic.sent += sent;
    if (error !== undefined) this.traffic.failed++;
    this.#touch();
  }

  #touch(): void {
    this.#telling ??= setTimeout(
      guard('agent event stream', () => {
        this.#telling = undefined;
        this.emit('changed');
      }),
      trafficIntervalMs,
    );
  }
}

function lineOfExchange({ startedAt, tookMs, from, ...rest }: ExchangeSummary): AgentRequestLine {
  return withoutUndefined({
    ...rest,
    started_at: new Date(startedAt).toISOString(),
    took_ms: tookMs,
    address: from,
  });
}

const noTraffic = (): AgentTraffic => ({ connections: 0, requests: 0, failed: 0, received: 0, sent: 0 });

export const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').slice(0, maxMessage);
