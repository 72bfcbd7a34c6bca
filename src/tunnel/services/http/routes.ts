import type { Duplex } from 'node:stream';
import { UsageError } from '../../../sdk/calls/errors.js';
import type { ProxiedAddresses } from '../../../protocol/proxy-protocol.js';

/** What answers requests in HTTP/1.1: a service, or the tunnel itself from a folder. */
export interface Answerer {
  /** Its own, as it sees it. */
  readonly origin: { scheme: 'http' | 'https'; host: string };
  /** It can switch to WebSocket. */
  readonly switchesProtocols: boolean;
  /** A new connection, for one visitor. @throws the signal's reason when aborted, or why there is none */
  connect(addresses: ProxiedAddresses | undefined, signal: AbortSignal): Promise<Duplex>;
}

/** A part of the public name's paths. */
export interface Route {
  /** `/api` also covers `/api/users`, and not `/apis`; `/` covers all. */
  prefix: string;
  to: Answerer;
}

/** Where a request goes. */
export interface Place {
  to: Answerer;
  /** Path and query for it. */
  url: string;
  /** The prefix that was taken off. */
  stripped?: string;
}

/** The longest prefix of a request's path decides who answers. Paths are compared as they were sent, without decoding. */
export class Routes {
  readonly #routes: Route[];

  /** @param strip takes the prefix off before a request is passed on */
  constructor(
    routes: readonly Route[],
    private readonly strip = false,
  ) {
    this.#routes = [...routes].sort((a, b) => b.prefix.length - a.prefix.length);
  }

  /** @returns undefined when no route covers the path */
  find(url: string): Place | undefined {
    const end = url.indexOf('?');
    const path = end < 0 ? url : url.slice(0, end);
    const route = this.#routes.find(({ prefix }) => covers(prefix, path));
    if (!route) return undefined;
    const { prefix, to } = route;
    if (!this.strip || prefix === '/') return { to, url };
    const rest = url.slice(prefix.length);
    return { to, url: rest.startsWith('/') ? rest : `/${rest}`, stripped: prefix };
  }
}

function covers(prefix: string, path: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}

/** Parses `/api=http://localhost:3001`. @throws UsageError for anything else */
export function parseRoute(text: string): { prefix: string; target: string } {
  const match = /^(\/[!-<>-~]*)=(.+)$/.exec(text.trim());
  const [, path = '', target = ''] = match ?? [];
  const prefix = path.replace(/(?<=[^/])\/$/, '');
  if (!match || /[?#]/.test(prefix))
    throw new UsageError(
      `route ${JSON.stringify(text)} is not a path and its target, such as /api=http://localhost:3001`,
    );
  return { prefix, target };
}
