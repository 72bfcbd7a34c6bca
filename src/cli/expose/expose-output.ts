import { UsageError } from '../../sdk/calls/errors.js';
import type { LiveStatus } from './live-status.js';
import type {
  ConnectionReport,
  ExposeOptions,
  NoRelayLeftError,
  ProbeReport,
  Tunnel,
  TunnelReady,
  TunnelStatus,
} from '../../tunnel/index.js';

export interface OutputOptions {
  json: boolean;
  /** The service's key, when there are several services. */
  service?: string;
  /** There may be several relays, so each line names its relay. */
  manyRelays: boolean;
  /** Shows the URLs; lines are printed above it. */
  live?: LiveStatus | undefined;
}

/**
 * The output of `portal expose`. stdout has only the public URLs: one per line, as JSON lines, or with a short label
 * on a terminal. Everything else goes to stderr.
 */
export class ExposeOutput {
  /** The last message about each relay. The next two maps are also keyed by relay. */
  readonly #announced = new Map<string, string>();
  readonly #lastFailure = new Map<string | undefined, string | undefined>();
  readonly #lastProbe = new Map<string, string>();

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly err: NodeJS.WriteStream,
    private readonly options: Pick<ExposeOptions, 'target' | 'tcp' | 'udp'> & OutputOptions,
  ) {}

  follow(tunnel: Tunnel): void {
    tunnel.on('status', (status) => this.status(status));
    tunnel.on('ready', (ready) => this.ready(ready));
    tunnel.on('connection', (report) => this.connection(report));
    tunnel.on('probe', (report) => this.probe(report));
  }

  /** The relays are those of the file of defaults. */
  defaults(file: string, relays: ExposeOptions['relay']): void {
    const named = (Array.isArray(relays) ? relays : [relays]).map(String);
    this.#event('defaults', `using ${named.join(', ')}, as ${file} says`, { file, relays: named });
  }

  ready({ url, urls, hostname, relay, compat }: TunnelReady): void {
    this.#lastFailure.delete(relay);
    this.#event('ready', `serving at ${urls.join(' and ')}`, { relay, url, urls });
    const said = urls.join('\n');
    if (this.#announced.get(relay) === said) return;
    this.#announced.set(relay, said);
    const { json, service, live } = this.options;
    if (live) return;
    if (json) this.out.write(`${JSON.stringify({ service, url, urls, hostname, relay, compat })}\n`);
    else if (this.out.isTTY) {
      const lines = urls.map((each) => `  ${each}  leads to ${targetOf(this.options, each)} on this machine.\n`);
      const warning = compat === undefined ? '' : `  Note: ${compat}.\n`;
      this.out.write(`\n${lines.join('')}${warning}\n  Press Ctrl-C to stop.\n\n`);
    } else this.out.write(`${said}\n`);
  }

  status({ state, message, relay, error, retryInMs }: TunnelStatus): void {
    // A relay that is down for an hour is reported once, except in JSON output.
    const repeated = state === 'retrying' && error?.message === this.#lastFailure.get(relay);
    if (relay !== undefined || state === 'retrying')
      this.#lastFailure.set(relay, state === 'retrying' ? error?.message : undefined);
    if (repeated && !this.options.json) return;
    const fields = { relay, ...(retryInMs === undefined ? {} : { retry_in_ms: Math.round(retryInMs) }) };
    const isNamed = relay === undefined || !this.options.manyRelays || message.includes(new URL(relay).host);
    this.#event(state, isNamed ? message : `${new URL(relay).host}: ${message}`, fields);
  }

  /** Only connections that broke: the service logs the others itself. */
  connection({ error, visitor, received, sent }: ConnectionReport): void {
    if (error !== undefined)
      this.#event('connection_broken', `a connection broke: ${error.message}`, {
        from: visitor?.address,
        received,
        sent,
      });
  }

  /** On a terminal a probe result is printed only when it changed; an interception is printed every time. */
  probe({ result, message, hostname }: ProbeReport): void {
    const known = message === this.#lastProbe.get(hostname) && result !== 'mismatch';
    this.#lastProbe.set(hostname, message);
    if (known && !this.options.json) return;
    this.#event('probe', result === 'mismatch' ? `WARNING: ${message}` : message, { result, hostname });
  }

  /** Prints why a tunnel ended. @returns the exit code for it */
  ended(error: Error): number {
    const reasons = error.name === 'NoRelayLeftError' ? [...(error as NoRelayLeftError).refusals.values()] : [error];
    const isIntercepted = reasons.some(({ name }) => name === 'InterceptionError');
    this.#failed(isIntercepted && reasons.length === 1 ? `left the relay: ${error.message}` : error.message);
    if (isIntercepted) return 3;
    return error instanceof UsageError ? 2 : 1;
  }

  /** A bug in this program, with its stack. */
  fault(error: Error): void {
    this.#event('fault', `uncaught error, closing: ${error.stack ?? error.message}`, {});
  }

  #failed(message: string): void {
    const { json, service } = this.options;
    if (json) this.#event('failed', message, {});
    else this.#print(`portal expose: ${service === undefined ? '' : `${service}: `}${message}\n`);
  }

  #event(event: string, message: string, fields: object): void {
    const time = new Date().toISOString();
    const { json, service } = this.options;
    if (json) this.err.write(`${JSON.stringify({ time, event, service, message, ...fields })}\n`);
    else this.#print(`${time.slice(11, 19)} ${service === undefined ? '' : `${service}: `}${message}\n`);
  }

  #print(line: string): void {
    if (this.options.live) this.options.live.print(line);
    else this.err.write(line);
  }
}

/** What a public URL leads to, as it was given. */
export function targetOf(options: Pick<ExposeOptions, 'target' | 'tcp' | 'udp'>, url: string): string {
  if (url.startsWith('tcp:')) return String(options.tcp);
  return String(url.startsWith('udp:') ? options.udp : options.target);
}
