import { repeat } from '../../util/boundary.js';

const trafficSampleMs = 5_000;
/** Samples in the window: half a minute. */
const trafficSamples = 7;

export interface Load {
  /** Public connections served now. */
  connections: number;
  /** Bytes passed since the start, both ways; never decreases. */
  bytes: number;
}

/** Throughput over the last half minute, from samples of a counter. */
export class TrafficMeter {
  #samples: { at: number; bytes: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param load reads the counters @param now a monotonic clock in milliseconds */
  constructor(
    private readonly load: () => Load,
    private readonly now: () => number = () => performance.now(),
  ) {}

  start(): void {
    this.sample();
    this.#timer = repeat('traffic sample', () => this.sample(), trafficSampleMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  sample(): void {
    this.#samples = [...this.#samples, { at: this.now(), bytes: this.load().bytes }].slice(-trafficSamples);
  }

  /** `bps`: bytes a second, whole, from the oldest sample until now. */
  read(): { connections: number; bps: number } {
    const { connections, bytes } = this.load();
    const oldest = this.#samples[0];
    // Less than a second is too short for a rate.
    const seconds = oldest ? Math.max(1, (this.now() - oldest.at) / 1000) : 1;
    return { connections, bps: Math.max(0, Math.round((bytes - (oldest?.bytes ?? bytes)) / seconds)) };
  }
}
