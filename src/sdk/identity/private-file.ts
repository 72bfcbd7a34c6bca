import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode, UsageError } from '../calls/errors.js';

/**
 * @throws UsageError when it is not a file, others may read it, or it is larger than `maxBytes`; system errors pass
 * through
 */
export async function readPrivateFile(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new UsageError('not a regular file');
    if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
      throw new UsageError(`readable by others: run chmod 600 ${path}`);
    }
    if (status.size > maxBytes) throw new UsageError('too large');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * Writes a file with mode 0600, a new directory with 0700. It is written to a temporary file and renamed, so that
 * readers never see a part.
 * @param existing whether an existing file is kept
 */
export async function writePrivateFile(path: string, text: string, existing: 'keep' | 'replace'): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, text, { flag: 'wx', mode: 0o600, flush: true });
    if (existing === 'keep') await link(draft, path);
    else await rename(draft, path);
  } catch (error) {
    if (existing === 'replace' || systemCode(error) !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
