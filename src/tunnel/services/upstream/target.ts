import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../../sdk/calls/errors.js';

/** A service that is reached by TCP or UDP. */
export interface PortTarget {
  /** A hostname or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** It was given as a URL. */
  readonly scheme?: 'http' | 'https';
  /** It was given as `h2c://` or `h2://`, and speaks HTTP/2 from the start (RFC 9113 3.3, 3.2). */
  readonly isHttp2?: true;
}

/** A service that is reached at several ports with consecutive numbers, `port` being the first. */
export interface PortsTarget extends PortTarget {
  readonly count: number;
}

/** A service that listens on a Unix socket. */
export interface UnixTarget {
  readonly socketPath: string;
}

/** Files that the tunnel serves itself. */
export interface FolderTarget {
  readonly folder: string;
}

export type ConnectTarget = PortTarget | UnixTarget;
export type Target = ConnectTarget | FolderTarget;

/** Most ports of a service, as a relay gives a lease at most. */
const maxPorts = 16;
const unixScheme = 'unix:';
const schemes = {
  http: { scheme: 'http' },
  https: { scheme: 'https' },
  h2c: { scheme: 'http', isHttp2: true },
  h2: { scheme: 'https', isHttp2: true },
} as const satisfies Record<string, Pick<PortTarget, 'scheme' | 'isHttp2'>>;
const forms =
  '3000, host:3000, http://host:3000, https://host:3000, h2c://host:3000, h2://host:3000, unix:/path or a folder such as ./dist';

/** Maps the path of a Unix socket or folder in a target, and leaves other targets as they are. */
export function mapTargetPath(target: string | number, map: (path: string) => string): string | number {
  const text = String(target).trim();
  if (text.startsWith(unixScheme)) return unixScheme + map(text.slice(unixScheme.length));
  return isPath(text) ? map(text) : target;
}

/** `dist` could be a host, so a relative path begins with a dot. */
function isPath(text: string): boolean {
  return /^(?:\.{1,2}$|\.{0,2}[/\\]|~[/\\]|[a-z]:[/\\])/i.test(text);
}

/**
 * Parses the local service: a port of this machine, `host:port`, `[address]:port`, `http://host[:port]`,
 * `https://host[:port]`, `h2c://host[:port]`, `h2://host[:port]`, `unix:/path` or a folder.
 * @throws UsageError for anything else
 */
export function parseTarget(text: string | number): Target {
  const given = String(text).trim();
  if (given.startsWith(unixScheme)) return parseUnixTarget(given);
  if (isPath(given)) return { folder: given.startsWith('~') ? join(homedir(), given.slice(1)) : given };
  return parseAddress(given);
}

function parseUnixTarget(given: string): UnixTarget {
  const socketPath = given.slice(unixScheme.length);
  if (!isPath(socketPath) || socketPath.includes('\0'))
    throw new UsageError(`target ${JSON.stringify(given)}: give the path of the socket, such as unix:/run/app.sock`);
  return { socketPath: socketPath.startsWith('~') ? join(homedir(), socketPath.slice(1)) : socketPath };
}

function parseAddress(given: string): PortTarget {
  if (/^\d+$/.test(given)) return { host: 'localhost', port: checkPort(given, given) };
  const named = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given)?.[1]?.toLowerCase();
  if (named !== undefined && !Object.hasOwn(schemes, named))
    throw new UsageError(`target ${given}: ${named}:// is not supported: use ${forms}`);
  const kind = schemes[named as keyof typeof schemes];
  const authority = named === undefined ? given : given.slice(`${named}://`.length).replace(/\/$/, '');
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d+))?$/i.exec(authority);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] ?? (named && { http: '80', https: '443' }[kind.scheme]);
  if (host === undefined || port === undefined) throw new UsageError(`target ${JSON.stringify(given)} is not ${forms}`);
  return { host, port: checkPort(port, given), ...(named && kind) };
}

/**
 * Parses the address of a local service that does not speak HTTP: `22`, `host:port`, `[address]:port`.
 * @throws UsageError for anything else
 */
export function parsePortTarget(text: string | number): PortTarget {
  const given = String(text).trim();
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(given) || given.startsWith(unixScheme) || isPath(given))
    throw new UsageError(`target ${JSON.stringify(text)} is not 22, host:22 or [::1]:22`);
  return parseAddress(given);
}

/**
 * Parses the address of a local service that may have several ports: as `parsePortTarget`, or `2456-2458`,
 * `host:2456-2458`, `[address]:2456-2458`.
 * @throws UsageError for anything else, and for more than `maxPorts`
 */
export function parsePortsTarget(text: string | number): PortsTarget {
  const given = String(text).trim();
  const [, first, last] = /^((?:.*:)?\d+)-(\d+)$/.exec(given) ?? [];
  const target = parsePortTarget(first ?? given);
  if (last === undefined) return { ...target, count: 1 };
  const count = checkPort(last, given) - target.port + 1;
  if (count < 1) throw new UsageError(`target ${given}: the first port comes first`);
  if (count > maxPorts) throw new UsageError(`target ${given}: ${maxPorts} ports at most`);
  return { ...target, count };
}

/**
 * Parses the address of a local service that is reached by a stream of bytes: as `parsePortTarget`, or `unix:/path`.
 * @throws UsageError for anything else
 */
export function parseStreamTarget(text: string | number): ConnectTarget {
  const given = String(text).trim();
  return given.startsWith(unixScheme) ? parseUnixTarget(given) : parsePortTarget(given);
}

function checkPort(digits: string, target: string): number {
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new UsageError(`target ${target}: ports are 1 to 65535`);
  return port;
}

export function describeTarget(target: Target): string {
  if ('socketPath' in target) return unixScheme + target.socketPath;
  if ('folder' in target) return target.folder;
  return hostOf(target);
}

/** What a request for the target itself has as its Host header. */
export function hostOf(target: Target): string {
  if (!('host' in target)) return 'localhost';
  const { host, port } = target;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
