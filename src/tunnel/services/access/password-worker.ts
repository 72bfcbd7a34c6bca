import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

// The thread of PasswordChecks.
// boundary: an error ends this thread, and the next check starts another.
parentPort?.on('message', ({ id, password, hash }: { id: number; password: string; hash: string }) => {
  parentPort?.postMessage({ id, isRight: compareSync(password, hash) });
});
