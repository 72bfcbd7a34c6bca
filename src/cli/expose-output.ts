import type { ConnectionReport, ExposeOptions, TunnelReady, TunnelStatus } from '../tunnel/index.js';

/**
 * What `portal expose` says. On stdout the public URL and nothing else: a bare line, a line of JSON, or, for a person at a
 * terminal, with a word around it. Everything else goes to stderr.
 */
export class ExposeOutput {
  #announced: string | undefined;
  #lastFailure: string | undefined;

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly err: NodeJS.WriteStream,
    private readonly options: Pick<ExposeOptions, 'target'> & { json: boolean },
  ) {}

  ready({ url, hostname, relay }: TunnelReady): void {
    this.#lastFailure = undefined;
    this.#event('ready', `serving at ${url}`, { url });
    if (this.#announced === url) return;
    this.#announced = url;
    if (this.options.json) this.out.write(`${JSON.stringify({ url, hostname, relay })}\n`);
    else if (this.out.isTTY) {
      this.out.write(`\n  ${url}\n\n  leads to ${this.options.target} on this machine. Ctrl-C ends it.\n\n`);
    } else this.out.write(`${url}\n`);
  }

  status({ state, message, error, retryInMs }: TunnelStatus): void {
    // A relay that is away for an hour is told once, unless to a program.
    const repeated = state === 'retrying' && error?.message === this.#lastFailure;
    this.#lastFailure = state === 'retrying' ? error?.message : undefined;
    if (repeated && !this.options.json) return;
    this.#event(state, message, retryInMs === undefined ? {} : { retry_in_ms: Math.round(retryInMs) });
  }

  /** Only those that broke: the service logs the rest. */
  connection({ error, received, sent }: ConnectionReport): void {
    if (error !== undefined)
      this.#event('connection_broken', `a connection broke: ${error.message}`, { received, sent });
  }

  failed(error: Error): void {
    if (this.options.json) this.#event('failed', error.message, {});
    else this.err.write(`portal expose: ${error.message}\n`);
  }

  #event(event: string, message: string, fields: object): void {
    const time = new Date().toISOString();
    if (this.options.json) this.err.write(`${JSON.stringify({ time, event, message, ...fields })}\n`);
    else this.err.write(`${time.slice(11, 19)} ${message}\n`);
  }
}
