import { type FileHandle, open } from 'node:fs/promises';
import type { NumberedEntry } from '../store/governance-store.js';

/** Most bytes of the log that one call looks at. */
const maxReadBytes = 8 * 1024 * 1024;
/** As long as a line may be, at least. */
const chunkBytes = 65_536;

export interface AuditQuery {
  /** Only entries with a lower sequence number. */
  before?: number | undefined;
  /** Text that an entry must have in it, in any case. */
  search?: string | undefined;
  limit: number;
}

export interface WrittenEntry extends Omit<NumberedEntry, 'at'> {
  /** RFC 3339. */
  time: string;
}

export interface AuditPart {
  entries: WrittenEntry[];
  /** Where the next part begins; absent at the end of the log. */
  nextBefore?: number;
}

/**
 * Reads the audit log from its end, through a bounded part of it. Files may be rotated meanwhile: sequence numbers
 * tell which entries were read.
 * @param paths the newest first
 */
export async function readAuditFiles(
  paths: string[],
  { before = Infinity, search = '', limit }: AuditQuery,
): Promise<AuditPart> {
  const entries: WrittenEntry[] = [];
  const wanted = search.toLowerCase();
  let left = maxReadBytes;
  let next = before;
  for (const path of paths) {
    const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (!file) continue;
    try {
      for await (const line of linesBackwards(file, await endOf(file, next))) {
        left -= line.length;
        const entry = entryOf(line);
        if (!entry || entry.seq >= next) continue;
        next = entry.seq;
        if (wanted === '' || line.toLowerCase().includes(wanted)) entries.push(entry);
        if (next > 1 && (entries.length >= limit || left <= 0)) return { entries, nextBefore: next };
      }
    } finally {
      await file.close();
    }
  }
  return { entries };
}

/** Where the line of an entry ends in a file, or not far behind: by binary search. */
async function endOf(file: FileHandle, before: number): Promise<number> {
  const { size } = await file.stat();
  if (before === Infinity) return size;
  let [low, high] = [0, size];
  while (high - low > 2 * chunkBytes) {
    const middle = Math.floor((low + high) / 2);
    const text = await readAt(file, middle, chunkBytes);
    const seq = entryOf(text.slice(text.indexOf('\n') + 1).split('\n', 1)[0] ?? '')?.seq;
    if (seq !== undefined && seq < before) low = middle;
    else high = middle;
  }
  return Math.min(size, high + chunkBytes);
}

/** The lines before an offset, the last first. A partial line at the offset is left out. */
async function* linesBackwards(file: FileHandle, end: number): AsyncGenerator<string> {
  let rest = '';
  let isFirst = true;
  for (let at = end; at > 0;) {
    const length = Math.min(chunkBytes, at);
    at -= length;
    const lines = `${await readAt(file, at, length)}${rest}`.split('\n');
    rest = at > 0 ? lines.shift()! : '';
    // Nothing, or a partial line, is behind the last line break.
    if (isFirst) lines.pop();
    isFirst = false;
    for (const line of lines.reverse()) if (line !== '') yield line;
  }
}

/** Latin-1, so that no character is cut in two. */
async function readAt(file: FileHandle, position: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.toString('latin1', 0, bytesRead);
}

function entryOf(line: string): WrittenEntry | undefined {
  if (!line.startsWith('{"seq":')) return undefined;
  try {
    return JSON.parse(Buffer.from(line, 'latin1').toString()) as WrittenEntry;
  } catch {
    // It was damaged on disk.
    return undefined;
  }
}
