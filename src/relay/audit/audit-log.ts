import { EventEmitter } from 'node:events';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { RateLimit } from '../../http-api/rate-limit.js';
import type { AuditEntry, GovernanceStore, NumberedEntry } from '../store/governance-store.js';
import { Mutex } from '../../util/mutex.js';
import { type AuditPart, type AuditQuery, readAuditFiles } from './read-audit.js';

const maxAuditFileBytes = 16 * 1024 * 1024;
/** The audit log and its rotated files. */
const auditFiles = 8;
/** Entries written to the audit log in one batch. */
const auditBatch = 256;
/** An upper bound for the length of a line. */
const auditTailBytes = 65_536;
/** Rate limit for refused attempts that are logged, over all sources: 2 MB a day at most. */
const refusedAuditBurst = 100;
const refusedAuditsPerSecond = 0.1;

/**
 * The audit log: an append-only file of JSON lines. Each entry is stored in the transaction of its change and then
 * copied to the file exactly once, even if the relay is killed in between.
 */
export class AuditLog extends EventEmitter<{ entries: [entries: NumberedEntry[]] }> {
  #file: FileHandle | undefined;
  #size = 0;
  /** Sequence number of the last line in the file. */
  #lastSeq = 0;
  readonly #flushes = new Mutex();
  /**
   * Refused attempts have no bound: past this rate they are only counted, so that they cannot push out other entries.
   */
  readonly #refusals = new RateLimit(refusedAuditBurst, refusedAuditsPerSecond);
  #notWritten = 0;

  constructor(
    private readonly path: string,
    private readonly store: GovernanceStore,
    private readonly onFault: (error: unknown) => void,
    private readonly maxFileBytes = maxAuditFileBytes,
  ) {
    super();
    // A listener for each event stream, whose number is bounded.
    this.setMaxListeners(0);
  }

  /** Opens the file and brings it up to date. @throws Error when it cannot be written */
  async start(): Promise<void> {
    this.#lastSeq = (await lastSeqIn(this.#rotated(1))) ?? 0;
    await this.#open();
    await this.flush();
  }

  async stop(): Promise<void> {
    await this.#flushes.run(() => undefined);
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Records a refused attempt. */
  async refused(entry: Omit<AuditEntry, 'at' | 'result'>): Promise<void> {
    try {
      this.#refusals.take('');
    } catch {
      this.#notWritten++;
      return;
    }
    const value = this.#notWritten > 0 ? { attempts_not_written_before: this.#notWritten } : undefined;
    this.#notWritten = 0;
    await this.store.addAuditEntry({ at: Date.now(), ...entry, value, result: 'refused' }).catch(this.onFault);
    await this.flush();
  }

  /**
   * Settles once the store's entries are in the file. If the file cannot be written, the entries stay in the store
   * and are written by a later call.
   */
  async flush(): Promise<void> {
    await this.#flushes.run(() => this.#write()).catch(this.onFault);
  }

  async #write(): Promise<void> {
    for (;;) {
      const entries = await this.store.pendingAuditEntries(auditBatch, this.#lastSeq);
      const last = entries.at(-1);
      if (!last) return;
      const missing = entries.filter(({ seq }) => seq > this.#lastSeq);
      const lines = missing.map(line);
      if (lines.length > 0) {
        if (this.#size >= this.maxFileBytes) await this.#rotate();
        if (!this.#file) await this.#open();
        const text = lines.join('');
        await this.#file?.appendFile(text);
        await this.#file?.datasync();
        this.#size += Buffer.byteLength(text);
        this.#lastSeq = last.seq;
        this.emit('entries', missing);
      }
      await this.store.dropAuditEntries(last.seq);
    }
  }

  /** Reads entries of the log, the newest first. */
  async read(query: AuditQuery): Promise<AuditPart> {
    const paths = Array.from({ length: auditFiles }, (_, age) => (age === 0 ? this.path : this.#rotated(age)));
    return await readAuditFiles(paths, query);
  }

  /** Removes a partial last line: its entry is still in the store. */
  async #open(): Promise<void> {
    this.#file = await open(this.path, 'a+', 0o600);
    await this.#file.chmod(0o600);
    const { size } = await this.#file.stat();
    const tail = await readTail(this.#file, size);
    this.#size = size - (tail.length - (tail.lastIndexOf('\n') + 1));
    if (this.#size < size) await this.#file.truncate(this.#size);
    this.#lastSeq = Math.max(this.#lastSeq, seqOf(tail) ?? 0);
  }

  async #rotate(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    for (let age = auditFiles - 1; age >= 1; age--)
      await rename(age === 1 ? this.path : this.#rotated(age - 1), this.#rotated(age)).catch(ignoreMissing);
    await this.#open();
  }

  #rotated(age: number): string {
    return `${this.path}.${age}`;
  }
}

function line({ seq, at, ...rest }: NumberedEntry): string {
  return `${JSON.stringify({ seq, time: new Date(at).toISOString(), ...rest })}\n`;
}

async function lastSeqIn(path: string): Promise<number | undefined> {
  const file = await open(path, 'r').catch(ignoreMissing);
  if (!file) return undefined;
  try {
    return seqOf(await readTail(file, (await file.stat()).size));
  } finally {
    await file.close();
  }
}

async function readTail(file: FileHandle, size: number): Promise<Buffer> {
  const length = Math.min(size, auditTailBytes);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
  return buffer.subarray(0, bytesRead);
}

/** Sequence number of the last complete line. */
function seqOf(tail: Buffer): number | undefined {
  const whole = tail.subarray(0, tail.lastIndexOf('\n') + 1).toString();
  const last = whole.trimEnd().split('\n').at(-1);
  const seq = Number(/^\{"seq":(\d+),/.exec(last ?? '')?.[1]);
  return Number.isInteger(seq) ? seq : undefined;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
