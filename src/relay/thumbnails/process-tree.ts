import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Rounds of looking and killing; a process created meanwhile needs one more. */
const maxKillRounds = 100;
const killIntervalMs = 20;

/**
 * A process and what descends from it, by proc(5) on Linux; elsewhere only the process itself. Processes whose parent
 * has ended still belong to it, because every session (setsid(2)) that one of them was seen in is remembered.
 */
export class ProcessTree {
  private readonly sessions: Set<number>;

  /** @param leader process that leads a session of its own (created with `detached`) */
  constructor(private readonly leader: number) {
    this.sessions = new Set([leader]);
  }

  /** Anonymous resident memory of all its processes in bytes; mapped files, such as program code, are not counted. */
  async memory(): Promise<number> {
    const each = [this.leader, ...(await this.descendants())].map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
      return (kilobytes('RssAnon') + kilobytes('RssShmem')) * 1_024;
    });
    return (await Promise.all(each)).reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Kills all its processes and returns once none is left. */
  async kill(): Promise<void> {
    // A stopped process creates no others, and its children keep their parent, by which they are found.
    signal(this.leader, 'SIGSTOP');
    for (let round = 0; round < maxKillRounds; round++) {
      const pids = await this.descendants();
      if (pids.length === 0) break;
      for (const pid of pids) signal(pid, 'SIGKILL');
      await delay(killIntervalMs);
    }
    signal(this.leader, 'SIGKILL');
  }

  /** Those that have not ended; without the leader. */
  private async descendants(): Promise<number[]> {
    const processes = (await Promise.all((await readdir('/proc').catch(() => [])).map(readStat))).filter(
      (each) => each !== undefined,
    );
    const found = new Map<number, boolean>();
    for (let size = -1; size !== found.size;) {
      size = found.size;
      for (const { pid, parent, session, hasEnded } of processes) {
        if (!this.sessions.has(session) && parent !== this.leader && !found.has(parent)) continue;
        found.set(pid, hasEnded);
        this.sessions.add(session);
      }
    }
    return [...found].filter(([pid, hasEnded]) => pid !== this.leader && !hasEnded).map(([pid]) => pid);
  }
}

/** @param entry name of an entry of /proc, most of which are processes */
async function readStat(entry: string) {
  if (!/^\d+$/.test(entry)) return undefined;
  const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
  // `pid (command) state ppid pgrp session ...`, and the command may hold anything.
  const [state = 'X', parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid: Number(entry), parent: Number(parent), session: Number(session), hasEnded: 'ZX'.includes(state) };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has already ended.
  }
}
