import { setTimeout as sleep } from 'node:timers/promises';
import type { RelayConfig } from '../../relay/config/config.js';
import { type RelayServer, startRelay } from '../../relay/relay-server.js';
import { guard } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';
import { tellMainProcess } from './service-manager.js';
import { Successor } from './successor.js';

/** For connections that were accepted before to say their name and to get a session. */
const settleMs = 500;

/** At SIGUSR2 has a new process take over from a relay, and starts the relay again where that fails. */
export class Upgrades {
  /** Settles when a new process has taken over; the relay then serves what is there. */
  readonly done: Promise<undefined>;
  #successor: Successor | undefined;
  #hasTakenOver = false;
  #isBusy = false;
  #finish!: () => void;

  constructor(
    private readonly config: RelayConfig,
    private readonly logger: Logger,
    private relay: RelayServer,
    /** Called with the relay that serves now. */
    private readonly onRestart: (relay: RelayServer) => void,
  ) {
    this.done = new Promise((resolve) => (this.#finish = () => resolve(undefined)));
  }

  listen(): void {
    // Windows has no such signal.
    if (process.platform !== 'win32') process.on('SIGUSR2', this.#onSignal);
  }

  /** Ignores the signal from now on. A new process that has not taken over ends. */
  stop(): void {
    this.#isBusy = true;
    if (!this.#hasTakenOver) this.#successor?.kill();
  }

  /** Leaves the new process alone. */
  leave(): void {
    this.#successor?.leave();
  }

  readonly #onSignal = guard('relay upgrade', () => this.#upgrade());

  async #upgrade(): Promise<void> {
    const { logger } = this;
    if (this.#isBusy) return;
    // The end of a container's first process ends the container.
    if (process.pid === 1)
      return logger.warn('this is the first process of a container, and cannot be replaced: start another container');
    this.#isBusy = true;
    logger.info('a new process is started, to take over');
    let successor: Successor;
    try {
      successor = await Successor.start();
    } catch (error) {
      this.#isBusy = false;
      return logger.error({ err: error }, 'no new process took over: this one goes on as it was');
    }
    const { relay } = this;
    this.#successor = successor;
    successor.on('cut', (cut) => relay.cut(cut));
    try {
      await relay.handOver((socket) => successor.give(socket));
      await successor.go();
    } catch (error) {
      this.#successor = undefined;
      logger.error({ err: error }, 'the new process does not serve: this one starts again');
      await successor.end();
      await this.#restart(relay);
      return;
    }
    this.#hasTakenOver = true;
    await tellMainProcess(successor.pid!, process.env).catch((error: unknown) =>
      logger.warn({ err: error }, 'systemd could not be told of the new process'),
    );
    logger.info(
      { pid: successor.pid, seconds: this.config.drainTimeoutSeconds },
      'a new process has taken over; connections that are open go on here',
    );
    await sleep(settleMs);
    this.#finish();
  }

  /** What is open goes on, for as long as at a stop. */
  async #restart(former: RelayServer): Promise<void> {
    try {
      this.relay = await startRelay(this.config, this.logger);
    } catch (error) {
      // Nobody serves: the process ends, for its supervisor to start another.
      setImmediate(() => {
        throw error;
      });
      return;
    }
    this.onRestart(this.relay);
    this.#isBusy = false;
    const enough = AbortSignal.timeout(this.config.drainTimeoutSeconds * 1000);
    await former.drain(enough);
    await former.stop();
  }
}
