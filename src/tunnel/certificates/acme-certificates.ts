import { AcmeCa, type AcmeCaOptions, acmeKeys } from '../../acme/acme-ca.js';
import type { Prove } from '../../acme/acme-client.js';
import { type AcmeTimes, acmeTimes, CertificateKeeper } from '../../acme/certificate-keeper.js';
import type { Credentials } from '../../tls/index.js';
import { background } from '../../util/boundary.js';
import { OwnCertificate, OwnCertificates } from './own-certificate.js';

/** Where certificates are ordered, and when. */
export interface AcmeOptions extends AcmeCaOptions {
  times?: Partial<AcmeTimes> | undefined;
}

export interface AcmeCertificatesOptions extends AcmeOptions {
  /** Where keys and certificates are kept. */
  folder: string;
  proxy?: string | URL | false | undefined;
}

/** A certificate that is ordered, proven by `tls-alpn-01`, and renewed in time. */
class AcmeCertificate extends OwnCertificate {
  #challenge: Credentials | undefined;
  #isServing = false;
  readonly #keeper: CertificateKeeper;

  constructor(hostname: string, ca: AcmeCa, times: AcmeTimes) {
    super();
    const prove: Prove = async ([proof]) => {
      const { challengeCredentials } = await acmeKeys();
      this.#challenge = await challengeCredentials(hostname, proof!.keyAuthorization);
      return () => (this.#challenge = undefined);
    };
    this.#keeper = new CertificateKeeper({
      names: [hostname],
      cas: [ca],
      times,
      challenge: 'tls-alpn-01',
      prove,
      onStatus: (status) => this.emit('status', status),
      onChange: (credentials) => this.change(credentials),
    });
  }

  /** @see OwnCertificate */
  override get challenge(): Credentials | undefined {
    return this.#challenge;
  }

  /** @see OwnCertificate */
  override serve(signal: AbortSignal): void {
    if (this.#isServing) return;
    this.#isServing = true;
    background('own certificate', async () => await this.#keeper.keep(signal));
  }
}

/** Certificates of an ACME CA, ordered by the tunnel itself, whose keys do not leave this machine. */
export class AcmeCertificates extends OwnCertificates {
  readonly #ca: AcmeCa;
  readonly #times: AcmeTimes;

  /** @throws UsageError */
  constructor(options: AcmeCertificatesOptions) {
    super();
    this.#ca = new AcmeCa(options);
    this.#times = { ...acmeTimes, ...options.times };
  }

  /** @see OwnCertificates */
  override async close(): Promise<void> {
    await this.#ca.close();
  }

  protected override make(hostname: string): OwnCertificate {
    return new AcmeCertificate(hostname, this.#ca, this.#times);
  }
}
