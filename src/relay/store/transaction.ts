import type Database from 'libsql';

/**
 * Runs changes as one transaction. The package's own `transaction()` is not used: SQLite rolls back some failed
 * transactions by itself, for example on a full disk, and the package then reports a failed rollback instead of the
 * cause.
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
