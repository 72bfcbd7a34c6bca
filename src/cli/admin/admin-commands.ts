import type { AdminClient, LeaseDecision, LeaseIdentity } from '../../sdk/admin/admin-client.js';
import { UsageError } from '../../sdk/calls/errors.js';
import { bpsText, onOff, portsText, snapshotText } from './admin-output.js';

/** The result of a command: as JSON for scripts, as text for people. */
export interface Result {
  data: object;
  text: string;
}

export interface CommandOptions {
  'max-leases'?: string | undefined;
  /** Width of the terminal in columns. */
  width?: number | undefined;
}

interface AdminCommand {
  /** Usage: the arguments after the command's name, for the help text. */
  usage: string;
  help: string;
  /** Whether the command accepts `--max-leases`. */
  limited?: true;
  run(client: AdminClient, words: string[], options: CommandOptions): Promise<Result>;
}

const done = (text: string): Result => ({ data: {}, text: `${text}\n` });

function decision(method: LeaseDecision, help: string, said: (who: string) => string): AdminCommand {
  return {
    usage: 'NAME ADDRESS',
    help,
    async run(client, words) {
      const lease = leaseOf(words);
      await client[method](lease);
      return done(said(`${lease.name} of ${lease.address}`));
    },
  };
}

function ports(method: 'setUdpSettings' | 'setTcpPortSettings', what: string): AdminCommand {
  return {
    usage: 'on|off [--max-leases N]',
    help: `allow leases with a ${what} port, and how many (0: no limit)`,
    limited: true,
    async run(client, [word], options) {
      const limit = options['max-leases'];
      const settings = { enabled: isOn(word), ...(limit === undefined ? {} : { max_leases: count(limit) }) };
      const now = await client[method](settings);
      return { data: now, text: `${what} ports: ${portsText(now)}\n` };
    },
  };
}

/** Every command that needs an admin session, by its name on the command line. */
export const adminCommands: Record<string, AdminCommand> = {
  snapshot: {
    usage: '',
    help: 'leases, decisions, bans and settings',
    async run(client, _words, { width }) {
      const snapshot = await client.getSnapshot();
      return { data: snapshot, text: snapshotText(snapshot, Date.now(), width) };
    },
  },
  'landing-page': {
    usage: 'on|off',
    help: 'show the landing page at the root host, or not',
    async run(client, [word]) {
      const now = await client.setLandingPage(isOn(word));
      return { data: now, text: `landing page: ${onOff(now.enabled)}\n` };
    },
  },
  udp: ports('setUdpSettings', 'UDP'),
  'tcp-port': ports('setTcpPortSettings', 'TCP'),
  'approval-mode': {
    usage: 'auto|manual',
    help: 'approve everybody, or wait for an admin',
    async run(client, [word]) {
      if (word !== 'auto' && word !== 'manual') throw new UsageError(`auto or manual, not ${JSON.stringify(word)}`);
      const now = await client.setApprovalMode(word);
      return { data: now, text: `approval mode: ${now.approval_mode}\n` };
    },
  },
  ban: decision('banLease', 'end an identity, and keep it out', (who) => `banned ${who}`),
  unban: decision('unbanLease', 'lift that', (who) => `lifted the ban of ${who}`),
  approve: decision('approveLease', 'let an identity serve; lifts a denial', (who) => `approved ${who}`),
  unapprove: decision('revokeLeaseApproval', 'take that back', (who) => `took back the approval of ${who}`),
  deny: decision('denyLease', 'refuse an identity; takes back an approval', (who) => `denied ${who}`),
  undeny: decision('removeLeaseDenial', 'lift that', (who) => `lifted the denial of ${who}`),
  'bps set': {
    usage: 'NAME ADDRESS RATE',
    help: 'limit a lease to bytes per second, both ways together: 500000, 500k, 2.5M, 1G',
    async run(client, words) {
      const lease = leaseOf(words);
      const { bps } = await client.setLeaseBps(lease, rateOf(words[2] as string));
      return { data: { bps }, text: `limited ${lease.name} of ${lease.address} to ${bpsText(bps)}\n` };
    },
  },
  'bps clear': decision('removeLeaseBps', 'lift that', (who) => `lifted the limit of ${who}`),
  'ip ban': {
    usage: 'IP',
    help: 'refuse calls and sessions from an address; visitors are not affected',
    async run(client, [ip = '']) {
      await client.banIp(ip);
      return done(`banned ${ip}`);
    },
  },
  'ip unban': {
    usage: 'IP',
    help: 'lift that',
    async run(client, [ip = '']) {
      await client.unbanIp(ip);
      return done(`lifted the ban of ${ip}`);
    },
  },
};

/** The positional arguments of a command, taken from its usage line. */
export function wordsOf({ usage }: AdminCommand): number {
  return usage.split(' [', 1)[0]!.split(' ').filter(Boolean).length;
}

function leaseOf([name = '', address = '']: string[]): LeaseIdentity {
  return { name, address };
}

function isOn(word = ''): boolean {
  if (word !== 'on' && word !== 'off') throw new UsageError(`on or off, not ${JSON.stringify(word)}`);
  return word === 'on';
}

function count(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new UsageError(`--max-leases is a number from 0 to 65535, not ${JSON.stringify(text)}`);
  return Number(text);
}

/** Bytes per second as people write them: `2.5M` is 2,500,000. @throws UsageError */
export function rateOf(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,9})?)([kMG]?)$/.exec(text) ?? [];
  const exact = Number(digits) * ({ '': 1, k: 1e3, M: 1e6, G: 1e9 }[unit] as number);
  // 1.005 * 1000 is a little less than 1005.
  const bps = Math.round(exact);
  if (!Number.isSafeInteger(bps) || bps < 1 || Math.abs(exact - bps) > 1e-6)
    throw new UsageError(
      `a rate is a whole number of bytes per second, as 500000, 500k or 2.5M, not ${JSON.stringify(text)}`,
    );
  return bps;
}
