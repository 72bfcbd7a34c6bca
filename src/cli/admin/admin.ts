import { resolve } from 'node:path';
import { ApiError } from '../../contract/errors.js';
import { type AdminClient, createAdminClient, type SignedChallenge } from '../../sdk/admin/admin-client.js';
import {
  defaultAdminSessionFile,
  forgetAdminSession,
  keepAdminSession,
  type KeptSession,
  readAdminSession,
} from '../../sdk/admin/admin-session-file.js';
import { AnswerError, NetworkError, SigningRefusedError, UsageError } from '../../sdk/calls/errors.js';
import { readIdentityFile } from '../../sdk/identity/identity-file.js';
import { RelayTransport } from '../../sdk/transport/relay-transport.js';
import { parseRelayUrl } from '../../sdk/calls/relay-url.js';
import { adminCommands, type Result, wordsOf } from './admin-commands.js';
import { parseArguments } from '../support/arguments.js';
import { readCertificates } from '../support/files.js';

const commandHelp = Object.entries(adminCommands)
  .map(([name, { usage, help }]) => `  ${`${name} ${usage}`.padEnd(33)} ${help}`)
  .join('\n');

const help = `Usage: portal admin COMMAND [options]

Governs a relay as one of its admin wallets (ADMIN_WALLETS of the relay).

  login --relay URL --key-file FILE sign in with the wallet whose key is in FILE, for 24 hours
  login --browser ...               print a link that signs a browser in which has no wallet, once
  status                            who is signed in, where, and for how long
  logout                            end the session, here and at the relay
${commandHelp}

  --relay URL       PORTAL_RELAY          the relay, https://host[:port]; after login, the one signed in to
  --key-file FILE   PORTAL_ADMIN_KEY      { "address": "0x...", "private_key": "0x..." }, mode 0600
  --ca FILE         PORTAL_CA             PEM certificates to trust for the relay instead of the well-known ones; kept from login
  --session FILE    PORTAL_ADMIN_SESSION  where the session is kept, mode 0600 [~/.config/portal/admin-session.json]
  --json                                  one line of JSON on stdout, also for errors, on stderr
  --help                                  this text

Exit code: 0 done, 1 refused by the relay, 2 wrong usage, 3 not signed in (any more), 4 the relay is not to be reached, not to be
trusted, or not a Portal relay.
`;

