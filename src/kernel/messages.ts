import type { PumpOrder, PumpResult } from './pump.js';

// Between the main thread and a data worker. A worker blocks in epoll, so the main thread also signals its eventfd after each
// message.

export type ToWorker =
  | { type: 'start'; id: number; order: PumpOrder }
  | { type: 'end'; id: number }
  | { type: 'drop'; id: number }
  | { type: 'stop' };

/** `load` is the share of one core that the thread has used since its last report. */
export type FromWorker =
  | { type: 'ready' }
  | { type: 'report'; load: number; moved: [id: number, bytes: number][] }
  | { type: 'stopped'; id: number; bytes: number; result: PumpResult };
