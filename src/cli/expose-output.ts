import type { ConnectionReport, ExposeOptions, ProbeReport, TunnelReady, TunnelStatus } from '../tunnel/index.js';

/**
 * What `portal expose` says. On stdout the public URLs and nothing else: a bare line each, one line of JSON, or, for a person at a
 * terminal, with a word around it. Everything else goes to stderr.
 */
export class ExposeOutput {
  #announced: string | undefined;
  #lastFailure: string | undefined;
  #lastProbe: string | undefined;

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly err: NodeJS.WriteStream,
    private readonly options: Pick<ExposeOptions, 'target' | 'tcp' | 'udp'> & { json: boolean },
  ) {}

  ready({ url, urls, hostname, relay }: TunnelReady): void {
    this.#lastFailure = undefined;
    this.#event('ready', `serving at ${urls.join(' and ')}`, { url, urls });
    const said = urls.join('\n');
    if (this.#announced === said) return;
    this.#announced = said;
    if (this.options.json) this.out.write(`${JSON.stringify({ url, urls, hostname, relay })}\n`);
    else if (this.out.isTTY) {
      const lines = urls.map((each) => `  ${each}  leads to ${this.#targetOf(each)} on this machine.\n`);
      this.out.write(`\n${lines.join('')}\n  Ctrl-C ends it.\n\n`);
    } else this.out.write(`${said}\n`);
  }

  status({ state, message, error, retryInMs }: TunnelStatus): void {
    // A relay that is away for an hour is told once, unless to a program.
    const repeated = state === 'retrying' && error?.message === this.#lastFailure;
    this.#lastFailure = state === 'retrying' ? error?.message : undefined;
    if (repeated && !this.options.json) return;
    this.#event(state, message, retryInMs === undefined ? {} : { retry_in_ms: Math.round(retryInMs) });
  }

  /** Only those that broke: the service logs the rest. */
  connection({ error, visitor, received, sent }: ConnectionReport): void {
    if (error !== undefined)
      this.#event('connection_broken', `a connection broke: ${error.message}`, {
        from: visitor?.address,
        received,
        sent,
      });
  }

  /** To people a result only when it is new to them; an interception each time. */
  probe({ result, message, hostname }: ProbeReport): void {
    const known = message === this.#lastProbe && result !== 'mismatch';
    this.#lastProbe = message;
    if (known && !this.options.json) return;
    this.#event('probe', result === 'mismatch' ? `WARNING: ${message}` : message, { result, hostname });
  }

  failed(error: Error): void {
    if (this.options.json) this.#event('failed', error.message, {});
    else this.err.write(`portal expose: ${error.message}\n`);
  }

  #targetOf(url: string): string | number | undefined {
    if (url.startsWith('tcp:')) return this.options.tcp;
    return url.startsWith('udp:') ? this.options.udp : this.options.target;
  }

  #event(event: string, message: string, fields: object): void {
    const time = new Date().toISOString();
    if (this.options.json) this.err.write(`${JSON.stringify({ time, event, message, ...fields })}\n`);
    else this.err.write(`${time.slice(11, 19)} ${message}\n`);
  }
}
