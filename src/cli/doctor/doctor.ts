import { lookup, resolveTxt } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { printable } from '../../sdk/calls/answers.js';
import { UsageError } from '../../sdk/calls/errors.js';
import { parseRelayUrl } from '../../sdk/calls/relay-url.js';
import { checkDomain } from '../../sdk/identity/name.js';
import { defaultIdentityFile, loadIdentityFile } from '../../sdk/identity/identity-file.js';
import { proxyFor } from '../../sdk/transport/http-proxy.js';
import { RelayTransport } from '../../sdk/transport/relay-transport.js';
import { connectTarget } from '../../tunnel/services/upstream/connect-target.js';
import { describeTarget, parseTarget } from '../../tunnel/services/upstream/target.js';
import { fileDescriptors, reportsOpenFiles } from '../../util/open-files.js';
import { readCommandLine } from '../expose/command-line.js';
import { describeOrigin, inForce } from '../expose/defaults.js';
import type { GivenSettings } from '../expose/settings.js';
import { givenRelays } from '../expose/to-expose-options.js';
import { readCertificates } from '../support/files.js';
import { lookAtCarriers } from './carriers.js';
import { collectFindings, type Tell } from '../support/finding.js';

const help = `Usage: portal doctor [TARGET] [--relay URL] [options of portal expose]

Looks for what keeps portal expose from working, without changing anything: settings, identity, the service, and for
each relay DNS, proxy, certificate, clock, whether it is a relay at all, and what the network lets through to it; with --domain also its
records, with --udp also whether UDP gets through. --json prints a line of JSON for each finding.

Exit code: 0 when nothing is wrong, 1 when something is, 2 for wrong usage.
`;

/** Of each thing that is asked over the network. */
const timeoutMs = 10_000;
/** Sign-in messages are only valid for a short time. */
const clockToleranceSeconds = 30;
const certificateWarningDays = 14;
const leastOpenFiles = 1_024;
const maxAnswerCharacters = 65_536;

/** `portal doctor`. @returns the exit code */
export async function doctorCommand(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  try {
    const line = readCommandLine(argv, env);
    if (line.help) {
      process.stdout.write(help);
      return 0;
    }
    if (line.config !== undefined)
      throw new UsageError('a --config file cannot be looked at: give one of its services');
    const { given, origins } = inForce(line, env);
    const { tell, hasProblem } = collectFindings(line.json);
    const relays = givenRelays(given);
    const from = origins.get(relays === given.relays ? 'relays' : 'hops');
    if (relays.length > 0) tell('ok', 'settings', `relays from ${describeOrigin(from)}`);
    else tell('problem', 'settings', 'no relay is given: use --relay URL, or portal config use URL');
    await lookAtIdentity(given, tell);
    lookAtLimits(tell);
    if (given.target !== undefined) await lookAtService(given.target, tell);
    if (given.domain !== undefined) await lookAtDomain(checkDomain(given.domain), given, tell);
    for (const relay of relays) await lookAtRelay(parseRelayUrl(relay), given, tell);
    return hasProblem() ? 1 : 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`portal doctor: ${error.message}\n`);
    return 2;
  }
}

async function lookAtIdentity({ identity = defaultIdentityFile() }: GivenSettings, tell: Tell): Promise<void> {
  if (!existsSync(identity)) return tell('ok', 'identity', `${identity} is made at the first start`);
  try {
    const { address } = await loadIdentityFile(identity);
    tell('ok', 'identity', `${address} in ${identity}`);
  } catch (error) {
    tell('problem', 'identity', (error as Error).message);
  }
}

function lookAtLimits(tell: Tell): void {
  if (!reportsOpenFiles()) return;
  const { limit } = fileDescriptors();
  if (limit < leastOpenFiles) tell('warning', 'open files', `only ${limit} are allowed: raise it with ulimit -n`);
}

async function lookAtService(given: string | number, tell: Tell): Promise<void> {
  const target = parseTarget(given);
  if ('folder' in target) {
    if (existsSync(target.folder)) tell('ok', 'service', `the folder ${target.folder}`);
    else tell('problem', 'service', `the folder ${target.folder} is not there`);
    return;
  }
  try {
    const socket = await connectTarget(target, AbortSignal.timeout(timeoutMs), { tls: { insecure: true } });
    socket.destroy();
    tell('ok', 'service', `${describeTarget(target)} accepts connections`);
  } catch (error) {
    tell('problem', 'service', `${(error as Error).message}: start it, or give another port`);
  }
}

/** Whether it leads to a relay, and names the identity. */
async function lookAtDomain(domain: string, given: GivenSettings, tell: Tell): Promise<void> {
  const relays = givenRelays(given).map((relay) => parseRelayUrl(relay).hostname);
  const [leads, ofRelays] = [await addressesOf([domain]), await addressesOf(relays)];
  const cname = `set a CNAME record of ${domain} to ${relays[0] ?? 'the relay'}`;
  if (leads.length === 0) tell('problem', domain, `has no address in DNS: ${cname}`);
  else if (!leads.some((address) => ofRelays.includes(address)))
    tell('problem', domain, `leads to ${leads.join(', ')}, which is none of the relays: ${cname}`);
  else tell('ok', domain, `leads to ${leads.join(', ')}`);
  const file = given.identity ?? defaultIdentityFile();
  // A missing identity is no problem, but has no address yet.
  if (!existsSync(file)) return tell('warning', domain, 'its TXT record must name the identity, which is not made yet');
  const { address } = await loadIdentityFile(file);
  const [record, value] = [`_portal.${domain}`, `portal-identity=${address}`];
  const texts = await resolveTxt(record).catch(() => []);
  if (texts.some((chunks) => chunks.join('').trim().toLowerCase() === value.toLowerCase()))
    tell('ok', domain, `${record} names the identity`);
  else tell('problem', domain, `does not name the identity: set the TXT record ${record} to ${value}`);
}

