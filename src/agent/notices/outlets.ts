import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { background } from '../../util/boundary.js';
import { Mutex } from '../../util/mutex.js';
import type { AgentSettings } from '../configuration/agent-settings.js';
import type { AgentNotice } from '../contract.js';

/** Notices that wait for those before them; more are dropped. */
const maxWaiting = 100;
const commandTimeoutMs = 30_000;
const webhookTimeoutMs = 10_000;
/** Before each further attempt to reach the webhook. */
const webhookDelaysMs = [1_000, 5_000];

/** Sends notices to a command and a webhook, one after the other. */
export class NoticeOutlets {
  #settings: Pick<AgentSettings, 'notifyCommand' | 'notifyWebhook'> = {
    notifyCommand: undefined,
    notifyWebhook: undefined,
  };
  #waiting = 0;
  readonly #turns = new Mutex();
  readonly #ending = new AbortController();

  /** @param failed told in one line why a notice did not get there */
  constructor(private readonly failed: (outlet: 'command' | 'webhook', reason: string) => void) {}

  use(settings: Pick<AgentSettings, 'notifyCommand' | 'notifyWebhook'>): void {
    this.#settings = settings;
  }

  send(notice: AgentNotice): void {
    const { notifyCommand: command, notifyWebhook: webhook } = this.#settings;
    if ((!command && !webhook) || this.#waiting >= maxWaiting) return;
    this.#waiting++;
    background('agent notice', () =>
      this.#turns
        .run(async () => {
          if (command) await this.#run(command, notice).catch((error: Error) => this.#tell('command', error));
          if (webhook) await this.#post(webhook, notice).catch((error: Error) => this.#tell('webhook', error));
        })
        .finally(() => this.#waiting--),
    );
  }

  /** Ends what is under way. */
  stop(): void {
    this.#ending.abort(new Error('the agent ends'));
  }

  #tell(outlet: 'command' | 'webhook', error: Error): void {
    if (!this.#ending.signal.aborted) this.failed(outlet, error.message);
  }

  async #run([program = '', ...args]: readonly string[], notice: AgentNotice): Promise<void> {
    const { kind, message, service = '', relay = '' } = notice;
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(commandTimeoutMs)]);
    const child = spawn(program, args, {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: {
        ...process.env,
        PORTAL_NOTICE_KIND: kind,
        PORTAL_NOTICE_MESSAGE: message,
        PORTAL_NOTICE_SERVICE: service,
        PORTAL_NOTICE_RELAY: relay,
      },
      signal,
      killSignal: 'SIGKILL',
    });
    // boundary: cannot throw.
    child.stdin.on('error', () => undefined);
    child.stdin.end(`${JSON.stringify(notice)}\n`);
    const [code, killed] = (await once(child, 'exit').catch((error: Error) => {
      if (error.name !== 'AbortError') throw error;
      throw new Error(`it did not end within ${commandTimeoutMs / 1000} s`);
    })) as [number | null, string | null];
    if (code !== 0) throw new Error(code === null ? `it was ended by ${killed}` : `it ended with code ${code}`);
  }

  async #post(url: string, notice: AgentNotice): Promise<void> {
    for (const delayMs of [...webhookDelaysMs, undefined]) {
      const fault = await this.#postOnce(url, notice);
      if (fault === undefined) return;
      if (delayMs === undefined) throw new Error(fault);
      await setTimeout(delayMs, undefined, { signal: this.#ending.signal });
    }
  }

  /** @returns why it should be tried again @throws when that is of no use */
  async #postOnce(url: string, notice: AgentNotice): Promise<string | undefined> {
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(webhookTimeoutMs)]);
    try {
      const { status, body } = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(notice),
        redirect: 'error',
        signal,
      });
      await body?.cancel();
      if (status < 300) return undefined;
      if (status < 500 && status !== 429) throw new RefusedError(`it answers ${status}`);
      return `it answers ${status}`;
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      const { cause, message } = error as Error;
      return cause instanceof Error ? cause.message : message;
    }
  }
}

class RefusedError extends Error {}
