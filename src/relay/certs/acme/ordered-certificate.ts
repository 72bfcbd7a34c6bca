import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AcmeCa, type AcmeCaOptions } from '../../../acme/acme-ca.js';
import type { Prove } from '../../../acme/acme-client.js';
import { type AcmeTimes, acmeTimes, CertificateKeeper } from '../../../acme/certificate-keeper.js';
import { background } from '../../../util/boundary.js';
import { sleep } from '../../../sdk/lease/sleep.js';
import type { Logger } from '../../../util/logger.js';
import { type Certificate, certificateOf } from '../certificate.js';
import { ChallengeDns } from './challenge-dns.js';
import type { ChallengeRecords } from './challenge-records.js';
import { DnsHook } from './dns-hook.js';

export interface AcmeSettings extends AcmeCaOptions {
  /** A program that sets the records, or the port where the relay answers for them itself. */
  dns: { hook: string; waitSeconds: number } | { port: number };
  /** Another CA, for when this one gives no certificate. */
  fallback?: Pick<AcmeCaOptions, 'directory' | 'externalAccount'> | undefined;
  times?: Partial<AcmeTimes> | undefined;
}

interface OrderedCertificateOptions {
  settings: AcmeSettings;
  rootHost: string;
  stateDir: string;
  /** Address of the relay's listeners. */
  host: string;
  logger: Logger;
}

/** The relay's certificate, for its root host and all names below, ordered by ACME and renewed in time. */
export class OrderedCertificate {
  readonly #records: ChallengeRecords;
  readonly #cas: [AcmeCa, ...AcmeCa[]];
  readonly #ended = new AbortController();
  #onChange: (certificate: Certificate) => void = () => undefined;

  /** @throws UsageError */
  constructor(private readonly options: OrderedCertificateOptions) {
    const { settings, stateDir, rootHost, host } = options;
    const folder = join(stateDir, 'acme');
    this.#cas = [new AcmeCa({ ...settings, folder })];
    const { fallback, email, ca } = settings;
    if (fallback) this.#cas.push(new AcmeCa({ email, ca, ...fallback, folder }));
    const zone = `_acme-challenge.${rootHost}`;
    this.#records =
      'hook' in settings.dns
        ? new DnsHook(settings.dns.hook)
        : new ChallengeDns({ zone, rootHost, host, port: settings.dns.port });
  }

  /**
   * Waits for the first certificate, however long that takes, and keeps it renewed from then on.
   * @throws Error in one line when the port for DNS cannot be bound; the signal's reason
   */
  async start(signal: AbortSignal): Promise<Certificate> {
    const { settings, rootHost, logger } = this.options;
    await this.#records.start();
    const first = new Promise<Certificate>((resolve) => (this.#onChange = resolve));
    const keeper = new CertificateKeeper({
      names: [rootHost, `*.${rootHost}`],
      cas: this.#cas,
      times: { ...acmeTimes, ...settings.times },
      challenge: 'dns-01',
      prove: this.#prove,
      onStatus: ({ message, error }) => (error ? logger.error(message) : logger.info(message)),
      onChange: (credentials) => this.#onChange(certificateOf(credentials)),
    });
    background('relay certificate', async () => await keeper.keep(this.#ended.signal));
    const stopped = new Promise<never>((_resolve, reject) => {
      // boundary: cannot throw.
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    signal.throwIfAborted();
    return await Promise.race([first, stopped]);
  }

  /** Called with each certificate after the first. */
  onChange(listener: (certificate: Certificate) => void): void {
    this.#onChange = listener;
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#records.stop();
    for (const ca of this.#cas) await ca.close();
  }

  readonly #prove: Prove = async (proofs, signal) => {
    const { dns } = this.options.settings;
    const set: { name: string; value: string }[] = [];
    const takeAway = async () => {
      for (const { name, value } of set) {
        await this.#records
          .remove(name, value)
          .catch((error: unknown) => this.options.logger.warn((error as Error).message));
      }
    };
    try {
      for (const { hostname, keyAuthorization } of proofs) {
        const record = {
          name: `_acme-challenge.${hostname}`,
          value: createHash('sha256').update(keyAuthorization).digest('base64url'),
        };
        // What was begun may be there.
        set.push(record);
        await this.#records.add(record.name, record.value, signal);
      }
      if ('waitSeconds' in dns) await sleep(dns.waitSeconds * 1000, signal);
      signal.throwIfAborted();
    } catch (error) {
      await takeAway();
      throw error;
    }
    return takeAway;
  };
}
