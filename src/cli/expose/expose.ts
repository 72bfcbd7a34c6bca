import { UsageError } from '../../sdk/calls/errors.js';
import type { ExposeOptions } from '../../tunnel/index.js';
import { installLastNet } from '../../util/last-net.js';
import { dropUnreadOutput, endDespiteUnreadOutput } from '../../util/standard-output.js';
import { parseArguments } from '../support/arguments.js';
import { closeGraceMs } from '../../tunnel/relays/relay-member.js';
import { ExposeOutput, type OutputOptions } from './expose-output.js';
import type { ServicesOptions } from './expose-services.js';
import { readCertificates } from '../support/files.js';

const help = `Usage: portal expose [TARGET] [--tcp TARGET] [--udp TARGET] --relay URL [options]
       portal expose --config FILE [--json]

Puts a local service on a public HTTPS name until it is interrupted, on a public TCP or UDP port, or on all of them.
A target is a port (3000), host:port or [::1]:3000; the first may be http://host:port. Public URLs go to stdout, a
line each, what happens to stderr.

  --tcp TARGET         PORTAL_TCP          what a public TCP port leads to, such as 22
  --udp TARGET         PORTAL_UDP          what a public UDP port leads to, such as 53
  --relay URL          PORTAL_RELAY        the relay, https://host[:port]; may be given several times, in the environment
                                           divided by commas: a public URL on each
  --discovery          PORTAL_DISCOVERY    use also relays that those know
  --max-relays NUMBER  PORTAL_MAX_RELAYS   on how many relays at once; the others are spares [all that are given; with
                                           --discovery 3, if fewer are given]
  --allow-private                          with --discovery, use also relays on loopback and private addresses
  --config FILE                            many services, from a TOML file that is read again when it changes; see
                                           docs/operations.md
  --name NAME          PORTAL_NAME         first label of the public name [derived from the identity]
  --identity FILE      PORTAL_IDENTITY     whose name it is; made when missing [~/.config/portal/identity.json]
  --ca FILE            PORTAL_CA           PEM certificates to trust for relays instead of the well-known ones
  --carrier KIND       PORTAL_CARRIER      raw, ws, or auto: raw, and ws where a proxy lets only that through [auto]
  --no-unwrap          PORTAL_NO_UNWRAP    leave TLS to the relay around raw sessions, though visitors' own TLS is all they carry
  --udp-carrier KIND   PORTAL_UDP_CARRIER  ws, quic, or auto: quic where the relay has it, the package @currentspace/http3 is
                                           installed here and UDP gets through, and else ws [auto]
  --ttl SECONDS        PORTAL_TTL          lease to ask for, renewed all the while [the relay's default]
  --description TEXT   PORTAL_DESCRIPTION  for the relay's listings, as are the next four
  --owner TEXT         PORTAL_OWNER
  --thumbnail URL      PORTAL_THUMBNAIL
  --tag TEXT           PORTAL_TAGS         may be given several times; in the environment, divided by commas
  --hide               PORTAL_HIDE         keep the service out of listings
  --http               PORTAL_HTTP         pass requests on, not bytes: X-Forwarded-For, -Host and -Proto are set, a visitor's
                                           own are dropped; so it is for http:// targets
  --host-header HOST   PORTAL_HOST_HEADER  the Host that the service is sent, for one that checks it; "rewrite" for its own
                                           address; implies --http
  --proxy-protocol     PORTAL_PROXY_PROTOCOL
                                           begin connections to the service with a PROXY v2 header that names the visitor
  --grace SECONDS      PORTAL_GRACE        how long connections may finish after an interrupt [10]
  --no-probe           PORTAL_NO_PROBE     do not look, now and then, whether visitors' TLS really ends here
  --ban-mitm           PORTAL_BAN_MITM     leave a relay for good when it does not, instead of only saying so
  --json                                   one line of JSON on stdout once it is up, events as JSON on stderr
  --help                                   this text

A relay elsewhere is reached through the HTTP proxy that HTTPS_PROXY (or ALL_PROXY) names, unless NO_PROXY names the relay.

The first SIGINT, SIGTERM or SIGHUP gives the name back and lets connections finish, the second ends at once.
Exit code: 0 after an interrupt, 1 when the tunnel could not go on, 2 for wrong usage, 3 when --ban-mitm left relays
and no other can be used, 70 after a fault of this program.
`;

/** `portal expose`. @returns the exit code */
export async function exposeCommand(argv: string[]): Promise<number> {
  let options: ReadOptions;
  try {
    const read = readOptions(argv, process.env);
    if (read === 'help') {
      process.stdout.write(help);
      return 0;
    }
    if ('config' in read) return await (await import('./expose-services.js')).exposeServices(read);
    options = read;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`portal expose: ${error.message}\n`);
    return 2;
  }

  // Late, for it brings much along: wrong usage should be told at once.
  const { expose } = await import('../../tunnel/index.js');
  dropUnreadOutput();
  const output = new ExposeOutput(process.stdout, process.stderr, options);
  const tunnel = expose(options);
  output.follow(tunnel);
  const removeNet = installLastNet({
    log: (error) => output.fault(error),
    drain: () => tunnel.close(),
    drainMs: options.closeGraceMs ?? closeGraceMs,
  });

  let interrupts = 0;
  const interrupt = () => {
    // Errors are in `closed`.
    tunnel.close(++interrupts > 1 ? 0 : undefined).catch(() => undefined);
  };
  // A terminal that was closed ends the tunnel as an interrupt does, and the name is given back.
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt).on('SIGHUP', interrupt);
  const { error } = await tunnel.closed;
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('SIGHUP', interrupt);
  removeNet();
  endDespiteUnreadOutput();
  return error === undefined ? 0 : output.ended(error);
}

