import { randomBytes } from 'node:crypto';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { systemCode, UsageError } from '../calls/errors.js';
import { identityFromPrivateKey, type Identity } from './identity.js';
import { readPrivateFile, writePrivateFile } from './private-file.js';

/** Largest identity file read. */
const maxIdentityFileBytes = 4_096;

/** `$XDG_CONFIG_HOME/portal/identity.json` */
export function defaultIdentityFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(configDirectory(env), 'identity.json');
}

/** `$XDG_CONFIG_HOME/portal`; a relative value of the variable is ignored (XDG Base Directory). */
export function configDirectory(env: NodeJS.ProcessEnv): string {
  const configured = env.XDG_CONFIG_HOME;
  const base = configured !== undefined && isAbsolute(configured) ? configured : join(homedir(), '.config');
  return join(base, 'portal');
}

/**
 * Loads the identity of a file, or creates one: `{ "address": "0x…", "private_key": "0x…" }`, the file with mode
 * 0600, a new directory with 0700.
 * @throws UsageError when the file is readable by others, is not an identity, or its key and address do not match
 */
export async function loadIdentityFile(path: string): Promise<Identity> {
  return identityFromPrivateKey(await loadPrivateKeyFile(path));
}

/** The same for a file that must exist. @throws UsageError */
export async function readIdentityFile(path: string): Promise<Identity> {
  try {
    return identityFromPrivateKey(await readPrivateKey(path));
  } catch (error) {
    throw asUsageError(path, error);
  }
}

/** Like `loadIdentityFile`, but returns the private key: 0x and 64 hex digits. */
export async function loadPrivateKeyFile(path: string): Promise<string> {
  try {
    return await readPrivateKey(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw asUsageError(path, error);
  }
  try {
    await createIdentity(path);
    return await readPrivateKey(path);
  } catch (error) {
    throw asUsageError(path, error);
  }
}

async function readPrivateKey(path: string): Promise<string> {
  return parsePrivateKey(await readPrivateFile(path, maxIdentityFileBytes));
}

function parsePrivateKey(text: string): string {
  let fields: { address?: unknown; private_key?: unknown } | null;
  try {
    fields = JSON.parse(text) as typeof fields;
  } catch {
    throw new UsageError('not JSON');
  }
  const { address, private_key: privateKey } = fields ?? {};
  if (typeof address !== 'string' || typeof privateKey !== 'string') {
    throw new UsageError('needs "address" and "private_key"');
  }
  if (identityFromPrivateKey(privateKey).address.toLowerCase() !== address.toLowerCase()) {
    throw new UsageError('its address is not that of its key');
  }
  return privateKey;
}

/** If another process creates it first, its identity is used. */
async function createIdentity(path: string): Promise<void> {
  const privateKey = `0x${randomBytes(32).toString('hex')}`;
  const { address } = identityFromPrivateKey(privateKey);
  await writePrivateFile(path, `${JSON.stringify({ address, private_key: privateKey }, undefined, 2)}\n`, 'keep');
}

function asUsageError(path: string, error: unknown): UsageError {
  const message = error instanceof UsageError ? error.message : (systemCode(error) ?? String(error));
  return new UsageError(`identity file ${path}: ${message}`, { cause: error });
}
