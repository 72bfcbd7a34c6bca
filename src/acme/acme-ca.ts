import { createHash, createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { systemCode, UsageError } from '../sdk/calls/errors.js';
import { readPrivateFile, writePrivateFile } from '../sdk/identity/private-file.js';
import { RelayTransport } from '../sdk/transport/relay-transport.js';
import { AcmeClient, type ExternalAccount } from './acme-client.js';

export const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory';
/** A key or a certificate with its chain. */
export const maxPemBytes = 262_144;

/** Where certificates are ordered. */
export interface AcmeCaOptions {
  /** The CA's ACME directory; Let's Encrypt by default. */
  directory?: string | URL | undefined;
  /** Address for the CA's notices. */
  email?: string | undefined;
  /** PEM certificates to trust for the CA's API instead of the well-known ones. */
  ca?: string | Buffer | undefined;
  /** Key id and HMAC key (base64url), for CAs that ask for an external account. */
  externalAccount?: ExternalAccount | undefined;
}

/** @throws UsageError */
export function checkAcmeCa({ directory = letsEncrypt, email, externalAccount }: AcmeCaOptions): void {
  if (!URL.canParse(String(directory)) || new URL(directory).protocol !== 'https:')
    throw new UsageError(`not the https URL of an ACME directory: ${JSON.stringify(String(directory))}`);
  if (email !== undefined && !/^[^\s@,?]+@[^\s@,?]+$/.test(email))
    throw new UsageError(`not an email address: ${JSON.stringify(email)}`);
  if (externalAccount && !(externalAccount.kid !== '' && /^[A-Za-z0-9_-]+=*$/.test(externalAccount.hmacKey)))
    throw new UsageError('an external account needs a key id, and an HMAC key in base64url');
}

/** A CA, with an account there, whose key is kept in a folder of its own: a certificate of a test CA is of no use with another. */
export class AcmeCa {
  /** Where the account's key is, and certificates are to be. */
  readonly folder: string;
  readonly host: string;
  readonly #transport: RelayTransport;
  #client: Promise<AcmeClient> | undefined;

  /** @throws UsageError */
  constructor(private readonly options: AcmeCaOptions & { folder: string; proxy?: string | URL | false | undefined }) {
    checkAcmeCa(options);
    this.#transport = new RelayTransport({ ca: options.ca, proxy: options.proxy });
    const { directory } = this;
    this.folder = join(options.folder, `${directory.hostname}-${idOf(directory)}`);
    this.host = directory.host;
  }

  private get directory(): URL {
    return new URL(this.options.directory ?? letsEncrypt);
  }

  /** @throws UsageError when the account's key cannot be kept */
  async client(): Promise<AcmeClient> {
    this.#client ??= accountKey(this.folder).then((pem) => {
      const { email, externalAccount } = this.options;
      const key = createPrivateKey(pem);
      const { fetch } = this.#transport;
      return new AcmeClient({ directory: this.directory, fetch, accountKey: key, email, externalAccount });
    });
    try {
      return await this.#client;
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }
}

/** Loaded by those who order: its package takes as long to load as Node to start. */
export const acmeKeys = () => import('./acme-keys.js');

const idOf = (directory: URL) => createHash('sha256').update(directory.href).digest('hex').slice(0, 8);

/** The account's key for a CA, PEM; made when missing. @throws UsageError */
async function accountKey(folder: string): Promise<string> {
  // Certificates are named by their host, which has a dot.
  const path = join(folder, 'account.pem');
  try {
    return await readPrivateFile(path, maxPemBytes);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw new UsageError(`${path}: ${(error as Error).message}`, { cause: error });
  }
  await writePrivateFile(path, await (await acmeKeys()).generateAccountKey(), 'keep');
  return await readPrivateFile(path, maxPemBytes);
}
