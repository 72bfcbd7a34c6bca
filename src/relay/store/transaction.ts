import type Database from 'libsql';

/**
 * Runs changes as one transaction. Not by the package's own `transaction()`: SQLite takes some failed transactions back by itself, as on
 * a full disk, and the package then reports that there was nothing to take back instead of why.
 * @throws what `change` or SQLite throws; nothing has changed then
 */
export function transact(db: Database.Database, change: () => void): void {
  db.exec('BEGIN');
  try {
    change();
    db.exec('COMMIT');
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
