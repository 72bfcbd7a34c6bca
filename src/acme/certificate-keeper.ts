import { join } from 'node:path';
import { printable } from '../sdk/calls/answers.js';
import { systemCode } from '../sdk/calls/errors.js';
import { readPrivateFile, writePrivateFile } from '../sdk/identity/private-file.js';
import { sleep } from '../sdk/lease/sleep.js';
import { type Credentials, parseCredentials } from '../tls/index.js';
import { type AcmeCa, acmeKeys, maxPemBytes } from './acme-ca.js';
import { AcmeError, type ChallengeType, type Prove, type RenewalWindow } from './acme-client.js';
import { renewalTime } from './renewal-time.js';

/** In milliseconds. */
export const acmeTimes = {
  /** First wait after a failed order; it doubles. CAs allow few failures an hour (Let's Encrypt: five). */
  firstRetryMs: 120_000,
  longestRetryMs: 3_600_000,
  /** From one order to the next at least, whatever the CA suggests. */
  leastRenewalMs: 3_600_000,
  /** Longest time between two looks whether the certificate is to be renewed. */
  checkIntervalMs: 6 * 3_600_000,
};
export type AcmeTimes = typeof acmeTimes;

export interface KeptStatus {
  /** One line of text for people. */
  message: string;
  error?: Error | undefined;
}

export interface CertificateKeeperOptions {
  /** Host names, and wildcards; the first names the file. */
  names: readonly string[];
  /** The one to order from, and others for when that gives none. */
  cas: readonly [AcmeCa, ...AcmeCa[]];
  times: AcmeTimes;
  challenge: ChallengeType;
  prove: Prove;
  onStatus(status: KeptStatus): void;
  /** There is a certificate, for the first time or a new one. */
  onChange(credentials: Credentials): void;
}

/** Orders a certificate, keeps it in a file with its key, and renews it in time. */
export class CertificateKeeper {
  #current: Credentials | undefined;
  /** Whose the certificate is. */
  #issuer: AcmeCa;
  /** Where in the suggested window it is renewed: drawn once, so that the time does not move with each look. */
  readonly #random = Math.random();
  #window: RenewalWindow | undefined;
  #askAgainAt = 0;
  #orderedAt = -Infinity;

  constructor(private readonly options: CertificateKeeperOptions) {
    this.#issuer = options.cas[0];
  }

  /** Until the signal is aborted. A fault is told, and tried again. */
  async keep(signal: AbortSignal): Promise<void> {
    const { names, times } = this.options;
    for (const ca of this.options.cas) await this.#load(ca);
    for (let failures = 0; !signal.aborted;) {
      const waitMs = this.#current ? (await this.#dueAt(this.#current, signal)) - Date.now() : 0;
      if (waitMs > 0) {
        await sleep(Math.min(waitMs, times.checkIntervalMs), signal);
        continue;
      }
      try {
        await this.#orderFromAny(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const backoff = Math.min(times.firstRetryMs * 2 ** Math.min(failures++, 20), times.longestRetryMs);
        const retryMs = Math.max(backoff, (error instanceof AcmeError && error.retryAfterMs) || 0);
        const when = `again in ${Math.ceil(retryMs / 60_000)} min`;
        const message = `no certificate for ${names.join(', ')}: ${(error as Error).message}; trying ${when}`;
        this.options.onStatus({ message, error: error as Error });
        await sleep(retryMs, signal);
      }
    }
  }

  #change(credentials: Credentials, issuer: AcmeCa): void {
    this.#current = credentials;
    this.#issuer = issuer;
    this.options.onChange(credentials);
  }

  #fileOf({ folder }: AcmeCa): string {
    return join(folder, `${this.options.names[0]}.pem`);
  }

  /** Takes the certificate of a CA's file, if it is still good, and lasts longer than the one there is. */
  async #load(ca: AcmeCa): Promise<void> {
    const file = this.#fileOf(ca);
    try {
      const pem = await readPrivateFile(file, maxPemBytes);
      const credentials = parseCredentials(pem, pem);
      const { leaf } = credentials;
      const covers = (name: string) => leaf.checkHost(name.replace('*', 'any')) !== undefined;
      const until = Math.max(Date.now(), this.#current ? Date.parse(this.#current.leaf.validTo) : 0);
      if (Date.parse(leaf.validTo) > until && this.options.names.every(covers)) this.#change(credentials, ca);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      const message = `${file} is not used: ${(error as Error).message}`;
      this.options.onStatus({ message, error: error as Error });
    }
  }

  /** When to renew. A CA that cannot be asked changes nothing. */
  async #dueAt({ leaf }: Credentials, signal: AbortSignal): Promise<number> {
    const { times } = this.options;
    const id = (await acmeKeys()).renewalId(leaf);
    if (id !== undefined && Date.now() >= this.#askAgainAt) {
      this.#askAgainAt = Date.now() + times.checkIntervalMs / 2;
      try {
        const client = await this.#issuer.client();
        this.#window = await client.renewalWindow(id, signal);
        const { retryAfterMs } = this.#window ?? {};
        if (retryAfterMs !== undefined) this.#askAgainAt = Date.now() + retryAfterMs;
      } catch {
        // The time by the lifetime, or the window told before, counts.
      }
    }
    return Math.max(renewalTime(leaf, this.#window, this.#random), this.#orderedAt + times.leastRenewalMs);
  }

  /** @throws the last CA's error when none of them gives a certificate */
  async #orderFromAny(signal: AbortSignal): Promise<void> {
    const { cas, onStatus } = this.options;
    for (const [at, ca] of cas.entries()) {
      try {
        return await this.#order(ca, signal);
      } catch (error) {
        const next = cas[at + 1];
        if (signal.aborted || !next) throw error;
        const message = `${ca.host} gives no certificate: ${(error as Error).message}; asking ${next.host}`;
        onStatus({ message, error: error as Error });
      }
    }
  }

  async #order(ca: AcmeCa, signal: AbortSignal): Promise<void> {
    const { names, challenge, prove, onStatus } = this.options;
    const all = names.join(', ');
    const client = await ca.client();
    const terms = await client.terms(signal);
    const accepting = terms === undefined ? '' : `, accepting ${printable(terms, 200)}`;
    onStatus({ message: `ordering a certificate for ${all} from ${ca.host}${accepting}` });
    const account = printable(await client.account(signal), 200);
    const { certificateRequest, renewalId } = await acmeKeys();
    const { keyPem, csr } = await certificateRequest(names);
    const isReplacement = this.#window && this.#current && this.#issuer === ca;
    const replaces = isReplacement ? renewalId(this.#current!.leaf) : undefined;
    const chain = await client.order({ names, csr, replaces, challenge, prove }, signal);
    const credentials = parseCredentials(chain, keyPem);
    const file = this.#fileOf(ca);
    await writePrivateFile(file, `${keyPem.trimEnd()}\n${chain}`, 'replace').catch((error: unknown) => {
      const message = `the certificate of ${all} cannot be kept in ${file}: ${(error as Error).message}`;
      onStatus({ message, error: error as Error });
    });
    this.#window = undefined;
    this.#askAgainAt = 0;
    this.#orderedAt = Date.now();
    this.#change(credentials, ca);
    const until = new Date(credentials.leaf.validTo).toISOString().slice(0, 10);
    onStatus({ message: `${all} has a certificate of its own, until ${until}, from the account ${account}` });
  }
}
