/**
 * `npm run mutate [-- --each N] [--seed N] [ROOM ...]`: changes the program in one small place at a time and runs the tests of that
 * place: those that pass all the same have not noticed. N changes of each room (20), drawn at random. Ends with the share that was
 * noticed, and names each change that was not.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Random } from '../../test/tls/mutations.js';
import { type Mutant, mutantsOf } from './mutants.js';

const project = fileURLToPath(new URL('../../../', import.meta.url));

/** What is changed, below src/, and the tests that should notice, below test/. Those that notice most come first. */
const rooms: Record<string, { sources: string[]; tests: string[] }> = {
  ingress: {
    sources: ['relay/ingress'],
    tests: [
      'relay/ingress',
      'relay/visitor-address',
      'relay/splice',
      'relay/bandwidth',
      'relay/limits',
      'relay/hostile-input',
      'relay/ports',
    ],
  },
  reverse: {
    sources: ['relay/reverse', 'relay/api/connect.js'],
    tests: [
      'relay/connect',
      'relay/recycle',
      'relay/websocket',
      'relay/ingress',
      'relay/limits',
      'relay/unwrap',
      'relay/drain',
    ],
  },
  leases: {
    sources: ['relay/leases'],
    tests: ['relay/registration', 'relay/store-outage', 'relay/restart', 'relay/limits', 'relay/ports'],
  },
  policy: {
    sources: ['relay/policy'],
    tests: ['relay/admin-policy', 'relay/admin-approval', 'relay/admin-live', 'relay/bandwidth', 'relay/limits'],
  },
  auth: {
    sources: ['relay/auth'],
    tests: [
      'relay/registration',
      'relay/admin-sign-in',
      'relay/limits',
      'relay/open-challenges',
      'relay/requests',
      'relay/hostile-input',
      'contract/authorization',
    ],
  },
  keyless: { sources: ['relay/keyless'], tests: ['relay/signing', 'tunnel/keyless'] },
  unwrap: {
    sources: ['unwrap'],
    tests: ['unwrap/unwrapped-session', 'unwrap/unwrap', 'relay/unwrap', 'tunnel/unwrap'],
  },
  http: {
    sources: ['tunnel/services/http'],
    tests: ['tunnel/http-hostile', 'tunnel/http-messages', 'tunnel/host-rewrite', 'tunnel/visitor-address'],
  },
};

const { values, positionals } = parseArgs({
  options: { each: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' } },
  allowPositionals: true,
});
const chosen = Object.entries(rooms).filter(([name]) => positionals.length === 0 || positionals.includes(name));
if (chosen.length === 0 || !(Number(values.each) > 0)) {
  process.stderr.write(`mutate: give --each N, --seed N, and rooms of: ${Object.keys(rooms).join(', ')}\n`);
  process.exit(2);
}

interface Trial {
  room: string;
  file: string;
  mutant: Mutant;
  tests: string[];
}

function trials(): Trial[] {
  const random = new Random(Number(values.seed));
  return chosen.flatMap(([room, { sources, tests }]) => {
    const files = sources.flatMap((source) => {
      if (source.endsWith('.js')) return [`dist/src/${source}`];
      const names = readdirSync(join(project, 'dist/src', source)).filter((name) => name.endsWith('.js'));
      return names.map((name) => `dist/src/${source}/${name}`);
    });
    const all = files.flatMap((file) =>
      mutantsOf(readFileSync(join(project, file), 'utf8')).map((mutant) => ({ room, file, mutant, tests })),
    );
    const drawn: Trial[] = [];
    while (drawn.length < Number(values.each) && all.length > 0) drawn.push(...all.splice(random.below(all.length), 1));
    return drawn;
  });
}

/** A copy of the build to change, beside everything else that tests read. */
function workshop(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portal-mutate-'));
  cpSync(join(project, 'dist'), join(folder, 'dist'), { recursive: true });
  for (const name of readdirSync(project))
    if (name !== 'dist' && name !== '.git') symlinkSync(join(project, name), join(folder, name));
  return folder;
}

/** Longer than any of the test files takes; a change that makes one hang is noticed. */
const testTimeoutMs = 90_000;

/** @returns whether a test failed */
async function fails(folder: string, test: string): Promise<boolean> {
  const options = ['--test', `--test-timeout=${testTimeoutMs}`, '--test-reporter=tap'];
  const child = spawn(process.execPath, [...options, `dist/test/${test}.test.js`], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  return await new Promise((resolve) => {
    let text = '';
    const end = (failed: boolean) => {
      clearTimeout(deadline);
      resolve(failed);
      // Its children as well.
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // They are gone.
      }
    };
    const deadline = setTimeout(() => end(true), testTimeoutMs + 10_000);
    child.stdout.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-2_000);
      if (/^\s*not ok /m.test(text)) end(true);
    });
    child.once('close', (code) => end(code !== 0));
  });
}

async function isNoticed(folder: string, { file, mutant, tests }: Trial): Promise<boolean> {
  const path = join(folder, file);
  const code = readFileSync(path, 'utf8');
  writeFileSync(path, code.slice(0, mutant.start) + mutant.text + code.slice(mutant.end));
  try {
    for (const test of tests)
      if (existsSync(join(folder, `dist/test/${test}.test.js`)) && (await fails(folder, test))) return true;
    return false;
  } finally {
    writeFileSync(path, code);
  }
}

const queue = trials();
const noticed = new Map<string, number>();
const tried = new Map<string, number>();
const survivors: Trial[] = [];
async function work(): Promise<void> {
  const folder = workshop();
  try {
    for (let trial = queue.shift(); trial; trial = queue.shift()) {
      const isDone = await isNoticed(folder, trial);
      tried.set(trial.room, (tried.get(trial.room) ?? 0) + 1);
      if (isDone) noticed.set(trial.room, (noticed.get(trial.room) ?? 0) + 1);
      else {
        survivors.push(trial);
        process.stdout.write(`not noticed: ${trial.file}:${trial.mutant.line}: ${trial.mutant.what}\n`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
await Promise.all(Array.from({ length: Math.max(1, availableParallelism() - 1) }, work));
for (const [room, count] of tried)
  process.stdout.write(`${room.padEnd(12)}${noticed.get(room) ?? 0} of ${count} changes noticed\n`);
