import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { requireTool } from './tools.js';
import { until } from './until.js';

const run = promisify(execFile);

/** A program on a terminal of its own (tmux), as a user sees it. */
export interface Terminal {
  /** Its lines, without colours. */
  screen(): Promise<string>;
  /** Presses keys, by tmux's names: `Enter`, `Down`, `C-c`, `x`. */
  press(...keys: string[]): Promise<void>;
  type(text: string): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** Waits until the screen shows this, and no longer. @returns the screen */
  shows(what: RegExp): Promise<string>;
}

/** @param command its program and arguments */
export async function startTerminal(
  t: TestContext,
  command: string[],
  { env = {}, columns = 80, rows = 24 }: { env?: Record<string, string>; columns?: number; rows?: number } = {},
): Promise<Terminal> {
  const tmux = await requireTool('tmux');
  const folder = mkdtempSync(join(tmpdir(), 'portal-terminal-'));
  const socket = join(folder, 'tmux');
  const call = async (...args: string[]) => (await run(tmux, ['-S', socket, '-f', '/dev/null', '-u', ...args])).stdout;
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`);
  // The shell stays, so that what comes after the program can be seen.
  const line = `${variables.join(' ')} ${command.map(quote).join(' ')}; echo "ended with $?"; exec sleep 1000`;
  t.after(async () => {
    await call('kill-server').catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  });
  await call('new-session', '-d', '-x', String(columns), '-y', String(rows), line);
  const screen = () => call('capture-pane', '-p');
  return {
    screen,
    press: async (...keys) => void (await call('send-keys', ...keys)),
    type: async (text) => void (await call('send-keys', '-l', text)),
    resize: async (x, y) => void (await call('resize-window', '-x', String(x), '-y', String(y))),
    async shows(what) {
      let seen = '';
      await until(
        async () => {
          seen = await screen();
          return what.test(seen);
        },
        { deadlineMs: 20_000 },
      ).catch((error: Error) => {
        throw new Error(`the screen does not show ${what}:\n${seen}`, { cause: error });
      });
      return seen;
    },
  };
}
