import { EventEmitter } from 'node:events';
import type { HttpForwarder } from '../services/http/http-forwarder.js';
import type { Recorder } from './recorder.js';
import { type Changes, replay } from './replay.js';
import { curlOf, detailOf, type ExchangeDetail, harOf, type ExchangeSummary, summaryOf } from './views.js';

/** The last requests of a service that is inspected, for its owner. Secrets are masked unless they are asked for. */
export class Inspector extends EventEmitter<{ changed: [summary: ExchangeSummary] }> {
  constructor(
    private readonly recorder: Recorder,
    private readonly forwarder: HttpForwarder,
    /** Ends what is sent again. */
    private readonly signal: AbortSignal,
  ) {
    super();
    // One listener per page that follows, whose number their server bounds.
    this.setMaxListeners(0);
    recorder.on('changed', (recorded) => {
      if (this.listenerCount('changed') > 0) this.emit('changed', summaryOf(recorded));
    });
  }

  /** The oldest first. */
  list(): ExchangeSummary[] {
    return this.recorder.all.map(summaryOf);
  }

  /** Whether it is (still) kept. */
  has(id: number): boolean {
    return this.recorder.find(id) !== undefined;
  }

  /** @returns undefined when it is not kept (any more) */
  find(id: number, showsSecrets: boolean): ExchangeDetail | undefined {
    const recorded = this.recorder.find(id);
    return recorded && detailOf(recorded, showsSecrets);
  }

  /** A shell command that sends it again. @returns undefined when it is not kept (any more) */
  curl(id: number, showsSecrets: boolean): string | undefined {
    const recorded = this.recorder.find(id);
    return recorded && curlOf(recorded, showsSecrets);
  }

  /** HTTP Archive 1.2, in pieces. */
  har(showsSecrets: boolean): AsyncGenerator<string> {
    return harOf(this.recorder.all, showsSecrets);
  }

  clear(): void {
    this.recorder.clear();
  }

  /** Sends a request again, past the checks of who may come in. @throws Error that says why it cannot */
  replay(id: number, changes: Changes): void {
    replay(this.recorder, this.forwarder, id, changes, this.signal);
  }
}
