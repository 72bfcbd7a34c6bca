import { EventEmitter } from 'node:events';
import { withoutUndefined } from '../../util/without-undefined.js';
import type { AgentNotice } from '../contract.js';

/** Notices that are kept. */
const maxNotices = 100;

/** What people should know, since the agent was started. */
export class Notices extends EventEmitter<{ notice: [notice: AgentNotice] }> {
  readonly #all: AgentNotice[] = [];

  /** The oldest first. */
  get all(): AgentNotice[] {
    return [...this.#all];
  }

  add(notice: { kind: AgentNotice['kind']; message: string; service?: string; relay?: string | undefined }): void {
    const made = withoutUndefined({ time: new Date().toISOString(), ...notice }) as AgentNotice;
    this.#all.push(made);
    if (this.#all.length > maxNotices) this.#all.shift();
    this.emit('notice', made);
  }
}
