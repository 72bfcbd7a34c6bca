import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import { htmlPage } from '../html-page.js';

/** How long a visitor may take to fetch a page. */
const pageTimeoutMs = 15_000;

interface ErrorPage {
  status: number;
  title: string;
  text: string;
  headers?: Record<string, string>;
}

/** The service is down. */
export const unavailablePage: ErrorPage = {
  status: 503,
  title: 'Service unavailable',
  text: 'The tunnel to this name is up, but the service behind it does not answer. Please try again in a moment.',
  headers: { 'Retry-After': '5' },
};

/** The visitor's address is not allowed. */
export const forbiddenPage: ErrorPage = {
  status: 403,
  title: 'Not allowed',
  text: 'The owner of this name does not let your network address in.',
};

/** Answers a request with the page, and closes the connection. */
export function answerWithPage(response: ServerResponse, page: ErrorPage): void {
  const html = htmlPage(page.title, `<p>${page.text}</p>`);
  response.writeHead(page.status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(html),
    'Cache-Control': 'no-store',
    ...page.headers,
    Connection: 'close',
  });
  response.end(html);
}

/** Serves one page, whatever is asked for. */
export class OnePageServer {
  readonly #server: Server;

  constructor(page: ErrorPage) {
    this.#server = createServer(
      guard('visitor request', (_request, response: ServerResponse) => answerWithPage(response, page)),
    );
  }

  /** Answers the one request of a connection and ends it. Settles, never rejects, when the stream is closed. */
  async serve(stream: Duplex): Promise<void> {
    await new Promise<void>((resolve) => {
      // A server that does not listen does not enforce its timeouts.
      const timer = setTimeout(() => stream.destroy(), pageTimeoutMs);
      stream.on('error', () => undefined);
      stream.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#server.emit('connection', stream);
    });
  }
}
