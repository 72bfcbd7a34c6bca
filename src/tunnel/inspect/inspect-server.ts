import { pipeline } from 'node:stream/promises';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { guard } from '../../util/boundary.js';
import { inspectPage, inspectScript, inspectStyle } from './page.js';
import type { Inspector } from './inspector.js';
import type { Changes } from './replay.js';

export const defaultInspectPort = 4040;
/** Pages that follow at once. */
const maxFollowers = 8;
/** Of a changed request: its body, and what JSON adds. */
const maxBodyBytes = 1_048_576;
const followPingMs = 25_000;

/** The page of the inspector, for the owner alone: on loopback, with a token, for no other Host or Origin. */
export class InspectServer {
  readonly #server: Server;
  readonly #token = randomBytes(18).toString('base64url');
  readonly #followers = new Set<ServerResponse>();
  #port = 0;

  constructor(private readonly inspector: Inspector) {
    this.#server = createServer(
      { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 16_384 },
      guard(
        'inspector request',
        (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response),
        (_request, response) => response.destroy(),
      ),
    );
    inspector.on('changed', (summary) => {
      if (this.#followers.size > 0) this.#tell(`data: ${JSON.stringify(summary)}\n\n`);
    });
  }

  /** Listens on the port, or another one where that is taken. @returns the address for the owner, with the token */
  async start(port: number, signal: AbortSignal): Promise<string> {
    const listen = async (wanted: number) => {
      this.#server.listen(wanted, '127.0.0.1');
      await once(this.#server, 'listening');
    };
    try {
      await listen(port);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      await listen(0);
    }
    // boundary: cannot throw.
    this.#server.on('error', () => undefined);
    this.#port = (this.#server.address() as AddressInfo).port;
    // boundary: this only writes to those who follow.
    const ping = setInterval(() => this.#tell(': ping\n\n'), followPingMs);
    ping.unref();
    const stop = () => {
      clearInterval(ping);
      this.#server.close();
      this.#server.closeAllConnections();
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    return `http://127.0.0.1:${this.#port}/?token=${this.#token}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    const hosts = [`127.0.0.1:${this.#port}`, `localhost:${this.#port}`];
    // A name that leads here is not ours (DNS rebinding).
    if (!hosts.includes(request.headers.host ?? '')) return plain(response, 421, 'Give 127.0.0.1 as the host.\n');
    const { origin } = request.headers;
    if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`))
      return plain(response, 403, 'Other pages may not use this one.\n');
    const url = new URL(request.url ?? '/', `http://${hosts[0]}`);
    const given = url.searchParams.get('token');
    if (url.pathname === '/' && given !== null && this.#isToken(given)) {
      const cookie = `${this.#cookie}=${this.#token}; Path=/; HttpOnly; SameSite=Strict`;
      response.writeHead(303, { Location: '/', 'Set-Cookie': cookie }).end();
      return;
    }
    if (!this.#isAllowed(request))
      return plain(response, 401, 'Open the address that portal expose --inspect has printed, with its token.\n');
    await this.#serve(request, response, url);
  }

  async #serve(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const showsSecrets = url.searchParams.get('secrets') === 'shown';
    const [, given, action] = /^\/exchanges\/(\d{1,15})(?:\/(curl|replay))?$/.exec(url.pathname) ?? [];
    const { inspector } = this;
    const { method } = request;
    if (method === 'GET' && url.pathname === '/') return page(response);
    if (method === 'GET' && url.pathname === '/exchanges') return json(response, inspector.list());
    if (method === 'DELETE' && url.pathname === '/exchanges') {
      inspector.clear();
      response.writeHead(204).end();
      return;
    }
    if (method === 'GET' && url.pathname === '/events') return this.#follow(response);
    if (method === 'GET' && url.pathname === '/requests.har') {
      response.setHeader('Content-Disposition', 'attachment; filename="requests.har"');
      response.writeHead(200, { 'Content-Type': 'application/json' });
      // Whoever asked may leave in the middle.
      return await pipeline(inspector.har(showsSecrets), response).catch(() => undefined);
    }
    if (given === undefined) return plain(response, 404, 'There is nothing here.\n');
    const id = Number(given);
    if (!inspector.has(id)) return plain(response, 404, 'This request is no longer kept.\n');
    if (method === 'GET' && action === undefined) return json(response, inspector.find(id, showsSecrets));
    if (method === 'GET' && action === 'curl') return plain(response, 200, inspector.curl(id, showsSecrets) ?? '');
    if (method !== 'POST' || action !== 'replay') return plain(response, 404, 'There is nothing here.\n');
    try {
      inspector.replay(id, await readChanges(request));
    } catch (error) {
      return plain(response, 400, `${(error as Error).message}\n`);
    }
    response.writeHead(202).end();
  }

  #follow(response: ServerResponse): void {
    if (this.#followers.size >= maxFollowers)
      return plain(response, 503, 'Too many pages follow already: close one.\n');
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(': hello\n\n');
    this.#followers.add(response);
    response.once('close', () => this.#followers.delete(response));
  }

  #tell(event: string): void {
    // A page that does not keep up reads the list again when it is back.
    for (const follower of this.#followers) if (!follower.writableNeedDrain) follower.write(event);
  }

  get #cookie(): string {
    return `portal-inspect-${this.#port}`;
  }

  #isAllowed({ headers }: IncomingMessage): boolean {
    const bearer = /^Bearer ([\w-]+)$/.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined) return this.#isToken(bearer);
    const cookies = (headers.cookie ?? '').split(';').map((cookie) => cookie.trim());
    return cookies.some((cookie) => cookie.startsWith(`${this.#cookie}=`) && this.#isToken(cookie.split('=')[1] ?? ''));
  }

  #isToken(given: string): boolean {
    const hash = (text: string) => createHash('sha256').update(text).digest();
    return timingSafeEqual(hash(given), hash(this.#token));
  }
}

/** @throws Error when it is too large or no JSON */
async function readChanges(request: IncomingMessage): Promise<Changes> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > maxBodyBytes) throw new Error(`the changed request is larger than ${maxBodyBytes} bytes`);
    pieces.push(piece);
  }
  if (length === 0) return {};
  const value = JSON.parse(Buffer.concat(pieces).toString()) as unknown;
  if (typeof value !== 'object' || value === null) throw new Error('the changes are no JSON object');
  return value;
}

function page(response: ServerResponse): void {
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': `default-src 'none'; script-src ${hash(inspectScript)}; style-src ${hash(inspectStyle)}; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
  });
  response.end(inspectPage);
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(text);
}
