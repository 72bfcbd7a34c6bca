import type { PumpOrder, PumpResult } from './pump.js';

// Between the main thread and a data worker. After each batch of these the sender signals: the worker by its port, the main
// thread by the worker's eventfd.

export type ToWorker =
  | { type: 'start'; id: number; order: PumpOrder }
  | { type: 'end'; id: number }
  | { type: 'drop'; id: number }
  | { type: 'stop' };

export type FromWorker =
  | { type: 'moved'; moved: [id: number, bytes: number][] }
  | { type: 'stopped'; id: number; bytes: number; result: PumpResult };

/** Descriptors that the main thread owns, so that a worker that fails leaves none open. */
export interface WorkerStart {
  poll: number;
  /** Readable when there are messages. */
  wake: number;
}
