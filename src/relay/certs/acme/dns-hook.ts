import { execFile } from 'node:child_process';
import type { ChallengeRecords } from './challenge-records.js';

const timeoutMs = 120_000;
const maxOutputBytes = 65_536;
const maxReasonLength = 300;

/**
 * Has a program of the operator's set the records: `PROGRAM add|remove NAME VALUE`, without a shell. Whatever it does
 * with the zone, it ends with 0 when that is done.
 */
export class DnsHook implements ChallengeRecords {
  constructor(private readonly program: string) {}

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  async add(name: string, value: string, signal: AbortSignal): Promise<void> {
    await this.#run('add', name, value, signal);
  }

  async remove(name: string, value: string): Promise<void> {
    await this.#run('remove', name, value);
  }

  async #run(what: 'add' | 'remove', name: string, value: string, signal?: AbortSignal): Promise<void> {
    const options = { timeout: timeoutMs, maxBuffer: maxOutputBytes, signal, killSignal: 'SIGKILL' as const };
    await new Promise<void>((resolve, reject) => {
      // boundary: cannot throw.
      execFile(this.program, [what, name, value], options, (error, _stdout, stderr) => {
        if (!error) return resolve();
        const said = stderr.trim().split('\n').at(-1);
        const reason = error.killed ? `it took more than ${timeoutMs / 1000} s` : said || error.message;
        reject(new Error(`the DNS hook could not ${what} the record: ${reason.slice(0, maxReasonLength)}`));
      });
    });
  }
}
