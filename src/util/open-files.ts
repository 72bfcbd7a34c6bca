import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';

const limitsFile = '/proc/self/limits';
const openFiles = '/proc/self/fd';

/** Whether the system reports open files (Linux). */
export function reportsOpenFiles(): boolean {
  return existsSync(limitsFile);
}

/**
 * The number of open file descriptors of this process, and their limit. The limit is read each time, since an operator can
 * change it for a running process (prlimit).
 */
export function fileDescriptors(): { open: number; limit: number } {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync(limitsFile, 'latin1')) ?? [];
    // Linux 6.2 and newer report the number without a listing.
    const open = statSync(openFiles).size || readdirSync(openFiles).length;
    return { open, limit: Number(soft ?? Infinity) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error;
    // Reading needs a file descriptor too, and there is none left.
    const open = statSync(openFiles).size;
    return { open, limit: open };
  }
}
