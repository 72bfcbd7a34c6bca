import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { Wallet } from 'ethers';
import { maxIdentityFileBytes } from './constants.js';
import { systemCode, UsageError } from './errors.js';
import { identityFromPrivateKey, type Identity } from './identity.js';

/** `$XDG_CONFIG_HOME/portal/identity.json`; a relative value of the variable is to be ignored (XDG Base Directory). */
export function defaultIdentityFile(env: NodeJS.ProcessEnv = process.env): string {
  const configured = env.XDG_CONFIG_HOME;
  const base = configured !== undefined && isAbsolute(configured) ? configured : join(homedir(), '.config');
  return join(base, 'portal', 'identity.json');
}

/**
 * Reads the identity kept in a file, or makes one and keeps it there: `{ "address": "0x…", "private_key": "0x…" }`, the file
 * with mode 0600, its directory, where there was none, with 0700.
 * @throws UsageError when the file cannot be used: readable by others, not an identity, key and address that do not agree
 */
export async function loadIdentityFile(path: string): Promise<Identity> {
  return identityFromPrivateKey(await loadPrivateKeyFile(path));
}

/** As `loadIdentityFile`, for who needs the key itself: 0x and 64 hex digits. */
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
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new UsageError('not a regular file');
    if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
      throw new UsageError(`others may read it; chmod 600 ${path}`);
    }
    if (status.size > maxIdentityFileBytes) throw new UsageError('too large for an identity');
    return parsePrivateKey(await readText(file));
  } finally {
    await file.close();
  }
}

async function readText(file: FileHandle): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(maxIdentityFileBytes), 0, maxIdentityFileBytes, 0);
  return buffer.toString('utf8', 0, bytesRead);
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

/** Written beside and linked into place, so that the file is never seen half-written; whoever comes second keeps the first's. */
async function createIdentity(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const { address, privateKey } = Wallet.createRandom();
  const text = `${JSON.stringify({ address, private_key: privateKey }, undefined, 2)}\n`;
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, text, { flag: 'wx', mode: 0o600, flush: true });
    await link(draft, path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function asUsageError(path: string, error: unknown): UsageError {
  const message = error instanceof UsageError ? error.message : (systemCode(error) ?? String(error));
  return new UsageError(`identity file ${path}: ${message}`, { cause: error });
}
