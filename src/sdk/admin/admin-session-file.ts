import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdminSession } from './admin-client.js';
import { systemCode, UsageError } from '../calls/errors.js';
import { configDirectory } from '../identity/identity-file.js';
import { readPrivateFile, writePrivateFile } from '../identity/private-file.js';

/** Largest admin session file read. */
const maxAdminSessionFileBytes = 16_384;

/** A session, and how to reach its relay. */
export interface KeptSession extends AdminSession {
  /** The relay's URL. */
  relay: string;
  /** PEM file of trusted certificates, if not the well-known ones. */
  caFile?: string | undefined;
}

/** `$XDG_CONFIG_HOME/portal/admin-session.json` */
export function defaultAdminSessionFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(configDirectory(env), 'admin-session.json');
}

/**
 * @returns undefined when there is none
 * @throws UsageError when the file is readable by others or is not a session
 */
export async function readAdminSession(path: string): Promise<KeptSession | undefined> {
  try {
    return parse(await readPrivateFile(path, maxAdminSessionFileBytes));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw asUsageError(path, error);
  }
}

/** Stores the session with mode 0600, replacing an earlier one. @throws UsageError when it cannot be stored */
export async function keepAdminSession(path: string, session: KeptSession): Promise<void> {
  const { relay, caFile, walletAddress, token, expiresAt } = session;
  const fields = {
    relay,
    ca_file: caFile,
    wallet_address: walletAddress,
    session: token,
    expires_at: new Date(expiresAt).toISOString(),
  };
  try {
    await writePrivateFile(path, `${JSON.stringify(fields, undefined, 2)}\n`, 'replace');
  } catch (error) {
    throw asUsageError(path, error);
  }
}

export async function forgetAdminSession(path: string): Promise<void> {
  await rm(path, { force: true });
}

function parse(text: string): KeptSession {
  let fields: Record<string, unknown> | null;
  try {
    fields = JSON.parse(text) as typeof fields;
  } catch {
    throw new UsageError('not JSON');
  }
  const { relay, ca_file: caFile, wallet_address: walletAddress, session: token, expires_at: end } = fields ?? {};
  const expiresAt = Date.parse(String(end));
  if (typeof relay !== 'string' || typeof walletAddress !== 'string' || typeof token !== 'string' || !(expiresAt > 0)) {
    throw new UsageError('not a session; log in again');
  }
  return { relay, caFile: typeof caFile === 'string' ? caFile : undefined, walletAddress, token, expiresAt };
}

function asUsageError(path: string, error: unknown): UsageError {
  const message = error instanceof UsageError ? error.message : (systemCode(error) ?? String(error));
  return new UsageError(`session file ${path}: ${message}`, { cause: error });
}
