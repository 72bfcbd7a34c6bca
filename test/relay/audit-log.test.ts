import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AuditLog } from '../../src/relay/audit/audit-log.js';
import { SqliteStore } from '../../src/relay/store/sqlite.js';
import { temporaryDirectory } from '../support/tunnel.js';
import { monotonicClock } from '../support/monotonic-clock.js';

interface Opened {
  file: string;
  store: SqliteStore;
  faults: unknown[];
  start(maxFileBytes?: number): Promise<AuditLog>;
}

async function withStore(t: TestContext, work: (opened: Opened) => Promise<void>): Promise<void> {
  const dir = temporaryDirectory(t);
  const file = join(dir, 'audit.jsonl');
  const store = new SqliteStore(join(dir, 'portal.db'));
  const faults: unknown[] = [];
  const opened: AuditLog[] = [];
  const start = async (maxFileBytes?: number) => {
    const log = new AuditLog(file, store.governance, (error) => faults.push(error), maxFileBytes);
    opened.push(log);
    await log.start();
    return log;
  };
  try {
    await work({ file, store, faults, start });
  } finally {
    for (const log of opened) await log.stop();
    await store.close();
  }
}

const ban = (store: SqliteStore, ip: string) =>
  store.governance.changePolicy(
    { kind: 'ip', ip, banned: true },
    { at: Date.now(), wallet: '0x', ip: '::1', action: 'banIp', target: ip, result: 'done' },
  );
const sequence = (file: string) =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { seq: number }).seq)
    : [];

test('a full audit log file is rotated, at most eight with mode 0600; no entry is lost or duplicated', async (t) => {
  await withStore(t, async ({ file, store, faults, start }) => {
    let log = await start(500);
    for (let i = 0; i < 60; i++) {
      await ban(store, `192.0.2.${i}`);
      await log.flush();
      if (i % 20 === 19) {
        await log.stop();
        log = await start(500);
      }
    }
    const files = [7, 6, 5, 4, 3, 2, 1].map((age) => `${file}.${age}`).concat(file);
    const kept = files.flatMap(sequence);
    assert.equal(kept.at(-1), 60);
    assert.deepEqual(
      kept,
      kept.map((_, index) => (kept[0] as number) + index),
    );
    assert.equal(existsSync(`${file}.8`), false);
    for (const one of files) assert.equal(statSync(one).mode & 0o777, 0o600);
    assert.ok(kept.length < 60 && kept.length > 20, `${kept.length} kept`);
    assert.deepEqual(faults, []);
  });
});

test('entries that the file has are not written again from the store', async (t) => {
  await withStore(t, async ({ file, store, start }) => {
    // As after a crash between the file and the store.
    const forgetful = Object.create(store.governance) as typeof store.governance;
    forgetful.dropAuditEntries = () => Promise.reject(new Error('killed'));
    const crashed = new AuditLog(file, forgetful, () => {});
    await crashed.start();
    for (let i = 0; i < 3; i++) await ban(store, `192.0.2.${i}`);
    await crashed.flush();
    await crashed.flush();
    await crashed.stop();
    const log = await start();
    await ban(store, '192.0.2.9');
    await log.flush();
    assert.deepEqual(sequence(file), [1, 2, 3, 4]);
  });
});

test('entries wait in the store while the file cannot be written', async (t) => {
  await withStore(t, async ({ file, store, faults, start }) => {
    const log = await start(1);
    await ban(store, '192.0.2.1');
    await log.flush();
    // The next rotation fails: a directory that is not empty cannot be replaced.
    const inTheWay = [`${file}.6`, `${file}.7`, join(`${file}.7`, 'more')];
    for (const path of inTheWay) mkdirSync(path);
    await ban(store, '192.0.2.2');
    await log.flush();
    assert.equal(faults.length, 1);
    assert.deepEqual(sequence(file), [1]);
    for (const path of inTheWay.reverse()) rmdirSync(path);
    await ban(store, '192.0.2.3');
    await log.flush();
    assert.deepEqual([...sequence(`${file}.1`), ...sequence(file)], [1, 2, 3]);
  });
});

test('many refused attempts are counted, not written, and evict no entry', async (t) => {
  await withStore(t, async ({ file, start }) => {
    const advance = monotonicClock(t, true);
    const log = await start();
    for (let i = 0; i < 1_000; i++) await log.refused({ ip: '192.0.2.1', action: 'loginAdmin', reason: 'no' });
    assert.equal(sequence(file).length, 100);
    advance(10_000);
    await log.refused({ ip: '192.0.2.1', action: 'loginAdmin', reason: 'no' });
    const last = readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) as string;
    assert.deepEqual((JSON.parse(last) as { value: unknown }).value, { attempts_not_written_before: 900 });
    unlinkSync(file);
  });
});
