import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Registry } from 'prom-client';
import { guard } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';

const maxMetricsConnections = 16;
/** Deadline of a request, from its first byte. */
const requestTimeoutMs = 10_000;

const metricsPath = /^\/metrics(?:\?|$)/;
/** Host names that are accepted; others reach loopback only by DNS rebinding. */
const loopbackHost = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** `GET /metrics` in plain HTTP on 127.0.0.1, separate from every public listener. */
export class MetricsListener {
  readonly server: Server;

  constructor(
    private readonly registry: Registry,
    private readonly logger: Logger,
  ) {
    const limits = { headersTimeout: requestTimeoutMs, requestTimeout: requestTimeoutMs };
    this.server = createServer(
      limits,
      guard(
        'metrics request',
        (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response),
        ({ socket }) => socket.destroy(),
      ),
    );
    // For example EMFILE, which is temporary.
    this.server.on('error', () => {});
    this.server.maxConnections = maxMetricsConnections;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  async #answer({ method, url, headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, words: string, more: Record<string, string> = {}) =>
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...more }).end(`${words}\n`);
    if (headers.host !== undefined && !loopbackHost.test(headers.host)) return void refuse(403, 'loopback only');
    if (!metricsPath.test(url ?? '')) return void refuse(404, 'the metrics are at /metrics');
    if (method !== 'GET' && method !== 'HEAD') return void refuse(405, 'GET only', { Allow: 'GET, HEAD' });
    try {
      const text = await this.registry.metrics();
      response.writeHead(200, { 'Content-Type': this.registry.contentType, 'Cache-Control': 'no-store' });
      response.end(text);
    } catch (error) {
      this.logger.error({ err: error }, 'metrics could not be collected');
      refuse(500, 'the metrics could not be collected');
    }
  }
}
