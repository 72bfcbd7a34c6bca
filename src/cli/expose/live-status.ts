import type {
  ConnectionReport,
  RelayLatency,
  RequestReport,
  Tunnel,
  TunnelReady,
  TunnelStatus,
} from '../../tunnel/index.js';
import { duration, size } from '../../util/human.js';
import { qrCode } from '../support/qr-code.js';

const redrawIntervalMs = 1_000;
/** A burst of requests is drawn once. */
const redrawDelayMs = 100;
/** The rate is that of the last so many seconds. */
const rateSeconds = 5;
/** Durations that the percentiles are of, and lines of what came last. */
const maxDurations = 200;
const maxLast = 6;
/** A QR code is shown where it leaves so many rows. */
const rowsBesideCode = 10;

/** What a terminal has that the status is drawn on. */
export type Terminal = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>;

/**
 * The last lines of a terminal: public URLs, relays, requests a second, latency, and what came last. Everything else
 * is printed above, and scrolls.
 */
export class LiveStatus {
  readonly #relays = new Map<string, string>();
  /** In milliseconds. */
  readonly #latencies = new Map<string, number>();
  readonly #urls = new Map<string, string[]>();
  readonly #durations: number[] = [];
  readonly #last: string[] = [];
  /** Arrivals in each of the last seconds, the current one first. */
  readonly #seconds: number[] = Array.from({ length: rateSeconds + 1 }, () => 0);
  #second = 0;
  #requests = 0;
  #connections = 0;
  #failures = 0;
  /** Lines on the screen that are to be drawn over. */
  #drawn: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #delay: NodeJS.Timeout | undefined;

  /** @param now milliseconds since the epoch */
  constructor(
    private readonly terminal: Terminal,
    private readonly targetOf: (url: string) => string,
    private readonly now: () => number = Date.now,
  ) {}

  follow(tunnel: Tunnel): void {
    tunnel.on('ready', (ready) => this.ready(ready));
    tunnel.on('status', (status) => this.status(status));
    tunnel.on('connection', (report) => this.connection(report));
    tunnel.on('latency', (latency) => this.latency(latency));
    this.#second = Math.floor(this.now() / 1000);
    this.terminal.on('resize', this.#draw);
    // boundary: it only writes to the terminal, and ends with the command.
    this.#timer = setInterval(this.#draw, redrawIntervalMs);
  }

  /** Erases what is drawn; later text is printed as it is. */
  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#delay);
    this.terminal.off('resize', this.#draw);
    this.terminal.write(this.#erasing());
    this.#drawn = [];
  }

  /** Prints whole lines above the status. */
  print(text: string): void {
    const erasing = this.#erasing();
    const block = this.#drawn.map((line) => `${line}\n`).join('');
    this.terminal.write(`${erasing}${text}${block}`);
  }

  ready({ relay, urls }: TunnelReady): void {
    const isNew = this.#urls.get(relay)?.join() !== urls.join();
    this.#urls.set(relay, urls);
    this.#relays.set(relay, 'up');
    const [url = ''] = urls;
    if (isNew && url.startsWith('https:')) this.#showCode(url);
    this.#draw();
  }

  status({ state, relay }: TunnelStatus): void {
    if (relay === undefined) return;
    if (state === 'relay_left' || state === 'relay_refused') {
      this.#relays.delete(relay);
      this.#urls.delete(relay);
      this.#latencies.delete(relay);
    } else if (Object.hasOwn(relayTexts, state)) this.#relays.set(relay, relayTexts[state] as string);
    this.#drawSoon();
  }

  latency({ relay, ms }: RelayLatency): void {
    this.#latencies.set(relay, ms);
    this.#drawSoon();
  }

  request({ method, target, status, durationMs, address, error }: RequestReport): void {
    this.#requests++;
    if (error !== undefined || status === undefined || status >= 500) this.#failures++;
    const outcome = status === undefined ? 'broke off' : error === undefined ? String(status) : `${status}, broke off`;
    this.#arrived(`${method} ${pathOf(target)} ${outcome} ${duration(durationMs)}`, durationMs, address);
  }

  /** Connections count where no requests are seen. */
  connection({ transport, visitor, received, sent, durationMs, error }: ConnectionReport): void {
    if (transport === 'https' && this.#requests > 0) return;
    this.#connections++;
    if (error !== undefined) this.#failures++;
    const bytes = `${size(received)} in, ${size(sent)} out`;
    this.#arrived(`connection ${bytes} ${duration(durationMs)}`, durationMs, visitor?.address);
  }

  #arrived(what: string, durationMs: number, address: string | undefined): void {
    this.#turn();
    this.#seconds[0]!++;
    this.#durations.push(durationMs);
    if (this.#durations.length > maxDurations) this.#durations.shift();
    this.#last.push(`${new Date(this.now()).toISOString().slice(11, 19)} ${what} ${address ?? ''}`.trimEnd());
    if (this.#last.length > maxLast) this.#last.shift();
    this.#drawSoon();
  }

  /** Moves on to the current second. */
  #turn(): void {
    const second = Math.floor(this.now() / 1000);
    for (let steps = Math.min(second - this.#second, this.#seconds.length); steps > 0; steps--) {
      this.#seconds.unshift(0);
      this.#seconds.pop();
    }
    this.#second = second;
  }

  #showCode(url: string): void {
    const lines = qrCode(url);
    const { rows = 0, columns = 0 } = this.terminal;
    if (rows < lines.length + rowsBesideCode || columns < 2 * lines.length) return;
    this.print(`\n${lines.map((line) => `  ${line}\n`).join('')}\n`);
  }

  #drawSoon(): void {
    // boundary: it only writes to the terminal.
    this.#delay ??= setTimeout(() => {
      this.#delay = undefined;
      this.#draw();
    }, redrawDelayMs);
  }

