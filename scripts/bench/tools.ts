import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Where servers are that are no part of an ordinary user's `PATH`. */
const systemDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The absolute path of a program, or undefined. */
export async function findTool(name: string): Promise<string | undefined> {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), ...systemDirectories];
  for (const directory of directories.filter((each) => each !== '')) {
    const path = join(directory, name);
    if (await exists(path, constants.X_OK)) return path;
  }
  return undefined;
}

export async function exists(path: string, mode = constants.R_OK): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}