const options = {
  relay: { type: 'string' },
  'key-file': { type: 'string' },
  ca: { type: 'string' },
  session: { type: 'string' },
  browser: { type: 'boolean' },
  'max-leases': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** No admin session is stored. */
class SignedOutError extends Error {}

interface Settings {
  relay?: string | undefined;
  keyFile?: string | undefined;
  caFile?: string | undefined;
  sessionFile: string;
  browser: boolean;
  maxLeases?: string | undefined;
}

/** `portal admin`. @returns the exit code */
export async function adminCommand(argv: string[]): Promise<number> {
  let json = argv.includes('--json');
  try {
    const { values, positionals } = parseArguments(argv, options);
    if (values.help === true) {
      process.stdout.write(help);
      return 0;
    }
    json = values.json === true;
    const { env } = process;
    const result = await run(positionals, {
      relay: values.relay ?? (env.PORTAL_RELAY || undefined),
      keyFile: values['key-file'] ?? (env.PORTAL_ADMIN_KEY || undefined),
      caFile: values.ca ?? (env.PORTAL_CA || undefined),
      sessionFile: values.session ?? (env.PORTAL_ADMIN_SESSION || defaultAdminSessionFile(env)),
      browser: values.browser === true,
      maxLeases: values['max-leases'],
    });
    process.stdout.write(json ? `${JSON.stringify(result.data)}\n` : result.text);
    return 0;
  } catch (error) {
    return report(error as Error, json);
  }
}

async function run(words: string[], settings: Settings): Promise<Result> {
  const [first] = words;
  if (first === undefined) throw new UsageError('give a command (see --help)');
  if (settings.browser && first !== 'login') throw new UsageError(`--browser cannot be used with ${first}`);
  if (first === 'login' || first === 'status' || first === 'logout') {
    if (words.length > 1) throw new UsageError(`unexpected argument ${JSON.stringify(words[1])} after ${first}`);
    if (settings.maxLeases !== undefined) throw new UsageError(`--max-leases cannot be used with ${first}`);
    return await { login, status, logout }[first](settings);
  }
  const name = [words.slice(0, 2).join(' '), first].find((each) => Object.hasOwn(adminCommands, each));
  const command = name === undefined ? undefined : adminCommands[name];
  if (name === undefined || command === undefined) {
    throw new UsageError(`no such command: ${JSON.stringify(words.slice(0, 2).join(' '))} (see --help)`);
  }
  const given = words.slice(name.split(' ').length);
  if (given.length !== wordsOf(command)) throw new UsageError(`usage: portal admin ${name} ${command.usage}`.trimEnd());
  if (settings.maxLeases !== undefined && !command.limited)
    throw new UsageError(`--max-leases cannot be used with ${name}`);
  const width = process.stdout.isTTY ? process.stdout.columns : undefined;
  return await signedIn(settings, (client) => command.run(client, given, { 'max-leases': settings.maxLeases, width }));
}

async function login({ relay, keyFile, caFile, sessionFile, browser }: Settings): Promise<Result> {
  if (relay === undefined) throw new UsageError('give the relay: --relay URL, or PORTAL_RELAY');
  if (keyFile === undefined) throw new UsageError('give the wallet: --key-file FILE, or PORTAL_ADMIN_KEY');
  const wallet = await readIdentityFile(keyFile);
  return await withTransport(caFile, async (transport) => {
    const client = createAdminClient({ relay, fetch: transport.fetch });
    if (browser) return linkOf(client.relay, await client.signChallenge(wallet));
    const session = await client.login(wallet);
    const kept = { ...session, relay: client.relay.origin, caFile: caFile && resolve(caFile) };
    await keepAdminSession(sessionFile, kept);
    return described(kept, 'signed in to');
  });
}

/**
 * The link opens the console, which then shows what was signed. It is not opened from here: arguments of programs are
 * seen by all users of a machine. The part after `#` is sent to no server.
 */
function linkOf(relay: URL, { login: signed, expiresAt }: SignedChallenge): Result {
  const expires_at = new Date(expiresAt).toISOString();
  const link = `${relay.origin}/admin#sign-in=${Buffer.from(JSON.stringify(signed)).toString('base64url')}`;
  return {
    data: { link, expires_at },
    text: `Open this link in the browser that is to be signed in. It works once, until ${expires_at}; show it to nobody.\n\n${link}\n`,
  };
}

async function status(settings: Settings): Promise<Result> {
  return await signedIn(settings, async (client, session) => {
    const { authenticated } = await client.getAdminStatus();
    if (!authenticated) throw new SignedOutError(`the session at ${session.relay} has ended`);
    return described(session, 'signed in to');
  });
}

async function logout(settings: Settings): Promise<Result> {
  return await signedIn(settings, async (client, { relay }) => {
    await client.logoutAdmin().catch((error: unknown) => {
      // The relay has already ended the session.
      if (!isUnauthorized(error)) throw error;
    });
    await forgetAdminSession(settings.sessionFile);
    return { data: {}, text: `signed out of ${relay}\n` };
  });
}

/** @throws SignedOutError when no session is stored, or the stored one has ended */
async function signedIn(
  { relay, caFile, sessionFile }: Settings,
  work: (client: AdminClient, session: KeptSession) => Promise<Result>,
): Promise<Result> {
  const session = await readAdminSession(sessionFile);
  if (!session) throw new SignedOutError('not signed in');
  if (relay !== undefined && parseRelayUrl(relay).origin !== session.relay) {
    throw new SignedOutError(`signed in to ${session.relay}, not to ${relay}`);
  }
  return await withTransport(caFile ?? session.caFile, async (transport) => {
    const client = createAdminClient({ relay: session.relay, fetch: transport.fetch, session });
    try {
      return await work(client, session);
    } catch (error) {
      if (!isUnauthorized(error)) throw error;
      throw new SignedOutError(`the session at ${session.relay} has ended`, { cause: error });
    }
  });
}

async function withTransport<T>(
  caFile: string | undefined,
  work: (transport: RelayTransport) => Promise<T>,
): Promise<T> {
  const transport = new RelayTransport({ ca: caFile === undefined ? undefined : readCertificates(caFile) });
  try {
    return await work(transport);
  } finally {
    await transport.close();
  }
}

function described({ relay, walletAddress, expiresAt }: KeptSession, how: string): Result {
  const until = new Date(expiresAt).toISOString();
  return {
    data: { relay, wallet_address: walletAddress, expires_at: until },
    text: `${how} ${relay} as ${walletAddress} until ${until}\n`,
  };
}

const isUnauthorized = (error: unknown): boolean => error instanceof ApiError && error.code === 'unauthorized';

/** Prints one error line on stderr. @returns the matching exit code */
function report(error: Error, json: boolean): number {
  const [exitCode, code] = kindOf(error);
  const hint = error instanceof SignedOutError ? ': portal admin login' : '';
  if (json) process.stderr.write(`${JSON.stringify({ error: { code, message: error.message } })}\n`);
  else process.stderr.write(`portal admin: ${error.message}${hint}\n`);
  return exitCode;
}

function kindOf(error: Error): [exitCode: number, code: string] {
  if (error instanceof ApiError) return [1, error.code];
  if (error instanceof UsageError) return [2, 'usage'];
  if (error instanceof SignedOutError) return [3, 'unauthorized'];
  if (error instanceof NetworkError) return [4, error.reason];
  if (error instanceof AnswerError || error instanceof SigningRefusedError) return [4, 'not_trusted'];
  throw error;
}
