import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { projectRoot } from './project.js';

export interface Mock {
  url: string;
  /** Stops it by SIGTERM, or as told, and gives its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts what `npm run mock` starts and waits for the URL that it prints. */
export async function startMock(...args: string[]): Promise<Mock> {
  const child = spawn(process.execPath, [join(projectRoot, 'scripts/mock.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const [url] = (await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exited.then(([code]) => Promise.reject(new Error(`the mock ended with ${code}`))),
  ])) as [string];
  return {
    url,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const [code] = await exited;
      return code;
    },
  };
}
