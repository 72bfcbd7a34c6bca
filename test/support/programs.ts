import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface ProgramResult {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/** Runs a program to its end, its input closed or given, and killed after `timeoutMs`. */
export async function runProgram(
  command: string,
  args: string[],
  {
    input,
    timeoutMs = 60_000,
    env,
    cwd,
  }: { input?: Buffer | string | undefined; timeoutMs?: number; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<ProgramResult> {
  const child = spawn(command, args, { stdio: 'pipe', timeout: timeoutMs, cwd, env: { ...process.env, ...env } });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() };
}

/** Settles with what a running program has printed, once that matches. @throws Error when it ends first */
export async function printed(child: ChildProcess, pattern: RegExp, on = child.stdout): Promise<string> {
  let text = '';
  return await new Promise((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      text += chunk.toString();
      if (!pattern.test(text)) return;
      on?.off('data', onData);
      on?.resume();
      resolve(text);
    };
    on?.on('data', onData);
    child.once('exit', (code) =>
      reject(new Error(`it exited with code ${code} before it printed ${pattern}: ${text}`)),
    );
  });
}
