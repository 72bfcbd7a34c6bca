import { createHash, createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { printable } from '../../../sdk/calls/answers.js';
import { systemCode, UsageError } from '../../../sdk/calls/errors.js';
import { readPrivateFile, writePrivateFile } from '../../../sdk/identity/private-file.js';
import { sleep } from '../../../sdk/lease/sleep.js';
import { RelayTransport } from '../../../sdk/transport/relay-transport.js';
import { type Credentials, parseCredentials } from '../../../tls/index.js';
import { background } from '../../../util/boundary.js';
import { OwnCertificate, OwnCertificates } from '../own-certificate.js';
import { AcmeClient, AcmeError, type ExternalAccount, type RenewalWindow } from './acme-client.js';
import { renewalTime } from './renewal-time.js';

export const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory';
const maxFileBytes = 262_144;

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

/** Where certificates are ordered. */
export interface AcmeOptions {
  /** The CA's ACME directory; Let's Encrypt by default. */
  directory?: string | URL | undefined;
  /** Address for the CA's notices. */
  email?: string | undefined;
  /** PEM certificates to trust for the CA's API instead of the well-known ones. */
  ca?: string | Buffer | undefined;
  /** Key id and HMAC key (base64url), for CAs that ask for an external account. */
  externalAccount?: ExternalAccount | undefined;
  times?: Partial<AcmeTimes> | undefined;
}

export interface AcmeCertificatesOptions extends AcmeOptions {
  /** Where keys and certificates are kept. */
  folder: string;
  proxy?: string | URL | false | undefined;
}

/** @throws UsageError */
export function checkAcmeOptions({ directory = letsEncrypt, email, externalAccount }: AcmeOptions): void {
  if (!URL.canParse(String(directory)) || new URL(directory).protocol !== 'https:')
    throw new UsageError(`not the https URL of an ACME directory: ${JSON.stringify(String(directory))}`);
  if (email !== undefined && !/^[^\s@,?]+@[^\s@,?]+$/.test(email))
    throw new UsageError(`not an email address: ${JSON.stringify(email)}`);
  if (externalAccount && !(externalAccount.kid !== '' && /^[A-Za-z0-9_-]+=*$/.test(externalAccount.hmacKey)))
    throw new UsageError('an external account needs a key id, and an HMAC key in base64url');
}

/** The parts of an order that all names share: the account, and the way to the CA. */
interface Ordering {
  readonly folder: string;
  readonly ca: string;
  readonly times: AcmeTimes;
  client(): Promise<AcmeClient>;
}

/** A certificate that is ordered, kept in a file, and renewed in time. */
class AcmeCertificate extends OwnCertificate {
  #challenge: Credentials | undefined;
  #isServing = false;
  /** Where in the suggested window it is renewed: drawn once, so that the time does not move with each look. */
  readonly #random = Math.random();
  #window: RenewalWindow | undefined;
  #askAgainAt = 0;
  #orderedAt = -Infinity;

  constructor(
    private readonly hostname: string,
    private readonly ordering: Ordering,
  ) {
    super();
  }

  /** @see OwnCertificate */
  override get challenge(): Credentials | undefined {
    return this.#challenge;
  }

  /** @see OwnCertificate */
  override serve(signal: AbortSignal): void {
    if (this.#isServing) return;
    this.#isServing = true;
    background('own certificate', async () => await this.#keep(signal));
  }

  get #file(): string {
    return join(this.ordering.folder, `${this.hostname}.pem`);
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const { times } = this.ordering;
    await this.#load();
    for (let failures = 0; !signal.aborted;) {
      const waitMs = this.current ? (await this.#dueAt(this.current, signal)) - Date.now() : 0;
      if (waitMs > 0) {
        await sleep(Math.min(waitMs, times.checkIntervalMs), signal);
        continue;
      }
      try {
        await this.#order(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const backoff = Math.min(times.firstRetryMs * 2 ** Math.min(failures++, 20), times.longestRetryMs);
        const retryMs = Math.max(backoff, (error instanceof AcmeError && error.retryAfterMs) || 0);
        const when = `again in ${Math.ceil(retryMs / 60_000)} min`;
        const message = `no certificate for ${this.hostname}: ${(error as Error).message}; trying ${when}`;
        this.emit('status', { message, error: error as Error });
        await sleep(retryMs, signal);
      }
    }
  }

  /** Takes the certificate of the file, if it is still good. */
  async #load(): Promise<void> {
    try {
      const pem = await readPrivateFile(this.#file, maxFileBytes);
      const credentials = parseCredentials(pem, pem);
      const isGood = Date.parse(credentials.leaf.validTo) > Date.now() && credentials.leaf.checkHost(this.hostname);
      if (isGood) this.change(credentials);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      this.emit('status', { message: `${this.#file} is not used: ${(error as Error).message}`, error: error as Error });
    }
  }

  /** When to renew. A CA that cannot be asked changes nothing. */
  async #dueAt({ leaf }: Credentials, signal: AbortSignal): Promise<number> {
    const id = (await acmeKeys()).renewalId(leaf);
    if (id !== undefined && Date.now() >= this.#askAgainAt) {
      this.#askAgainAt = Date.now() + this.ordering.times.checkIntervalMs / 2;
      try {
        const client = await this.ordering.client();
        this.#window = await client.renewalWindow(id, signal);
        const { retryAfterMs } = this.#window ?? {};
        if (retryAfterMs !== undefined) this.#askAgainAt = Date.now() + retryAfterMs;
      } catch {
        // The time by the lifetime, or the window told before, counts.
      }
    }
    return Math.max(
      renewalTime(leaf, this.#window, this.#random),
      this.#orderedAt + this.ordering.times.leastRenewalMs,
    );
  }

  async #order(signal: AbortSignal): Promise<void> {
    const { hostname, ordering } = this;
    const client = await ordering.client();
    const terms = await client.terms(signal);
    const accepting = terms === undefined ? '' : `, accepting ${printable(terms, 200)}`;
    this.emit('status', { message: `ordering a certificate for ${hostname} from ${ordering.ca}${accepting}` });
    const account = printable(await client.account(signal), 200);
    const { certificateRequest, challengeCredentials, renewalId } = await acmeKeys();
    const { keyPem, csr } = await certificateRequest(hostname);
    const replaces = this.#window && this.current ? renewalId(this.current.leaf) : undefined;
    const prove = async (keyAuthorization: string) => {
      this.#challenge = await challengeCredentials(hostname, keyAuthorization);
      return () => (this.#challenge = undefined);
    };
    const chain = await client.order({ hostname, csr, replaces, prove }, signal);
    const credentials = parseCredentials(chain, keyPem);
    await writePrivateFile(this.#file, `${keyPem.trimEnd()}\n${chain}`, 'replace').catch((error: unknown) => {
      const message = `the certificate of ${hostname} cannot be kept in ${this.#file}: ${(error as Error).message}`;
      this.emit('status', { message, error: error as Error });
    });
    this.#window = undefined;
    this.#askAgainAt = 0;
    this.#orderedAt = Date.now();
    this.change(credentials);
    const until = new Date(credentials.leaf.validTo).toISOString().slice(0, 10);
    this.emit('status', {
      message: `${hostname} has a certificate of its own, until ${until}, from the account ${account}`,
    });
  }
}

/** Certificates of an ACME CA, ordered by the tunnel itself, whose keys do not leave this machine. */
export class AcmeCertificates extends OwnCertificates {
  readonly #ordering: Ordering;
  readonly #transport: RelayTransport;

  /** @throws UsageError */
  constructor(options: AcmeCertificatesOptions) {
    super();
    checkAcmeOptions(options);
    const directory = new URL(options.directory ?? letsEncrypt);
    const transport = new RelayTransport({ ca: options.ca, proxy: options.proxy });
    this.#transport = transport;
    let client: Promise<AcmeClient> | undefined;
    // Of each CA its own: a certificate of a test CA is of no use with another.
    const folder = join(options.folder, `${directory.hostname}-${idOf(directory)}`);
    this.#ordering = {
      folder,
      ca: directory.host,
      times: { ...acmeTimes, ...options.times },
      client: async () => {
        client ??= accountKey(folder).then((pem) => {
          const { email, externalAccount } = options;
          const key = createPrivateKey(pem);
          return new AcmeClient({ directory, fetch: transport.fetch, accountKey: key, email, externalAccount });
        });
        try {
          return await client;
        } catch (error) {
          client = undefined;
          throw error;
        }
      },
    };
  }

  /** @see OwnCertificates */
  override async close(): Promise<void> {
    await this.#transport.close();
  }

  protected override make(hostname: string): OwnCertificate {
    return new AcmeCertificate(hostname, this.#ordering);
  }
}

/** Loaded by those who order: its package takes as long to load as Node to start. */
const acmeKeys = () => import('./acme-keys.js');

const idOf = (directory: URL) => createHash('sha256').update(directory.href).digest('hex').slice(0, 8);

/** The account's key for a CA, PEM; made when missing. @throws UsageError */
async function accountKey(folder: string): Promise<string> {
  // Certificates are named by their host, which has a dot.
  const path = join(folder, 'account.pem');
  try {
    return await readPrivateFile(path, maxFileBytes);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw new UsageError(`${path}: ${(error as Error).message}`, { cause: error });
  }
  await writePrivateFile(path, await (await acmeKeys()).generateAccountKey(), 'keep');
  return await readPrivateFile(path, maxFileBytes);
}
