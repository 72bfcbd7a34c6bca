import { UsageError } from '../../sdk/calls/errors.js';
import { checksumAddress } from '../../sdk/identity/identity.js';

const maxWallets = 64;
const maxCommandParts = 64;

/** What the table `[agent]` of the configuration says of the agent itself. */
export interface AgentSettings {
  /** Wallets that may sign in and look, EIP-55 checksum form; none by default. */
  allowedWallets: string[];
  /** A program and its arguments, started for each notice. */
  notifyCommand: string[] | undefined;
  /** An address that each notice is sent to by POST. */
  notifyWebhook: string | undefined;
}

export const noAgentSettings: AgentSettings = {
  allowedWallets: [],
  notifyCommand: undefined,
  notifyWebhook: undefined,
};

const loopbackHost = /^(?:localhost|127\.0\.0\.1|\[::1\])$/;

/** @throws UsageError with one clear line */
export function parseAgentSettings(table: unknown): AgentSettings {
  if (table === undefined) return noAgentSettings;
  if (typeof table !== 'object' || table === null || Array.isArray(table))
    throw new UsageError('agent: is not a table');
  const {
    allowed_wallets: wallets = [],
    notify_command: command,
    notify_webhook: webhook,
    ...more
  } = table as Record<string, unknown>;
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) throw new UsageError(`agent.${unknown}: unknown setting`);
  return {
    allowedWallets: [...new Set(texts(wallets, 'allowed_wallets', maxWallets).map(walletOf))],
    notifyCommand: command === undefined ? undefined : commandOf(texts(command, 'notify_command', maxCommandParts)),
    notifyWebhook: webhook === undefined ? undefined : webhookOf(webhook),
  };
}

function texts(value: unknown, name: string, most: number): string[] {
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string'))
    throw new UsageError(`agent.${name}: must be a list of strings`);
  if (value.length > most) throw new UsageError(`agent.${name}: ${most} at most, not ${value.length}`);
  return value;
}

function walletOf(address: string): string {
  try {
    return checksumAddress(address);
  } catch (error) {
    throw new UsageError(`agent.allowed_wallets: ${(error as Error).message}`, { cause: error });
  }
}

function commandOf(parts: string[]): string[] {
  if (!parts[0]) throw new UsageError('agent.notify_command: must begin with a program');
  return parts;
}

function webhookOf(value: unknown): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && loopbackHost.test(url.hostname));
  if (!url || !isSafe)
    throw new UsageError('agent.notify_webhook: must be an https:// address, or http:// on this machine');
  return url.href;
}
