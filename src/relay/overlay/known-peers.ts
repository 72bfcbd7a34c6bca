import { readPrivateFile, writePrivateFile } from '../../sdk/identity/private-file.js';
import { systemCode } from '../../sdk/calls/errors.js';
import type { WantedPeer } from './peer-plan.js';

/** Most relays and their keys that are remembered. */
const maxKnown = 1_024;
/** Room for that many lines: an address, a space and a key. */
const maxFileBytes = maxKnown * 90;

export type KnownPeer = Pick<WantedPeer, 'relay' | 'publicKey'>;

/**
 * Relays with their keys in the order in which they were heard of, which is kept over a restart: who has had a key or an overlay address
 * for longer keeps it. They keep their place when they are away.
 */
export class KnownPeers {
  readonly #known = new Map<string, KnownPeer>();
  #isSaved = true;

  /** @param file one line each */
  constructor(private readonly file: string) {}

  /** The one that was heard of first comes first. */
  get all(): KnownPeer[] {
    return [...this.#known.values()];
  }

  /** A file that is not there, or says something else, counts as none. @throws Error in one line when it cannot be read */
  async load(): Promise<void> {
    const text = await readPrivateFile(this.file, maxFileBytes).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return '';
      throw new Error(`${this.file}: ${(error as Error).message}`, { cause: error });
    });
    for (const line of text.split('\n').slice(0, maxKnown)) {
      const [relay, publicKey] = line.split(' ');
      if (relay && publicKey) this.#known.set(line, { relay, publicKey });
    }
  }

  /** @param isPeer those are not forgotten to make room for others */
  remember(wanted: readonly KnownPeer[], isPeer: (known: KnownPeer) => boolean): void {
    for (const { relay, publicKey } of wanted) {
      const line = `${relay} ${publicKey}`;
      if (this.#known.has(line)) continue;
      if (this.#known.size >= maxKnown) this.#forgetOne(isPeer);
      this.#known.set(line, { relay, publicKey });
      this.#isSaved = false;
    }
  }

  /** Writes the file, if anything has changed since. @throws the system's error */
  async save(): Promise<void> {
    if (this.#isSaved) return;
    this.#isSaved = true;
    await writePrivateFile(this.file, `${[...this.#known.keys()].join('\n')}\n`, 'replace');
  }

  /** The one that was heard of first, of those that are no peers. */
  #forgetOne(isPeer: (known: KnownPeer) => boolean): void {
    for (const [line, known] of this.#known) {
      if (isPeer(known)) continue;
      this.#known.delete(line);
      return;
    }
  }
}
