import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { guard } from '../../../util/boundary.js';

/** How long a visitor may take to fetch the "service unavailable" page. */
const unavailablePageTimeoutMs = 15_000;

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Service unavailable</title>
<body style="font: 1rem/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 32rem; padding: 0 1rem">
<h1 style="font-size: 1.4rem">Service unavailable</h1>
<p>The tunnel to this name is up, but the service behind it does not answer. Please try again in a moment.</p>
</body>
</html>
`;

/** Answers a request while the service is down, and closes the connection. */
export function answerUnavailable(response: ServerResponse): void {
  response.writeHead(503, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(page),
    'Cache-Control': 'no-store',
    'Retry-After': '5',
    Connection: 'close',
  });
  response.end(page);
}

/** Serves the "service unavailable" page. */
export class UnavailablePage {
  readonly #server: Server;

  constructor() {
    this.#server = createServer(
      guard('visitor request', (_request, response: ServerResponse) => answerUnavailable(response)),
    );
  }

  /** Answers the one request of a connection and ends it. Settles, never rejects, when the stream is closed. */
  async serve(stream: Duplex): Promise<void> {
    await new Promise<void>((resolve) => {
      // A server that does not listen does not enforce its timeouts.
      const timer = setTimeout(() => stream.destroy(), unavailablePageTimeoutMs);
      stream.on('error', () => undefined);
      stream.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#server.emit('connection', stream);
    });
  }
}