  readonly #draw = (): void => {
    this.#turn();
    const { columns = 80, rows = 24 } = this.terminal;
    // A line that wraps, or a block higher than the screen, could not be drawn over.
    const lines = this.#lines()
      .map((line) => line.slice(0, Math.max(columns - 1, 1)))
      .slice(0, Math.max(rows - 2, 0));
    if (lines.join('\n') === this.#drawn.join('\n')) return;
    const erasing = this.#erasing();
    this.#drawn = lines;
    this.terminal.write(`${erasing}${lines.map((line) => `${line}\n`).join('')}`);
  };

  #erasing(): string {
    return this.#drawn.length === 0 ? '' : `\x1b[${this.#drawn.length}F\x1b[J`;
  }

  #lines(): string[] {
    const urls = [...this.#urls.values()].flat().map((url) => `${url}  leads to ${this.targetOf(url)}`);
    const relays = [...this.#relays].map(([relay, state]) => {
      const latency = state === 'up' ? this.#latencies.get(relay) : undefined;
      return `${new URL(relay).host} ${state}${latency === undefined ? '' : `, answers within ${duration(latency)}`}`;
    });
    const title = urls.length === 0 ? [] : ['Press Ctrl-C to stop.'];
    return ['', ...urls, ...relays, this.#traffic(), ...this.#last, ...title];
  }

  #traffic(): string {
    const [what, count] = this.#requests > 0 ? ['requests', this.#requests] : ['connections', this.#connections];
    if (count === 0) return 'nothing came in yet';
    const rate = this.#seconds.slice(1).reduce((sum, each) => sum + each, 0) / rateSeconds;
    const sorted = this.#durations.toSorted((a, b) => a - b);
    const percentile = (share: number) => duration(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
    const failures = this.#failures === 0 ? '' : `, ${this.#failures} failed`;
    const latency = `half within ${percentile(0.5)}, 99% within ${percentile(0.99)}`;
    return `${rate.toFixed(1)} ${what} a second; ${count} in all${failures}; ${latency}`;
  }
}

/** States of a relay that are shown until the next. */
const relayTexts: Partial<Record<TunnelStatus['state'], string>> = {
  connecting: 'connecting',
  registered: 'registered',
  retrying: 'down, trying again',
  awaiting_approval: 'waits for approval',
  lease_lost: 'lost the lease, registers again',
  relay_silent: 'no longer answers',
};

/** Without the query, which may hold secrets; escape sequences and the like would change the terminal. */
function pathOf(target: string): string {
  return target.split('?', 1)[0]!.replace(/[^\x21-\x7e]/g, (char) => {
    const code = char.charCodeAt(0);
    return code > 0xff ? '?' : `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
  });
}