async function addressesOf(hostnames: string[]): Promise<string[]> {
  const found = await Promise.all(hostnames.map(async (name) => await lookup(name, { all: true }).catch(() => [])));
  return found.flat().map(({ address }) => address);
}

async function lookAtRelay(relay: URL, given: GivenSettings, tell: Tell): Promise<void> {
  const about = relay.host;
  const proxy = proxyFor(relay, undefined);
  if (proxy) tell('ok', about, `reached through the proxy ${proxy.host}`);
  else if (!(await resolves(relay.hostname, about, tell))) return;
  const ca = given.ca === undefined ? undefined : readCertificates(given.ca);
  const transport = new RelayTransport({ ca });
  try {
    await lookAtCertificate(relay, transport, about, tell);
    const response = await transport.fetch(new URL('/sdk/domain', relay).href, {
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'manual',
    });
    lookAtClock(response.headers.get('date'), about, tell);
    const text = (await response.text()).slice(0, maxAnswerCharacters);
    const domain = domainOf(text);
    if (response.status !== 200 || domain === undefined) {
      const isPage = /^\s*</.test(text) || (response.status >= 300 && response.status < 400);
      const what = isPage ? 'a web page answers: a captive portal, or another server' : `it answers ${response.status}`;
      tell('problem', about, `this is no relay (${what}): look at the URL, and at the network's sign-in page`);
      return;
    }
    tell('ok', about, `is a relay, version ${domain.version}`);
    if (given.domain !== undefined && !domain.features.includes('domains'))
      tell('problem', about, 'takes no domains: its operator has them off');
    const wantsUdp = given.udp !== undefined;
    await lookAtCarriers({ relay, transport, ca, transports: domain.transports, wantsUdp, timeoutMs, tell });
    if (!proxy) await resolves(`doctor-check.${domain.rootHost}`, `*.${domain.rootHost}`, tell);
  } catch (error) {
    tell('problem', about, `${(error as Error).message}${adviceFor(error as Error)}`);
  } finally {
    await transport.close();
  }
}

/** @returns whether the name leads somewhere */
async function resolves(hostname: string, about: string, tell: Tell): Promise<boolean> {
  // Names under localhost are this machine, whatever the resolver says.
  if (/(^|\.)localhost$/.test(hostname) || /^[\d.]+$|^\[/.test(hostname)) return true;
  try {
    const addresses = await lookup(hostname, { all: true });
    tell('ok', about, `is ${addresses.map(({ address }) => address).join(', ')}`);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const advice =
      code === 'EAI_AGAIN' ? 'the resolver does not answer: look at the network' : 'there is no such name in DNS';
    tell('problem', about, `cannot be resolved (${code}): ${advice}`);
    return false;
  }
}

async function lookAtCertificate(relay: URL, transport: RelayTransport, about: string, tell: Tell): Promise<void> {
  const socket = await transport.connect(relay, AbortSignal.timeout(timeoutMs));
  const { valid_to: end } = socket.getPeerCertificate();
  socket.destroy();
  const days = Math.floor((Date.parse(end) - Date.now()) / 86_400_000);
  const level = days < certificateWarningDays ? 'warning' : 'ok';
  tell(level, about, `its certificate is valid for ${days} more days`);
}

function lookAtClock(date: string | null, about: string, tell: Tell): void {
  const seconds = Math.round((Date.now() - Date.parse(date ?? '')) / 1000);
  if (Number.isNaN(seconds)) return;
  if (Math.abs(seconds) <= clockToleranceSeconds) return tell('ok', about, 'its clock and the one here agree');
  const direction = seconds > 0 ? 'ahead of' : 'behind';
  tell(
    'problem',
    about,
    `the clock here is ${Math.abs(seconds)} seconds ${direction} its clock: sign-in fails; set the clock`,
  );
}

interface DomainFacts {
  version: string;
  rootHost: string;
  features: unknown[];
  transports: unknown[];
}

/** @returns undefined for what no relay answers */
function domainOf(text: string): DomainFacts | undefined {
  try {
    const { data } = JSON.parse(text) as { data?: Record<string, unknown> };
    const { release_version: version, root_host: rootHost, features = [], transports = [] } = data ?? {};
    if (typeof rootHost !== 'string' || !/^[a-z0-9.-]{1,253}$/i.test(rootHost)) return undefined;
    if (!Array.isArray(features) || !Array.isArray(transports)) return undefined;
    return {
      features,
      transports,
      version: typeof version === 'string' ? printable(version, 40) : 'unknown',
      rootHost,
    };
  } catch {
    return undefined;
  }
}

function adviceFor(error: Error): string {
  const { message } = error;
  if (/certificate|self.signed|CERT_/i.test(message)) return '; a CA of its own is given by --ca FILE';
  if (/ECONNREFUSED/.test(message)) return '; nothing listens there: is the port right?';
  if (/within|ETIMEDOUT|timeout/i.test(message))
    return '; a firewall may block it: set HTTPS_PROXY if there is a proxy';
  return '';
}
