import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';

/**
 * Makes a state directory this relay's alone. The lock is one of SQLite on a file of its own: the system frees it when the process
 * ends, however that goes, so that none is ever left behind.
 * @returns frees it
 * @throws Error in one line when another relay has it
 */
export function lockStateDir(dir: string): () => void {
  const file = join(dir, 'lock');
  closeSync(openSync(file, 'a', 0o600));
  const db = new Database(file, { timeout: 0 });
  try {
    // No journal is left beside it.
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
    // Closing alone may leave that to the garbage collector.
    db.exec('ROLLBACK');
    db.close();
  };
}
