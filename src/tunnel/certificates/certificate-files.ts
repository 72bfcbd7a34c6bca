import { readFile, stat } from 'node:fs/promises';
import { systemCode, UsageError } from '../../sdk/calls/errors.js';
import { type Credentials, parseCredentials } from '../../tls/index.js';
import { repeat } from '../../util/boundary.js';
import { OwnCertificate, OwnCertificates } from './own-certificate.js';

/** How often it is looked whether the files have changed. */
const reloadIntervalMs = 10_000;

export interface CertificateFilePaths {
  /** PEM, leaf first. */
  cert: string;
  /** PEM, without a password. */
  key: string;
}

/** Reads the pair. @throws UsageError in one line */
export async function readCredentials({ cert, key }: CertificateFilePaths): Promise<Credentials> {
  const read = async (path: string) =>
    await readFile(path, 'utf8').catch((error: unknown) => {
      throw new UsageError(`${path}: ${systemCode(error) ?? String(error)}`, { cause: error });
    });
  const [certPem, keyPem] = [await read(cert), await read(key)];
  try {
    return parseCredentials(certPem, keyPem);
  } catch (error) {
    throw new UsageError(`${cert}, ${key}: ${(error as Error).message}`, { cause: error });
  }
}

/** A certificate that something else keeps in files; they are read again when they change. */
class CertificateFile extends OwnCertificate {
  #timer: NodeJS.Timeout | undefined;
  #version = '';

  constructor(
    private readonly hostname: string,
    private readonly paths: CertificateFilePaths,
  ) {
    super();
  }

  /** @see OwnCertificate */
  override serve(signal: AbortSignal): void {
    if (this.#timer || signal.aborted) return;
    this.#timer = repeat('certificate files', () => this.#reload(), reloadIntervalMs);
    // boundary: cannot throw.
    signal.addEventListener('abort', () => clearInterval(this.#timer), { once: true });
    this.#reload().catch(() => undefined);
  }

  async #reload(): Promise<void> {
    const { cert, key } = this.paths;
    const version = await versionOf([cert, key]);
    if (version === this.#version) return;
    this.#version = version;
    try {
      const credentials = await readCredentials(this.paths);
      if (credentials.leaf.checkHost(this.hostname) === undefined)
        throw new UsageError(`${cert} is not for ${this.hostname}`);
      this.change(credentials);
    } catch (error) {
      // A pair may be half written: the next look finds the rest.
      const kept = this.current ? 'the earlier one stays' : 'visitors cannot be served';
      this.emit('status', { message: `${(error as Error).message}; ${kept}`, error: error as Error });
    }
  }
}

async function versionOf(paths: string[]): Promise<string> {
  const states = await Promise.all(paths.map(async (path) => await stat(path).catch(() => undefined)));
  return states.map((state) => (state ? `${state.mtimeMs} ${state.ino} ${state.size}` : '')).join(' ');
}

export class CertificateFiles extends OwnCertificates {
  constructor(private readonly paths: CertificateFilePaths) {
    super();
  }

  /** @see OwnCertificates */
  override async start(signal: AbortSignal): Promise<void> {
    await super.start(signal);
    await readCredentials(this.paths);
  }

  protected override make(hostname: string): OwnCertificate {
    return new CertificateFile(hostname, this.paths);
  }
}
