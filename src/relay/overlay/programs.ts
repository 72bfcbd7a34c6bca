import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

const programTimeoutMs = 10_000;
const maxOutputBytes = 1_048_576;
/** Programs of administrators are here, and not in everybody's `PATH`. */
const adminDirectories = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

/** Program -> the Debian package that brings it. */
const packages = { ip: 'iproute2', wg: 'wireguard-tools', nft: 'nftables' } as const;
type ProgramName = keyof typeof packages | 'wireguard-go';

/** The path of each program. */
export interface Programs extends Record<keyof typeof packages, string> {
  /** Needed where the kernel has no WireGuard. */
  readonly wireguardGo: string | undefined;
}

/** A program that ended with a fault. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';

  /** @param output what it wrote to standard error */
  constructor(
    program: string,
    readonly output: string,
  ) {
    super(`${program}: ${output.trim().split('\n')[0]?.slice(0, 200) || 'it failed without a word'}`);
  }
}

/** @throws Error in one line that names the packages to install */
export async function findPrograms(): Promise<Programs> {
  const [ip, wg, nft, wireguardGo] = await Promise.all((['ip', 'wg', 'nft', 'wireguard-go'] as const).map(find));
  const found = { ip, wg, nft };
  const missing = Object.entries(packages).filter(([name]) => found[name as keyof typeof packages] === undefined);
  if (missing.length > 0) throw new Error(`install ${missing.map(([, debianPackage]) => debianPackage).join(', ')}`);
  return { ip: ip!, wg: wg!, nft: nft!, wireguardGo };
}

async function find(name: ProgramName): Promise<string | undefined> {
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), ...adminDirectories]) {
    if (directory === '') continue;
    const path = join(directory, name);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/**
 * Runs a program to its end.
 * @param input for its standard input
 * @returns its standard output
 * @throws ProgramError
 */
export async function run(program: string, args: readonly string[], input?: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const options = { timeout: programTimeoutMs, maxBuffer: maxOutputBytes, env: { ...process.env, LC_ALL: 'C' } };
    const name = program.slice(program.lastIndexOf('/') + 1);
    // boundary: cannot throw.
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error) reject(new ProgramError(name, stderr || error.message));
      else resolve(stdout);
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
