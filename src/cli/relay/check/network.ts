import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { listen } from '../../../net/listen.js';
import type { RelayConfig } from '../../../relay/config/config.js';
import { RelayTransport } from '../../../sdk/transport/relay-transport.js';
import type { Tell } from '../../support/finding.js';

const timeoutMs = 10_000;
/** Ports of the range that are tried. */
const maxTriedPorts = 256;

/** Whether the root host and any name below it lead here. */
export async function lookAtNames({ portalUrl }: RelayConfig, isRunning: boolean, tell: Tell): Promise<void> {
  const rootHost = portalUrl.hostname;
  // Names under localhost are this machine, whatever the resolver says.
  if (rootHost.endsWith('.localhost')) return;
  const wildcard = `*.${rootHost}`;
  const [root, below] = [await addressesOf(rootHost), await addressesOf(`relay-check.${rootHost}`)];
  const set = (name: string) => `set an A or AAAA record of ${name} to this machine`;
  if (root.length === 0) tell('problem', rootHost, `has no address in DNS: ${set(rootHost)}`);
  if (below.length === 0) tell('problem', wildcard, `has no address in DNS, so no tenant is reached: ${set(wildcard)}`);
  if (root.length === 0 || below.length === 0) return;
  if (below.join() !== root.join())
    tell(
      'warning',
      wildcard,
      `leads to ${below.join(', ')}, and ${rootHost} to ${root.join(', ')}: it should be the same`,
    );
  const own = Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []);
  if (isRunning || root.some((address) => own.includes(address))) tell('ok', rootHost, `is ${root.join(', ')}`);
  else
    tell(
      'warning',
      rootHost,
      `is ${root.join(', ')}, which is no address of this machine: right behind a NAT or balancer only`,
    );
}

async function addressesOf(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true }).catch(() => []);
  return found.map(({ address }) => address).sort();
}

/** Binds each port of the settings for a moment. */
export async function lookAtPorts(config: RelayConfig, tell: Tell): Promise<void> {
  const { host, sniPort, apiPort, httpPort, metricsPort, acme, overlay, portRange } = config;
  const dns = acme && 'port' in acme.dns ? acme.dns.port : undefined;
  const all: [port: number | undefined, what: string, setting: string, at: string][] = [
    [sniPort, 'for visitors', '--sni-port', host],
    [apiPort, 'of the API', '--api-port', host],
    [httpPort, 'that leads to https', '--http-port', host],
    [metricsPort, 'of the metrics', '--metrics-port', '127.0.0.1'],
    [dns, 'for DNS', '--acme-dns-port', host],
  ];
  for (const [port, what, setting, at] of all) {
    if (port !== undefined) tellBound(await triedTcp(port, at), `TCP port ${port}`, what, setting, tell);
  }
  if (dns !== undefined) tellBound(await triedUdp(dns, host), `UDP port ${dns}`, 'for DNS', '--acme-dns-port', tell);
  if (overlay) {
    const { wireguardPort: port } = overlay;
    tellBound(await triedUdp(port, host), `UDP port ${port}`, 'of the overlay', '--wireguard-port', tell);
  }
  if (portRange) await lookAtRange(portRange, host, tell);
}

function tellBound(code: string | undefined, port: string, what: string, setting: string, tell: Tell): void {
  const advice: Record<string, string> = {
    EADDRINUSE: `is taken by another program: stop it, or choose another (${setting})`,
    EACCES: 'is not allowed to this user: give the relay CAP_NET_BIND_SERVICE, as the unit in docs/ does',
    EADDRNOTAVAIL: 'is of an address that this machine does not have: look at --host',
  };
  if (code === undefined) tell('ok', port, `${what} is free`);
  else tell('problem', port, `${what} ${advice[code] ?? `cannot be used (${code})`}`);
}

async function lookAtRange({ first, last }: { first: number; last: number }, host: string, tell: Tell): Promise<void> {
  const tried = Math.min(last - first + 1, maxTriedPorts);
  let taken = 0;
  for (let port = first; port < first + tried; port++)
    if ((await triedTcp(port, host)) !== undefined || (await triedUdp(port, host)) !== undefined) taken++;
  const about = `ports ${first} to ${last}`;
  if (taken === tried) tell('problem', about, 'of leases cannot be used: choose others (--min-port, --max-port)');
  else if (taken > 0)
    tell('warning', about, `of leases: ${taken} of ${tried} that were tried are taken, and are not given out`);
  else tell('ok', about, 'of leases are free');
}

/** @returns the system's code of what keeps the port from being bound */
async function triedTcp(port: number, host: string): Promise<string | undefined> {
  const server = createServer();
  try {
    await listen(server, { host, port });
    await new Promise((resolve) => server.close(resolve));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

async function triedUdp(port: number, host: string): Promise<string | undefined> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, host, resolve);
    });
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    socket.close();
  }
}

/** Asks the relay that runs, by its public name, as tunnels and visitors reach it. */
export async function lookAtHealth({ portalUrl, stateDir }: RelayConfig, tell: Tell): Promise<void> {
  const about = portalUrl.origin;
  const developmentCa = join(stateDir, 'development-ca.pem');
  const isOwnCa = portalUrl.hostname.endsWith('.localhost') && existsSync(developmentCa);
  const transport = new RelayTransport({ ca: isOwnCa ? readFileSync(developmentCa) : undefined });
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await transport.fetch(new URL('/healthz', portalUrl).href, { signal, redirect: 'manual' });
    const { data } = (await response.json()) as { data?: { status?: string; degraded?: string[] } };
    if (response.status !== 200 || data?.status === undefined)
      return tell(
        'problem',
        about,
        `is answered by something else (status ${response.status}): look at DNS and proxies`,
      );
    const { degraded = [] } = data;
    if (degraded.length > 0) tell('warning', about, `is up, but worse than it should be: ${degraded.join('; ')}`);
    else tell('ok', about, 'is up, and reached by its public name');
  } catch (error) {
    tell('problem', about, `is not reached by its public name: ${(error as Error).message}; look at firewall and DNS`);
  } finally {
    await transport.close();
  }
}