type ReadOptions = ExposeOptions & OutputOptions;

/** @throws UsageError with one clear line */
function readOptions(argv: string[], env: NodeJS.ProcessEnv): ReadOptions | ServicesOptions | 'help' {
  const { values, positionals } = parse(argv);
  if (values.help === true) return 'help';
  const json = values.json === true;
  if (values.config !== undefined) {
    const more = [...positionals, ...Object.keys(values).filter((flag) => !['config', 'json'].includes(flag))];
    if (more.length > 0)
      throw new UsageError(`--config cannot be combined with ${JSON.stringify(more[0])}: put it into the file`);
    return { config: values.config, json };
  }
  const [target, ...more] = positionals;
  const tcp = values.tcp ?? (env.PORTAL_TCP || undefined);
  const udp = values.udp ?? (env.PORTAL_UDP || undefined);
  if (target === undefined && tcp === undefined && udp === undefined)
    throw new UsageError('give the service to expose, such as 3000, --tcp 22 or --udp 53 (see --help)');
  if (more.length > 0)
    throw new UsageError(`unexpected argument ${JSON.stringify(more[0])}: one service at a time, or --config for many`);
  const relays = (values.relay ?? env.PORTAL_RELAY?.split(',') ?? []).map((url) => url.trim()).filter(Boolean);
  if (relays.length === 0) throw new UsageError('give the relay: --relay URL, or PORTAL_RELAY');
  const discovery = values.discovery ?? isOn(env.PORTAL_DISCOVERY);
  const maxRelays = values['max-relays'] ?? (env.PORTAL_MAX_RELAYS || undefined);
  if (maxRelays !== undefined && !/^\d{1,3}$/.test(maxRelays))
    throw new UsageError(`--max-relays is a number, not ${JSON.stringify(maxRelays)}`);
  const caFile = values.ca ?? env.PORTAL_CA;
  const ttl = seconds('--ttl', values.ttl ?? env.PORTAL_TTL, 1);
  const grace = seconds('--grace', values.grace ?? env.PORTAL_GRACE, 0);
  const tags = values.tag ?? env.PORTAL_TAGS?.split(',').map((tag) => tag.trim());
  const metadata = {
    description: values.description ?? env.PORTAL_DESCRIPTION,
    owner: values.owner ?? env.PORTAL_OWNER,
    thumbnail: values.thumbnail ?? env.PORTAL_THUMBNAIL,
    tags,
    hide: values.hide ?? (isOn(env.PORTAL_HIDE) ? true : undefined),
  };
  return {
    target,
    tcp,
    udp,
    relay: relays,
    discovery,
    maxRelays: maxRelays === undefined ? undefined : Number(maxRelays),
    allowPrivate: values['allow-private'],
    name: values.name ?? env.PORTAL_NAME,
    identityFile: values.identity ?? env.PORTAL_IDENTITY,
    ca: caFile === undefined ? undefined : readCertificates(caFile),
    carrier: (values.carrier ?? env.PORTAL_CARRIER) as ExposeOptions['carrier'],
    unwrap: values['no-unwrap'] !== true && !isOn(env.PORTAL_NO_UNWRAP),
    udpCarrier: (values['udp-carrier'] ?? env.PORTAL_UDP_CARRIER) as ExposeOptions['udpCarrier'],
    metadata: Object.values(metadata).every((value) => value === undefined) ? undefined : metadata,
    ttl,
    http: values.http ?? (isOn(env.PORTAL_HTTP) ? true : undefined),
    hostHeader: values['host-header'] ?? (env.PORTAL_HOST_HEADER || undefined),
    proxyProtocol: values['proxy-protocol'] ?? isOn(env.PORTAL_PROXY_PROTOCOL),
    closeGraceMs: grace === undefined ? undefined : grace * 1000,
    probe: values['no-probe'] !== true && !isOn(env.PORTAL_NO_PROBE),
    banMitm: values['ban-mitm'] ?? isOn(env.PORTAL_BAN_MITM),
    json,
    manyRelays: discovery || relays.length > 1,
  };
}

function parse(argv: string[]) {
  return parseArguments(argv, {
    tcp: { type: 'string' },
    udp: { type: 'string' },
    relay: { type: 'string', multiple: true },
    discovery: { type: 'boolean' },
    'max-relays': { type: 'string' },
    'allow-private': { type: 'boolean' },
    config: { type: 'string' },
    name: { type: 'string' },
    identity: { type: 'string' },
    ca: { type: 'string' },
    carrier: { type: 'string' },
    'no-unwrap': { type: 'boolean' },
    'udp-carrier': { type: 'string' },
    ttl: { type: 'string' },
    description: { type: 'string' },
    owner: { type: 'string' },
    thumbnail: { type: 'string' },
    tag: { type: 'string', multiple: true },
    hide: { type: 'boolean' },
    http: { type: 'boolean' },
    'host-header': { type: 'string' },
    'proxy-protocol': { type: 'boolean' },
    grace: { type: 'string' },
    'no-probe': { type: 'boolean' },
    'ban-mitm': { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
}

function seconds(what: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > 86_400) {
    throw new UsageError(`${what} is a number of seconds from ${least} to 86400, not ${JSON.stringify(text)}`);
  }
  return value;
}

function isOn(text: string | undefined): boolean {
  return text !== undefined && ['1', 'true', 'yes', 'on'].includes(text.toLowerCase());
}
