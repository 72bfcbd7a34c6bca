import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';

/**
 * Locks a state directory for this relay. It is an SQLite lock on a separate file, which the system releases when the
 * process ends, so that no stale lock remains.
 * @returns releases the lock
 * @throws Error in one line when another relay has it
 */
export function lockStateDir(dir: string): () => void {
  const file = join(dir, 'lock');
  closeSync(openSync(file, 'a', 0o600));
  const db = new Database(file, { timeout: 0 });
  try {
    // Leaves no journal file.
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    db.close();
    if ((cause as { code?: string }).code !== 'SQLITE_BUSY') throw new Error(`${file} cannot be locked`, { cause });
    throw new Error(`the state directory ${dir} is in use by another relay: stop it, or choose another --state-dir`, {
      cause,
    });
  }
  let isLocked = true;
  return () => {
    if (!isLocked) return;
    isLocked = false;
    // `close` alone may leave the release to the garbage collector.
    db.exec('ROLLBACK');
    db.close();
  };
}
