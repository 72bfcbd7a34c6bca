import type { Duplex } from 'node:stream';
import type { LocalAnswer } from './local-answer.js';
import { Routes } from './routes.js';
import { VisitorConnection } from './visitor-connection.js';

const nowhere = new Routes([]);

/**
 * Answers the one request of a connection, whatever is asked for, and ends it. Settles, never rejects, when the stream
 * is closed.
 */
export async function serveAnswer(visitor: Duplex, answer: LocalAnswer): Promise<void> {
  const connection = new VisitorConnection(
    visitor,
    { address: undefined, hostname: undefined },
    () => Promise.reject(new Error('nothing is forwarded')),
    { routes: nowhere, gate: { check: () => ({ answer, isLast: true }) } },
  );
  await connection.over;
}
